"""Planned visits: expected from the first treatment, overdue in the subject's own dates, shown by status."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

from npcpit_imaging.app import console, coordinating
from npcpit_imaging.app.responses import shifted
from npcpit_imaging.app.schedule import planned_visits
from npcpit_imaging.app.study import Study, open_study
from npcpit_imaging.app.survey import survey_study

SUBJECT = "NPC-0001"


@pytest.fixture
def planned(folder):
    """A treatment on 1 March 2024; the shipped protocol plans FU1 on day 42 and FU2 on day 84, a week more or less."""
    (folder / "tables" / "subjects.csv").write_text(f"subject,treatment_start\n{SUBJECT},2024-03-01\n")
    with open_study(folder) as study:
        yield study


def on(monkeypatch, day: date) -> None:
    """Let it be another day."""
    monkeypatch.setattr(Study, "now", staticmethod(lambda: datetime(day.year, day.month, day.day, tzinfo=UTC)))


def names(study, received=()):
    return [
        (each.name, each.expected - shifted(study, SUBJECT, date(2024, 3, 1)), each.is_overdue)
        for each in planned_visits(study, SUBJECT, dict.fromkeys(received, date(2024, 4, 12)))
    ]


def test_a_visit_is_overdue_the_day_after_its_window_and_not_before(planned, monkeypatch):
    """FU1 is planned for 12 April 2024: 19 April is the last day of its window."""
    on(monkeypatch, date(2024, 4, 19))
    assert names(planned) == [("FU1", timedelta(days=42), False), ("FU2", timedelta(days=84), False)]
    on(monkeypatch, date(2024, 4, 20))
    assert [overdue for _, _, overdue in names(planned)] == [True, False]
    assert [overdue for _, _, overdue in names(planned, received=("FU1",))] == [False, False]


def test_nobody_is_awaited_after_death_or_the_data_cut(planned, monkeypatch):
    """Death on 15 April lies in the window of FU1: neither visit is ever overdue."""
    on(monkeypatch, date(2024, 12, 1))
    assert [overdue for _, _, overdue in names(planned)] == [True, True]
    table = planned.tables / "subjects.csv"
    table.write_text(f"subject,treatment_start,death_date\n{SUBJECT},2024-03-01,2024-04-15\n")
    assert [overdue for _, _, overdue in names(planned)] == [False, False]


@pytest.mark.parametrize("named", [True, False])
def test_nothing_is_overdue_after_the_data_cut_with_or_without_a_line_in_the_table(planned, monkeypatch, named):
    """Cut on 19 April 2024, the last day of FU1's window: not overdue, whoever looks and when; on 20 April it would."""
    on(monkeypatch, date(2024, 12, 1))
    if not named:
        (planned.tables / "subjects.csv").unlink()
        (planned.tables / "treatments.csv").write_text(f"subject,lesion,cycle,date\n{SUBJECT},T01,1,2024-03-01\n")
    path = planned.folder / "configs" / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    for day, overdue in (("2024-04-19", False), ("2024-04-20", True)):
        path.write_text(text.replace("[results]", f"[results]\ndata_cut = {day}\n"), encoding="utf-8")
        planned.__dict__.pop("protocol", None)
        assert [each for _, _, each in names(planned)] == [overdue, False]


def test_after_a_death_nothing_is_awaited_and_status_says_so(planned, write_series, quiet, monkeypatch, capsys):
    """Death on 15 May: FU1, until 19 April, was overdue before; FU2, until 31 May, is awaited no more."""
    from npcpit_imaging.app.importing import import_folder

    table = planned.tables / "subjects.csv"
    table.write_text(f"subject,treatment_start,death_date\n{SUBJECT},2024-03-01,2024-05-15\n")
    import_folder(planned, write_series("20240220", "1"), progress=quiet)
    on(monkeypatch, date(2024, 5, 20))
    found = survey_study(planned)
    assert [(each.name, each.is_overdue, each.is_ended) for each in found.subjects[0].awaited] == [
        ("FU1", True, False),
        ("FU2", False, True),
    ]
    console.status(found)
    assert "not awaited: died" in capsys.readouterr().out


def test_status_marks_images_outside_their_visits_window(planned, write_series, quiet, monkeypatch, capsys):
    """Day 86 lies outside FU1's window of day 42, a week more or less; the baseline has none."""
    from npcpit_imaging.app.importing import import_folder

    import_folder(planned, write_series("20240220", "1"), progress=quiet)
    import_folder(planned, write_series("20240526", "2"), progress=quiet)
    on(monkeypatch, date(2024, 5, 27))
    found = survey_study(planned)
    assert [(each.name, each.in_window) for each in found.subjects[0].visits] == [("BASELINE", None), ("FU1", False)]
    (shown,) = found.as_json()["subjects"]
    assert [each["in_window"] for each in shown["timepoints"]] == [None, False]
    console.status(found)
    assert "(out of window)" in re.sub(r"\s+", " ", capsys.readouterr().out)


def test_without_a_treatment_nothing_is_overdue(planned):
    (planned.tables / "subjects.csv").unlink()
    assert [(each.expected, each.is_overdue) for each in planned_visits(planned, SUBJECT, {})] == [(None, False)] * 2


def test_where_care_is_routine_nothing_is_planned(folder):
    protocol = folder / "configs" / "protocol.toml"
    text, count = re.subn(r"(?s)\[\[visits\]\].*?(?=\n\n|\n\[(?!\[visits)|$)", "", protocol.read_text(encoding="utf-8"))
    assert count == 2
    protocol.write_text(text, encoding="utf-8")
    with open_study(folder) as study:
        assert planned_visits(study, SUBJECT, {}) == ()


def test_status_and_the_coordinators_table_show_what_is_awaited(planned, write_series, quiet, monkeypatch, capsys):
    from npcpit_imaging.app.importing import import_folder

    import_folder(planned, write_series("20240220", "1"), progress=quiet)
    on(monkeypatch, date(2024, 5, 1))
    found = survey_study(planned)
    assert [(each.name, each.is_overdue) for each in found.subjects[0].awaited] == [("FU1", True), ("FU2", False)]
    console.status(found)
    shown = capsys.readouterr().out
    assert "OVERDUE" in shown
    assert "awaited" in shown
    (subject,), count = coordinating.progress(planned)
    assert count == 1
    overdue = {visit["name"]: visit["overdue"] for visit in subject["visits"]}
    assert overdue == {"BASELINE": False, "FU1": True, "FU2": False}
