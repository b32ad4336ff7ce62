"""Readers' tables become signed reads: both numbers kept, faults with their line, superseded only with a reason."""

from pathlib import Path

import pydicom
import pytest

from npcpit_imaging.app.proposals import SEED_SOURCE
from npcpit_imaging.app.reading import record_reads
from npcpit_imaging.errors import StoreError, TableError
from npcpit_imaging.store.images import series_of
from npcpit_imaging.store.lesions import StoredProposal, proposals_of, put_lesion, put_proposal
from npcpit_imaging.store.reads import newest_reads
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.study.measurement import Measurement

SUBJECT = "NPC-0001"
HEADER = (
    "subject,timepoint,reader,lesion,state,accept,caliper_mm,short_caliper_mm,field,label,comment,modality,series_uid\n"
)


def lesion(name: str, *, nodal: bool = False) -> Lesion:
    number = sum(name.encode())
    return Lesion(
        lesion_id=name, tracking_uid=f"2.25.{number}", role=LesionRole.TARGET, organ="X", location="X", nodal=nodal
    )


@pytest.fixture
def read_study(study, arrive, write_series):
    """A study with a baseline, a target T01 with a proposal of 30 x 20 mm, and a node N01 without one."""
    arrive(coarse(write_series("20240105", "1", count=4)))
    with study.database.session() as session:
        for each in (lesion("T01"), lesion("N01", nodal=True)):
            put_lesion(session, SUBJECT, each)
        _propose(session, study.now(), _series_uid(session), "k")
    return study


def _propose(session, now, series_uid: str, key: str, source: str = "reader's prompt") -> None:
    measured = Measurement(
        longest_diameter=Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(30.0, 0.0, 0.0)),
        short_axis=Caliper(start_mm=(0.0, 0.0, 0.0), end_mm=(0.0, 20.0, 0.0)),
        volume_ml=9.4,
        slice_index_k=1,
        slice_position_mm=2.5,
        components=1,
        convention="test",
    )
    proposal = StoredProposal(
        lesion=lesion("T01"),
        subject=SUBJECT,
        timepoint="BASELINE",
        series_uid=series_uid,
        mask_path="derived/mask.nii.gz",
        mask_sha256="m",
        prompt={"source": source},
        segmenter={"name": "test"},
        measurement=measured,
        uptake=None,
        key=key,
    )
    put_proposal(session, proposal, now=now)


def _series_uid(session) -> str:
    return series_of(session)[0].uid


def coarse(folder: Path) -> Path:
    """Make the 8 x 8 pixels of a written series 10 mm wide, so that there is room for a lesion."""
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        dataset.PixelSpacing = [10, 10]
        dataset.save_as(file)
    return folder


def table(study, *lines: str) -> Path:
    path = study.tables / "reads.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def sign(study, *lines: str, reason: str = "") -> list[str]:
    return list(record_reads(study, table(study, *lines), reason=reason))


def signed(study):
    with study.database.session() as session:
        return newest_reads(session, SUBJECT)


ACCEPTED = f"{SUBJECT},BASELINE,R1,T01,measured,proposal,,,in,,"


def test_an_accepted_proposal_is_signed_with_the_mask_s_sizes(read_study):
    (line,) = sign(read_study, ACCEPTED)
    (read,) = signed(read_study)
    (row,) = read.lesions
    assert line == f"{SUBJECT} BASELINE: 1 lesions signed by R1 (version 1)"
    assert (row.longest_diameter_mm, row.short_axis_mm, row.field) == (30.0, 20.0, "in")
    assert row.proposal_id is not None
    assert row.findings == []


def test_a_mask_that_was_only_carried_from_the_baseline_is_no_size(read_study):
    with read_study.database.session() as session:
        _propose(session, read_study.now(), _series_uid(session), "carried", SEED_SOURCE)
    with pytest.raises(TableError, match="line 2: accept proposal: lesion T01 was only carried over from the baseline"):
        sign(read_study, ACCEPTED)


def test_a_caliper_that_differs_from_the_mask_is_kept_beside_it_and_reported(read_study):
    """30 and 34 mm differ by more than 2 mm, 20 and 18 mm by more than 10 %; the accepted number is the mask's."""
    said = sign(read_study, f'{SUBJECT},BASELINE,R1,T01,measured,proposal,"0,0,0:34,0,0","0,0,0:0,18,0",,,')
    assert said[1:] == [
        "line 2, NPC-0001 T01: warning: longest diameter: mask 30.0 mm, reader's caliper 34.0 mm; "
        "difference -4.0 mm, expected within 2 mm and 10 %",
        "line 2, NPC-0001 T01: warning: short axis: mask 20.0 mm, reader's caliper 18.0 mm; "
        "difference +2.0 mm, expected within 2 mm and 10 %",
    ]
    ((row,),) = [read.lesions for read in signed(read_study)]
    assert row.longest_diameter_mm == 30.0
    assert row.reader_caliper["end_mm"] == [34.0, 0.0, 0.0]
    assert row.reader_short_caliper["end_mm"] == [0.0, 18.0, 0.0]
    assert len(row.findings) == 2


def test_a_reader_s_own_line_is_the_size_where_the_reader_says_so(read_study):
    """5 mm along x and 12 mm along y are 13 mm."""
    sign(read_study, f'{SUBJECT},BASELINE,R1,T01,measured,caliper,"1,1,2.5:6,13,2.5",,,,')
    ((row,),) = [read.lesions for read in signed(read_study)]
    assert row.longest_diameter_mm == pytest.approx(13.0)
    assert row.short_axis_mm is None


def test_a_node_measured_by_hand_needs_its_short_axis(read_study):
    with pytest.raises(TableError, match=r"line 2: accept caliper: expected caliper_mm and short_caliper_mm"):
        sign(read_study, f'{SUBJECT},BASELINE,R1,N01,measured,caliper,"0,0,0:20,0,0",,,,')
    sign(read_study, f'{SUBJECT},BASELINE,R1,N01,measured,caliper,"0,0,0:20,0,0","0,0,0:0,16,0",,,')
    ((row,),) = [read.lesions for read in signed(read_study)]
    assert row.short_axis_mm == 16.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",BASELINE,R1,T01,absent,,,,,,", "subject: expected a value"),
        (f"{SUBJECT},BASELINE,R1,T01,gone,,,,,,", "state: expected measured, .*found 'gone'"),
        (f"{SUBJECT},BASELINE,R1,T01,measured,yes,,,,,", "accept: expected proposal or caliper, found 'yes'"),
        (f"{SUBJECT},BASELINE,R1,T01,measured,,,,,,", "accept: expected a value"),
        (f"{SUBJECT},BASELINE,R1,N01,measured,proposal,,,,,", "accept proposal: lesion N01 has no proposal"),
        (f"{SUBJECT},BASELINE,R1,T01,absent,proposal,,,,,", "state absent: expected no accept and no caliper"),
        (f'{SUBJECT},BASELINE,R1,T01,absent,,"0,0,0:1,0,0",,,,', "state absent: expected no accept and no caliper"),
        (f'{SUBJECT},BASELINE,R1,T01,absent,,,"0,0,0:1,0,0",,,', "state absent: expected no accept and no caliper"),
        (f'{SUBJECT},BASELINE,R1,T01,measured,caliper,"0,0,0",,,,', "caliper_mm: "),
        (f"{SUBJECT},BASELINE,R1,T01,measured,proposal,,,inside,,", "field: expected .*found 'inside'"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_number_and_nothing_is_signed(line, words, read_study):
    good = f"{SUBJECT},BASELINE,R0,N01,absent,,,,,,"
    with pytest.raises(TableError, match=f"line 3: {words}"):
        sign(read_study, good, line)
    assert signed(read_study) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{SUBJECT},BASELINE,R1,T09,absent,,,,,,", r"no lesion T09, found \['N01', 'T01'\]"),
        (f"{SUBJECT},FU7,R1,T01,absent,,,,,,", r"no time point FU7, found \['BASELINE'\]"),
        ("NPC-0002,BASELINE,R1,T01,absent,,,,,,", r"no subject NPC-0002, found \['NPC-0001'\]"),
    ],
)
def test_a_subject_visit_or_lesion_that_is_not_there_is_refused_with_those_that_are(line, words, read_study):
    with pytest.raises(TableError, match=f"line 3: .*{words}"):
        sign(read_study, ACCEPTED.replace(",R1,", ",R0,"), line)
    assert signed(read_study) == []


def test_the_same_lesion_twice_in_one_read_is_refused(read_study):
    with pytest.raises(TableError, match="line 3: lesion T01 stands twice in one read, first on line 2"):
        sign(read_study, ACCEPTED, f"{SUBJECT},BASELINE,R1,T01,absent,,,,,,")
    assert signed(read_study) == []


def test_a_signed_read_is_superseded_only_with_a_reason_and_the_first_version_stays(read_study):
    sign(read_study, ACCEPTED)
    absent = f"{SUBJECT},BASELINE,R1,T01,absent,,,,,,"
    with pytest.raises(StoreError, match="superseded with a reason, never edited"):
        sign(read_study, absent)
    assert signed(read_study)[0].lesions[0].state == "measured"
    (line,) = sign(read_study, absent, reason="wrong lesion")
    assert line.endswith("(version 2)")
    assert [(read.version, read.lesions[0].state) for read in signed(read_study)] == [(2, "absent")]


def test_two_readers_of_one_visit_are_two_reads(read_study):
    lines = sign(read_study, ACCEPTED, ACCEPTED.replace(",R1,", ",R2,"))
    assert len(lines) == 2
    assert [read.reader for read in signed(read_study)] == ["R1", "R2"]


def test_two_labels_in_one_read_are_refused(read_study):
    with pytest.raises(TableError, match="label: expected one in a read"):
        sign(read_study, ACCEPTED, f"{SUBJECT},BASELINE,R1,N01,absent,,,,,scripted,")
    assert signed(read_study) == []


def test_one_read_that_cannot_be_signed_leaves_the_whole_table_unsigned(read_study):
    """The second read is signed already; the first, good one is not half the table then."""
    second = ACCEPTED.replace(",R1,", ",R2,")
    sign(read_study, second)
    with pytest.raises(StoreError, match="reader R2 has signed version 1"):
        sign(read_study, ACCEPTED, second)
    assert [read.reader for read in signed(read_study)] == ["R2"]


def test_a_reason_of_blanks_is_no_reason(read_study):
    sign(read_study, ACCEPTED)
    with pytest.raises(StoreError, match="superseded with a reason"):
        sign(read_study, ACCEPTED, reason="  ")
    assert signed(read_study)[0].version == 1


def test_a_table_without_a_line_is_refused(read_study):
    with pytest.raises(TableError, match=r"reads\.csv: expected a line"):
        sign(read_study)


@pytest.mark.parametrize(
    ("calipers", "words"),
    [
        ('"0,0,0:76,0,0",', "caliper_mm: expected both ends inside the image"),
        ('"0,0,-5:30,0,-5",', "caliper_mm: expected both ends inside the image"),
        ('"0,0,0:9,0,0",', "caliper_mm: expected at least a pixel, 10 mm, found 9 mm"),
        ('"0,0,0:30,0,5",', "caliper_mm: expected both ends in one slice, found them 2.0 slices apart"),
        ('"0,0,0:301,0,0",', "caliper_mm: expected at most 300 mm, found 301.0 mm"),
        ('"0,0,0:30,0,0","0,0,0:0,25,7.5"', "short_caliper_mm: expected both ends in one slice"),
        ('"0,0,0:20,0,0","0,0,0:0,30,0"', "short_caliper_mm: expected at most caliper_mm's 20.0 mm, found 30.0 mm"),
    ],
)
@pytest.mark.parametrize("accept", ["proposal", "caliper"])
def test_a_caliper_that_cannot_have_been_drawn_on_the_image_is_refused_with_its_line(
    accept, calipers, words, read_study
):
    """The image is 8 x 8 pixels of 10 mm, first centre at 0: its edges are at -5 and 75 mm; 4 slices 2.5 mm apart."""
    with pytest.raises(TableError, match=f"line 2: {words}"):
        sign(read_study, f"{SUBJECT},BASELINE,R1,T01,measured,{accept},{calipers},,,")
    assert signed(read_study) == []


@pytest.fixture
def two_proposals(read_study, arrive, write_series):
    """T01 is proposed on the CT and on an MR of the baseline; gives the study and both series UIDs."""
    arrive(coarse(write_series("20240105", "2", modality="MR")))
    with read_study.database.session() as session:
        uids = {each.modality: each.uid for each in series_of(session)}
        _propose(session, read_study.now(), uids["MR"], "on MR")
    return read_study, uids


def _line(*, accept: str = "proposal", modality: str = "", uid: str = "") -> str:
    caliper = '"0,0,0:30,0,0"' if accept == "caliper" else ""
    return f"{SUBJECT},BASELINE,R1,T01,measured,{accept},{caliper},,,,,{modality},{uid}"


@pytest.mark.parametrize("accept", ["proposal", "caliper"])
def test_proposals_on_two_series_are_refused_until_one_is_chosen(accept, two_proposals):
    study, uids = two_proposals
    with pytest.raises(TableError, match="line 2: lesion T01 has proposals on 2 series of this visit") as caught:
        sign(study, _line(accept=accept))
    assert f"CT {uids['CT']}; MR {uids['MR']}" in str(caught.value)
    with study.database.session() as session:
        ids = {each.series_uid: each.id for each in proposals_of(session, SUBJECT)}
    for number, (modality, uid) in enumerate([("MR", ""), ("ct", ""), ("", uids["MR"])]):
        sign(study, _line(accept=accept, modality=modality, uid=uid), reason="again" if number else "")
        ((row,),) = [read.lesions for read in signed(study)]
        assert row.proposal_id == ids[uid or uids[modality.upper()]]


def test_a_choice_that_is_not_there_is_refused_with_those_that_are(read_study):
    with pytest.raises(TableError, match=r"line 2: modality, series_uid: no series MR at this visit, found CT "):
        sign(read_study, _line(modality="MR"))
