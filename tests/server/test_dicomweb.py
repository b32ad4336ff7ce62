"""The DICOMweb endpoints, asked by dicomweb-client: search, metadata, objects and frames as stored, and storing."""

from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from npcpit_imaging.dicom.web_answers import stored_frames
from npcpit_imaging.store.images import paths_of, study_uid_of
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
        stored = [pydicom.dcmread(served.study.objects / path) for path in paths_of(session, series)]
    assert {each.SOPInstanceUID for each in objects} == {each.SOPInstanceUID for each in stored}
    by_uid = {each.SOPInstanceUID: each for each in stored}
    assert all(each.PixelData == by_uid[each.SOPInstanceUID].PixelData for each in objects)


def test_a_compressed_frame_is_sent_as_it_is_stored(served: Served, tmp_path: Path):
    _, series = baseline(served)
    with served.study.database.session() as session:
        image = pydicom.dcmread(served.study.objects / paths_of(session, series)[0])
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
