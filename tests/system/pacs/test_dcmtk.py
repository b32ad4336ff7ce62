"""DCMTK's query and retrieve programs: through a real PACS to our receiver, and against the receiver itself."""

import re
import subprocess
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.dicom.receiver import Receiver
from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
from npcpit_imaging.dicom.spool import Spool
from npcpit_imaging.store.images import series_of

SLICES = sorted((Path(__file__).parents[3] / "sample_dicom" / "BASELINE" / "MR_T1").glob("*.dcm"))[:5]
STUDY_LEVEL = ["-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=SYN-0001", "-k", "StudyInstanceUID"]


def dcmtk(name: str) -> str:
    """A program of DCMTK; pynetdicom installs others of the same name into the environment."""
    path = Path("/usr/bin") / name
    if not path.exists():
        pytest.skip(f"{name} is not installed (Debian package dcmtk)")
    return str(path)


def run(*command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)


def test_movescu_has_the_pacs_send_a_study_to_our_receiver(start_orthanc, study):
    """findscu finds the study in Orthanc, movescu names us as the destination, and the study holds every slice."""
    peer = start_orthanc()
    peer.upload(*SLICES)
    address = ["-S", "-aec", "ORTHANC", "127.0.0.1", peer.dicom_port]
    found = run(dcmtk("findscu"), "-v", *address, *STUDY_LEVEL)
    (uid,) = set(re.findall(r"\(0020,000d\) UI \[([0-9.]+)", found.stderr))
    with Listener(study, port=peer.us_port) as listener:
        moved = run(dcmtk("movescu"), "-v", "-aem", "NPCPIT", *address, "-k", "QueryRetrieveLevel=STUDY",
                    "-k", f"StudyInstanceUID={uid}")  # fmt: skip
        assert moved.returncode == 0, moved.stderr
        listener.drain()
        assert listener.outcomes == {"stored": 5}
    with study.database.session() as session:
        assert [each.instances for each in series_of(session)] == [5]


@pytest.mark.parametrize("program", ["findscu", "movescu", "getscu"])
def test_we_are_no_archive_and_say_so_and_go_on_receiving(program, tmp_path, storescu, echoscu):
    """The association is accepted without a context for queries, as PS3.8 has it; an echo and a store follow."""
    with Spool(tmp_path, reserve_bytes=0) as spool, Receiver(ReceiverSettings(port=0), spool) as receiver:
        address = ["-aec", "NPCPIT", "127.0.0.1", receiver.port]
        refused = run(dcmtk(program), "-v", "-S", *address, *STUDY_LEVEL)
        assert refused.returncode != 0
        assert re.search("no .*presentation context", refused.stderr, re.IGNORECASE)
        assert run(echoscu, *address).returncode == 0
        assert run(storescu, *address, get_testdata_file("CT_small.dcm")).returncode == 0
        assert len(list(spool.pending())) == 1
