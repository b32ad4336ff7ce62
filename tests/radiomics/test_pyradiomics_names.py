"""A PyRadiomics name stands beside a feature only where the numbers are the same: PyRadiomics' own baseline values."""

import csv

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import RadiomicsSettings
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.volume.files import read_mask, read_volume

BIN_WIDTH = 25.0
SHIFT = 2000.0
"""The baseline's voxelArrayShift, added before Energy and RootMeanSquared."""

MESH = {"shape_MeshVolume", "shape_SurfaceArea", "shape_SurfaceVolumeRatio", "shape_Sphericity"}
"""Its marching cubes joins voxels that touch at an edge in another way: 0.5 % on the ragged brain1."""

AXES = {"shape_MajorAxisLength", "shape_MinorAxisLength", "shape_LeastAxisLength"}
"""It divides the covariance by N, IBSI's reference values by N - 1."""

SHIFTED = {"firstorder_Energy", "firstorder_RootMeanSquared"}
NOT_IN_BASELINE = {"shape_Compactness1", "shape_Compactness2", "shape_SphericalDisproportion"}
"""PyRadiomics computes these only when asked to."""


def baseline(shared_data, case):
    found = {}
    for path in (shared_data / "truth" / "pyradiomics_baseline").glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["featureName"].startswith("original_"):
                    found[row["featureName"].removeprefix("original_")] = float(row[case])
    return found


@pytest.fixture(scope="module", params=["brain1", "breast1"])
def pairs(request, shared_data):
    """Ours and PyRadiomics' value by its name, and the number of voxels."""
    folder = shared_data / "images" / "pyradiomics"
    volume, mask = (read(folder / f"{request.param}_{kind}.nrrd") for read, kind in _READERS)
    # PyRadiomics' first bin starts at a multiple of the width.
    lower = float(np.floor(volume.voxels[mask.voxels].min() / BIN_WIDTH) * BIN_WIDTH)
    settings = RadiomicsSettings.model_validate(
        {
            "resegmentation": {"lower": lower},
            "discretisation": {"method": "fixed_bin_size", "bin_width": BIN_WIDTH},
        }
    )
    ours = {feature.pyradiomics: feature.value for feature in extract(volume, mask, settings) if feature.pyradiomics}
    return ours, baseline(shared_data, request.param), volume.voxels[mask.voxels].astype(float)


_READERS = ((read_volume, "image"), (read_mask, "label"))


def test_every_name_has_the_same_value_there(pairs):
    ours, theirs, _ = pairs
    plain = set(ours) - MESH - AXES - SHIFTED - NOT_IN_BASELINE
    assert len(plain) == 92
    assert {name: ours[name] for name in plain} == pytest.approx({name: theirs[name] for name in plain}, rel=1e-4)


def test_what_differs_differs_by_its_reason(pairs):
    ours, theirs, values = pairs
    assert {name: ours[name] for name in MESH} == pytest.approx({name: theirs[name] for name in MESH}, rel=0.006)
    ratio = np.sqrt(values.size / (values.size - 1))
    assert {name: ours[name] for name in AXES} == pytest.approx({name: theirs[name] * ratio for name in AXES}, rel=1e-6)
    assert np.sum((values + SHIFT) ** 2) == pytest.approx(theirs["firstorder_Energy"])
    assert ours["firstorder_Energy"] == pytest.approx(np.sum(values**2))


def test_names_of_other_quantities_are_not_ours(pairs):
    ours, theirs, _ = pairs
    left = {name for name in set(theirs) - set(ours) if "2DDiameter" not in name}
    assert left == {"firstorder_Kurtosis", "firstorder_TotalEnergy", "glcm_MCC"}
