"""A core lab's work list."""

from datetime import date
from pathlib import Path

import pytest

from npcpit_imaging.app.worklist import RawRow, parse_row, read_worklist
from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.errors import InputError, TableError


def write(tmp_path: Path, text: str) -> Path:
    """Write a work list."""
    path = tmp_path / "work.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_a_row_says_whom_when_and_what(tmp_path):
    """A byte-order mark and blanks around values, as spreadsheets write them."""
    path = write(tmp_path, "patient_id,date_from,date_to,modality,subject\n 007 ,2026-01-05,2026-02-01,ct pt,NPC-1\n")
    (raw,) = read_worklist(path)
    row = parse_row(raw, PacsSite())
    assert (row.line, row.query.patient_id, row.subject, row.modalities) == (2, "007", "NPC-1", ("CT", "PT"))
    assert row.query.date_range == "20260105-20260201"


def test_the_site_s_window_holds_where_the_row_has_none():
    """A row that has a first day keeps it."""
    site = PacsSite(date_from=date(2025, 1, 1), date_to=date(2025, 12, 31))
    row = parse_row(RawRow(line=2, values={"accession": "A1", "date_from": "2025-06-01"}), site)
    assert (row.query.date_from, row.query.date_to) == (date(2025, 6, 1), date(2025, 12, 31))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("patient,subject\n1,S\n", "found patient"),
        ("subject,modality\nS,CT\n", "found none of them"),
        ("patient_id\n", "expected rows"),
    ],
)
def test_a_table_that_is_no_work_list_is_refused(tmp_path, text, fault):
    """An unknown column is a typing error, not a comment."""
    with pytest.raises(InputError, match=fault):
        read_worklist(write(tmp_path, text))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"subject": "S"}, "whole archive"),
        ({"patient_id": "SECRET*"}, "pattern"),
        ({"study_uid": "1.2.x"}, "digits and dots"),
        ({"patient_id": "SECRET", "date_from": "5.1.2026"}, "date_from"),
        ({"patient_id": "SECRET", "date_from": "2026-02-01", "date_to": "2026-01-01"}, "later one"),
        ({"patient_id": "SECRET", "None": "surplus"}, "more"),
    ],
)
def test_a_row_that_cannot_be_asked_names_its_line_and_no_patient(values, fault):
    """Line 9 of the file."""
    with pytest.raises(TableError, match=fault) as refusal:
        parse_row(RawRow(line=9, values=values), PacsSite())
    assert str(refusal.value).startswith("line 9: ")
    assert "SECRET" not in str(refusal.value)
