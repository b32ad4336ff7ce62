"""The verb ``npcpit sdtm`` from CSV to files: rows worked by hand, XPT and Dataset-JSON read back, faults named."""

import csv
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from npcpit_imaging.app.sdtm import SdtmReport, export_cases, export_sdtm
from npcpit_imaging.app.sdtm_readers import evaluators_of, read_readers
from npcpit_imaging.config.protocol import EndoPolicy, Protocol, PrPersistence
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.report.sdtm_records import Evaluator
from npcpit_imaging.report.sdtm_spec import SPECS
from npcpit_imaging.response.checking import Case
from npcpit_imaging.response.table import read_measurements
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.course import Course
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HEADER = (
    "subject,timepoint,date,reader,lesion,role,organ,nodal,irradiated,state,longest_diameter_mm,short_axis_mm,"
    "field,endoscopy,comment,method,parent_lesion,prior_rt,slice_thickness_mm\n"
)

# T01 shrinks below what can be measured and grows again; T02 is a node; T03 is not assessed once, goes, and is at the
# end one with T01; N01 cannot be measured and endoscopy answers for it; W01 is new.
SUBJECT = """
S1,BASELINE,2026-01-05,RADIOLOGIST 1,T01,target,nasopharynx,no,yes,measured,32.0,,in,,,CT,,yes,3
S1,BASELINE,2026-01-05,RADIOLOGIST 1,T02,target,left neck,yes,no,measured,,18.1,out,,,CT,,,
S1,BASELINE,2026-01-05,RADIOLOGIST 1,T03,target,skull base,no,no,measured,12,,out,,,CT,,,
S1,BASELINE,2026-01-05,RADIOLOGIST 1,N01,non-target,clivus,no,yes,present,,,margin,eNON-CR/NON-PD,,MR,,,
S1,FU1,2026-02-23,RADIOLOGIST 1,T01,target,nasopharynx,no,yes,too_small,,,in,,,CT,,,
S1,FU1,2026-02-23,RADIOLOGIST 1,T02,target,left neck,yes,no,measured,,16.0,out,,,CT,,,
S1,FU1,2026-02-23,RADIOLOGIST 1,T03,target,skull base,no,no,not_assessed,,,out,,,CT,,,
S1,FU1,2026-02-23,RADIOLOGIST 1,N01,non-target,clivus,no,yes,present,,,margin,eCR,,MR,,,
S1,FU2,2026-04-06,RADIOLOGIST 1,T01,target,nasopharynx,no,yes,measured,6.3,,in,,,CT,,,
S1,FU2,2026-04-06,RADIOLOGIST 1,T02,target,left neck,yes,no,measured,,9.0,out,,,CT,,,
S1,FU2,2026-04-06,RADIOLOGIST 1,T03,target,skull base,no,no,absent,,,out,,,CT,,,
S1,FU2,2026-04-06,RADIOLOGIST 1,N01,non-target,clivus,no,yes,absent,,,margin,,,MR,,,
S1,FU3,2026-05-18,RADIOLOGIST 1,T01,target,nasopharynx,no,yes,measured,20.0,,in,,,CT,,,
S1,FU3,2026-05-18,RADIOLOGIST 1,T02,target,left neck,yes,no,measured,,9.0,out,,,CT,,,
S1,FU3,2026-05-18,RADIOLOGIST 1,T03,target,skull base,no,no,merged,,,out,,,CT,T01,,
S1,FU3,2026-05-18,RADIOLOGIST 1,N01,non-target,clivus,no,yes,unequivocal_pd,,,margin,,worse,MR,,,
S1,FU3,2026-05-18,RADIOLOGIST 1,W01,new,lung,no,no,unequivocal,,,out,,,CT,,,
""".lstrip()

# Worked by hand from SUBJECT: 32.0 + 18.1 + 12.0 = 62.1; 6.3 + 9.0 + 0 = 15.3 (-46.8, -75.4 %); 20.0 + 9.0 + 0 = 29.0
# (-33.1, -53.3 % from baseline; +13.7, +89.5 % from 15.3, the smallest complete sum). Day 1 is 2026-01-12.
TR = """
visit day group      lesion test     original                unit standard         number unit2 stat     baseline
1     -7  NON-TARGET N01    TUMSTATE PRESENT                 -    PRESENT          -      -     -        Y
1     -7  TARGET     T01    LDIAM    32.0                    mm   32               32     mm    -        Y
1     -7  TARGET     T02    LPERP    18.1                    mm   18.1             18.1   mm    -        Y
1     -7  TARGET     T02    LNSTATE  PATHOLOGICAL            -    PATHOLOGICAL     -      -     -        Y
1     -7  TARGET     T03    LDIAM    12.0                    mm   12               12     mm    -        Y
1     -7  TARGET     -      SUMDIAM  62.1                    mm   62.1             62.1   mm    -        Y
2     43  NON-TARGET N01    TUMSTATE PRESENT                 -    PRESENT          -      -     -        -
2     43  TARGET     T01    LDIAM    TOO_SMALL_TO_MEASURE    -    5                5      mm    -        -
2     43  TARGET     T02    LPERP    16.0                    mm   16               16     mm    -        -
2     43  TARGET     T02    LNSTATE  PATHOLOGICAL            -    PATHOLOGICAL     -      -     -        -
2     43  TARGET     T03    LDIAM    -                       -    -                -      -     NOT_DONE -
2     43  TARGET     -      SUMDIAM  -                       -    -                -      -     NOT_DONE -
3     85  NON-TARGET N01    TUMSTATE ABSENT                  -    ABSENT           -      -     -        -
3     85  TARGET     T01    LDIAM    6.3                     mm   6.3              6.3    mm    -        -
3     85  TARGET     T02    LPERP    9.0                     mm   9                9      mm    -        -
3     85  TARGET     T02    LNSTATE  NON-PATHOLOGICAL        -    NON-PATHOLOGICAL -      -     -        -
3     85  TARGET     T03    LDIAM    0                       mm   0                0      mm    -        -
3     85  TARGET     T03    TUMSTATE ABSENT                  -    ABSENT           -      -     -        -
3     85  TARGET     -      SUMDIAM  15.3                    mm   15.3             15.3   mm    -        -
3     85  TARGET     -      PCBSD    -75.4                   %    -75.4            -75.4  %     -        -
3     85  TARGET     -      PCNSD    -75.4                   %    -75.4            -75.4  %     -        -
3     85  TARGET     -      ACNSD    -46.8                   mm   -46.8            -46.8  mm    -        -
4     127 NON-TARGET N01    TUMSTATE UNEQUIVOCAL_PROGRESSION -    UNEQUIVOCAL      -      -     -        -
4     127 TARGET     T01    LDIAM    20.0                    mm   20               20     mm    -        -
4     127 TARGET     T02    LPERP    9.0                     mm   9                9      mm    -        -
4     127 TARGET     T02    LNSTATE  NON-PATHOLOGICAL        -    NON-PATHOLOGICAL -      -     -        -
4     127 TARGET     T03    LDIAM    TUMOR_MERGED            -    0                0      mm    -        -
4     127 TARGET     T03    TUMSTATE TUMOR_MERGED            -    TUMOR_MERGED     -      -     -        -
4     127 NEW        W01    TUMSTATE UNEQUIVOCAL             -    UNEQUIVOCAL      -      -     -        -
4     127 TARGET     -      SUMDIAM  29.0                    mm   29               29     mm    -        -
4     127 TARGET     -      PCBSD    -53.3                   %    -53.3            -53.3  %     -        -
4     127 TARGET     -      PCNSD    89.5                    %    89.5             89.5   %     -        -
4     127 TARGET     -      ACNSD    13.7                    mm   13.7             13.7   mm    -        -
"""

# FU1: T03 missing and 21.0 mm is no PD, so NE. FU2: PR with N01 gone, PR. FU3: PD thrice. N01 by endoscopy at FU1.
RS = """
visit test     lesion category subcategory         original       standard      method    derived
1     ENDORESP N01    PROTOCOL -                   eNON-CR/NON-PD NON-CR/NON-PD ENDOSCOPY -
2     TRGRESP  -      RECIST   -                   NE             NE            -         Y
2     NTRGRESP -      RECIST   -                   NON-CR/NON-PD  NON-CR/NON-PD -         Y
2     NEWLIND  -      RECIST   -                   N              N             -         Y
2     OVRLRESP -      RECIST   -                   NE             NE            -         Y
2     LESRESP  N01    PROTOCOL CYCLE_1             CR             CR            ENDOSCOPY Y
2     LESRESP  T01    RECIST   CYCLE_1             PR             PR            -         Y
2     LESRESP  T02    RECIST   -                   SD             SD            -         Y
2     LESRESP  T03    RECIST   -                   NE             NE            -         Y
2     ENDORESP N01    PROTOCOL -                   eCR            CR            ENDOSCOPY -
3     TRGRESP  -      RECIST   -                   PR             PR            -         Y
3     NTRGRESP -      RECIST   -                   CR             CR            -         Y
3     NEWLIND  -      RECIST   -                   N              N             -         Y
3     OVRLRESP -      RECIST   -                   PR             PR            -         Y
3     LESRESP  N01    RECIST   CYCLE_1             CR             CR            -         Y
3     LESRESP  T01    RECIST   CYCLE_1             PR             PR            -         Y
3     LESRESP  T02    RECIST   -                   CR             CR            -         Y
3     LESRESP  T03    RECIST   -                   CR             CR            -         Y
4     TRGRESP  -      RECIST   -                   PD             PD            -         Y
4     NTRGRESP -      RECIST   -                   PD             PD            -         Y
4     NEWLIND  -      RECIST   -                   Y              Y             -         Y
4     OVRLRESP -      RECIST   -                   PD             PD            -         Y
4     LESRESP  N01    RECIST   CYCLE_1             PD             PD            -         Y
4     LESRESP  T01    RECIST   CYCLE_1             PD             PD            -         Y
4     LESRESP  T02    RECIST   -                   CR             CR            -         Y
4     LESRESP  T03    RECIST   -                   PD             PD            -         Y
-     BESTRESP -      RECIST   CONFIRMED           SD             SD            -         Y
-     BESTRESP -      RECIST   UNCONFIRMED         PR             PR            -         Y
-     LESBEST  N01    RECIST   CONFIRMED_CYCLE_1   CR             CR            -         Y
-     LESBEST  N01    RECIST   UNCONFIRMED_CYCLE_1 CR             CR            -         Y
-     LESBEST  T01    RECIST   CONFIRMED_CYCLE_1   PR             PR            -         Y
-     LESBEST  T01    RECIST   UNCONFIRMED_CYCLE_1 PR             PR            -         Y
-     LESBEST  T02    RECIST   CONFIRMED           CR             CR            -         Y
-     LESBEST  T02    RECIST   UNCONFIRMED         CR             CR            -         Y
-     LESBEST  T03    RECIST   CONFIRMED           SD             SD            -         Y
-     LESBEST  T03    RECIST   UNCONFIRMED         CR             CR            -         Y
"""

PROTOCOL = Protocol(endo_policy=EndoPolicy.ONLY_WHEN_NOT_MEASURABLE)


def table(text: str) -> list[list[str]]:
    """Read a table written for people: the rows below the header, ``_`` for a space, ``-`` for nothing."""
    lines = text.strip().splitlines()[1:]
    return [["" if cell == "-" else cell.replace("_", " ") for cell in line.split()] for line in lines]


def export(folder: Path, rows: str, *, protocol: Protocol = PROTOCOL, header: str = HEADER) -> SdtmReport:
    """Export rows of a table of measurements, with the subject's treatment known."""
    for name, text in {
        "m.csv": header + rows,
        "s.csv": "subject,treatment_start,death_date,last_contact,cutoff\nS1,2026-01-12,,2026-06-01,\n",
        "t.csv": "subject,lesion,cycle,date\nS1,T01,1,2026-01-12\nS1,N01,1,2026-01-12\n",
    }.items():
        (folder / name).write_text(text)
    return export_sdtm(
        folder / "m.csv",
        folder / "out",
        protocol=protocol,
        subjects=folder / "s.csv",
        treatments=folder / "t.csv",
        study_id="NPC-PIT",
        now=NOW,
    )


def read_xpt(folder: Path, name: str) -> pd.DataFrame:
    """Read a transport file back."""
    frame, _ = pyreadstat.read_xport(folder / "out" / f"{name}.xpt")
    return frame


def texts(frame: pd.DataFrame, columns: list[str]) -> list[list[str]]:
    """Give the cells of some columns as text; numbers as short as they go, missing ones empty."""
    return [[_text(cell) for cell in row] for row in frame[columns].itertuples(index=False)]


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return "" if cell != cell else f"{cell:g}"
    return str(cell)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SdtmReport]:
    """The hand-worked subject, exported."""
    folder = tmp_path_factory.mktemp("sdtm")
    return folder, export(folder, SUBJECT)


def test_tr_is_what_was_worked_by_hand(exported: tuple[Path, SdtmReport]) -> None:
    frame = read_xpt(exported[0], "tr")
    frame["TRLNKID"] = frame["TRLNKID"].str.removeprefix("RADIOLOGIST1-")
    results = ["TRORRES", "TRORRESU", "TRSTRESC", "TRSTRESN", "TRSTRESU", "TRSTAT", "TRLOBXFL"]
    assert texts(frame, ["VISITNUM", "TRDY", "TRGRPID", "TRLNKID", "TRTESTCD", *results]) == table(TR)


def test_rs_is_what_was_worked_by_hand(exported: tuple[Path, SdtmReport]) -> None:
    frame = read_xpt(exported[0], "rs")
    frame["RSLNKID"] = frame["RSLNKID"].str.removeprefix("RADIOLOGIST1-")
    frame["RSCAT"] = frame["RSCAT"].map({"RECIST 1.1": "RECIST", "PROTOCOL DEFINED RESPONSE CRITERIA": "PROTOCOL"})
    columns = ["VISITNUM", "RSTESTCD", "RSLNKID", "RSCAT", "RSSCAT", "RSORRES", "RSSTRESC", "RSMETHOD", "RSDRVFL"]
    assert texts(frame, columns) == table(RS)


def test_tu_names_each_lesion_once_and_its_merger(exported: tuple[Path, SdtmReport]) -> None:
    frame = read_xpt(exported[0], "tu")
    columns = ["TULNKID", "TUTESTCD", "TUSTRESC", "TULOC", "TULAT", "TUMETHOD", "TULOBXFL", "TUDTC"]
    r1 = "RADIOLOGIST1-"
    assert texts(frame, columns) == [
        [f"{r1}N01", "TUMIDENT", "NON-TARGET", "CLIVUS", "", "MRI", "Y", "2026-01-05"],
        [f"{r1}T01", "TUMIDENT", "TARGET", "NASOPHARYNX", "", "CT SCAN", "Y", "2026-01-05"],
        [f"{r1}T02", "TUMIDENT", "TARGET", "CERVICAL LYMPH NODE", "LEFT", "CT SCAN", "Y", "2026-01-05"],
        [f"{r1}T03", "TUMIDENT", "TARGET", "SKULL, BASE", "", "CT SCAN", "Y", "2026-01-05"],
        [f"{r1}T01/T03", "TUMERGE", "TARGET", "SKULL, BASE", "", "CT SCAN", "", "2026-05-18"],
        [f"{r1}W01", "TUMIDENT", "NEW", "LUNG", "", "CT SCAN", "", "2026-05-18"],
    ]
    assert set(frame["TUEVAL"]) == {"INDEPENDENT ASSESSOR"}
    assert set(frame["TUEVALID"]) == {"RADIOLOGIST 1"}


def test_supplemental_qualifiers_of_a_lesion(exported: tuple[Path, SdtmReport]) -> None:
    frame = read_xpt(exported[0], "supptu")
    of_t01 = {row.QNAM: row.QVAL for row in frame.itertuples() if row.IDVARVAL == "2"}
    assert of_t01 == {
        "IRRADFL": "Y",
        "IRRADDTC": "2026-01-12",
        "PRIORRT": "Y",
        "INFIELD": "IN",
        "ORGAN": "nasopharynx",
    }
    assert texts(read_xpt(exported[0], "supptr"), ["QNAM", "QVAL"]) == [["SLICTHK", "3.0"]]


def test_a_response_that_is_not_evaluable_keeps_its_reason(exported: tuple[Path, SdtmReport]) -> None:
    rs, supp = read_xpt(exported[0], "rs"), read_xpt(exported[0], "supprs")
    row = rs[(rs["RSTESTCD"] == "TRGRESP") & (rs["VISITNUM"] == 2)].iloc[0]
    reasons = supp[(supp["IDVARVAL"] == f"{row['RSSEQ']:g}") & (supp["QNAM"] == "REASNE")]["QVAL"].tolist()
    assert "RSSTAT" not in rs.columns  # NE is a result
    assert len(reasons) == 1
    assert "T03 not assessed" in reasons[0]


def test_lesions_that_no_light_reached_are_not_called_irradiated(exported: tuple[Path, SdtmReport]) -> None:
    rs, supp = read_xpt(exported[0], "rs"), read_xpt(exported[0], "supprs")
    flags = {row.IDVARVAL: row.QVAL for row in supp.itertuples() if row.QNAM == "IRRADFL"}
    lesions = rs[rs["RSTESTCD"].isin(["LESRESP", "LESBEST"])]
    found = {(row.RSLNKID[-3:], flags[f"{row.RSSEQ:g}"]) for row in lesions.itertuples()}
    assert found == {("N01", "Y"), ("T01", "Y"), ("T02", "N"), ("T03", "N")}


def test_a_clean_export_passes_every_check(exported: tuple[Path, SdtmReport]) -> None:
    _, report = exported
    assert [(check.id, check.hits) for check in report.checks if check.hits] == []
    assert report.ok
    with (exported[0] / "out" / "checks.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [check.id for check in report.checks]


@pytest.mark.parametrize("name", ["tu", "tr", "rs", "supptu", "supptr", "supprs", "relrec"])
def test_xpt_has_names_labels_types_and_lengths_and_agrees_with_dataset_json(
    exported: tuple[Path, SdtmReport], name: str
) -> None:
    folder, _ = exported
    frame, meta = pyreadstat.read_xport(folder / "out" / f"{name}.xpt")
    document = json.loads((folder / "out" / f"{name}.json").read_text())
    spec = {variable.name: variable for variable in SPECS[name.upper()].variables}
    assert meta.table_name == name.upper() == document["name"]
    assert meta.column_names == [column["name"] for column in document["columns"]]
    assert meta.column_names == [each for each in spec if each in meta.column_names]
    for column, label in zip(meta.column_names, meta.column_labels, strict=True):
        assert label == spec[column].label
        number = meta.readstat_variable_types[column] == "double"
        assert number == (spec[column].kind in {"integer", "float"}), column
        longest = 8 if number else max(len(str(cell)) for cell in frame[column]) or 1
        assert meta.variable_storage_width[column] == longest, column
    assert document["records"] == len(frame) == len(document["rows"])
    for cells, values in zip(document["rows"], frame.itertuples(index=False), strict=True):
        for cell, value in zip(cells, values, strict=True):
            assert (cell is None and value != value) or cell == value


def test_dataset_json_carries_what_version_1_1_requires(exported: tuple[Path, SdtmReport]) -> None:
    document = json.loads((exported[0] / "out" / "tr.json").read_text())
    assert document["datasetJSONVersion"] == "1.1.0"
    assert document["datasetJSONCreationDateTime"] == "2026-06-01T12:00:00+00:00"
    assert document["itemGroupOID"] == "IG.TR"
    assert document["studyOID"] == "NPC-PIT"
    columns = {column["name"]: column for column in document["columns"]}
    assert columns["TRSTRESN"]["dataType"] == "float"
    assert columns["TRDTC"]["dataType"] == "date"
    assert columns["USUBJID"] == {
        "itemOID": "IT.TR.USUBJID",
        "name": "USUBJID",
        "label": "Unique Subject Identifier",
        "dataType": "string",
        "length": len("NPC-PIT-S1"),
        "keySequence": 2,
    }


def test_adtr_has_change_from_baseline_and_from_the_smallest_complete_sum(exported: tuple[Path, SdtmReport]) -> None:
    folder, _ = exported
    frame = pd.read_parquet(folder / "out" / "adtr.parquet")
    sums = frame[frame["PARAMCD"] == "SDIAM"]
    columns = ["AVISIT", "AVAL", "BASE", "CHG", "PCHG", "NADIR", "CHGNAD", "PCHGNAD", "CRIT1FL", "LSEXP", "LSASS"]
    assert texts(sums, [*columns, "ABLFL", "ANL01FL"]) == [
        ["BASELINE", "62.1", "62.1", "", "", "", "", "", "", "3", "3", "Y", "Y"],
        ["FU1", "", "62.1", "", "", "62.1", "", "", "", "3", "2", "", ""],
        ["FU2", "15.3", "62.1", "-46.8", "-75.4", "62.1", "-46.8", "-75.4", "N", "3", "3", "", "Y"],
        ["FU3", "29", "62.1", "-33.1", "-53.3", "15.3", "13.7", "89.5", "Y", "3", "3", "", "Y"],
    ]
    assert list(dict.fromkeys(frame["PARAMCD"])) == ["LDIAM1", "NLDIAM2", "LDIAM3", "SDIAM"]


def test_adrs_adlrs_and_adtte_say_the_same_as_the_responses(exported: tuple[Path, SdtmReport]) -> None:
    folder, _ = exported
    adrs = pd.read_csv(folder / "out" / "adrs.csv", keep_default_na=False)
    found = {(row.PARAMCD, row.AVISIT): (row.AVALC, row.ADT) for row in adrs.itertuples()}
    assert found["BOR", ""] == ("PR", "2026-04-06")
    assert found["CBOR", ""] == ("SD", "2026-04-06")
    assert found["RSP", ""] == ("Y", "2026-04-06")
    assert found["CRSP", ""] == ("N", "")
    assert found["PD", ""] == ("Y", "2026-05-18")
    assert found["OVR", "FU1"] == ("NE", "2026-02-23")
    adlrs = pd.read_csv(folder / "out" / "adlrs.csv", keep_default_na=False)
    lesions = {(row.LESION, row.PARAMCD): (row.AVALC, row.IRRADFL) for row in adlrs.itertuples() if not row.AVISIT}
    assert lesions["N01", "LCBOR"] == ("CR", "Y")
    assert lesions["T03", "LCBOR"] == ("SD", "N")
    adtte = pd.read_csv(folder / "out" / "adtte.csv", keep_default_na=False)
    times = {(row.PARAMCD, row.LNKID[-3:]): (row.AVAL, row.CNSR, row.SRCDOM) for row in adtte.itertuples()}
    assert times["PFS", ""] == (127, 0, "RS")
    assert times["RSD", ""] == (43, 0, "RS")
    assert times["OS", ""] == (141, 1, "")
    assert times["TTLP", "T02"] == (127, 1, "RS")


def test_time_to_event_points_to_its_response(exported: tuple[Path, SdtmReport]) -> None:
    folder, _ = exported
    adtte = pd.read_parquet(folder / "out" / "adtte.parquet")
    rs = read_xpt(folder, "rs").set_index("RSSEQ")
    source = rs.loc[adtte[adtte["PARAMCD"] == "PFS"].iloc[0]["SRCSEQ"]]
    assert (source["RSTESTCD"], source["RSSTRESC"], source["RSDTC"]) == ("OVRLRESP", "PD", "2026-05-18")


SPLIT = """
S1,BASELINE,2026-01-05,,T01,target,nasopharynx,no,yes,measured,40,,,,,CT,,,
S1,FU1,2026-02-23,,T01a,target,nasopharynx,no,yes,measured,12,,,,,CT,T01,,
S1,FU1,2026-02-23,,T01b,target,nasopharynx,no,yes,measured,9.5,,,,,CT,T01,,
""".lstrip()


def test_a_lesion_that_split_is_identified_as_split_and_its_parts_are_summed(tmp_path: Path) -> None:
    report = export(tmp_path, SPLIT)
    tu, tr = read_xpt(tmp_path, "tu"), read_xpt(tmp_path, "tr")
    assert texts(tu, ["TULNKID", "TUTESTCD", "TUEVAL"]) == [
        ["INVESTIGATOR-T01", "TUMIDENT", "INVESTIGATOR"],
        ["INVESTIGATOR-T01a", "TUSPLIT", "INVESTIGATOR"],
        ["INVESTIGATOR-T01b", "TUSPLIT", "INVESTIGATOR"],
    ]
    assert texts(tr[tr["TRTESTCD"] == "SUMDIAM"], ["TRSTRESN"]) == [["40"], ["21.5"]]
    parents = read_xpt(tmp_path, "supptu").query("QNAM == 'PARENTID'")["QVAL"].tolist()
    assert parents == ["T01", "T01"]
    assert report.ok


def test_a_lesion_treated_but_never_read_has_no_row_and_a_note(tmp_path: Path) -> None:
    report = export(tmp_path, SPLIT)
    assert report.notes == ("subject S1, INVESTIGATOR: lesion N01 was treated but never read",)
    assert "INVESTIGATOR-N01" not in set(read_xpt(tmp_path, "rs")["RSLNKID"])
    assert "N01" in set(pd.read_csv(tmp_path / "out" / "adlrs.csv")["LESION"])


def test_two_readers_lesions_of_one_name_are_two_links(tmp_path: Path) -> None:
    rows = SPLIT + SPLIT.replace(",,T01", ",ADJUDICATOR 1,T01", 3).replace(",,T01", ",ADJUDICATOR 1,T01")
    report = export(tmp_path, rows)
    assert sorted(read_xpt(tmp_path, "tu")["TULNKID"]) == sorted(
        f"{reader}-{lesion}" for reader in ("INVESTIGATOR", "ADJUDICATOR1") for lesion in ("T01", "T01a", "T01b")
    )
    assert [check.id for check in report.checks if check.hits] == []


def test_a_bad_row_stops_its_subject_only(tmp_path: Path) -> None:
    bad = SUBJECT.replace("S1,", "S2,").replace("measured,20.0", "measured,20 cm")
    report = export(tmp_path, SUBJECT + bad)
    assert not report.ok
    assert any(fault.subject == "S2" and fault.line == 31 and "20 cm" in fault.text for fault in report.faults)
    assert set(read_xpt(tmp_path, "tu")["USUBJID"]) == {"NPC-PIT-S1"}


def test_text_that_does_not_fit_stops_its_subject_only(tmp_path: Path) -> None:
    report = export(tmp_path, SUBJECT + SPLIT.replace("S1,", "S3,").replace(",CT,", f",{'x' * 201},"))
    assert [(fault.subject, fault.text) for fault in report.faults] == [
        ("S3", "TU.TUMETHOD: 201 bytes, expected at most 200")
    ]
    assert set(read_xpt(tmp_path, "tu")["USUBJID"]) == {"NPC-PIT-S1"}


def test_stored_lesions_bring_their_tracking_uid_and_location(tmp_path: Path) -> None:
    records = read_measurements((HEADER + SPLIT).splitlines(keepends=True)).by_subject["S1"]
    stored = Lesion(
        lesion_id="T01", tracking_uid="2.25.7", role=LesionRole.TARGET, organ="nasopharynx", location="CLIVUS"
    )
    report = export_cases(
        [Case(records=records)],
        tmp_path / "out",
        protocol=PROTOCOL,
        study_id="NPC-PIT",
        now=NOW,
        lesions={"S1": {"T01": stored}},
    )
    assert report.ok
    assert read_xpt(tmp_path, "tu")["TULNKID"].tolist()[0] == "INVESTIGATOR-2.25.7"
    assert "INVESTIGATOR-2.25.7" in set(read_xpt(tmp_path, "tr")["TRLNKID"])
    assert read_xpt(tmp_path, "tu")["TULOC"].tolist() == ["CLIVUS", "NASOPHARYNX", "NASOPHARYNX"]
    supp = read_xpt(tmp_path, "supptu")
    assert supp[supp["QNAM"] == "TRACKUID"]["QVAL"].tolist() == ["2.25.7"]


def test_a_row_without_subject_is_a_fault_and_the_others_are_exported(tmp_path: Path) -> None:
    report = export(tmp_path, SPLIT + SPLIT.splitlines()[0].replace("S1,", ",") + "\n")
    assert [(fault.subject, fault.line) for fault in report.faults] == [("", 5)]
    assert report.records["TU"] == 3


def test_subjects_that_were_never_read_and_columns_that_mean_nothing_are_named(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(HEADER.replace("slice_thickness_mm", "weather") + SPLIT)
    (tmp_path / "s.csv").write_text("subject,treatment_start\nS9,2026-01-12\n")
    report = export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=PROTOCOL, subjects=tmp_path / "s.csv", now=NOW)
    assert report.notes == (
        "subject S9: no measurement, so no row in any dataset",
        "column weather of the measurements means nothing here and was not used",
    )


def test_records_that_contradict_each_other_are_a_fault(tmp_path: Path) -> None:
    report = export(
        tmp_path, SUBJECT + SPLIT.replace("S1,", "S3,") + "S3,FU2,2026-02-23,,T01,target,,no,,absent" + "," * 9
    )
    assert [fault.subject for fault in report.faults] == ["S3"]
    assert "same date" in report.faults[0].text


def test_without_a_treatment_date_there_is_no_study_day_and_the_baseline_visit_is_the_baseline(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(HEADER + SUBJECT)
    report = export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=PROTOCOL, now=NOW)
    tr = read_xpt(tmp_path, "tr")
    assert "TRDY" not in tr.columns
    assert set(tr[tr["TRLOBXFL"] == "Y"]["VISIT"]) == {"BASELINE"}
    assert [check.id for check in report.checks if check.hits] == []


def test_an_older_export_leaves_no_qualifiers_behind(tmp_path: Path) -> None:
    export(tmp_path, SUBJECT)
    assert (tmp_path / "out" / "supptr.xpt").exists()
    export(tmp_path, SPLIT)
    assert not (tmp_path / "out" / "supptr.xpt").exists()


def test_rules_longer_than_a_text_go_on_in_the_next_qualifier(tmp_path: Path) -> None:
    long = " ".join(["much"] * 60)
    export(tmp_path, SUBJECT.replace(",worse,", f",{long},"))
    supp = read_xpt(tmp_path, "supprs")
    parts = supp[supp["QNAM"].isin(["RULE", "RULE1"])].groupby("IDVARVAL")["QVAL"].apply(" ".join)
    assert any(long in text for text in parts)
    assert supp["QVAL"].str.len().max() <= 200


def test_words_that_are_not_cdiscs_are_asked_about(tmp_path: Path) -> None:
    report = export(tmp_path, SUBJECT.replace("clivus", "somewhere").replace(",lung,", ",,"))
    assert [check.id for check in report.checks if check.hits] == ["NP-12", "NP-34"]
    assert report.ok  # questions, not errors


def test_readers_are_cdiscs_own_words_or_numbered_with_a_note() -> None:
    found, notes = evaluators_of(["zoe", "", "RADIOLOGIST 2", "adam", "Investigator 7"])
    assert found[""] == Evaluator(role="INVESTIGATOR")
    assert found["RADIOLOGIST 2"] == Evaluator(role="INDEPENDENT ASSESSOR", identifier="RADIOLOGIST 2")
    assert found["adam"].identifier == "READER 2"
    assert found["zoe"].identifier == "READER 3"
    assert len(notes) == 3


def test_two_readers_that_are_one_evaluator_are_refused() -> None:
    with pytest.raises(InputError, match="same eval"):
        evaluators_of(["", "investigator"])


def test_a_readers_table_says_who_they_are(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(HEADER + SUBJECT.replace("RADIOLOGIST 1", "kim"))
    (tmp_path / "r.csv").write_text("reader,eval,evalid\nkim,INDEPENDENT ASSESSOR,RADIOLOGIST 2\n")
    report = export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=PROTOCOL, readers=tmp_path / "r.csv", now=NOW)
    assert report.notes == ()
    assert set(read_xpt(tmp_path, "tu")["TULNKID"].str.split("-").str[0]) == {"RADIOLOGIST2"}
    (tmp_path / "r.csv").write_text("reader,eval,evalid\nkim,,RADIOLOGIST 2\n")
    with pytest.raises(TableError, match="line 2: eval: expected a value"):
        export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=PROTOCOL, readers=tmp_path / "r.csv", now=NOW)


def test_a_reader_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("reader,eval\nkim,READER\nkim,RADIOLOGIST\n")
    with pytest.raises(TableError, match="line 3: reader kim stands twice"):
        read_readers(tmp_path / "r.csv")


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        export_sdtm(tmp_path / "none.csv", tmp_path / "out", protocol=PROTOCOL)
    (tmp_path / "m.csv").write_text(HEADER + SUBJECT)
    with pytest.raises(InputError, match="STUDYID"):
        export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=PROTOCOL, study_id=" ")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        export_sdtm(tmp_path / "m.csv", tmp_path / "file" / "out", protocol=PROTOCOL)


def test_pharmaverse_reads_export_cleanly_with_the_expected_overall_responses(
    tmp_path: Path, shared_data: Path
) -> None:
    """Four subjects, three readers each; the sizes and the expected responses are the consortium's, not ours."""
    recist = shared_data / "recist"
    rows = pd.read_csv(recist / "pharmaverse_recist_target_measurements.csv", keep_default_na=False, dtype=str)
    expected = pd.read_csv(recist / "pharmaverse_recist_expected_overall.csv", keep_default_na=False, dtype=str)
    lines = []
    for row in rows.itertuples():
        visit = "BASELINE" if row.visit == "SCREENING" else row.visit
        nodal, size = ("yes", f",{row.diameter_mm}") if row.is_node == "True" else ("no", f"{row.diameter_mm},")
        day = row.date if len(row.date) == 10 else f"{row.date}-15"  # one visit's day is not recorded
        who = row.evalid or row.evaluator
        lines.append(f"{row.subject},{visit},{day},{who},{row.lesion_id},target,{row.location},{nodal},measured,{size}")
    header = "subject,timepoint,date,reader,lesion,role,organ,nodal,state,longest_diameter_mm,short_axis_mm\n"
    (tmp_path / "m.csv").write_text(header + "\n".join(lines) + "\n")
    protocol = Protocol(pr_persistence=PrPersistence.NONE)
    report = export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=protocol, study_id="CDISC01", now=NOW)
    assert report.faults == ()
    assert [check.id for check in report.checks if check.hits and check.severity == "error"] == []
    rs = read_xpt(tmp_path, "rs")
    found = {
        (row.USUBJID.removeprefix("CDISC01-"), row.RSEVALID or row.RSEVAL, row.VISIT): row.RSSTRESC
        for row in rs[rs["RSTESTCD"] == "OVRLRESP"].itertuples()
    }
    wanted = {
        (row.subject, row.evalid or row.evaluator, row.visit): row.expected_overall for row in expected.itertuples()
    }
    assert found == wanted
    assert len(found) == 39


def test_irecist_and_death_are_exported(tmp_path: Path) -> None:
    """T01 goes from 40.0 to 60.0 mm: PD, and the first PD of iRECIST is unconfirmed; then the subject dies, day 141."""
    grown = SPLIT.splitlines()[0] + "\nS1,FU1,2026-02-23,,T01,target,nasopharynx,no,yes,measured,60" + "," * 8 + "\n"
    (tmp_path / "m.csv").write_text(HEADER + grown)
    (tmp_path / "s.csv").write_text("subject,treatment_start,death_date\nS1,2026-01-12,2026-06-01\n")
    protocol = Protocol(irecist=True)
    export_sdtm(tmp_path / "m.csv", tmp_path / "out", protocol=protocol, subjects=tmp_path / "s.csv", now=NOW)
    rs = read_xpt(tmp_path, "rs")
    assert texts(rs[rs["RSTESTCD"].isin(["OVRLRESP", "BESTRESP"])], ["RSTESTCD", "RSCAT", "RSSCAT", "RSSTRESC"]) == [
        ["OVRLRESP", "RECIST 1.1", "", "PD"],
        ["OVRLRESP", "iRECIST", "", "iUPD"],
        ["BESTRESP", "RECIST 1.1", "CONFIRMED", "PD"],
        ["BESTRESP", "RECIST 1.1", "UNCONFIRMED", "PD"],
        ["BESTRESP", "iRECIST", "UNCONFIRMED", "iUPD"],
    ]
    adtte = pd.read_csv(tmp_path / "out" / "adtte.csv", keep_default_na=False).set_index("PARAMCD")
    assert adtte.loc["OS", ["AVAL", "CNSR", "EVNTDESC"]].tolist() == [141, 0, "death"]
    assert adtte.loc["PFS", ["AVAL", "CNSR"]].tolist() == [43, 0]


def _random_case(rng: random.Random, subject: str) -> Case:
    """One subject with lesions that grow, go, merge, split or are not assessed."""
    targets, day = [f"T{index}" for index in range(rng.randint(1, 4))], date(2026, 1, 5)
    nodal = {lesion: rng.random() < 0.3 for lesion in targets}
    records: list[Assessment] = []
    for visit in range(rng.randint(1, 5)):
        for lesion in targets:
            record = {"lesion": lesion, "state": LesionState.MEASURED, "parent_lesion": ""}
            chance = rng.random() if visit else 1.0
            if chance < 0.1 and lesion != "T0" and nodal[lesion] == nodal["T0"]:
                record |= {"state": LesionState.MERGED, "parent_lesion": "T0"}
            elif chance < 0.2:
                record |= {"lesion": f"{lesion}a", "parent_lesion": lesion}
            elif chance < 0.5:
                record["state"] = rng.choice([state for state in LesionState if state is not LesionState.MERGED][1:5])
            measured = record["state"] is LesionState.MEASURED
            records.append(
                Assessment(
                    subject=subject,
                    timepoint=f"FU{visit}" if visit else "BASELINE",
                    date=day + timedelta(days=rng.randint(0, 2)),
                    reader="",
                    role=LesionRole.TARGET,
                    organ="nasopharynx",
                    nodal=nodal[lesion],
                    irradiated=lesion == "T0",
                    longest_diameter=rng.randint(0, 400) if measured else None,
                    short_axis=rng.randint(0, 300) if measured else None,
                    method="CT",
                    **record,
                )
            )
        day += timedelta(days=rng.randint(10, 60))
    return Case(records=tuple(records), course=Course(subject=subject, treatment_start=date(2026, 1, 12)))


def test_every_random_subject_that_is_exported_passes_every_check(tmp_path: Path) -> None:
    """The engine sums lesions, the export writes them, the checks add them up again: three roads, one number."""
    rng = random.Random(65)
    cases = [_random_case(rng, f"S{index}") for index in range(60)]
    report = export_cases(cases, tmp_path / "out", protocol=PROTOCOL, study_id="NPC-PIT", now=NOW)
    assert [(check.id, check.hits) for check in report.checks if check.hits] == []
    assert report.faults == ()
    assert report.records["TR"] > 500
