"""Tables people write: every way a row can be wrong has its line number, and hides no other row."""

import contextlib
import csv
import io
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import ResponseError, TableError
from npcpit_imaging.response.best_response import best_response
from npcpit_imaging.response.endoscopy import FORM, read_endoscopy
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.table import read_measurements, read_responses, read_subjects, read_treatments
from npcpit_imaging.study.lesion import EndoscopyState, LesionState
from npcpit_imaging.study.response import Response

HEADER = "subject,timepoint,date,reader,lesion,role,nodal,state,longest_diameter_mm,short_axis_mm"
WORDS = (
    *("S1", "BASELINE", "FU1", "2026-01-05", "2026-02-20", "R1", "T1", "O1", "N1", "target", "non-target", "new"),
    *("yes", "no", "measured", "absent", "equivocal", "unequivocal", "12.5", "8", ""),
)
GOOD = "S1,BASELINE,2026-01-05,R1,T1,target,no,measured,12.35,"


def table(*rows, more=""):
    return [HEADER + more, *rows]


def test_a_good_row():
    """Words are read whatever their case; sizes are rounded half up to tenths."""
    (row,) = read_measurements(table("S1,BASELINE,2026-01-05,R1,T1,Target,NO,Measured,12.35,")).by_subject["S1"]
    assert (row.longest_diameter, row.state, row.role, row.nodal) == (124, LesionState.MEASURED, "TARGET", False)


def test_optional_columns():
    """Optional columns are read where they are there, in any order."""
    more = ",organ,irradiated,field,endoscopy,comment,method,slice_thickness_mm,parent_lesion"
    more += ",prior_rt,prior_rt_progression,biopsy_proven"
    line = f'{GOOD},nasopharynx,yes,in,ulcer/neg,"a, b",MRI,3,T9,yes,no,yes'
    (row,) = read_measurements(table(line, more=more)).by_subject["S1"]
    assert (row.organ, row.irradiated, row.field, row.endoscopy) == ("nasopharynx", True, "in", "eCR")
    assert (row.comment, row.method, row.slice_thickness, row.parent_lesion) == ("a, b", "MRI", 30, "T9")
    assert (row.prior_rt, row.prior_rt_progression, row.biopsy_proven) == (True, False, True)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (",BASELINE,2026-01-05,R1,T1,target,no,measured,12,", "subject: expected a value, found none"),
        ("S2,,2026-01-05,R1,T1,target,no,measured,12,", "timepoint: expected a value"),
        ("S2,FU1,2026-01,R1,T1,target,no,measured,12,", "expected a full date such as 2026-03-01, found '2026-01'"),
        ("S2,FU1,2026-01-05,R1,,target,no,measured,12,", "lesion: expected a value"),
        ("S2,FU1,2026-01-05,R1,T1,primary,no,measured,12,", "role: expected one of target, non-target, new; found"),
        ("S2,FU1,2026-01-05,R1,T1,target,perhaps,measured,12,", "nodal: expected yes or no, found 'perhaps'"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,seen,12,", "state: expected one of measured, too_small"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,12 mm,", "expected a length in mm such as 12.3, found '12 mm'"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,\"12,5\",", "expected a length in mm such as 12.3, found '12,5'"),
        ("S2,FU1,20260105,R1,T1,target,no,measured,12,", "expected a full date such as 2026-03-01, found '20260105'"),
        ("S2,FU1,2026-W02-1,R1,T1,target,no,measured,12,", "expected a full date such as 2026-03-01, found '2026-W02"),
        ("S2,FU1,05/01/2026,R1,T1,target,no,measured,12,", "expected a full date such as 2026-03-01, found '05/01/2"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,1_2,", "expected a length in mm such as 12.3, found '1_2'"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,１２,", "expected a length in mm such as 12.3, found '１２'"),
        ("S2,FU1,2026-01-05,R1,T1,target,,measured,30,18", "nodal: expected yes or no beside a short axis, found none"),
        ("S2,FU1,2026-01-05,R1,O1,non-target,no,unequivocal,,", "a non-target is present or unequivocal_pd"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,-1,", "expected a length from 0 to 1000 mm, found '-1'"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,NaN,", "expected a length from 0 to 1000 mm, found 'NaN'"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,,", "expected longest_diameter_mm, found none"),
        ("S2,FU1,2026-01-05,R1,T1,target,yes,measured,12,", "expected short_axis_mm, found none"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,merged,,", "state is merged, expected parent_lesion, found none"),
        ("S2,FU1,2026-01-05,R1,T1,target,no,measured,12", "expected 10 cells, found 9"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_its_line(row, text):
    """The fault carries line 3 and says what was expected and what was found; the good row stays."""
    found = read_measurements(table(GOOD, row))
    (fault,) = found.faults
    assert fault.line == 3
    assert text in fault.text
    assert fault.subject == row.split(",")[0]
    assert len(found.by_subject["S1"]) == 1


def test_rows_without_any_text_are_no_rows():
    """A spreadsheet's rows of commas, and empty lines before the header, are left out; line numbers stay the file's."""
    found = read_measurements(["", HEADER, " , ,,,,,,,,", GOOD, ",,,,,,,,,", GOOD])
    assert len(found.by_subject["S1"]) == 1
    assert [(fault.line, fault.text[:14]) for fault in found.faults] == [(6, "the same as li")]


def test_an_empty_nodal_cell_is_no():
    """Beside a longest diameter alone, an empty cell leaves nothing out."""
    (row,) = read_measurements(table(GOOD.replace(",no,", ",,"))).by_subject["S1"]
    assert not row.nodal


def test_columns_about_the_time_point():
    """Whose read it is, the reader's own sum, the marker, and the distance from the field."""
    more = ",field_distance_mm,evaluator,sum_mm,tumour_marker"
    (row,) = read_measurements(table(f"{GOOD},3.5,BICR,40.1,elevated", more=more)).by_subject["S1"]
    assert (row.field_distance, row.evaluator, row.stated_sum, row.tumour_marker) == (35, "bicr", 401, "elevated")
    (fault,) = read_measurements(table(f"{GOOD},,nobody,,", more=more)).faults
    assert fault.text == "evaluator: expected one of investigator, bicr, adjudicated; found 'nobody'"


def test_a_lesion_that_is_its_own_parent():
    """parent_lesion names another lesion."""
    found = read_measurements(table(f"{GOOD},T1", more=",parent_lesion"))
    assert "parent_lesion is the lesion itself" in found.faults[0].text


def test_a_row_twice():
    """The second row of one lesion, time point and reader names the first one's line."""
    found = read_measurements(table(GOOD, "", GOOD.replace("12.35", "13")))
    assert found.faults[0].text == "the same as line 2 says something already; expected it once"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("", "line 1: expected the column subject, found s1, baseline"),
        (
            HEADER.replace(",", ";"),
            "line 1: expected commas between columns and a point as decimal mark, found semicol",
        ),
        (HEADER.replace(",", "\t"), "line 1: expected commas between columns and a point as decimal mark, found tabs"),
        (HEADER.replace("nodal", "node"), "line 1: expected the column nodal, found"),
        (HEADER + ",slice_thicknes_mm", "line 1: unknown column slice_thicknes_mm; did you mean slice_thickness_mm?"),
        (HEADER + ",nodal", "line 1: the column nodal stands twice"),
    ],
)
def test_a_header_from_which_nothing_can_be_trusted(header, text):
    """A missing, doubled or misspelt column refuses the table."""
    with pytest.raises(TableError, match=r"line 1") as caught:
        read_measurements([header, GOOD])
    assert text in str(caught.value)


def test_columns_that_mean_nothing_are_named():
    """A column nobody knows is not used, and said."""
    found = read_measurements(table(f"{GOOD},blue", more=",colour"))
    assert (found.ignored, len(found.by_subject["S1"])) == (("colour",), 1)


def test_a_quote_that_never_closes_refuses_the_table():
    """What follows an open quote would be swallowed silently."""
    with pytest.raises(TableError, match="not a table from here on"):
        read_measurements(table(GOOD, 'S2,"FU1,2026-01-05,R1,T1,target,no,measured,12,', GOOD.replace("S1", "S3")))


def test_a_short_row_of_an_unknown_subject():
    """A row that ends before the subject column is a fault of nobody."""
    found = read_subjects(["treatment_start,subject", "2026-01-01"])
    assert (found.faults[0].subject, found.faults[0].line) == ("", 2)


def test_subjects():
    """Dates of a subject; a subject stands once."""
    found = read_subjects(["subject,treatment_start,death_date", "S1,2026-01-05,", "S1,2026-01-06,", "S2,soon,"])
    assert found.by_subject["S1"][0].treatment_start.isoformat() == "2026-01-05"
    assert [fault.line for fault in found.faults] == [3, 4]


def test_treatments():
    """Light treatments; a cycle is a number from 1 and stands once per lesion."""
    rows = ["subject,lesion,cycle,date", "S1,T1,1,2026-01-05", "S1,T1,0,2026-01-05", "S1,T1,x,2026-01-05"]
    found = read_treatments([*rows, "S1,T1,1,2026-02-05", "S1,T2,1,2026-01-05"])
    assert [(row.lesion, row.cycle) for row in found.by_subject["S1"]] == [("T1", 1), ("T2", 1)]
    assert [fault.line for fault in found.faults] == [3, 4, 5]
    assert "cycle: expected a number from 1, found '0'" in found.faults[0].text


def test_responses():
    """Responses of time points; a row without date and response only names its subject."""
    rows = ["subject,date,response,reference_date", "S1,2026-01-05,pr,2026-01-01", "S2,,,2026-01-01", "S3,2026-01-05,,"]
    found = read_responses([*rows, "S3,2026-01-05,NA,", "S3,2026-01-05,better,", "S1,2026-01-05,SD,2026-01-01"])
    assert found.by_subject["S1"][0].dated.response == "PR"
    assert found.by_subject["S2"][0].dated is None
    assert [fault.line for fault in found.faults] == [4, 5, 6, 7]


def test_every_word_a_table_of_responses_may_hold():
    """Each gives a best response; "not all evaluated" is table 1's NE."""
    words = [word for word in Response if word not in (Response.NA, Response.MISSING)]
    for word in words:
        (row,) = read_responses(["subject,date,response", f"S1,2026-03-01,{word}"]).by_subject["S1"]
        wanted = "NE" if word in (Response.NOT_ALL_EVALUATED, Response.SD, Response.NON_CR_NON_PD) else word
        best = best_response([row.dated], protocol=Protocol(), reference=date(2026, 2, 28))
        assert best.response == wanted


def test_the_endoscopy_form():
    """Every finding with every biopsy, and the states themselves."""
    assert [read_endoscopy(state) for state in EndoscopyState] == list(EndoscopyState)
    assert read_endoscopy("scar") is EndoscopyState.CR
    assert read_endoscopy("ulcer") is EndoscopyState.NE
    assert read_endoscopy("NEW/POS") is EndoscopyState.PD
    assert all(answers["pos"] in (EndoscopyState.NON_CR_NON_PD, EndoscopyState.PD) for answers in FORM.values())
    for wrong in ("red", "scar/maybe"):
        with pytest.raises(ValueError, match=f"found '{wrong}'"):
            read_endoscopy(wrong)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), min_size=8, max_size=11), max_size=6))
def test_whatever_stands_in_a_table_becomes_rows_or_faults(rows):
    """Any text in the cells gives rows, faults with a line, or a refused table; never another error."""
    text = io.StringIO()
    csv.writer(text).writerows([HEADER.split(","), *rows])
    found = read_measurements(io.StringIO(text.getvalue(), newline=""))
    assert sum(map(len, found.by_subject.values())) + len(found.faults) == sum(
        any(cell.strip() for cell in row) for row in rows
    )
    for subject, records in found.by_subject.items():
        with contextlib.suppress(ResponseError):
            assert respond_case(Case(records=records), protocol=Protocol(irecist=True))[0].subject == subject
