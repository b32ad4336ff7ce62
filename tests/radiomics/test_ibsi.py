"""Every published IBSI value: 1804 of IBSI 1, the response maps and the filtered statistics of IBSI 2."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

MAPS = (
    *("1_a_1", "1_a_2", "1_a_3", "1_a_4", "1_b_1", "2_a", "2_b", "2_c"),
    *("5_a_1", "5_a_2", "6_a_1", "6_a_2", "7_a_1", "7_a_2"),
)
FILTERED = ("1.A", "1.B", "2.A", "2.B", "3.A", "3.B", "6.A", "6.B", "7.A", "7.B")


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


@pytest.mark.parametrize("name", MAPS)
def test_every_response_map_lies_within_one_percent_of_its_range(ibsi, shared_data, name):
    """IBSI 2, phase 1: mean, Laplacian of Gaussian and separable wavelets."""
    assert ibsi.map_error(shared_data, name) <= 0.01


@pytest.mark.parametrize("name", FILTERED)
def test_every_filtered_statistic_lies_within_tolerance(ibsi, shared_data, name):
    """IBSI 2, phase 2: the 18 statistics of the lung CT phantom's response maps."""
    result = ibsi.compare_filtered(shared_data, name)
    assert (result["differing"], result["missing"]) == ({}, [])
    assert (result["matched"], result["reference"]) == (18, 18)
