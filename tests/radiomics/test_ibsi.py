"""Every published IBSI value: 1804 of IBSI 1, the response maps and the filtered statistics of IBSI 2."""

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Boundary, LogFilter, MeanFilter, RadiomicsSettings, WaveletFilter
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.filters import response_map
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.volume import Modality, Unit


@pytest.fixture(scope="module")
def ibsi() -> ModuleType:
    """The benchmark, which holds the configurations."""
    path = Path(__file__).parents[2] / "benchmarks" / "ibsi.py"
    spec = importlib.util.spec_from_file_location("benchmark_ibsi", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("digital_phantom", 482),
        ("config_A", 346),
        ("config_B", 346),
        ("config_C", 210),
        ("config_D", 210),
        ("config_E", 210),
    ],
)
def test_every_ibsi_1_value_lies_within_tolerance(ibsi, shared_data, name, count):
    result = ibsi.compare(shared_data, name)
    assert (result["differing"], result["missing"]) == ({}, [])
    assert (result["matched"], result["reference"]) == (count, count)


@pytest.mark.parametrize(
    ("name", "morphological", "intensity"),
    [("config_A", 125256, 114596), ("config_B", 29842, None), ("config_C", 45985, 45981), ("config_E", 45985, None)],
)
def test_the_masks_hold_the_published_number_of_voxels(ibsi, shared_data, name, morphological, intensity):
    """Resegmentation touches the intensity mask only (IBSI 1, diagnostics)."""
    found = ibsi.features_of(shared_data, name).provenance
    assert found.morphological_voxels == morphological
    if intensity is not None:
        assert found.intensity_voxels == intensity


MEAN = {"kind": "mean", "support_voxels": 15}
MAPS = [
    ("1_a_1", "checkerboard", MeanFilter(**MEAN, boundary=Boundary.ZERO)),
    ("1_a_2", "checkerboard", MeanFilter(**MEAN, boundary=Boundary.NEAREST)),
    ("1_a_3", "checkerboard", MeanFilter(**MEAN, boundary=Boundary.PERIODIC)),
    ("1_a_4", "checkerboard", MeanFilter(**MEAN, boundary=Boundary.MIRROR)),
    ("1_b_1", "impulse", MeanFilter(**MEAN, boundary=Boundary.ZERO, in_plane=True)),
    ("2_a", "impulse", LogFilter(kind="log", sigma_mm=3.0, boundary=Boundary.ZERO)),
    ("2_b", "checkerboard", LogFilter(kind="log", sigma_mm=5.0)),
    ("2_c", "checkerboard", LogFilter(kind="log", sigma_mm=5.0, in_plane=True)),
    *(
        (
            f"{test}_{2 if turned else 1}",
            image,
            WaveletFilter(
                kind="wavelet", wavelet=wavelet, response=response, boundary=boundary, rotation_invariant=turned
            ),
        )
        for test, image, wavelet, response, boundary in (
            ("5_a", "impulse", "db2", "LHL", Boundary.ZERO),
            ("6_a", "sphere", "coif1", "HHL", Boundary.PERIODIC),
        )
        for turned in (False, True)
    ),
    ("7_a_1", "checkerboard", WaveletFilter(kind="wavelet", wavelet="haar", response="LLL", level=2)),
    ("7_a_2", "checkerboard", WaveletFilter(kind="wavelet", wavelet="haar", response="HHH", level=2)),
]


@pytest.mark.parametrize(("name", "phantom", "chosen"), MAPS, ids=[name for name, _, _ in MAPS])
def test_every_response_map_lies_within_one_percent_of_its_range(shared_data, name, phantom, chosen):
    expected = np.asarray(nib.load(shared_data / f"truth/ibsi_2/response_maps/{name}-ValidCRM.nii.gz").dataobj, float).T
    image = read_volume(shared_data / f"images/ibsi_2_digital_phantom/nifti/{phantom}/image/{phantom}.nii.gz")
    found = response_map(image.voxels.astype(float), image.geometry.spacing_mm[::-1], chosen)
    assert np.abs(found - expected).max() <= 0.01 * np.ptp(expected)


FLAT = {"round_to_integer": True}
CUBE = {"spacing_mm": 1.0, "interpolator": "cubic", "round_to_integer": True}
PHASE_2 = [
    ("1.A", FLAT, None),
    ("1.B", CUBE, None),
    ("2.A", FLAT, {"kind": "mean", "support_voxels": 5, "in_plane": True}),
    ("2.B", CUBE, {"kind": "mean", "support_voxels": 5}),
    ("3.A", FLAT, {"kind": "log", "sigma_mm": 1.5, "in_plane": True}),
    ("3.B", CUBE, {"kind": "log", "sigma_mm": 1.5}),
    ("6.B", CUBE, {"kind": "wavelet", "wavelet": "db3", "response": "LLH", "level": 1}),
    ("7.B", CUBE, {"kind": "wavelet", "wavelet": "db3", "response": "HHH", "level": 2}),
]


@pytest.mark.parametrize(("name", "resampling", "chosen"), PHASE_2, ids=[name for name, _, _ in PHASE_2])
def test_every_filtered_statistic_lies_within_tolerance(ibsi, shared_data, name, resampling, chosen):
    """IBSI 2, phase 2: the 18 statistics of the lung CT phantom's response maps."""
    with (shared_data / "truth/ibsi_2/reference_values.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["filter_id"] == name]
    folder = shared_data / "images/ibsi_1_ct_phantom/nifti"
    settings = RadiomicsSettings.model_validate(
        {
            "resampling": resampling,
            "resegmentation": {"lower": -1000.0, "upper": 400.0},
            "families": ["intensity_statistics"],
            "filters": [chosen] if chosen else [],
            "dimensions": ["2D"] if name.endswith("A") else ["3D"],
        }
    )
    volume = read_volume(folder / "image/phantom.nii.gz", modality=Modality.CT, unit=Unit.HU)
    table = extract(volume, read_mask(folder / "mask/mask.nii.gz"), settings)
    found = {feature.tag: feature.value for feature in table if bool(feature.filter) == bool(chosen)}
    for row in rows:
        expected = ibsi.Reference(
            tag=row["feature_tag"], value=float(row["consensus_value"]), tolerance=float(row["tolerance"])
        )
        assert expected.matches(found[expected.tag]), (name, expected, found[expected.tag])
    assert len(rows) == 18
