"""Best overall response against table 3, admiralonco and the paper's own sentences."""

import csv
from datetime import date, timedelta

import pytest

from npcpit_imaging.config.protocol import CrThenPr, Protocol, ShortSdRule
from npcpit_imaging.response.best_response import (
    DatedResponse,
    best_response,
    clinical_benefit,
    confirmed_best_response,
    cr_then_pr_at,
    first_confirmed,
    first_response,
)
from npcpit_imaging.study.response import Response

START = date(2026, 1, 1)


def sequence(text, *, every=28, first=28):
    """Responses one after the other, ``every`` days apart."""
    return [
        DatedResponse(date=START + timedelta(days=first + every * index), response=Response(word))
        for index, word in enumerate(text.split())
    ]


def day(text):
    return date.fromisoformat(text) if text else None


def admiral_protocol(row):
    return Protocol(
        min_sd_days=int(row["ref_start_window"] or 0),
        ref_confirm=int(row["ref_confirm"] or 28),
        max_nr_ne=int(row["max_nr_ne"] or 0),
        accept_sd=row["accept_sd"].lower() == "true",
        missing_as_ne=row.get("missing_as_ne", "").lower() == "true",
        short_sd_rule=ShortSdRule.ADMIRAL,
    )


def admiral_records(row):
    cells = [cell.split("=") for cell in row["timepoints"].split(";") if cell]
    return [DatedResponse(date=day(on), response=Response(word)) for on, word in cells]


@pytest.mark.parametrize("name", ["admiralonco_unit_test_cases.csv", "admiralonco_fuzz_cases.csv"])
def test_admiralonco_best_responses_with_dates(shared_data, name):
    """Every BOR and confirmed BOR of admiralonco, unit tests and random cases, agrees in response and date."""
    with (shared_data / "recist" / name).open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["param"] in ("BOR", "CBOR")]
    wrong = []
    for row in rows:
        best = best_response if row["param"] == "BOR" else confirmed_best_response
        answer = best(
            admiral_records(row),
            protocol=admiral_protocol(row),
            reference=day(row["ref_date"]),
            pd_date=day(row["pd_date"]),
        )
        if (answer.response, answer.date) != (row["expected"], day(row["expected_date"])):
            wrong.append((row, answer))
    assert not wrong
    assert len(rows) == {"admiralonco_unit_test_cases.csv": 67, "admiralonco_fuzz_cases.csv": 5000}[name]


def test_admiralonco_confirmed_response_and_response_dates(shared_data):
    """CRSP and RSP (is there a confirmed, or any, response, and when does it begin) agree with admiralonco."""
    with (shared_data / "recist" / "admiralonco_unit_test_cases.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["param"] in ("CRSP", "RSP")]
    assert len(rows) == 35  # with 67 best responses and 14 clinical benefits: all 116
    for row in rows:
        records = list(admiral_records(row))
        if row["param"] == "CRSP":
            found = first_confirmed(records, protocol=admiral_protocol(row), pd_date=day(row["pd_date"]))
        else:
            found = first_response(records, pd_date=day(row["pd_date"]))
        assert ("N" if found is None else "Y", found) == (row["expected"], day(row["expected_date"])), row


def test_admiralonco_clinical_benefit_with_dates(shared_data):
    """CBR (a response, or stable disease for long enough, before PD) agrees with admiralonco in answer and date.

    The file does not hold two arguments of the R tests: its first test lets only CR, PR and SD count, as its name says.
    A time point without a response (``None``) is no record.
    """
    with (shared_data / "recist" / "admiralonco_unit_test_cases.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["param"] == "CBR"]
    assert len(rows) == 14
    for row in rows:
        strict = "ignore NON-CR/NON-PD" in row["test"]
        row["timepoints"] = ";".join(cell for cell in row["timepoints"].split(";") if not cell.endswith("=None"))
        found = clinical_benefit(
            admiral_records(row),
            protocol=admiral_protocol(row),
            reference=day(row["ref_date"]),
            pd_date=day(row["pd_date"]),
            stable=[Response.SD] if strict else [Response.SD, Response.NON_CR_NON_PD],
        )
        assert ("Y" if found.benefit else "N", found.date) == (row["expected"], day(row["expected_date"])), row


@pytest.mark.parametrize(
    ("text", "answer"),
    [("SD", (None, None)), ("PR SD", (True, 28)), ("SD PR", (True, None)), ("NE PD", (False, None))],
)
def test_clinical_benefit_without_a_treatment_start(text, answer):
    """A response is a benefit at any rate; its day is known only where no earlier SD could be one."""
    found = clinical_benefit(sequence(text), protocol=Protocol(), reference=None)
    assert (found.benefit, None if found.date is None else (found.date - START).days) == answer


def test_clinical_benefit_dates_from_the_earlier_of_response_and_long_sd():
    """SD on day 28 is too short for 42 days, so the PR on day 56 is the first; on day 56 SD itself would do."""
    benefit = clinical_benefit(sequence("SD PR"), protocol=Protocol(), reference=START)
    assert (benefit.benefit, benefit.date) == (True, START + timedelta(days=56))
    short = clinical_benefit(sequence("SD PD"), protocol=Protocol(), reference=START)
    assert (short.benefit, short.rule.text) == (False, "N: no response, nor SD after its minimum duration")


def test_table_3(shared_data):
    """Table 3 of Eisenhauer 2009: every pair of time points, minimum duration of SD met or not."""
    with (shared_data / "recist" / "eisenhauer_table3_bor_confirmed.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 22
    for row in rows:
        protocol = Protocol(min_sd_days=28 if row["min_sd_met"] == "Y" else 1000)
        answer = confirmed_best_response(sequence(f"{row['tp1']} {row['tp2']}"), protocol=protocol, reference=START)
        assert answer.response in row["expected"].split("|"), (row, answer)


def test_cr_then_pr_has_three_readings():
    """Footnote a of table 3: SD (with a query), PD when the CR was real, PR when it was over-called."""
    records = sequence("CR PR PR")
    answers = {
        reading: confirmed_best_response(
            records, protocol=Protocol(cr_then_pr=reading, min_sd_days=1000), reference=START
        ).response
        for reading in CrThenPr
    }
    # PR then PR is confirmed PR in its own right where the CR is left alone
    assert answers == {CrThenPr.SD: "PR", CrThenPr.PD: "PD", CrThenPr.RETRACT: "PR"}
    assert cr_then_pr_at(records) == records[1].date
    assert cr_then_pr_at(sequence("PR CR")) is None


def test_retracting_a_cr_dates_the_pr_at_the_cr():
    """An over-called CR becomes PR on its own day; a CR that was confirmed is not retracted."""
    records = sequence("CR PR")
    retract = Protocol(cr_then_pr=CrThenPr.RETRACT)
    answer = confirmed_best_response(records, protocol=retract, reference=START)
    assert (answer.response, answer.date) == ("PR", records[0].date)
    confirmed = confirmed_best_response(sequence("CR CR PR"), protocol=retract, reference=START)
    assert confirmed.response == "CR"


@pytest.mark.parametrize("reading", list(CrThenPr))
def test_without_cr_before_pr_the_reading_does_not_matter(reading):
    """PR, then CR, then CR is a confirmed CR under every reading."""
    answer = confirmed_best_response(sequence("PR CR CR"), protocol=Protocol(cr_then_pr=reading), reference=START)
    assert answer.response == "CR"


@pytest.mark.parametrize(
    ("text", "min_sd", "expected"),
    [
        ("SD PR PD", 42, "PR"),
        ("SD PD", 42, "PD"),
        ("SD", 42, "NE"),
        ("SD", 28, "SD"),
    ],
)
def test_unconfirmed_sentences_of_section_4_5(text, min_sd, expected):
    """Eisenhauer 2009, 4.5: the sentences on best response where confirmation is not required."""
    answer = best_response(sequence(text), protocol=Protocol(min_sd_days=min_sd), reference=START)
    assert answer.response == expected


def test_four_weeks_are_28_days_inclusive():
    """A confirmation on day 28 counts, one on day 27 does not."""
    exact = confirmed_best_response(sequence("PR PR", every=28), protocol=Protocol(), reference=START)
    early = confirmed_best_response(sequence("PR PR", every=27), protocol=Protocol(), reference=START)
    assert (exact.response, early.response) == ("PR", "SD")


def test_an_early_response_cannot_be_confirmed_by_another_early_one():
    """Two PR within the early window after treatments do not confirm each other; a later one confirms either."""
    early = [DatedResponse(date=r.date, response=r.response, early=True) for r in sequence("PR PR")]
    assert confirmed_best_response(early, protocol=Protocol(), reference=START).response == "SD"
    late = sequence("PR", first=84)
    assert confirmed_best_response([*early, *late], protocol=Protocol(), reference=START).response == "PR"


def test_an_unknown_reference_gives_na_only_where_it_matters():
    """Without treatment start SD is NA with the reason; CR does not need it."""
    sd = best_response(sequence("SD"), protocol=Protocol(), reference=None)
    assert (sd.response, sd.date) == ("NA", None)
    assert "treatment start" in sd.rule.text
    assert best_response(sequence("SD CR"), protocol=Protocol(), reference=None).response == "CR"
    assert confirmed_best_response(sequence("PR SD"), protocol=Protocol(), reference=None).response == "SD"


def test_no_assessment_is_missing_or_ne():
    """A subject without any assessment is MISSING, or NE where the protocol says so."""
    assert best_response([], protocol=Protocol(), reference=START).response == "MISSING"
    assert best_response([], protocol=Protocol(missing_as_ne=True), reference=START).response == "NE"


def test_pd_between_ends_what_table_3_adds():
    """PR, then PD, then SD: the SD after PD says nothing of the PR; without a stated PD date it is still a record."""
    answer = confirmed_best_response(sequence("PR PD SD"), protocol=Protocol(min_sd_days=1000), reference=START)
    assert answer.response == "PD"
    after_cr = confirmed_best_response(
        sequence("PR CR SD"), protocol=Protocol(min_sd_days=1000, ref_confirm=99), reference=START
    )
    assert after_cr.response == "PD"
