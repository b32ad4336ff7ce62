"""Study days, visit numbers, links and long qualifiers, each worked by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from npcpit_imaging.config.protocol import Protocol, RemovedPolicy
from npcpit_imaging.errors import InputError
from npcpit_imaging.report.sdtm import Tabulation, tabulate, visit_numbers
from npcpit_imaging.report.sdtm_draft import QUALIFIERS, study_day
from npcpit_imaging.report.sdtm_files import dataset_json, write_xpt
from npcpit_imaging.report.sdtm_records import Evaluator, SubjectRead
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import LesionRole, LesionState

START = date(2026, 1, 12)


def seen(timepoint: str, day: date, lesion: str = "T01", **values: object) -> Assessment:
    """One lesion at one visit; a target of 10.0 mm unless told."""
    given = {"role": LesionRole.TARGET, "state": LesionState.MEASURED, "longest_diameter": 100, "organ": "nasopharynx"}
    return Assessment(subject="S", timepoint=timepoint, date=day, reader="", lesion=lesion, **{**given, **values})


def read_of(*assessments: Assessment, subject: str = "S", start: date | None = START) -> SubjectRead:
    return SubjectRead(
        subject=subject,
        evaluator=Evaluator(role="INVESTIGATOR"),
        baseline=assessments[0].timepoint,
        reference_start=start,
        assessments=assessments,
    )


def tabulated(*assessments: Assessment, protocol: Protocol | None = None, start: date | None = START) -> Tabulation:
    return tabulate([read_of(*assessments, start=start)], study_id="TRIAL", protocol=protocol or Protocol())


def rows(tabulation: Tabulation, name: str, *columns: str) -> list[tuple[object, ...]]:
    return [tuple(row.get(column) for column in columns) for row in tabulation.datasets[name].rows]


@pytest.mark.parametrize(
    ("day", "start", "expected"),
    [
        (date(2026, 1, 12), START, 1),
        (date(2026, 1, 13), START, 2),
        (date(2026, 1, 11), START, -1),
        (date(2025, 12, 31), START, -12),
        (date(2026, 1, 12), None, None),
        (None, START, None),
    ],
)
def test_there_is_no_day_0(day: date | None, start: date | None, expected: int | None) -> None:
    assert study_day(day, start) == expected


def test_visit_numbers_follow_dates_of_all_subjects_and_natural_order() -> None:
    one = read_of(seen("BASELINE", date(2026, 1, 5)), seen("WEEK 12", date(2026, 4, 6)))
    other = read_of(
        seen("BASELINE", date(2026, 1, 6)),
        seen("WEEK 6", date(2026, 2, 23)),
        seen("UNSCHEDULED", date(2026, 3, 1)),
        seen("WEEK 12", date(2026, 4, 7)),
    )
    expected = {"BASELINE": 1, "WEEK 6": 2, "UNSCHEDULED": 3, "WEEK 12": 4}
    assert visit_numbers([one, other], []) == expected
    assert visit_numbers([other, one], []) == expected


def test_planned_visits_keep_their_number_though_nobody_had_them() -> None:
    read = read_of(seen("BASELINE", date(2026, 1, 5)), seen("FU3", date(2026, 6, 1)))
    assert visit_numbers([read], ["FU1", "FU2", "FU3"]) == {"BASELINE": 1, "FU1": 2, "FU2": 3, "FU3": 4}


def test_subjects_that_contradict_each_other_still_give_every_visit_one_number() -> None:
    one = read_of(seen("BASELINE", date(2026, 1, 5)), seen("A", date(2026, 2, 1)), seen("B", date(2026, 3, 1)))
    other = read_of(seen("BASELINE", date(2026, 1, 5)), seen("B", date(2026, 2, 1)), seen("A", date(2026, 3, 1)))
    assert visit_numbers([one, other], []) == {"BASELINE": 1, "A": 2, "B": 3}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (LesionState.NOT_IMAGED, ("LDIAM", "", None, "NOT DONE", "NOT IMAGED")),
        (LesionState.REMOVED, ("LDIAM", "", None, "NOT DONE", "REMOVED OR TREATED OUTSIDE THE PROTOCOL")),
        (LesionState.TOO_SMALL, ("LDIAM", "TOO SMALL TO MEASURE", 5.0, None, None)),
    ],
)
def test_a_state_is_no_made_up_number(state: LesionState, expected: tuple[object, ...]) -> None:
    found = tabulated(seen("BASELINE", date(2026, 1, 5), state=state, longest_diameter=None))
    assert rows(found, "TR", "TRTESTCD", "TRORRES", "TRSTRESN", "TRSTAT", "TRREASND") == [expected]


def test_what_the_protocol_decides_of_states_is_what_is_written() -> None:
    protocol = Protocol(tstm_default_mm=4, removed_policy=RemovedPolicy.ZERO)
    found = tabulated(
        seen("BASELINE", date(2026, 1, 5), state=LesionState.TOO_SMALL, longest_diameter=None),
        seen("BASELINE", date(2026, 1, 5), "T02", state=LesionState.REMOVED, longest_diameter=None),
        protocol=protocol,
    )
    assert rows(found, "TR", "TRSTRESC", "TRSTRESN") == [("4", 4.0), ("0", 0.0)]
    assert found.too_small_mm == 4


def test_a_merger_whose_partner_was_not_read_has_no_size() -> None:
    merged = {"state": LesionState.MERGED, "longest_diameter": None, "parent_lesion": "T02"}
    found = tabulated(seen("BASELINE", date(2026, 1, 5)), seen("FU1", date(2026, 3, 5), **merged))
    assert rows(found, "TR", "TRTESTCD", "TRSTRESN", "TRREASND")[1:] == [
        ("LDIAM", None, "MERGED INTO T02, WHICH WAS NOT ASSESSED"),
        ("TUMSTATE", None, None),
    ]


def test_a_lesion_that_was_none_is_not_confirmed() -> None:
    new = {"role": LesionRole.NEW, "longest_diameter": None}
    found = tabulated(
        seen("BASELINE", date(2026, 1, 5)),
        seen("FU1", date(2026, 3, 5), "W1", state=LesionState.EQUIVOCAL, **new),
        seen("FU2", date(2026, 4, 5), "W1", state=LesionState.DISPROVED, **new),
    )
    assert rows(found, "TR", "TRLNKID", "TRTESTCD", "TRSTRESC")[1:] == [
        ("INVESTIGATOR-W1", "TUMSTATE", "EQUIVOCAL"),
        ("INVESTIGATOR-W1", "NEWCONF", "N"),
    ]


def test_the_last_finding_before_treatment_is_the_baseline() -> None:
    found = tabulated(
        seen("SCREENING", date(2026, 1, 2)), seen("BASELINE", date(2026, 1, 12)), seen("FU1", date(2026, 3, 5))
    )
    assert rows(found, "TR", "VISIT", "TRLOBXFL") == [("SCREENING", ""), ("BASELINE", "Y"), ("FU1", "")]


def test_what_was_not_done_is_no_baseline() -> None:
    found = tabulated(
        seen("SCREENING", date(2026, 1, 2)),
        seen("BASELINE", date(2026, 1, 12), state=LesionState.NOT_ASSESSED, longest_diameter=None),
    )
    assert rows(found, "TR", "VISIT", "TRLOBXFL") == [("SCREENING", "Y"), ("BASELINE", "")]


def test_tracking_uid_and_location_of_the_store_win_over_the_readers_words() -> None:
    read = replace(
        read_of(seen("BASELINE", date(2026, 1, 5), organ="nose")),
        tracking_uids={"T01": "2.25.1"},
        locations={"T01": "CLIVUS"},
    )
    found = tabulate([read], study_id="TRIAL", protocol=Protocol())
    assert rows(found, "TU", "TULOC") == [("CLIVUS",)]
    assert ("TRACKUID", "2.25.1") in rows(found, "SUPPTU", "QNAM", "QVAL")


def test_qualifier_names_and_labels_fit_even_when_they_go_on() -> None:
    for name, label in QUALIFIERS.items():
        assert len(name) <= 8
        assert len(label) <= 38, label  # a second part adds a blank and a digit


def test_text_that_does_not_fit_is_refused_not_cut(tmp_path: Path) -> None:
    found = tabulated(seen("BASELINE", date(2026, 1, 5), method="x" * 201))
    with pytest.raises(InputError, match=r"TR\.TRMETHOD: expected at most 200 bytes, found 201"):
        write_xpt(found.datasets["TR"], tmp_path / "tr.xpt", created=datetime(2024, 3, 9, tzinfo=UTC))
    with pytest.raises(InputError, match="qualifier ORGAN"):
        tabulated(seen("BASELINE", date(2026, 1, 5), organ="x" * 201))


def test_a_folder_that_is_not_there_is_a_fault_with_the_files_name(tmp_path: Path) -> None:
    found = tabulated(seen("BASELINE", date(2026, 1, 5)))
    with pytest.raises(InputError, match=r"tr\.xpt"):
        write_xpt(found.datasets["TR"], tmp_path / "none" / "tr.xpt", created=datetime(2024, 3, 9, tzinfo=UTC))


def test_missing_numbers_are_null_and_missing_text_is_empty_in_dataset_json() -> None:
    found = tabulated(seen("BASELINE", date(2026, 1, 5), state=LesionState.NOT_ASSESSED, longest_diameter=None))
    document = dataset_json(found.datasets["TR"], study_id="TRIAL", created=datetime(2026, 1, 1, tzinfo=UTC))
    values = dict(zip([column["name"] for column in document["columns"]], document["rows"][0], strict=True))
    assert values["TRSTRESN"] is None
    assert values["TRORRES"] == ""
    assert values["TRDY"] == -7
