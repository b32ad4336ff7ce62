"""What many tests share: where the public test images are, and which real peers this machine has."""

import os
import shutil
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parent.parent.parent / "shared" / "data"


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
    if found is None:
        message = f"{name} is not installed (Debian package {package})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


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
