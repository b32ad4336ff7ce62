"""Spatial registration objects, read back by the standard's own formulas and judged by dciodvfy."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from npcpit_imaging.dicom.load import load_folder
from npcpit_imaging.dicom.spatial_registration import write_spatial_registration
from npcpit_imaging.errors import DicomError
from npcpit_imaging.volume.bspline import lattice_over
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.transform import RigidTransform

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "sample_dicom"


def rigid() -> RigidTransform:
    euler = sitk.Euler3DTransform()
    euler.SetRotation(0.1, -0.05, 0.2)
    return RigidTransform(
        rotation=np.array(euler.GetMatrix()).reshape(3, 3), translation_mm=np.array([12.5, -3.25, 40])
    )


@pytest.fixture(scope="module")
def files() -> tuple[list[Path], list[Path]]:
    """A follow-up CT and the baseline CT of the sample study: two frames of reference, two studies."""
    fixed, moving = (sorted((SAMPLE / visit / "CT").glob("*.dcm")) for visit in ("FU1", "BASELINE"))
    assert fixed and moving
    return fixed, moving


@pytest.fixture(scope="module")
def warp(files) -> DeformableTransform:
    geometry = load_folder(files[0][0].parent).geometry
    lattice = lattice_over(geometry, 24.0)
    noise = np.random.default_rng(5).normal(0, 3.0, (3, *lattice.shape_kji))
    return DeformableTransform(rigid=rigid(), lattice=lattice, coefficients_mm=noise)


def errors_of(dciodvfy: str, path: Path) -> list[str]:
    told = subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, check=False)
    return [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]


def matrix_of(item) -> np.ndarray:
    return np.array(item.FrameOfReferenceTransformationMatrix, float).reshape(4, 4)


def times(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return (np.column_stack([points, np.ones(len(points))]) @ matrix.T)[:, :3]


def test_the_matrix_maps_the_moving_image_into_the_fixed_ones_space(tmp_path, files):
    """PS3.3 C.20.2.1.1: (registered) = M (image to be registered); the fixed image's own matrix is the identity."""
    path = tmp_path / "reg.dcm"
    write_spatial_registration(path, rigid(), fixed=files[0], moving=files[1], created=MOMENT)
    found = pydicom.dcmread(path)
    fixed, moving = (pydicom.dcmread(each[0], stop_before_pixels=True) for each in files)
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.1"
    assert found.FrameOfReferenceUID == fixed.FrameOfReferenceUID
    own, other = found.RegistrationSequence
    assert (own.FrameOfReferenceUID, other.FrameOfReferenceUID) == (
        fixed.FrameOfReferenceUID,
        moving.FrameOfReferenceUID,
    )
    assert matrix_of(own.MatrixRegistrationSequence[0].MatrixSequence[0]) == pytest.approx(np.eye(4))
    points = np.random.default_rng(1).uniform(-100, 100, (20, 3))
    back = times(matrix_of(other.MatrixRegistrationSequence[0].MatrixSequence[0]), rigid().map(points))
    assert back == pytest.approx(points, abs=1e-6)


def test_the_grid_maps_the_fixed_space_into_the_moving_image(tmp_path, files, warp):
    """PS3.3 C.20.3.1.1: source = post (pre x + d(x)), d interpolated between the grid's points, x fastest."""
    path = tmp_path / "reg.dcm"
    write_spatial_registration(path, warp, fixed=files[0], moving=files[1], created=MOMENT)
    item = pydicom.dcmread(path).DeformableRegistrationSequence[1]
    grid = item.DeformableRegistrationGridSequence[0]
    x, y, z = (int(value) for value in grid.GridDimensions)
    vectors = np.frombuffer(grid.VectorGridData, "<f4").reshape(z, y, x, 3)
    row, column = np.array(grid.ImageOrientationPatient, float).reshape(2, 3)
    field = sitk.GetImageFromArray(vectors.astype(float), isVector=True)
    field.SetOrigin([float(value) for value in grid.ImagePositionPatient])
    field.SetSpacing([float(value) for value in grid.GridResolution])
    field.SetDirection(np.column_stack([row, column, np.cross(row, column)]).ravel().tolist())
    pre = matrix_of(item.PreDeformationMatrixRegistrationSequence[0])
    post = matrix_of(item.PostDeformationMatrixRegistrationSequence[0])
    inside = warp.grid(20.0)
    points = inside.to_mm(np.random.default_rng(2).uniform(0.05, 0.95, (40, 3)) * (np.array(inside.shape_kji) - 1))
    moved = sitk.DisplacementFieldTransform(field)
    displaced = np.array([moved.TransformPoint(point.tolist()) for point in points]) - points
    assert np.abs(displaced).max() > 1.0
    assert times(post, times(pre, points) + displaced) == pytest.approx(warp.map(points), abs=0.05)


@pytest.mark.parametrize("kind", ["rigid", "deformable"])
def test_dciodvfy_finds_no_error(tmp_path, files, warp, dciodvfy, kind):
    """Both objects, of a follow-up and a baseline in two studies."""
    path = tmp_path / "reg.dcm"
    chosen = rigid() if kind == "rigid" else warp
    write_spatial_registration(path, chosen, fixed=files[0], moving=files[1], created=MOMENT, comment="accept")
    assert errors_of(dciodvfy, path) == []


def test_the_same_inputs_give_the_same_bytes(tmp_path, files):
    """Nothing of the clock or of chance is in it."""
    for name in ("a.dcm", "b.dcm"):
        write_spatial_registration(tmp_path / name, rigid(), fixed=files[0], moving=files[1], created=MOMENT)
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()


def test_both_series_are_referred_to(tmp_path, files):
    """The object's own study and the other one (Common Instance Reference)."""
    path = tmp_path / "reg.dcm"
    write_spatial_registration(path, rigid(), fixed=files[0], moving=files[1], created=MOMENT)
    found = pydicom.dcmread(path)
    own = found.ReferencedSeriesSequence[0]
    (other,) = found.StudiesContainingOtherReferencedInstancesSequence
    assert len(own.ReferencedInstanceSequence) == len(files[0])
    assert len(other.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == len(files[1])


def test_two_patients_are_refused(tmp_path, files):
    """A registration between two people is a mistake; no identifier stands in the message."""
    stranger = tmp_path / "stranger.dcm"
    image = pydicom.dcmread(files[1][0])
    image.PatientID = "SOMEBODY-ELSE"
    image.save_as(stranger)
    with pytest.raises(DicomError, match="expected two series of one patient") as caught:
        write_spatial_registration(tmp_path / "reg.dcm", rigid(), fixed=files[0], moving=[stranger])
    assert "SOMEBODY" not in str(caught.value)


def test_a_series_without_a_frame_of_reference_is_refused(tmp_path, files):
    """Without it nobody knows what the matrix moves."""
    lost = tmp_path / "lost.dcm"
    image = pydicom.dcmread(files[0][0])
    del image.FrameOfReferenceUID
    image.save_as(lost)
    with pytest.raises(DicomError, match="frame of reference of the fixed series"):
        write_spatial_registration(tmp_path / "reg.dcm", rigid(), fixed=[lost], moving=files[1])
