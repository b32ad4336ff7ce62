"""The cases in ``*.toml`` beside this file: rows as a reader writes them, answers as a radiologist expects them."""

import tomllib
from pathlib import Path

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.answers import lesion_answers, subject_answer, timepoint_answers
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.table import read_measurements, read_subjects, read_treatments

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['title']}")
    for path in sorted(Path(__file__).parent.glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


def cells(table):
    """Rows of a table drawn with vertical bars, as dictionaries."""
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def as_csv(rows, **always):
    """The same rows as CSV lines, with constant columns added."""
    rows = [{**always, **row} for row in rows]
    return [",".join(rows[0])] + [",".join(row.values()) for row in rows]


def text(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value)


def shown(answers, wanted):
    return [{name: text(answer[name]) for name in wanted[0]} for answer in answers]


@pytest.mark.parametrize("case", CASES)
def test_case(case):
    """Every case gives the answers it states, and cites the rule."""
    assert case["rule"]
    columns = {"nodal": "no", "longest_diameter_mm": "", "short_axis_mm": ""}
    table = read_measurements(as_csv(cells(case["reads"]), subject="S1", reader="R1", **columns))
    assert not table.faults
    course = read_subjects(as_csv([{"subject": "S1", **case.get("subject", {})}])).by_subject["S1"][0]
    treated = cells(case["treatments"]) if "treatments" in case else []
    light = read_treatments(as_csv(treated, subject="S1")).by_subject["S1"] if treated else ()
    protocol = Protocol(**case.get("protocol", {}))
    (answer,) = respond_case(Case(records=table.by_subject["S1"], course=course, irradiations=light), protocol=protocol)
    if "timepoints" in case:
        wanted = cells(case["timepoints"])
        assert shown(timepoint_answers(answer), wanted) == wanted
    if "lesions" in case:
        wanted = cells(case["lesions"])
        named = {row["lesion"] for row in wanted}
        rows = [lesion for lesion in lesion_answers(answer) if lesion["lesion"] in named]
        flat = [{**lesion, **tp} for lesion in rows for tp in lesion["responses"]]
        assert shown(flat, wanted) == wanted
    for name, value in case.get("answer", {}).items():
        assert text(subject_answer(answer)[name]) == value, name
    assert set(case.get("findings", [])) <= {finding.code for finding in answer.findings}
