"""Orthanc sends to our receiver and asks for storage commitment, as a PACS that wants to know does."""

import json
import re
import time
from pathlib import Path

import pytest

from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.study import init_study, open_study

SAMPLE = Path(__file__).parents[3] / "sample_dicom" / "BASELINE" / "MR_T1"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


def outcome(orthanc, asked: list[list[str]]) -> dict:
    """Ask, and wait for what Orthanc heard."""
    body = json.dumps({"DicomInstances": asked}).encode()
    path = orthanc.rest("POST", "/modalities/us/storage-commitment", body)["Path"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = orthanc.rest("GET", path)
        if answer["Status"] != "Pending":
            return answer
        time.sleep(0.1)
    pytest.fail(f"no report came: {orthanc.log()[-2000:]}")


def test_orthanc_hears_what_is_committed_by_the_uids_it_sent(start_orthanc, tmp_path):
    orthanc = start_orthanc()
    orthanc.upload(*sorted(SAMPLE.glob("*.dcm"))[:5])
    held = [orthanc.rest("GET", f"/instances/{each}/tags?simplify") for each in orthanc.rest("GET", "/instances")]
    uids = [[each["SOPClassUID"], each["SOPInstanceUID"]] for each in held]
    init_study(tmp_path / "study")
    name_peer(tmp_path / "study", orthanc.dicom_port)
    with open_study(tmp_path / "study") as study, Listener(study, port=orthanc.us_port) as listener:
        orthanc.rest("POST", "/modalities/us/store", json.dumps(orthanc.rest("GET", "/instances")).encode())
        listener.drain()
        assert listener.outcomes == {"stored": 5}
        stored = {path.stem for path in study.objects.folder.rglob("*.dcm")}
        answer = outcome(orthanc, uids)
        assert answer["Status"] == "Success"
        assert sorted(each["SOPInstanceUID"] for each in answer["Success"]) == sorted(uid for _, uid in uids)
        assert not stored & {uid for _, uid in uids}, "the study holds them under other UIDs"
        answer = outcome(orthanc, [uids[0], [MR_IMAGE_STORAGE, "1.2.3.4"]])
    assert answer["Status"] == "Failure"
    assert [each["SOPInstanceUID"] for each in answer["Failures"]] == ["1.2.3.4"]


def name_peer(study: Path, port: int) -> None:
    site = study / "configs" / "site.toml"
    lines = f'[[receiver.commitment_peers]]\nae_title = "ORTHANC"\nhost = "127.0.0.1"\nport = {port}\n\n'
    text, count = re.subn(r"(?m)^(?=\[deidentification\])", lines, site.read_text(encoding="utf-8"))
    assert count == 1
    site.write_text(text, encoding="utf-8")
