"""A small study served by the real server on loopback: three visits, two readers, an adjudicator and the others."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
import uvicorn
from argon2 import PasswordHasher
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage

from npcpit_imaging.app.access import accounts
from npcpit_imaging.app.access.accounts import add_account
from npcpit_imaging.app.access.roles import Role
from npcpit_imaging.app.access.tokens import add_token
from npcpit_imaging.app.importing import Tick, import_folder
from npcpit_imaging.app.lesions import LESION_COLUMNS, store_lesions
from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.server.application import create_app
from npcpit_imaging.store.assignments import AssignmentKind, put_assignment
from npcpit_imaging.store.images import series_of

SUBJECT = "NPC-0001"
CT = "1.2.840.10008.5.1.4.1.1.2"
PASSWORD = "correct horse battery"  # of every account of these tests
PEOPLE = {
    "reader1": Role.READER,
    "reader2": Role.READER,
    "stranger": Role.READER,
    "adjudicator": Role.ADJUDICATOR,
    "coordinator": Role.COORDINATOR,
    "researcher": Role.RESEARCHER,
    "administrator": Role.ADMINISTRATOR,
    "auditor": Role.AUDITOR,
}
DAYS = {"BASELINE": "20260101", "FU1": "20260226", "FU2": "20260423"}
SHAPE = (12, 64, 64)
SPACING_MM = (1.0, 1.0, 2.5)
CENTRE_KJI = (6, 32, 32)
RADII_MM = {"BASELINE": 12.0, "FU1": 8.0, "FU2": 8.0}


@contextmanager
def quietly(title: str, total: int) -> Iterator[Tick]:
    yield lambda: None


def sphere(radius_mm: float) -> np.ndarray:
    """Soft tissue of 40 HU with a ball of 120 HU in the middle, lightly blurred, with seeded noise."""
    k, j, i = np.indices(SHAPE)
    distance = np.sqrt(((k - CENTRE_KJI[0]) * SPACING_MM[2]) ** 2 + (j - CENTRE_KJI[1]) ** 2 + (i - CENTRE_KJI[2]) ** 2)
    image = np.where(distance <= radius_mm, 120.0, 40.0)
    noise = np.random.default_rng(7).normal(0, 4, SHAPE)
    return np.rint(ndimage.gaussian_filter(image, (0.3, 0.7, 0.7)) + noise).astype(np.int16)


def write_visit(folder: Path, visit: str) -> None:
    """One CT series of a visit."""
    number = list(DAYS).index(visit) + 1
    for k, plane in enumerate(sphere(RADII_MM[visit])):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CT
        meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.1.{k + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = CT, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID = f"1.2.3.{number}", f"1.2.3.{number}.1"
        image.FrameOfReferenceUID = f"1.2.3.{number}.9"
        image.PatientID, image.PatientName, image.Modality = "HOSPITAL-4711", "Secret^Name", "CT"
        image.PatientBirthDate, image.PatientSex = "19600101", "M"
        image.ReferringPhysicianName, image.Manufacturer = "", "Phantom"
        image.StudyDate = image.SeriesDate = image.AcquisitionDate = DAYS[visit]
        image.StudyTime, image.AccessionNumber, image.StudyID = "101500", "ACC-4711", "4711"
        image.SeriesNumber, image.InstanceNumber = 1, k + 1
        image.SeriesDescription = "Neck"
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-31.5, -31.5, SPACING_MM[2] * k]
        image.PixelSpacing, image.SliceThickness = [1, 1], SPACING_MM[2]
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.Rows = image.Columns = SHAPE[1]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
        image.PixelData = (plane + 1024).astype("<u2").tobytes()
        pydicom.dcmwrite(folder / f"{visit}-{k}.dcm", image, enforce_file_format=True)


def line_mm(visit: str) -> list[list[float]]:
    """The ball's diameter along x in its middle slice, LPS mm; the middle is at (0.5, 0.5, 15)."""
    radius = RADII_MM[visit]
    return [[0.5 - radius, 0.5, 15.0], [0.5 + radius, 0.5, 15.0]]


def prepare(folder: Path, source: Path) -> None:
    """Make the study: images of three visits, two lesions, accounts, assignments."""
    source.mkdir()
    for visit in DAYS:
        write_visit(source, visit)
    init_study(folder)
    (folder / "vault" / "subjects.csv").write_text(f"patient_id,subject\nHOSPITAL-4711,{SUBJECT}\n")
    (folder / "tables" / "lesions.csv").write_text(
        ",".join(LESION_COLUMNS) + f"\n{SUBJECT},T01,TARGET,NASOPHARYNX,NASOPHARYNX,no,yes,no,\n"
        f"{SUBJECT},NT01,NON-TARGET,SKULL BASE,SKULL BASE,no,no,no,\n"
    )
    (folder / "tables" / "treatments.csv").write_text(f"subject,lesion,cycle,date\n{SUBJECT},T01,1,2026-01-15\n")
    with open_study(folder) as study:
        import_folder(study, source, progress=quietly)
        assert store_lesions(study) == {}
        for name, role in PEOPLE.items():
            add_account(study, name, roles=frozenset({role}), password=PASSWORD, full_name=f"Dr {name}")
        with study.database.session() as session:
            for name in ("reader1", "reader2"):
                put_assignment(
                    session,
                    subject=SUBJECT,
                    timepoint="",
                    username=name,
                    kind=AssignmentKind.READER,
                    due=None,
                    now=study.now(),
                )
            put_assignment(
                session,
                subject=SUBJECT,
                timepoint="",
                username="adjudicator",
                kind=AssignmentKind.ADJUDICATOR,
                due=None,
                now=study.now(),
            )


@pytest.fixture(scope="session", autouse=True)
def cheap_hashes() -> Iterator[PasswordHasher]:
    """Argon2id as ever, at its lowest cost: what a password costs to check is of no matter to these tests but one."""
    dear = accounts.HASHER
    accounts.HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    accounts._nobody_s_hash.cache_clear()
    yield dear
    accounts.HASHER = dear
    accounts._nobody_s_hash.cache_clear()


@pytest.fixture(scope="session")
def prepared(cheap_hashes: PasswordHasher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as it is before anybody reads; copy it."""
    root = tmp_path_factory.mktemp("served")
    prepare(root / "study", root / "dicom")
    return root / "study"


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A study of one's own."""
    shutil.copytree(prepared, tmp_path / "study")
    return tmp_path / "study"


class Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The tests' own process keeps its signals."""


@dataclass
class Served:
    """A running server."""

    url: str
    study: Study
    app: Any
    series: dict[str, str] = field(default_factory=dict)


@contextmanager
def serving(folder: Path, *, around: Callable[[Any], Any] = lambda app: app) -> Iterator[Served]:
    """Serve a study in a thread on a free loopback port, with what a test puts around the application."""
    with open_study(folder) as study:
        app = around(create_app(study))
        # Idle connections stay: a machine that stands still for seconds would close one just as a test asks by it.
        config = uvicorn.Config(
            app, port=0, log_level="error", access_log=False, server_header=False, timeout_keep_alive=3600
        )
        server = Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server ended"
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with study.database.session() as session:
            series = {each.timepoint or "": each.uid for each in series_of(session)}
        try:
            yield Served(url=f"http://127.0.0.1:{port}", study=study, app=app, series=series)
        finally:
            server.should_exit = True
            thread.join(timeout=30)


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with serving(folder) as running:
        yield running


class Person(httpx.Client):
    """Somebody signed in, with the CSRF token in every request."""

    def read(self, visit: str) -> dict[str, Any]:
        """Open a visit."""
        answer = self.get(f"/api/reads/{SUBJECT}/{visit}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def change(self, visit: str, **change: object) -> dict[str, Any]:
        """Make one change on the newest revision."""
        answer = self.try_change(visit, **change)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def try_change(self, visit: str, **change: object) -> httpx.Response:
        """Ask for one change on the newest revision."""
        revision = self.read(visit)["revision"]
        return self.post(f"/api/reads/{SUBJECT}/{visit}/changes", json={"revision": revision, "change": change})

    def entry(self, visit: str, lesion: str) -> dict[str, Any]:
        """A lesion's entry."""
        return next(each for each in self.read(visit)["lesions"] if each["lesion"] == lesion)

    def sign(self, visit: str) -> httpx.Response:
        """Sign a visit."""
        body = {"revision": self.read(visit)["revision"], "password": PASSWORD, "meaning": "read"}
        return self.post(f"/api/reads/{SUBJECT}/{visit}/sign", json=body)


@contextmanager
def person(served: Served, name: str) -> Iterator[Person]:
    """Somebody signed in."""
    with Person(base_url=served.url, timeout=60) as client:
        answer = client.post("/api/session", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        yield client


@pytest.fixture
def enter(served: Served) -> Iterator[Callable[[str], Person]]:
    """Sign somebody in."""
    open_clients: list[Any] = []

    def begin(name: str) -> Person:
        context = person(served, name)
        open_clients.append(context)
        return context.__enter__()

    yield begin
    for context in open_clients:
        context.__exit__(None, None, None)


def read_and_sign(
    client: Person, visit: str, series_uid: str, *, non_target: str = "present", prompted: bool = False
) -> dict[str, Any]:
    """A whole read of a visit: the reader's own line (prompted: and its mask), confirm, non-target, sign."""
    prompt = {"kind": "line", "points_mm": line_mm(visit)}
    if prompted:
        client.change(visit, kind="prompt", lesion="T01", series_uid=series_uid, prompts=[prompt])
    else:
        line = line_mm(visit)
        client.change(visit, kind="caliper", lesion="T01", series_uid=series_uid, axis="long", line_mm=line)
    client.change(visit, kind="confirm", lesion="T01", accept="caliper")
    client.change(visit, kind="state", lesion="NT01", state=non_target)
    signed = client.sign(visit)
    assert signed.status_code == 200, signed.text
    return dict(signed.json())


@pytest.fixture
def token(served: Served) -> str:
    """A program's token that may see images and store."""
    return add_token(served.study, "viewer", ["images", "store"])
