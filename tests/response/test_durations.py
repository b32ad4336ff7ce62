"""Duration of response and progression-free survival with censoring (recist.md 1.9)."""

from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.best_response import DatedResponse
from npcpit_imaging.response.durations import duration_of_response, progression_free_survival, time_to_progression
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.response import Response

START = date(2026, 1, 1)
ALIVE = Course(subject="S1", treatment_start=START)
FOUR_WEEKS = Protocol(scheduled_interval_days=28, max_missed_visits=2)


def day(text):
    return date.fromisoformat(text)


def reads(*pairs):
    return [DatedResponse(date=day(on), response=Response(word)) for on, word in pairs]


def pfs(responses, *, pd=None, course=ALIVE, protocol=FOUR_WEEKS, **more):
    found = progression_free_survival(
        responses, start=START, pd_date=pd and day(pd), course=course, protocol=protocol, **more
    )
    return found.days, found.event, found.reason


SD = ("2026-01-29", "SD")


@pytest.mark.parametrize(
    ("responses", "how", "expected"),
    [
        ([SD, ("2026-02-26", "PD")], {"pd": "2026-02-26"}, (57, True, "progression")),
        ([SD], {}, (29, False, "censored: last adequate assessment")),
        ([], {}, (1, False, "censored: no adequate assessment")),
        ([("2026-01-29", "NE")], {}, (1, False, "censored: no adequate assessment")),
        ([SD], {"course": Course(subject="S1", death_date=day("2026-02-10"))}, (41, True, "death")),
        (
            [SD],
            {"course": Course(subject="S1", death_date=day("2026-03-27"))},
            (29, False, "censored: death 57 days after the last adequate assessment, limit 56"),
        ),
        (
            [SD],
            {
                "course": Course(subject="S1", death_date=day("2026-03-27")),
                "protocol": Protocol(censor_after_missed_visits=False),
            },
            (86, True, "death"),
        ),
        ([SD], {"course": Course(subject="S1", death_date=day("2026-02-10"), cutoff=day("2026-02-01"))},
         (29, False, "censored: last adequate assessment")),
        (
            [SD, ("2026-02-26", "PD")],
            {"pd": "2026-02-26", "course": Course(subject="S1", new_therapy_date=day("2026-02-01"))},
            (29, False, "censored: new therapy on 2026-02-01"),
        ),
        (
            [SD, ("2026-02-26", "PD")],
            {
                "pd": "2026-02-26",
                "course": Course(subject="S1", new_therapy_date=day("2026-02-01")),
                "protocol": Protocol(censor_at_new_therapy=False),
            },
            (57, True, "progression"),
        ),
        (
            [SD, ("2026-02-26", "PD")],
            {"pd": "2026-02-26", "course": Course(subject="S1", new_therapy_date=day("2026-03-01"))},
            (57, True, "progression"),
        ),
        ([SD], {"course": Course(subject="S1", new_therapy_date=day("2026-03-01"))},
         (29, False, "censored: new therapy on 2026-03-01")),
        ([SD, ("2026-02-26", "PD")], {"pd": "2026-02-26", "course": None}, (57, True, "progression")),
        (
            [SD],
            {"course": None},
            (None, False, "NA: no progression, and whether the subject died is not known without a subjects file"),
        ),
        ([SD], {"baseline_known": False}, (1, False, "censored: no baseline assessment")),
    ],
)  # fmt: skip
def test_progression_free_survival(responses, how, expected):
    """Events and censoring, worked by hand; the first day is day 1."""
    assert pfs(reads(*responses), **how) == expected


def test_pfs_needs_a_start():
    """Without treatment start PFS is NA with the reason."""
    found = progression_free_survival([], start=None, pd_date=None, course=ALIVE, protocol=FOUR_WEEKS)
    assert (found.days, found.reason) == (None, "NA: the treatment start is not known")


def test_duration_of_response():
    """From the first response to progression; without response there is none."""
    responses = reads(("2026-01-29", "PR"), ("2026-02-26", "PR"), ("2026-03-26", "PD"))
    found = duration_of_response(
        responses, start=day("2026-01-29"), pd_date=day("2026-03-26"), course=ALIVE, protocol=FOUR_WEEKS
    )
    assert (found.days, found.event, found.start) == (57, True, day("2026-01-29"))
    none = duration_of_response([], start=None, pd_date=None, course=ALIVE, protocol=FOUR_WEEKS)
    assert none.reason == "NA: no response"


def test_time_to_progression_of_a_lesion():
    """From irradiation to the lesion's own progression, else to its last adequate assessment."""
    responses = reads(("2026-01-29", "SD"))
    assert time_to_progression(responses, start=START, pd_date=day("2026-02-26")).days == 57
    assert time_to_progression(responses, start=START, pd_date=None).days == 29
    assert time_to_progression([], start=START, pd_date=None).reason == "censored: no assessment after irradiation"
    assert time_to_progression(responses, start=None, pd_date=None).days is None


def test_an_event_before_the_start_gives_no_negative_time(read):
    """A death date before the treatment start is a slip: NA with the reason, and no duration of response."""
    course = Course(subject="S1", treatment_start=date(2026, 1, 12), death_date=date(2026, 1, 2))
    answer = read({"T1": "20 8"}, course=course)
    assert (answer.pfs.days, answer.pfs.reason) == (None, "NA: death on 2026-01-02 is before the start on 2026-01-12")
    assert answer.dor.days is None
