"""A real PACS for tests: Orthanc on free ports of this machine, only for a test's length."""

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.config.pacs import PacsSite

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "sample_dicom"
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(kw_only=True)
class Orthanc:
    """A running Orthanc that keeps its folder and ports when it is killed and started again."""

    program: str
    folder: Path
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    us_port: int = field(default_factory=free_port)
    options: dict[str, object] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "Orthanc":
        """Start and wait until both ports answer."""
        self.folder.mkdir(exist_ok=True)
        configuration = {
            "Name": "test", "StorageDirectory": str(self.folder), "IndexDirectory": str(self.folder),
            "DicomAet": "ORTHANC", "DicomPort": self.dicom_port, "HttpPort": self.http_port,
            "RemoteAccessAllowed": False, "AuthenticationEnabled": self.login is not None,
            "DicomCheckCalledAet": True, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True, "DicomModalities": {"us": ["NPCPIT", "127.0.0.1", self.us_port]},
            "StableAge": 5, "MaximumPduLength": 131072, "Plugins": [str(DICOMWEB_PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, **self.options,
        }  # fmt: skip
        if self.login:
            configuration["RegisteredUsers"] = dict([self.login])
        settings = self.folder.with_suffix(".json")
        settings.write_text(json.dumps(configuration))
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, str(settings)], stdout=log, stderr=log, env={"TCP_NODELAY": "1"}
            )
        for port in (self.http_port, self.dicom_port):
            self._wait(port)
        return self

    def _wait(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.02)
        pytest.fail(f"Orthanc does not listen: {self.folder.with_suffix('.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def rest(self, method: str, path: str, body: bytes | None = None) -> object:
        """Call Orthanc's own REST API."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", data=body, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def upload(self, *files: Path) -> None:
        """Put files into Orthanc."""
        for file in files:
            self.rest("POST", "/instances", file.read_bytes())

    def delete_series(self, series_uid: str) -> None:
        """Remove a series by its UID."""
        found = self.rest("POST", "/tools/lookup", series_uid.encode())
        assert isinstance(found, list)
        for each in found:
            self.rest("DELETE", f"/series/{each['ID']}")

    def log(self) -> str:
        """What it logged."""
        return self.folder.with_suffix(".log").read_text(errors="replace")

    def dimse(self, **values: object) -> PacsSite:
        """Settings that speak DIMSE to it."""
        own = {"kind": "dimse", "host": "127.0.0.1", "port": self.dicom_port, "ae_title": "ORTHANC"}
        return PacsSite.model_validate(own | QUICK | values)

    def web(self, **values: object) -> PacsSite:
        """Settings that speak DICOMweb to it."""
        own = {"kind": "dicomweb", "url": f"http://127.0.0.1:{self.http_port}/dicom-web", "ae_title": "ORTHANC"}
        return PacsSite.model_validate(own | QUICK | values)


QUICK = {"retries": 2, "backoff_s": 0.05, "connect_timeout_s": 5, "answer_timeout_s": 20}
"""So that failing does not take a test's whole day."""

StartOrthanc = Callable[..., Orthanc]


@pytest.fixture(scope="module")
def orthanc(orthanc_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """One Orthanc for a module, with MR series of the sample's first two visits."""
    peer = Orthanc(program=orthanc_program, folder=tmp_path_factory.mktemp("orthanc") / "storage").start()
    for series in ("BASELINE/MR_T1", "BASELINE/MR_T2", "FU1/MR_T1"):
        peer.upload(*sorted((SAMPLE / series).glob("*.dcm")))
    yield peer
    peer.kill()


@pytest.fixture
def start_orthanc(orthanc_program: str, tmp_path: Path) -> Iterator[StartOrthanc]:
    """Start an Orthanc of one's own, to break; killed at the end."""
    started: list[Orthanc] = []

    def start(**values: object) -> Orthanc:
        started.append(Orthanc(program=orthanc_program, folder=tmp_path / f"orthanc{len(started)}", **values))  # type: ignore[arg-type]
        return started[-1].start()

    yield start
    for each in started:
        if each.process is not None:
            each.kill()


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    """A fresh study."""
    init_study(tmp_path / "study")
    with open_study(tmp_path / "study") as opened:
        yield opened
