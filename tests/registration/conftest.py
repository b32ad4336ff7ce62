"""A head made of ellipsoids: every voxel is computed from its position, so any motion of it is known exactly."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.registration.align import Alignment, align
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality, Unit, Volume

# centre (x, y, z), half-axes, CT value, MR value; later ones cover earlier ones
PARTS = [
    ((0, 0, 0), (72, 88, 86), 40, 500),  # scalp and face
    ((0, 8, 18), (66, 78, 64), 900, 60),  # skull
    ((0, 8, 18), (60, 72, 58), 32, 700),  # brain
    ((-14, 14, 26), (9, 22, 11), 8, 150),  # right ventricle, the larger
    ((15, 12, 26), (6, 18, 10), 8, 150),
    ((24, -20, 36), (10, 8, 9), 65, 950),  # something on one side only
    ((0, -40, -38), (11, 34, 9), -950, 15),  # airway
    ((-22, -58, -20), (15, 12, 13), -900, 20),  # right maxillary sinus
    ((25, -56, -22), (11, 14, 12), 20, 850),  # left one is full
    ((0, -46, -62), (38, 30, 9), 950, 70),  # jaw
    ((0, -42, -54), (28, 26, 12), 55, 420),  # tongue
    ((0, 44, -56), (15, 14, 30), 600, 250),  # spine
    ((30, 10, -52), (13, 24, 22), -80, 900),  # fat
    ((-36, 4, -50), (9, 26, 20), 60, 380),  # muscle
]
EDGE_MM = 2.0


def head(points: np.ndarray, modality: Modality) -> np.ndarray:
    """Value of the phantom at points (..., 3) in LPS mm."""
    ct = modality is Modality.CT
    value = np.full(points.shape[:-1], -1000.0 if ct else 0.0)
    for centre, axes, hu, signal in PARTS:
        scaled = np.linalg.norm((points - centre) / np.array(axes, float), axis=-1)
        share = 1 / (1 + np.exp(np.clip((scaled - 1) * min(axes) / EDGE_MM * 4, -50, 50)))
        value += share * ((hu if ct else signal) - value)
    return value


def grid(shape=(64, 64, 64), spacing=(3.0, 3.0, 3.0), centre=(0.0, 0.0, 0.0), direction=None, uid=None) -> Geometry:
    axes = np.eye(3) if direction is None else np.array(direction, float)
    affine = np.eye(4)
    affine[:3, :3] = axes * np.array(spacing)
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    return Geometry.from_affine(affine, shape, frame_of_reference_uid=uid)


def rigid(degrees=(0, 0, 0), shift=(0, 0, 0)) -> RigidTransform:
    euler = sitk.Euler3DTransform()
    euler.SetRotation(*np.radians(degrees).tolist())
    return RigidTransform(rotation=np.array(euler.GetMatrix()).reshape(3, 3), translation_mm=np.array(shift, float))


def scanned(
    geometry: Geometry,
    *,
    motion: RigidTransform | None = None,
    modality: Modality = Modality.CT,
    noise: float = 20.0,
    seed: int = 1,
    mirror: bool = False,
) -> Volume:
    """The head as a scanner sees it: `motion` maps this scan's points to the head's own."""
    points = geometry.to_mm(np.indices(geometry.shape_kji).reshape(3, -1).T)
    points = (motion or RigidTransform.identity()).map(points)
    if mirror:
        points = points * [-1, 1, 1]
    value = head(points, modality).reshape(geometry.shape_kji)
    value += np.random.default_rng(seed).normal(0, noise, value.shape)
    unit = Unit.HU if modality is Modality.CT else Unit.ARBITRARY
    return Volume(voxels=value.astype(np.float32), geometry=geometry, modality=modality, unit=unit)


MOTION = rigid((6, -4, 9), (8, -5, 14))


@pytest.fixture(scope="session")
def plan() -> RegistrationPlan:
    return RegistrationPlan()


@pytest.fixture(scope="session")
def baseline() -> Volume:
    return scanned(grid(uid="1.2.3"))


@pytest.fixture(scope="session")
def follow_up() -> Volume:
    """Other spacing, field of view, noise and frame of reference; MOTION leads from it to the baseline."""
    return scanned(grid((50, 72, 70), (2.6, 2.6, 4.0), centre=(-6, 4, -9), uid="1.2.4"), motion=MOTION, seed=2)


@pytest.fixture(scope="session")
def aligned(baseline: Volume, follow_up: Volume, plan: RegistrationPlan) -> Alignment:
    return align(follow_up, baseline, plan)


@pytest.fixture(scope="session")
def phantom() -> SimpleNamespace:
    """The makers above, for tests (importlib mode has no `import conftest`)."""
    return SimpleNamespace(scanned=scanned, grid=grid, rigid=rigid, motion=MOTION)
