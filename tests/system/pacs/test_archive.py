"""Query and retrieve against a real Orthanc: DIMSE and DICOMweb give the same answers and the same bytes."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pydicom
import pytest

from npcpit_imaging.app.peer import open_archive
from npcpit_imaging.app.study import Study
from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.dicom.archive import Archive, SeriesAnswer, StudyQuery
from npcpit_imaging.dicom.inbox import Inbox
from npcpit_imaging.dicom.part10 import dataset_offset
from npcpit_imaging.dicom.receipt import Outcome
from npcpit_imaging.dicom.send import send_folder
from npcpit_imaging.dicom.slots import read_mark, slots_in
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.errors import NpcpitError, PeerLostError, PeerRefusedError

SAMPLE = Path(__file__).parents[3] / "sample_dicom"
LOADED = ("BASELINE/MR_T1", "BASELINE/MR_T2", "FU1/MR_T1")
WAYS = ("get", "move", "web")


def settings(orthanc, way: str, **values: object) -> PacsSite:
    """How to speak to Orthanc."""
    return orthanc.web(**values) if way == "web" else orthanc.dimse(retrieve=way, **values)


def headers(*folders: str) -> list[pydicom.Dataset]:
    """Headers of the files that Orthanc was given."""
    return [
        pydicom.dcmread(file, stop_before_pixels=True)
        for folder in folders
        for file in sorted((SAMPLE / folder).glob("*.dcm"))
    ]


def content(path: Path) -> bytes:
    """The data set's bytes of a Part-10 file."""
    with path.open("rb") as file:
        return path.read_bytes()[dataset_offset(file) :]


Opened = Callable[..., "contextmanager[tuple[Archive, Spool, Inbox]]"]


@pytest.fixture
def opened(study: Study, tmp_path: Path) -> Opened:
    """Open an archive with a spool of its own."""

    @contextmanager
    def opening(pacs: PacsSite, port: int = 0) -> Iterator[tuple[Archive, Spool, Inbox]]:
        site = study.folder / "configs" / "site.toml"
        site.write_text(re.sub(r"port = \d+", f"port = {port}", site.read_text()))
        with Spool(tmp_path / "spool", reserve_bytes=0) as spool:
            inbox = Inbox(spool)
            with open_archive(study, pacs, spool, inbox) as archive:
                yield archive, spool, inbox

    return opening


@pytest.mark.parametrize("way", ["get", "web"])
def test_the_pacs_answers(orthanc, opened, way):
    """C-ECHO, and a first search by DICOMweb."""
    with opened(settings(orthanc, way)) as (archive, _, _):
        archive.echo()


@pytest.mark.parametrize("way", ["get", "web"])
def test_studies_series_and_instances_are_those_of_the_files(orthanc, opened, way):
    """Three levels, compared with the headers of the files that Orthanc was given."""
    given = headers(*LOADED)
    with opened(settings(orthanc, way)) as (archive, _, _):
        studies = archive.studies(StudyQuery(patient_id="SYN-0001"))
        series = [each for found in studies for each in archive.series(found.study_uid)]
        instances = {each.series_uid: archive.instances(each) for each in series}
    assert {each.study_uid for each in studies} == {each.StudyInstanceUID for each in given}
    assert {each.accession for each in studies} == {each.AccessionNumber for each in given}
    assert {(each.series_uid, each.modality, each.description) for each in series} == {
        (each.SeriesInstanceUID, "MR", each.SeriesDescription) for each in given
    }
    counts = Counter(str(each.SeriesInstanceUID) for each in given)
    assert {each.series_uid: each.count for each in series} == counts
    assert {(answer.sop_instance_uid, answer.sop_class_uid) for found in instances.values() for answer in found} == {
        (each.SOPInstanceUID, each.SOPClassUID) for each in given
    }


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_query_is_narrowed_by_accession_study_and_date(orthanc, opened, way):
    """Each key alone names the study of the first file."""
    first = headers(LOADED[0])[0]
    day = date.fromisoformat(first.StudyDate)
    queries = [
        StudyQuery(accession=first.AccessionNumber),
        StudyQuery(study_uid=first.StudyInstanceUID),
        StudyQuery(patient_id="SYN-0001", date_from=day, date_to=day),
        StudyQuery(patient_id="SYN-0001", date_to=day),
    ]
    with opened(settings(orthanc, way)) as (archive, _, _):
        found = [[each.study_uid for each in archive.studies(query)] for query in queries]
        later = archive.studies(StudyQuery(patient_id="SYN-0001", date_from=date(2100, 1, 1)))
    assert found == [[first.StudyInstanceUID]] * 4
    assert later == ()


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_patient_whose_identifier_is_nearly_the_same_is_not_found(orthanc, opened, way):
    """Identifiers match exactly, whatever the archive thinks of case."""
    with opened(settings(orthanc, way)) as (archive, _, _):
        assert archive.studies(StudyQuery(patient_id="syn-0001")) == ()
        assert archive.studies(StudyQuery(patient_id="SYN-000")) == ()


@pytest.mark.parametrize("key", ["SYN-*", "SYN-000?", "A\\B"])
def test_a_pattern_is_never_asked(key):
    """A pattern would match strangers."""
    with pytest.raises(NpcpitError, match="pattern"):
        StudyQuery(patient_id=key)


@pytest.mark.parametrize("whole", [True, False], ids=["series", "by-name"])
@pytest.mark.parametrize("way", WAYS)
def test_retrieved_objects_are_byte_for_byte_those_of_the_pacs(orthanc, opened, way, whole):
    """The data sets in the spool are those of the files that Orthanc was given."""
    files = {pydicom.dcmread(file).SOPInstanceUID: file for file in (SAMPLE / LOADED[0]).glob("*.dcm")}
    first = headers(LOADED[0])[0]
    with opened(settings(orthanc, way), orthanc.us_port) as (archive, spool, inbox):
        (series,) = [
            each for each in archive.series(first.StudyInstanceUID) if each.series_uid == first.SeriesInstanceUID
        ]
        listed = archive.instances(series)
        wanted = listed if whole else listed[3:6]
        archive.retrieve(series, wanted, whole=whole)
        received = {each.header.sop_instance_uid: content(each.path) for each in spool.pending()}
    assert received.keys() == {each.sop_instance_uid for each in wanted}
    assert all(received[uid] == content(files[uid]) for uid in received)
    assert inbox.counts == {Outcome.STORED: len(wanted)}


SYNTAXES = {
    "CT_small.dcm": "1.2.840.10008.1.2.1",
    "MR_small_implicit.dcm": "1.2.840.10008.1.2",
    "JPEG2000.dcm": "1.2.840.10008.1.2.4.91",
    "SC_rgb_jpeg_dcmtk.dcm": "1.2.840.10008.1.2.4.50",
}


@pytest.mark.parametrize("way", ["get", "web"])
def test_objects_are_retrieved_in_the_syntax_they_are_held_in(start_orthanc, opened, way):
    """Compressed or not, lossless or not: nothing is re-encoded on the way."""
    files = {name: Path(pydicom.data.get_testdata_file(name)) for name in SYNTAXES}
    peer = start_orthanc()
    peer.upload(*files.values())
    found = {}
    with opened(settings(peer, way)) as (archive, spool, inbox):
        for name, file in files.items():
            header = pydicom.dcmread(file)
            series = SeriesAnswer(
                study_uid=header.StudyInstanceUID,
                series_uid=header.SeriesInstanceUID,
                modality=header.Modality,
                description="",
                count=1,
            )
            wanted = [each for each in archive.instances(series) if each.sop_instance_uid == header.SOPInstanceUID]
            archive.retrieve(series, wanted, whole=False)
            (kept,) = list(spool.pending()) or [pytest.fail(f"{name}: {wanted} {inbox.counts}")]
            found[name] = kept.header.transfer_syntax_uid
            spool.done(kept)
    assert found == SYNTAXES


def test_dcmtk_getscu_fetches_the_objects_that_we_fetch(start_orthanc, opened, getscu, tmp_path):
    """A second opinion on what a C-GET brings; the PET, because getscu cannot fetch the compressed series."""
    first = headers("BASELINE/PET")[0]
    orthanc = start_orthanc()
    orthanc.upload(*sorted((SAMPLE / "BASELINE" / "PET").glob("*.dcm"))[:8])
    keys = [f"StudyInstanceUID={first.StudyInstanceUID}", f"SeriesInstanceUID={first.SeriesInstanceUID}"]
    arguments = [each for key in ("QueryRetrieveLevel=SERIES", *keys) for each in ("-k", key)]
    (tmp_path / "theirs").mkdir()
    command = [
        getscu,
        "-S",
        "+xv",
        "-aec",
        "ORTHANC",
        "-od",
        str(tmp_path / "theirs"),
        "127.0.0.1",
        str(orthanc.dicom_port),
    ]
    subprocess.run([*command, *arguments], check=True, timeout=60, capture_output=True)
    series = SeriesAnswer(
        study_uid=first.StudyInstanceUID, series_uid=first.SeriesInstanceUID, modality="PT", description="", count=None
    )
    with opened(orthanc.dimse()) as (archive, spool, _):
        archive.retrieve(series, archive.instances(series), whole=True)
        ours = {each.header.sop_instance_uid for each in spool.pending()}
    theirs = {pydicom.dcmread(file, force=True).SOPInstanceUID for file in (tmp_path / "theirs").iterdir()}
    assert len(ours) == 8
    assert ours == theirs


def test_our_c_store_gives_the_pacs_a_folder(start_orthanc, opened):
    """What we send, it lists."""
    peer = start_orthanc()
    assert send_folder(SAMPLE / LOADED[2], port=peer.dicom_port, called_ae_title="ORTHANC") == 27
    with opened(peer.dimse()) as (archive, _, _):
        (found,) = archive.studies(StudyQuery(patient_id="SYN-0001"))
        assert [each.count for each in archive.series(found.study_uid)] == [27]


def test_a_wrong_ae_title_is_refused_and_says_so(orthanc, opened):
    """The PACS rejects the association; trying again would not help."""
    with (
        opened(orthanc.dimse(ae_title="WRONG")) as (archive, _, _),
        pytest.raises(PeerRefusedError, match=r"(?i)called AE"),
    ):
        archive.echo()


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_pacs_that_is_not_there_is_lost(orthanc, opened, way):
    """Nothing listens on the port of our own receiver."""
    values = {"port": orthanc.us_port} if way == "get" else {"url": f"http://127.0.0.1:{orthanc.us_port}/dicom-web"}
    with (
        opened(settings(orthanc, way, **values)) as (archive, _, _),
        pytest.raises(PeerLostError, match="no connection"),
    ):
        archive.echo()


def test_a_host_without_an_address_is_lost(orthanc, opened):
    """A name that resolves to nothing."""
    with opened(orthanc.dimse(host="nowhere.invalid")) as (archive, _, _), pytest.raises(PeerLostError):
        archive.echo()


def test_a_move_to_a_destination_the_pacs_does_not_know_is_refused(start_orthanc, opened):
    """The PACS must map our AE title to an address."""
    peer = start_orthanc(options={"DicomModalities": {}})
    peer.upload(*sorted((SAMPLE / LOADED[0]).glob("*.dcm"))[:2])
    first = headers(LOADED[0])[0]
    with opened(peer.dimse(retrieve="move"), peer.us_port) as (archive, _, inbox):
        (series,) = archive.series(first.StudyInstanceUID)
        with pytest.raises(NpcpitError, match="C-MOVE"):
            archive.retrieve(series, archive.instances(series), whole=True)
        assert not inbox.counts


def test_a_wrong_password_is_refused_and_the_right_one_opens(start_orthanc, opened, study):
    """HTTP basic authentication; the secret lies in the vault."""
    peer = start_orthanc(login=("reader", "s3cret"))
    secret = study.vault / "pacs-secret"
    values = {"login": "basic", "user": "reader", "secret": "vault/pacs-secret"}
    secret.write_text("wrong\n")
    with opened(peer.web(**values)) as (archive, _, _), pytest.raises(PeerRefusedError, match="password") as refusal:
        archive.echo()
    assert "wrong" not in str(refusal.value).split("password")[0]
    secret.write_text("s3cret\n")
    with opened(peer.web(**values)) as (archive, _, _):
        archive.echo()


def test_an_association_is_aborted_when_we_stop_midway(orthanc, opened):
    """Ctrl-C in the middle of a C-GET leaves no half object and no thread."""
    first = headers(LOADED[0])[0]
    with opened(orthanc.dimse()) as (archive, spool, inbox):
        (series,) = [
            each for each in archive.series(first.StudyInstanceUID) if each.series_uid == first.SeriesInstanceUID
        ]
        listed = archive.instances(series)
        kept: list[Outcome] = []

        def stop() -> None:
            kept.append(Outcome.STORED)
            if len(kept) == 5:
                raise KeyboardInterrupt

        inbox._on_object = stop
        with pytest.raises(KeyboardInterrupt):
            archive.retrieve(series, listed, whole=True)
        assert len(list(spool.pending())) == 5
    assert not [path for path in slots_in(spool._pending) if path.stat().st_size and read_mark(path) is None]
