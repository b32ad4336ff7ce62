"""The verbs respond and best-response over files."""

import csv
import json
from pathlib import Path

import pytest

from npcpit_imaging.app.respond import best_response, respond, to_csv
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.errors import InputError, TableError

DOCS = Path(__file__).parent.parent.parent / "docs" / "respond.md"

MEASUREMENTS = """\
subject,timepoint,date,reader,lesion,role,organ,nodal,irradiated,state,longest_diameter_mm,short_axis_mm,field,endoscopy,comment
S1,BASELINE,2026-01-05,R1,T1,target,nasopharynx,no,yes,measured,40,,in,,
S1,FU1,2026-02-23,R1,T1,target,nasopharynx,no,yes,measured,20,,in,,
S1,FU1,2026-02-23,R1,N1,new,liver,no,no,equivocal,,,out,,
S2,BASELINE,2026-01-05,R1,T1,target,nasopharynx,no,yes,measured,40,,in,,
S2,FU1,2026-02-23,R1,T1,target,nasopharynx,no,yes,measured,4O,,in,,
S3,BASELINE,2026-01-05,R1,T1,target,nasopharynx,no,yes,measured,40,,in,,
S3,FU1,2026-02-23,R1,T2,target,nasopharynx,no,yes,measured,40,,in,,
"""


@pytest.fixture
def write(tmp_path):
    """Write a file into a fresh folder and give its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_one_bad_subject_hides_no_other(write):
    """A malformed row (line 6) and a contradiction refuse their subjects; S1 is computed; the report is not ok."""
    report = respond(write("m.csv", MEASUREMENTS), protocol=Protocol())
    assert [row["subject"] for row in report.timepoints] == ["S1"]
    assert not report.ok
    faults = [(fault.subject, fault.line) for fault in report.faults]
    assert faults == [("S2", 6), ("S3", None), ("S2", None)]
    assert "4O" in report.faults[0].text
    assert "T2 is TARGET at FU1 but has no row at baseline" in report.faults[1].text


def test_names_of_the_answers(write):
    """The columns users ask for are there, with their values."""
    (row,) = respond(write("m.csv", MEASUREMENTS), protocol=Protocol()).timepoints
    wanted = {
        "subject": "S1", "reader": "R1", "timepoint": "FU1", "date": "2026-02-23", "target": "PR", "non_target": "NA",
        "new": "EQUIVOCAL", "overall": "PR", "sum_mm": 20.0, "baseline_mm": 40.0, "nadir_mm": 40.0,
        "change_percent": -50.0, "change_nadir_percent": -50.0, "change_nadir_mm": -20.0,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["rule"].startswith("PR: sum 20.0 mm vs baseline 40.0 mm, -50.0 %, -20.0 mm")


def test_what_needs_other_files_is_na_with_the_reason(write):
    """Without subjects and treatments PFS is NA and says why; with them it has a value."""
    path = write("m.csv", MEASUREMENTS)
    (bare,) = respond(path, protocol=Protocol()).subjects
    assert (bare["pfs_days"], bare["pfs_reason"]) == (None, "NA: the treatment start is not known")
    subjects = write("s.csv", "subject,treatment_start,death_date\nS1,2026-01-12,2026-04-01\nS9,2026-01-12,\n")
    treatments = write("t.csv", "subject,lesion,cycle,date\nS1,T1,1,2026-01-12\n")
    full = respond(path, protocol=Protocol(missing_as_ne=True), subjects=subjects, treatments=treatments)
    assert (full.subjects[0]["pfs_days"], full.subjects[0]["pfs_event"]) == (80, True)
    assert full.lesions[0]["irradiated_on"] == "2026-01-12"
    assert (full.subjects[1]["subject"], full.subjects[1]["bor"]) == ("S9", "NE")


def test_a_fault_in_another_file_refuses_its_subject(write):
    """A treatment row that cannot be read makes the lesion's response doubtful, so the subject is refused."""
    treatments = write("t.csv", "subject,lesion,cycle,date\nS1,T1,one,2026-01-12\n")
    report = respond(write("m.csv", MEASUREMENTS), protocol=Protocol(), treatments=treatments)
    assert report.timepoints == ()
    assert any(fault.subject == "S1" and fault.line == 2 for fault in report.faults)


def test_json_and_csv(write, tmp_path):
    """The report is JSON, and the CSV files hold the same rows."""
    report = respond(write("m.csv", MEASUREMENTS), protocol=Protocol(irecist=True))
    again = json.loads(json.dumps(report.to_json()))
    assert again["timepoints"][0]["fired"]["clause"] == "Eisenhauer 2009, table 1"
    assert again["timepoints"][0]["irecist"] == "iPR"
    assert again["faults"][0]["line"] == 6
    paths = report.write_csv(tmp_path / "out")
    assert [path.name for path in paths] == ["timepoints.csv", "lesions.csv", "subjects.csv", "findings.csv"]
    with (tmp_path / "out" / "lesions.csv").open(newline="") as lines:
        (lesion,) = csv.DictReader(lines)
    assert (lesion["lesion"], lesion["timepoint"], lesion["response"], lesion["best"]) == ("T1", "FU1", "PR", "PR")
    with (tmp_path / "out" / "timepoints.csv").open(newline="") as lines:
        (row,) = csv.DictReader(lines)
    assert (row["new_lesions"], row["sum_mm"], row["after_pd"], row["retro_dated_by"]) == ("N1", "20.0", "false", "")


def test_csv_files_have_their_columns_with_and_without_rows(write, tmp_path):
    """The columns are those of the answers, in their order, also where there is no row at all."""
    report = respond(write("m.csv", MEASUREMENTS), protocol=Protocol(irecist=True))
    empty = respond(write("e.csv", MEASUREMENTS.splitlines()[0]), protocol=Protocol())
    headers = {name: text.splitlines()[0] for name, text in empty.tables().items()}
    assert {name: text.splitlines()[0] for name, text in report.tables().items()} == headers
    assert headers["timepoints.csv"] == ",".join(report.timepoints[0])
    assert headers["subjects.csv"] == ",".join(report.subjects[0])
    assert [row["code"] for row in empty.findings] == ["table-empty"]


def test_subjects_that_look_alike_are_asked_about(write):
    """S1 and s1 would be two subjects, each with half of the visits."""
    first, second = MEASUREMENTS.splitlines()[1:3]
    text = "\n".join([MEASUREMENTS.splitlines()[0], first, second.replace("S1", "s1")])
    report = respond(write("m.csv", text), protocol=Protocol())
    assert [row["subject"] for row in report.findings if row["code"] == "subjects-alike"] == ["S1"]


def test_several_readers_and_whose_read_it_is(write):
    """With two readers the analysis needs to know which one it takes."""
    header, first, second = MEASUREMENTS.splitlines()[:3]
    rows = [
        row.replace("R1", reader) + word for reader, word in (("R1", ",bicr"), ("R2", ",")) for row in (first, second)
    ]
    path = write("m.csv", "\n".join([header + ",evaluator", *rows]))
    asked = respond(path, protocol=Protocol())
    assert "reader-for-analysis" in {row["code"] for row in asked.findings}
    assert [row["for_analysis"] for row in asked.subjects] == [False, None]
    told = respond(path, protocol=Protocol(reader_for_analysis="bicr"))
    assert "reader-for-analysis" not in {row["code"] for row in told.findings}


def test_clinical_benefit_is_yes_no_or_na(write):
    """NA where the treatment start decides and is not known."""
    rows = MEASUREMENTS.splitlines()[:3]
    stable = [rows[0], rows[1], rows[2].replace(",20,", ",40,")]
    bare = respond(write("m.csv", "\n".join(stable)), protocol=Protocol())
    assert (bare.subjects[0]["clinical_benefit"], bare.subjects[0]["bor"]) == ("NA", "NA")
    dates = write("s.csv", "subject,treatment_start\nS1,2026-01-06\n")
    told = respond(write("m.csv", "\n".join(stable)), protocol=Protocol(), subjects=dates)
    assert (told.subjects[0]["clinical_benefit"], told.subjects[0]["clinical_benefit_date"]) == ("Y", "2026-02-23")
    late = respond(write("m.csv", "\n".join(stable)), protocol=Protocol(min_sd_days=56), subjects=dates)
    assert (late.subjects[0]["clinical_benefit"], late.subjects[0]["bor"]) == ("N", "NE")


def test_csv_into_a_place_that_cannot_be_written(write, tmp_path):
    """A file where the folder should be is an error a person can act on."""
    report = respond(write("m.csv", MEASUREMENTS), protocol=Protocol())
    with pytest.raises(InputError, match="cannot be written"):
        report.write_csv(write("taken", "x"))


def test_columns_that_were_not_used_are_said(write):
    """A column that means nothing here is a finding."""
    text = MEASUREMENTS.replace("comment\n", "colour\n")
    report = respond(write("m.csv", text), protocol=Protocol())
    assert "column-ignored" in {row["code"] for row in report.findings}


def test_files_that_cannot_be_read(write, tmp_path):
    """No such file, not UTF-8, no header: each says so."""
    with pytest.raises(InputError, match="no such file"):
        respond(tmp_path / "none.csv", protocol=Protocol())
    broken = tmp_path / "latin.csv"
    broken.write_bytes(b"subject,\xe9\n")
    with pytest.raises(InputError, match="UTF-8"):
        respond(broken, protocol=Protocol())
    with pytest.raises(TableError, match="line 1"):
        respond(write("e.csv", ""), protocol=Protocol())


RESPONSES = """\
subject,date,response,reference_date
S1,2026-03-01,PR,2026-01-01
S1,2026-04-01,PR,2026-01-01
S2,2026-02-20,SD,2026-01-01
S2,2026-04-01,PD,2026-01-01
S2,2026-06-01,CR,2026-01-01
S3,,,2026-01-01
S4,2026-03-01,WELL,2026-01-01
S5,2026-03-01,CR,2026-01-01
S5,2026-04-01,PR,2026-01-01
S6,2026-03-01,CR,2026-01-01
S6,2026-04-01,SD,2026-01-02
"""


def test_best_response(write):
    """Both best responses with dates; what follows PD is not counted; a contradiction and a bad word are refused."""
    report = best_response(write("r.csv", RESPONSES), protocol=Protocol())
    rows = {row["subject"]: row for row in report.subjects}
    columns = ("bor", "bor_date", "confirmed_bor", "confirmed_bor_date")
    assert [rows["S1"][c] for c in columns] == ["PR", "2026-03-01", "PR", "2026-03-01"]
    assert [rows["S2"][c] for c in columns] == ["SD", "2026-02-20", "SD", "2026-02-20"]
    assert [rows["S3"][c] for c in columns] == ["MISSING", None, "MISSING", None]
    assert "footnote a" in rows["S5"]["query"]
    assert [(fault.subject, fault.line) for fault in report.faults] == [("S4", 8), ("S6", None)]
    assert not report.ok
    assert json.dumps(report.to_json())


def test_best_response_of_dates_that_contradict_each_other(write):
    """A PD before the stated pd_date ends the window; a response before the reference date is refused."""
    text = (
        "subject,date,response,reference_date,pd_date\n"
        "S1,2026-03-01,PD,2026-01-01,2026-06-01\nS1,2026-04-01,CR,2026-01-01,2026-06-01\nS2,2025-03-01,CR,2026-01-01,\n"
    )
    report = best_response(write("r.csv", text), protocol=Protocol())
    assert [(row["subject"], row["bor"]) for row in report.subjects] == [("S1", "PD")]
    assert [fault.text for fault in report.faults] == ["CR on 2025-03-01 is before the reference_date 2026-01-01"]


def test_best_response_as_admiralonco_takes_only_a_stated_pd_date(write):
    """Under short_sd_rule = admiral a PD in the table alone does not end the window; a stated pd_date does."""
    admiral = Protocol(short_sd_rule="admiral")
    text = (
        "subject,date,response,reference_date,pd_date\n"
        "S1,2020-02-16,PD,2020-02-01,{0}\nS1,2020-03-06,SD,2020-02-01,{0}\n"
    )
    open_end = best_response(write("a.csv", text.format("")), protocol=admiral)
    stated = best_response(
        write("b.csv", text.format("2020-02-16")), protocol=admiral.model_copy(update={"min_sd_days": 28})
    )
    assert (open_end.subjects[0]["bor"], open_end.ok) == ("PD", True)
    assert stated.subjects[0]["bor"] == "PD"
    short = best_response(write("c.csv", text.format("")), protocol=Protocol(short_sd_rule="admiral", min_sd_days=28))
    assert short.subjects[0]["bor"] == "SD"


def test_admiralonco_through_the_verb(shared_data, write):
    """The random cases of one setting, written as a user's table, agree in response and date."""
    setting = {"param": "CBOR", "ref_start_window": "42", "max_nr_ne": "1", "accept_sd": "TRUE"}
    with (shared_data / "recist" / "admiralonco_fuzz_cases.csv").open() as lines:
        cases = [row for row in csv.DictReader(lines) if setting.items() <= row.items()]
    rows = []
    for case in cases:
        always = {"subject": case["USUBJID"], "reference_date": case["ref_date"], "pd_date": case["pd_date"]}
        reads = [cell.split("=") for cell in case["timepoints"].split(";") if cell] or [("", "")]
        rows += [{**always, "date": day, "response": word} for day, word in reads]
    protocol = Protocol(min_sd_days=42, ref_confirm=28, max_nr_ne=1, accept_sd=True, short_sd_rule="admiral")
    report = best_response(write("r.csv", to_csv(rows)), protocol=protocol)
    found = {row["subject"]: (row["confirmed_bor"], row["confirmed_bor_date"] or "") for row in report.subjects}
    assert found == {case["USUBJID"]: (case["expected"], case["expected_date"]) for case in cases}
    assert len(found) == 500


def blocks(kind):
    """The fenced blocks of docs/respond.md of one kind, by the file name in their first line."""
    found = {}
    for part in DOCS.read_text(encoding="utf-8").split("```")[1::2]:
        head, _, body = part.partition("\n")
        if head.startswith(kind + " "):
            found[head.removeprefix(kind + " ")] = body
    return found


def test_the_example_of_the_documentation(write):
    """The tables of docs/respond.md give the answers it shows."""
    files = {name: write(name, text) for name, text in blocks("csv").items() if not name.startswith("answer")}
    report = respond(
        files["MEASUREMENTS.csv"],
        protocol=Protocol(),
        subjects=files["SUBJECTS.csv"],
        treatments=files["TREATMENTS.csv"],
    )
    assert report.ok
    answers = {"answer timepoints": report.timepoints, "answer subjects": report.subjects}
    answers["answer best-response"] = best_response(files["RESPONSES.csv"], protocol=Protocol()).subjects
    for name, rows in answers.items():
        shown = list(csv.DictReader(blocks("csv")[name].splitlines()))
        flat = list(csv.DictReader(to_csv(rows).splitlines()))
        assert [{column: row[column] for column in shown[0]} for row in flat] == shown, name
