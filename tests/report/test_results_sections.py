"""The results' page says of each time-to-event endpoint what its table says, once."""

from collections import defaultdict

import pandas as pd

from npcpit_imaging.analysis.survival import times
from npcpit_imaging.analysis.time_endpoints import TimeEndpoint, summarise_times
from npcpit_imaging.report.results_sections import sections


def endpoint(name, found, *, units, left_out, why=""):
    return TimeEndpoint(
        name=name, level="patient", competing=False, found=found, units=units, left_out=left_out, why=why
    )


def shown(*endpoints):
    """The page's table of time-to-event endpoints: a row per endpoint, by heading."""
    empty = pd.DataFrame(columns=["level", "note"])
    tables = defaultdict(lambda: empty, {"time_to_event": summarise_times(endpoints)})
    (section,) = [each for each in sections(tables, (), cautions={}, eligibility=None) if each.title == "Time to event"]
    (table,) = section.tables
    return [dict(zip(table.header, row, strict=True)) for row in table.rows]


def test_an_endpoint_stands_in_one_row_with_its_landmark_days_side_by_side():
    """Four patients, an event on day 100 and on day 300, two followed for 200 and 400 days: 3/4 from day 100 on."""
    found = times([100, 300, 200, 400], [1, 1, 0, 0])
    (row,) = shown(endpoint("overall survival", found, units=5, left_out=1, why="no last contact"))
    assert (row["endpoint"], row["of"], row["events"]) == ("overall survival", "5 patients", "2")
    assert row["day 90"].endswith("; 4)")
    assert row["day 180"].startswith("75.0 % (")
    assert row["day 180"].endswith("; 3)")
    assert row["note"] == "1 without a time: no last contact"


def test_deaths_come_first_only_where_death_competes():
    """Where it does not, no death is counted: a nought would say that nobody died."""
    alone = endpoint("overall survival", times([100, 300], [1, 0]), units=2, left_out=0)
    competing = TimeEndpoint(
        name="new lesion", level="patient", competing=True, found=times([50, 100, 300], [2, 1, 0]), units=3,
        left_out=0, why="",
    )  # fmt: skip
    assert [row["deaths first"] for row in shown(alone, competing)] == ["–", "1"]


def test_a_day_beyond_the_follow_up_has_no_rate_and_says_so_in_its_place():
    (row,) = shown(endpoint("overall survival", times([50, 200], [1, 0]), units=3, left_out=1, why="no last contact"))
    assert row["day 365"] == "beyond follow-up"
    assert row["note"] == "1 without a time: no last contact"


def test_an_endpoint_that_nobody_has_says_why_and_makes_no_column():
    """Nobody responded: no duration of response, and no landmark day at which it would stand."""
    other = endpoint("overall survival", times([100, 400], [1, 0]), units=2, left_out=0)
    nobody = endpoint("duration of response", None, units=2, left_out=2, why="no response")
    survival, duration = shown(other, nobody)
    assert [name for name in survival if name.startswith("day")] == ["day 90", "day 180", "day 365"]
    assert {duration[name] for name in duration if name.startswith("day")} == {"–"}
    assert duration["note"] == "2 without a time: no response"
    assert survival["note"] == "–"
