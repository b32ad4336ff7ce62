"""Measurements of a mask: what is found, what is said about it."""

import csv

import numpy as np
import pytest

from npcpit_imaging.measurement.extent import measure
from npcpit_imaging.volume.files import read_mask
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

SERIES = [(patient, kind) for patient in ("STS_002", "STS_003", "STS_008") for kind in ("CT", "PET", "MR_T1")]


def mask_of(voxels, spacing=(1.0, 1.0, 3.0), **more):
    return Mask(
        voxels=voxels,
        geometry=Geometry(shape_kji=voxels.shape, origin_mm=(0.0, 0.0, 0.0), spacing_mm=spacing, **more),
    )


def codes(measurement):
    return [finding.code for finding in measurement.findings]


def block(*boxes, shape=(5, 20, 30)):
    voxels = np.zeros(shape, bool)
    for box in boxes:
        voxels[tuple(slice(*side) for side in box)] = True
    return voxels


def test_a_clean_lesion_has_no_findings():
    found = measure(mask_of(block([(1, 4), (5, 12), (5, 20)])))
    assert codes(found) == []
    assert found.components == 1
    assert found.volume_ml == pytest.approx(3 * 7 * 15 * 3.0 / 1000)


def test_an_empty_mask_has_no_diameter_and_says_so():
    found = measure(mask_of(block()))
    assert found.longest_diameter is None
    assert found.longest_diameter_mm is None
    assert found.short_axis is None
    assert found.slice_index_k is None
    assert (found.volume_ml, found.components, codes(found)) == (0.0, 0, ["empty-mask"])


def test_two_components_in_one_slice_are_reported_and_never_spanned():
    found = measure(mask_of(block([(2, 3), (5, 12), (2, 12)], [(2, 3), (5, 12), (20, 28)])))
    assert codes(found) == ["several-components", "several-components-in-slice"]
    assert found.components == 2
    assert found.longest_diameter_mm == pytest.approx(np.hypot(9.5, 6.5))


def test_components_that_meet_at_a_corner_of_the_next_slice_are_one():
    found = measure(mask_of(block([(1, 2), (5, 8), (5, 8)], [(2, 3), (8, 10), (8, 10)])))
    assert found.components == 1


def test_the_end_of_a_row_is_not_a_neighbour_of_the_next_rows_start():
    found = measure(mask_of(block([(1, 2), (5, 6), (29, 30)], [(1, 2), (6, 7), (0, 1)])))
    assert found.components == 2


def test_a_concave_c_has_a_line_that_leaves_it():
    ring = block([(2, 3), (3, 17), (5, 9)], [(2, 3), (3, 6), (5, 20)], [(2, 3), (14, 17), (5, 20)])
    found = measure(mask_of(ring))
    assert "line-leaves-lesion" in codes(found)


def test_an_oblique_acquisition_is_measured_as_acquired_with_a_warning():
    cosine, sine = np.cos(np.radians(25)), np.sin(np.radians(25))
    tilted = ((1.0, 0.0, 0.0), (0.0, cosine, -sine), (0.0, sine, cosine))
    found = measure(mask_of(block([(1, 4), (5, 12), (5, 20)]), direction=tilted))
    assert codes(found) == ["oblique"]
    assert found.longest_diameter_mm == pytest.approx(np.hypot(14.5, 6.5))
    assert "25.0" in found.findings[0].text


@pytest.mark.parametrize(
    ("box", "border"),
    [
        ([(0, 2), (5, 8), (5, 8)], "first slice"),
        ([(3, 5), (5, 8), (5, 8)], "last slice"),
        ([(1, 2), (0, 8), (5, 8)], "first row"),
        ([(1, 2), (5, 20), (5, 8)], "last row"),
        ([(1, 2), (5, 8), (0, 8)], "first column"),
        ([(1, 2), (5, 8), (5, 30)], "last column"),
    ],
)
def test_a_lesion_at_the_border_may_go_on_outside(box, border):
    found = measure(mask_of(block(box)))
    assert codes(found) == ["truncated"]
    assert border in found.findings[0].text


def test_the_convention_is_stored_with_the_number():
    assert "quarter-pixel" in measure(mask_of(block([(1, 2), (5, 8), (5, 8)]))).convention


def test_a_mask_of_512x512x300_is_measured():
    """How fast: benchmarks/diameter.py."""
    k, j, i = np.ogrid[:300, :512, :512]
    voxels = (k - 150.0) ** 2 + (j - 256.0) ** 2 + (i - 200.0) ** 2 <= 60.0**2
    found = measure(mask_of(voxels, (0.5, 0.5, 1.0)))
    assert found.longest_diameter_mm == pytest.approx(60.0, abs=0.5)
    assert found.slice_index_k == 150


@pytest.mark.parametrize(("patient", "kind"), SERIES)
def test_public_tumours_have_the_independently_measured_diameter_and_volume(shared_data, patient, kind):
    """Between the truth by voxel centres and by contour vertices, give or take one pixel; volume within 0.5 %."""
    with (shared_data / "truth" / "ibsi_sts_measurements.csv").open(newline="") as stream:
        truth = next(row for row in csv.DictReader(stream) if (row["patient"], row["mod"]) == (patient, kind))
    found = measure(read_mask(shared_data / "images" / "sts_nifti" / patient / f"{kind}_mask.nii.gz"))
    pixel = float(truth["spacing"].split("x")[0])
    assert float(truth["ld_mask_mm"]) - pixel <= found.longest_diameter_mm <= float(truth["ld_contour_mm"]) + pixel
    assert found.volume_ml == pytest.approx(float(truth["vol_ml_nii"]), rel=0.005)


@pytest.mark.parametrize("folder", ["uninformative", "uninformative_slice"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty_mask", ["empty-mask"]),
        ("one_voxel_mask", []),
        ("disconnected_mask", ["several-components"]),
        ("full_mask", ["truncated"]),
    ],
)
def test_degenerate_masks_are_measured_and_named(shared_data, folder, name, expected):
    path = shared_data / "images" / "degenerate_masks" / folder / "mask" / f"{name}.nii.gz"
    found = measure(read_mask(path))
    assert set(expected) <= set(codes(found))
