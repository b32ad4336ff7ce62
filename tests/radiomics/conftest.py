"""Small analytic phantoms for radiomics."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume


@pytest.fixture(scope="session")
def make():
    """A function from two arrays to a volume and a mask on one grid."""

    def made(values, inside, spacing_mm=(1.0, 1.0, 1.0)):
        values = np.asarray(values, np.float32)
        geometry = Geometry(shape_kji=values.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=spacing_mm)
        volume = Volume(voxels=values, geometry=geometry, modality=Modality.CT, unit=Unit.HU)
        return volume, Mask(voxels=np.asarray(inside, bool), geometry=geometry)

    return made


@pytest.fixture
def settings():
    """Settings without resampling that accept any number of voxels."""
    return RadiomicsSettings.model_validate({"dimensions": ["2D", "2_5D", "3D"]})


@pytest.fixture
def noise():
    """A 12 x 14 x 16 image of seeded noise around 100."""
    return np.random.default_rng(7).normal(100.0, 20.0, (12, 14, 16))


@pytest.fixture
def ball():
    """A mask of a ball of radius 4.5 voxels in the noise image."""
    k, j, i = np.indices((12, 14, 16))
    return (k - 5.5) ** 2 + (j - 6.5) ** 2 + (i - 7.5) ** 2 <= 4.5**2
