"""Rows by column: what they say is what the same rows as mappings say, in memory and in both kinds of file."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from npcpit_imaging.report.sdtm_files import dataset_json, write_dataset_json, write_xpt
from npcpit_imaging.report.sdtm_rows import ColumnRows
from npcpit_imaging.report.sdtm_spec import TR, Dataset

MOMENT = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
NUMBERS = [
    0.0,
    1.0,
    -118.625,
    0.1,
    12.3,
    -0.5,
    1e-9,
    123456789.25,
    1 / 3,
    2.0**40 + 0.5,
    None,
    15.999999999,
    16.0,
    0.0625,
]


def dataset(count: int) -> Dataset:
    """Rows with every kind of number, empty and missing text, and letters of several bytes."""
    draw = np.random.default_rng(3)
    numbers = NUMBERS + [float(value) for value in draw.normal(scale=100, size=max(0, count - len(NUMBERS)))]
    rows = [
        {
            "STUDYID": "TRIAL",
            "DOMAIN": "TR",
            "USUBJID": f"TRIAL-{place % 7}",
            "TRSEQ": place + 1,
            "TRTESTCD": "LDIAM",
            "TRORRES": ("", "Größe 日本", "12.3", None)[place % 4],
            "TRSTRESN": value,
            **({"TRDTC": "2026-01-05"} if place % 2 else {}),
        }
        for place, value in enumerate(numbers[:count])
    ]
    return Dataset(spec=TR, rows=ColumnRows([rows[:5], rows[5:]]))


@pytest.mark.parametrize("count", [0, 1, 14, 700])
def test_a_transport_file_has_the_bytes_that_the_library_writes_cell_by_cell(tmp_path, count):
    """readstat, a C library of its own, is the peer; only the moments in its headers are this computer's."""
    own = dataset(count)
    write_xpt(own, tmp_path / "tr.xpt", created=MOMENT)
    frame = pd.DataFrame(
        {
            each.name: pd.Series([row.get(each.name) for row in own.rows], dtype="float64")
            if each.kind.numeric
            else pd.Series([str(row.get(each.name) or "") for row in own.rows], dtype=object)
            for each in own.columns
        }
    )
    pyreadstat.write_xport(
        frame,
        tmp_path / "peer.xpt",
        file_label=TR.label,
        column_labels=[each.label for each in own.columns],
        table_name="TR",
        file_format_version=5,
    )
    ours, theirs = (tmp_path / "tr.xpt").read_bytes(), bytearray((tmp_path / "peer.xpt").read_bytes())
    for start in (144, 160, 464, 480):  # created and modified, of the library and of the member
        theirs[start : start + 16] = b"05JAN26:08:30:00"
    assert ours == bytes(theirs)


@pytest.mark.parametrize("count", [0, 1, 700])
def test_dataset_json_written_in_parts_is_the_whole_value(tmp_path, count, monkeypatch):
    monkeypatch.setattr("npcpit_imaging.report.sdtm_files.ROWS_AT_ONCE", 300)
    own = dataset(count)
    write_dataset_json(own, tmp_path / "tr.json", study_id="TRIAL", created=MOMENT)
    whole = dataset_json(own, study_id="TRIAL", created=MOMENT)
    text = (tmp_path / "tr.json").read_text(encoding="utf-8")
    assert repr(json.loads(text)) == repr(json.loads(json.dumps(whole)))  # keys in order, numbers of the same kind
    assert text.endswith("]}\n")


def test_rows_by_column_say_what_mappings_say():
    by_column = dataset(14)
    as_mappings = replace(
        by_column, rows=tuple({k: v for k, v in row.items() if v is not None} for row in by_column.rows)
    )
    assert len(by_column.rows) == 14 and by_column.rows[-1] == by_column.rows[13] == list(by_column.rows)[13]
    assert by_column.rows[3:5] == [by_column.rows[3], by_column.rows[4]]
    for variable in TR.variables:
        assert list(by_column.cells(variable.name)) == list(as_mappings.cells(variable.name))
        assert by_column.texts(variable.name) == as_mappings.texts(variable.name)
        assert by_column.length(variable) == as_mappings.length(variable) if variable in by_column.columns else True
    assert set(by_column.columns) == set(as_mappings.columns)
