"""PET uptake of a mask."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError, MeasurementError, QuantityError
from npcpit_imaging.measurement.uptake import uptake
from npcpit_imaging.volume.files import read_mask, read_volume
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume

GRID = Geometry(shape_kji=(9, 11, 13), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(4.0, 4.0, 5.0))


def pet(voxels, unit=Unit.SUVBW):
    return Volume(voxels=voxels, geometry=GRID, modality=Modality.PT, unit=unit)


def region(*places):
    voxels = np.zeros(GRID.shape_kji, bool)
    for place in places:
        voxels[place] = True
    return Mask(voxels=voxels, geometry=GRID)


def test_a_hot_voxel_is_averaged_over_the_one_ml_sphere():
    """Within 6.2035 mm on a 4x4x5 mm grid: centre, 2 in k (5.0), 4 at 4.0, 4 at 5.66; (4,0,5) is 6.40: 11 voxels."""
    voxels = np.ones(GRID.shape_kji, np.float32)
    voxels[4, 5, 6] = 12.0
    found = uptake(pet(voxels), region((4, 5, 6), (4, 5, 7)))
    assert found.suv_max == 12.0
    assert found.suv_mean == 6.5
    assert found.suv_peak == pytest.approx((12.0 + 10.0) / 11)
    assert found.mtv_ml == pytest.approx(0.16)
    assert found.tlg_g == pytest.approx(6.5 * 0.16)


def test_the_sphere_is_centred_in_the_mask_but_may_reach_out_of_it():
    """The hottest voxel lies outside the mask: only spheres centred on mask voxels count, with their outside voxels."""
    voxels = np.ones(GRID.shape_kji, np.float32)
    voxels[4, 5, 8] = 12.0
    assert uptake(pet(voxels), region((4, 5, 6))).suv_peak == pytest.approx(1.0)
    assert uptake(pet(voxels), region((4, 5, 7))).suv_peak == pytest.approx((12.0 + 10.0) / 11)


def test_a_sphere_at_the_border_takes_the_voxels_there_are():
    """At the corner of the image 1 + 1 (k) + 2 (j, i) + 1 (diagonal) voxels remain."""
    voxels = np.zeros(GRID.shape_kji, np.float32)
    voxels[0, 0, 0] = 10.0
    assert uptake(pet(voxels), region((0, 0, 0))).suv_peak == pytest.approx(10.0 / 5)


def test_sulpeak_is_suvpeak_times_the_lean_part_of_the_body():
    """A woman of 70 kg and 1.65 m: 1.07 x 70 - 148 x (70 / 165)^2 = 48.26 kg (James 1976), 0.68948 of her weight."""
    voxels = np.ones(GRID.shape_kji, np.float32)
    voxels[4, 5, 6] = 12.0
    lean = (1.07 * 70 - 148 * (70 / 165) ** 2) / 70
    assert lean == pytest.approx(0.68948, abs=1e-4)
    found = uptake(pet(voxels), region((4, 5, 6)), lean_fraction=lean)
    assert found.sul_peak == pytest.approx(2.0 * lean)
    assert uptake(pet(voxels), region((4, 5, 6))).sul_peak is None


@pytest.mark.parametrize("fraction", [0.0, -0.5, 48.0, float("nan")])
def test_a_lean_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(QuantityError, match="lean body fraction"):
        uptake(pet(np.ones(GRID.shape_kji)), region((4, 5, 6)), lean_fraction=fraction)


def test_other_units_are_refused():
    with pytest.raises(QuantityError, match="expected a volume in SUVbw, found BQML"):
        uptake(pet(np.ones(GRID.shape_kji), Unit.BQML), region((4, 5, 6)))


def test_an_empty_mask_has_no_uptake():
    with pytest.raises(MeasurementError, match="found none"):
        uptake(pet(np.ones(GRID.shape_kji)), region())


def test_nan_in_the_lesion_is_refused():
    voxels = np.ones(GRID.shape_kji, np.float32)
    voxels[4, 5, 6] = np.nan
    with pytest.raises(QuantityError, match="NaN"):
        uptake(pet(voxels), region((4, 5, 6)))


def test_a_mask_on_another_grid_is_refused():
    other = Geometry(shape_kji=GRID.shape_kji, origin_mm=(1.0, 0.0, 0.0), spacing_mm=GRID.spacing_mm)
    with pytest.raises(GeometryError, match="expected the image's grid"):
        uptake(pet(np.ones(GRID.shape_kji)), Mask(voxels=np.ones(GRID.shape_kji, bool), geometry=other))


def test_the_ibsi_digital_phantom_has_the_published_peak(shared_data):
    """IBSI 1, digital phantom: global intensity peak (0F91) is 3.1 with 2 mm voxels."""
    folder = shared_data / "images" / "ibsi_1_digital_phantom" / "nifti"
    volume = read_volume(folder / "image" / "phantom.nii.gz", modality=Modality.PT, unit=Unit.SUVBW)
    found = uptake(volume, read_mask(folder / "mask" / "mask.nii.gz"))
    assert found.suv_peak == pytest.approx(3.10, abs=0.005)
    assert found.suv_mean == pytest.approx(2.15, abs=0.005)
    assert found.suv_max == 6.0
