"""Once an adjudicator has chosen one reader's reads, they alone are the study's, wherever a number is made of them.

The readers of these tests, sums of diameters in mm: R1 61, 37, 25 (PR, PR); R2 81, 109.4, 86.6 with a lesion of its own
that nobody else sees (PD at FU1: + 35 %; at FU2 + 7 % of the nadir, so SD).
"""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pydicom
import pytest

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.adjudicating import Cause, Decision, compare, decide
from npcpit_imaging.app.case import build_case_report
from npcpit_imaging.app.delivery import deliver_subject, deliver_tables, results_inputs
from npcpit_imaging.app.responses import respond_to_reads
from npcpit_imaging.app.results import results_digest, study_inputs
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.app.study_tables import dated_tables
from npcpit_imaging.app.survey import survey_study
from npcpit_imaging.errors import ReaderChoiceError
from npcpit_imaging.store.assignments import AssignmentKind, put_assignment
from npcpit_imaging.store.lesions import lesions_of, put_lesion
from npcpit_imaging.store.reading_schema import AccountRow
from npcpit_imaging.store.reads import ConfirmedLesion, SignedRead, newest_reads, sign_read
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from tests.app.conftest import SUBJECT, a_slice, quietly
from tests.app.results_study import NOW, VISITS, make_study

JUDGE = Principal(name="judge")
OWN_MM = {"BASELINE": 20.0, "FU1": 40.0, "FU2": 40.0}
OWN = Lesion(
    lesion_id="T03-R2", tracking_uid="2.25.77", role=LesionRole.TARGET, organ="liver", location="LIVER", irradiated=True
)


@pytest.fixture(scope="module")
def read_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one subject that R1 and R2 have read whole, and that a judge is to adjudicate."""
    root = tmp_path_factory.mktemp("adjudicated")

    def write(day: str, series: str, *, patient: str) -> Path:
        target = root / series
        target.mkdir()
        for number in range(3):
            dataset = a_slice(day, series, number, patient=patient)
            pydicom.dcmwrite(target / str(number), dataset, enforce_file_format=True)
        return target

    init_study(root / "study")
    with open_study(root / "study") as study:
        make_study(study, write, quietly, subjects=1)
        _add_own_lesion(study)
        _assign(study)
        respond_to_reads(study, SUBJECT)
    return root / "study"


def _add_own_lesion(study: Study) -> None:
    with study.database.session() as session:
        put_lesion(session, SUBJECT, OWN, owner="R2")
        for read in newest_reads(session, SUBJECT):
            if read.reader == "R2":
                own = ConfirmedLesion(
                    lesion=OWN, state=LesionState.MEASURED, longest_diameter_mm=OWN_MM[read.timepoint],
                    short_axis_mm=5.0, accepted="caliper",
                )  # fmt: skip
                _sign(session, read, [own])


def _sign(session, read: SignedRead, more: list[ConfirmedLesion]) -> None:
    """Sign a read once more, with lesions beside those it has."""
    lesions = {each.tracking_uid: each for each in lesions_of(session, SUBJECT)}
    same = [
        ConfirmedLesion(
            lesion=lesions[row.tracking_uid], state=LesionState(row.state), proposal_id=row.proposal_id,
            longest_diameter_mm=row.longest_diameter_mm, short_axis_mm=row.short_axis_mm, accepted=row.accepted,
        )
        for row in read.lesions
    ]  # fmt: skip
    sign_read(
        session, subject=SUBJECT, timepoint=read.timepoint, reader=read.reader, lesions=[*same, *more], now=NOW,
        reason="looked again",
    )  # fmt: skip


def _assign(study: Study) -> None:
    with study.database.session() as session:
        for number, (name, role) in enumerate((("R1", "reader"), ("R2", "reader"), ("judge", "adjudicator"))):
            session.add(
                AccountRow(
                    username=name,
                    full_name=name,
                    code=f"C{number}",
                    roles=role,
                    password_hash="",
                    disabled=False,
                    failures=0,
                    created=NOW,
                )
            )
            session.flush()
            put_assignment(
                session, subject=SUBJECT, timepoint="", username=name, kind=AssignmentKind(role), due=None, now=NOW
            )


@pytest.fixture
def study(read_twice: Path, tmp_path: Path) -> Iterator[Study]:
    shutil.copytree(read_twice, tmp_path / "study")
    with open_study(tmp_path / "study") as opened:
        yield opened


def choose(study: Study, reader: str, *, reason: str = "") -> None:
    """The judge chooses a reader's reads."""
    compared = compare(study, SUBJECT)
    label = next(label for label, name in compared.readers.items() if name == reader)
    decision = Decision(
        revision=compared.revision, chosen=label, cause=Cause.TARGET_SELECTION, comment="", reason=reason
    )
    decide(study, JUDGE, SUBJECT, decision)


def name_reader(study: Study, reader: str) -> None:
    """`analysis_reader` of the protocol."""
    path = study.folder / "configs" / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[results]", f'[results]\nanalysis_reader = "{reader}"\n'), encoding="utf-8")
    study.__dict__.pop("protocol", None)


def counted(study: Study) -> tuple[dict[str, str], list[str], list[str], list[float]]:
    """What the results are computed from: reader, irradiated lesions, overall responses and sums of the follow-ups."""
    inputs, _ = study_inputs(study, dated_tables(study))
    records = inputs.records
    lesions = records.lesions[records.lesions["irradiated"].astype(bool)]
    visits = records.timepoints
    return dict(records.readers), list(lesions["lesion"]), list(visits["overall"]), list(visits["sum_mm"])


R1 = ({SUBJECT: "R1"}, ["T01", "T02"], ["PR", "PR"], [37.0, 25.0])
R2 = ({SUBJECT: "R2"}, ["T01", "T02", "T03-R2"], ["PD", "SD"], [109.4, 86.6])


def test_two_readers_and_no_decision_are_no_study_s_read(study: Study):
    """As before: an error that names both."""
    with pytest.raises(ReaderChoiceError, match=r"NPC-0001 \(R1, R2\)"):
        study_inputs(study, dated_tables(study))


@pytest.mark.parametrize(("reader", "expected"), [("R1", R1), ("R2", R2)])
def test_the_chosen_reads_alone_are_counted_each_lesion_and_visit_once(study: Study, reader: str, expected: object):
    """R2's own lesion counts with R2's reads, and is no unread, so failed, lesion of R1's."""
    choose(study, reader)
    assert counted(study) == expected


def test_the_adjudicator_goes_before_the_reader_that_the_protocol_names(study: Study):
    """The protocol's reader is for subjects that nobody adjudicated."""
    name_reader(study, "R2")
    assert counted(study) == R2
    choose(study, "R1")
    assert counted(study) == R1


def test_a_new_decision_takes_the_place_of_the_old_one_and_everything_is_computed_again(study: Study):
    before = results_inputs(study, SUBJECT), results_digest(study)
    choose(study, "R1")
    first = results_inputs(study, SUBJECT), results_digest(study)
    choose(study, "R2", reason="a second look")
    assert counted(study) == R2
    second = results_inputs(study, SUBJECT), results_digest(study)
    assert len({before[0], first[0], second[0]}) == 3
    assert len({before[1], first[1], second[1]}) == 3


def test_a_decision_on_a_read_that_was_signed_again_counts_for_nobody(study: Study):
    """Not for the chosen reader, whose numbers changed, and not for the protocol's reader behind the judge's back."""
    choose(study, "R1")
    name_reader(study, "R1")
    with study.database.session() as session:
        read = next(each for each in newest_reads(session, SUBJECT) if (each.reader, each.timepoint) == ("R2", "FU2"))
        _sign(session, read, [])
    said = respond_to_reads(study, SUBJECT)
    assert said.count("(adjudication stale)") == 2
    with pytest.raises(ReaderChoiceError, match="adjudicated, but was read again since"):
        study_inputs(study, dated_tables(study))
    deliver_tables(study)
    assert {row["adjudication"] for row in rows(study.deliver / "measurements.csv")} == {"adjudication stale"}
    assert not any(row.get("ACPTFL") for row in rows(study.deliver / "sdtm" / "adrs.csv"))
    choose(study, "R1", reason="after the second signature")
    assert counted(study) == R1


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_table_keeps_both_and_marks_the_accepted_one(study: Study):
    """Measurements: 2 lesions of R1 and 3 of R2 at 3 visits; SDTM's accepted record flag stands on R2's rows alone."""
    choose(study, "R2")
    assert respond_to_reads(study, SUBJECT).count("(accepted)") == 1
    deliver_tables(study)
    measured = [(row["reader"], row["adjudication"]) for row in rows(study.deliver / "measurements.csv")]
    assert {pair: measured.count(pair) for pair in set(measured)} == {("R1", "not accepted"): 6, ("R2", "accepted"): 9}
    subjects = {row["reader"]: row for row in rows(study.deliver / "responses_subject.csv")}
    found = {name: (row["bor"], row["for_analysis"], row["adjudication"]) for name, row in subjects.items()}
    assert found == {"R1": ("PR", "false", "not accepted"), "R2": ("PD", "true", "accepted")}
    for name in ("tu", "tr", "rs"):
        table = pd.read_sas(study.deliver / "sdtm" / f"{name}.xpt", encoding="utf-8")
        flags = table.groupby(f"{name.upper()}EVALID")[f"{name.upper()}ACPTFL"].unique().map(list).to_dict()
        assert flags == {"READER 1": [""], "READER 2": ["Y"]}, name


def test_every_reader_s_files_say_whose_the_study_s_reads_are(study: Study):
    choose(study, "R2")
    assert [visit.response for visit in survey_study(study).subjects[0].visits] == ["", "PD", "SD"]
    other, chosen = (build_case_report(study, SUBJECT, reader) for reader in ("R1", "R2"))
    assert other.notes[0].startswith("NOT the study's reads: the adjudicator chose those of R2")
    assert chosen.summary[-1].startswith("The study's reads: chosen by the adjudicator")
    assert not chosen.notes
    deliver_subject(study, SUBJECT)
    said = {
        reader: pydicom.dcmread(study.deliver / SUBJECT / f"{SUBJECT}_FU1_CT_{reader}_SEG.dcm").SeriesDescription
        for reader in ("R1", "R2")
    }
    assert "NOT THE STUDY'S READ" in said["R1"]
    assert "NOT THE STUDY'S READ" not in said["R2"]
    assert len(VISITS) == 3
