"""The house keeps its layers: the contracts hold, and each of them fails when somebody breaks it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PACKAGE = "npcpit_imaging"

BREACHES = (
    ("one worker imports another", "registration/align.py", f"{PACKAGE}.segmentation.prompt"),
    ("a noun imports a worker", "volume/geometry.py", f"{PACKAGE}.store.database"),
    ("a verb is imported from below", "flow/run.py", f"{PACKAGE}.app.study"),
    ("DICOM outside dicom", "measurement/extent.py", "pydicom"),
    ("torch outside the network segmenter", "segmentation/region.py", "torch"),
    ("response reads voxels", "response/engine.py", "numpy"),
)


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run import-linter on the package in a folder, with this project's contracts."""
    code = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    command = [sys.executable, "-c", code, "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package that may be broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "npcpit_imaging", tmp_path / "npcpit_imaging", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_hold(copy):
    ended = lint(copy)
    assert ended.returncode == 0, ended.stdout
    assert "0 broken" in ended.stdout


def plant(copy: Path, file: str, line: str) -> None:
    path = copy / PACKAGE / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + f"\n{line}\n", encoding="utf-8")


def test_every_planted_breach_is_named(copy):
    """All in one run, which takes 20 seconds: each must be told with its own line."""
    for _, file, imported in BREACHES:
        plant(copy, file, f"import {imported}")
    plant(copy, "extra/__init__.py", "")
    ended = lint(copy)
    assert ended.returncode != 0, ended.stdout
    told = " ".join(ended.stdout.split())
    for what, file, imported in BREACHES:
        importer = f"{PACKAGE}.{file.removesuffix('.py').replace('/', '.')}"
        assert f"{importer} -> {imported} (l." in told, f"{what}: {ended.stdout}"
    assert f"not listed as layers: - {PACKAGE}.extra" in told, f"a package that no layer names: {ended.stdout}"


def test_the_command_line_needs_neither_torch_nor_monai():
    """They are an extra: everything else works where they are not installed, and starts without their seconds."""
    code = (
        "import sys; from npcpit_imaging.cli import whole; whole(); "
        "print(sorted({'torch', 'monai'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"
