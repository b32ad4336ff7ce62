"""The DICOMweb endpoints, asked by dicomweb-client: search, metadata, objects and frames as stored, and storing."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from npcpit_imaging.app.series import open_series
from npcpit_imaging.dicom.seg import SegmentedLesion, write_seg
from npcpit_imaging.dicom.web_answers import stored_frames
from npcpit_imaging.store.audit import audit_events
from npcpit_imaging.store.images import paths_of, study_uid_of
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.volume import Mask
from tests.server.conftest import RADII_MM, SHAPE, SUBJECT, Person, Served, sphere

Enter = Callable[[str], Person]


@pytest.fixture
def viewer(served: Served, token: str) -> DICOMwebClient:
    session = create_session()
    session.headers["Authorization"] = f"Bearer {token}"
    return DICOMwebClient(url=f"{served.url}/dicom-web", session=session)


def baseline(served: Served) -> tuple[str, str]:
    """StudyInstanceUID and SeriesInstanceUID of the first visit."""
    uid = served.series["BASELINE"]
    with served.study.database.session() as session:
        return study_uid_of(session, uid), uid


def test_a_viewer_finds_studies_series_and_instances(served: Served, viewer: DICOMwebClient):
    study, series = baseline(served)
    found = [Dataset.from_json(each) for each in viewer.search_for_studies()]
    assert {each.PatientID for each in found} == {SUBJECT}
    assert [each.NumberOfStudyRelatedInstances for each in found] == [SHAPE[0]] * 3
    assert len(viewer.search_for_studies(search_filters={"PatientID": "NPC-9*"})) == 0
    assert len(viewer.search_for_studies(search_filters={"StudyInstanceUID": study})) == 1
    assert len(viewer.search_for_studies(limit=2)) == 2
    (one,) = [Dataset.from_json(each) for each in viewer.search_for_series(study)]
    assert (one.SeriesInstanceUID, one.Modality, one.NumberOfSeriesRelatedInstances) == (series, "CT", SHAPE[0])
    instances = [Dataset.from_json(each) for each in viewer.search_for_instances(study, series)]
    assert sorted(each.InstanceNumber for each in instances) == list(range(1, SHAPE[0] + 1))


def test_metadata_hold_the_geometry_and_no_pixels(served: Served, viewer: DICOMwebClient):
    study, series = baseline(served)
    headers = [Dataset.from_json(each) for each in viewer.retrieve_series_metadata(study, series)]
    assert sorted(float(each.ImagePositionPatient[2]) for each in headers) == [2.5 * k for k in range(SHAPE[0])]
    assert all("PixelData" not in each and each.Rows == SHAPE[1] for each in headers)


def test_frames_and_objects_are_the_stored_ones_bit_for_bit(served: Served, viewer: DICOMwebClient):
    study, series = baseline(served)
    image = sphere(RADII_MM["BASELINE"])
    for header in viewer.retrieve_series_metadata(study, series):
        dataset = Dataset.from_json(header)
        k = round(float(dataset.ImagePositionPatient[2]) / 2.5)
        (frame,) = viewer.retrieve_instance_frames(study, series, dataset.SOPInstanceUID, [1])
        values = np.frombuffer(frame, "<u2").reshape(SHAPE[1:]).astype(int) - 1024
        assert np.array_equal(values, image[k])
    objects = viewer.retrieve_series(study, series)
    with served.study.database.session() as session:
        stored = [pydicom.dcmread(served.study.objects.folder / path) for path in paths_of(session, series)]
    assert {each.SOPInstanceUID for each in objects} == {each.SOPInstanceUID for each in stored}
    by_uid = {each.SOPInstanceUID: each for each in stored}
    assert all(each.PixelData == by_uid[each.SOPInstanceUID].PixelData for each in objects)


def test_a_compressed_frame_is_sent_as_it_is_stored(served: Served, tmp_path: Path):
    _, series = baseline(served)
    with served.study.database.session() as session:
        image = pydicom.dcmread(served.study.objects.folder / paths_of(session, series)[0])
    before = image.pixel_array.copy()
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    image.save_as(tmp_path / "j2k.dcm")
    found = stored_frames(tmp_path / "j2k.dcm", (1,))
    assert found.media_type == "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90"
    assert found.frames[0].startswith(b"\xff\x4f\xff\x51"), "a JPEG 2000 code stream"
    assert np.array_equal(pydicom.dcmread(tmp_path / "j2k.dcm").pixel_array, before)


def test_what_is_not_there_is_not_found(served: Served, viewer: DICOMwebClient, token: str):
    study, series = baseline(served)
    client = httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {token}"})
    root = f"/dicom-web/studies/{study}/series/{series}"
    for url in (f"{root}/instances/1.2.3", "/dicom-web/studies/1.2.3", f"/dicom-web/studies/1.2.3/series/{series}"):
        assert client.get(url).status_code == 404, url
    uid = Dataset.from_json(viewer.search_for_instances(study, series)[0]).SOPInstanceUID
    assert client.get(f"{root}/instances/{uid}/frames/2").status_code == 422
    assert client.get(f"{root}/instances/{uid}/frames/x").status_code == 422
    assert client.get("/dicom-web/studies", params={"limit": "many"}).status_code == 422
    client.close()


def a_seg(served: Served, path: Path) -> Path:
    """A SEG on the first visit's images."""
    _, series = baseline(served)
    volume = open_series(served.study, series)
    voxels = np.zeros(SHAPE, bool)
    voxels[5:8, 28:36, 28:36] = True
    lesion = Lesion(lesion_id="X", tracking_uid="2.25.77", role=LesionRole.TARGET, organ="LUNG", location="LUNG")
    each = SegmentedLesion(
        lesion=lesion, mask=Mask(voxels=voxels, geometry=volume.geometry), algorithm="hand", version="1"
    )
    with served.study.database.session() as session:
        sources = [served.study.objects.folder / name for name in paths_of(session, series)]
    write_seg(path, [each], sources=sources, created=datetime(2026, 1, 2, tzinfo=UTC))
    return path


def stow(client: httpx.Client, *contents: bytes, study: str = "") -> httpx.Response:
    """Store objects as PS3.18 10.5 says."""
    body = (
        b"".join(b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + each + b"\r\n" for each in contents) + b"--cut--"
    )
    kind = 'multipart/related; type="application/dicom"; boundary=cut'
    return client.post(f"/dicom-web/studies{study}", content=body, headers={"Content-Type": kind})


def test_a_seg_is_stored_found_and_comes_back_as_it_was(served: Served, viewer: DICOMwebClient, tmp_path: Path):
    study, _ = baseline(served)
    seg = pydicom.dcmread(a_seg(served, tmp_path / "seg.dcm"))
    answer = viewer.store_instances([seg], study_instance_uid=study)
    assert [each.ReferencedSOPInstanceUID for each in answer.ReferencedSOPSequence] == [seg.SOPInstanceUID]
    found = [Dataset.from_json(each) for each in viewer.search_for_series(study)]
    assert {each.Modality for each in found} == {"CT", "SEG"}
    back = viewer.retrieve_instance(study, seg.SeriesInstanceUID, seg.SOPInstanceUID)
    assert back.PixelData == seg.PixelData
    with served.study.database.session() as session:
        assert [each.action for each in audit_events(session, limit=1000)][-1] == "object.store"


def test_a_reader_s_seg_is_shown_to_no_other_reader(served: Served, enter: Enter, tmp_path: Path):
    study, _ = baseline(served)
    one, two = enter("reader1"), enter("reader2")
    assert stow(one, a_seg(served, tmp_path / "seg.dcm").read_bytes()).status_code == 200
    assert len(one.get(f"/dicom-web/studies/{study}/series").json()) == 2
    assert len(two.get(f"/dicom-web/studies/{study}/series").json()) == 1


def test_hostile_and_foreign_objects_are_refused_and_nothing_of_them_is_kept(
    served: Served, enter: Enter, tmp_path: Path
):
    reader = enter("reader1")
    seg = pydicom.dcmread(a_seg(served, tmp_path / "seg.dcm"))

    def changed(name: str, **values: str) -> bytes:
        copy = pydicom.dcmread(tmp_path / "seg.dcm")
        with disable_value_validation():  # a hostile writer does not ask pydicom
            for keyword, value in values.items():
                setattr(copy, keyword, value)
            copy.file_meta.MediaStorageSOPClassUID = copy.SOPClassUID
            copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
            copy.save_as(tmp_path / name)
        return (tmp_path / name).read_bytes()

    _, series = baseline(served)
    with served.study.database.session() as session:
        image = (served.study.objects.folder / paths_of(session, series)[0]).read_bytes()
    whole = (tmp_path / "seg.dcm").read_bytes()
    files = {each for each in served.study.objects.folder.rglob("*") if each.is_file()}
    refused = {
        "an image": image,
        "no DICOM": b"MZ" + bytes(1000),
        "cut off": whole[: len(whole) // 3],
        "another subject": changed("a.dcm", PatientID="NPC-0002"),
        "another study": changed("b.dcm", StudyInstanceUID="1.2.3.4.5"),
        "a name": changed("c.dcm", PatientName="Secret^Name"),
        "no UID": changed("d.dcm", SeriesInstanceUID=""),
        "a path": changed("e.dcm", SOPInstanceUID="../../vault/key"),
        "the CT's series": changed("f.dcm", SeriesInstanceUID=series),
    }
    for what, content in refused.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the server runs outside these tests, where a warning refuses nothing
            answer = stow(reader, content)
        assert answer.status_code == 409, (what, answer.text)
        assert "00081198" in answer.json(), what
        assert "Secret" not in answer.text
    assert {each for each in served.study.objects.folder.rglob("*") if each.is_file()} == files
    for body, kind in (
        (b"", 'multipart/related; type="application/dicom"; boundary=cut'),
        (b"x", "text/plain"),
        (b"x", "multipart/related; type=application/dicom"),
    ):
        assert reader.post("/dicom-web/studies", content=body, headers={"Content-Type": kind}).status_code in (400, 415)
    partly = stow(reader, whole, b"nothing")
    assert partly.status_code == 202
    assert [each["00081155"]["Value"] for each in partly.json()["00081199"]["Value"]] == [[seg.SOPInstanceUID]]
    assert stow(reader, whole).status_code == 200, "the same object again is the same object"
