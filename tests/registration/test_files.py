"""SimpleITK itself reads our transform and puts MOVING onto FIXED with it."""

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.registration.files import read_transform, write_transform
from npcpit_imaging.volume.itk import to_itk


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".h5", ".mat"])
def test_a_transform_is_read_back_as_written(tmp_path, phantom, suffix):
    path = tmp_path / f"t{suffix}"
    write_transform(phantom.motion, path)
    back = read_transform(path)
    assert back.rotation == pytest.approx(phantom.motion.rotation, abs=1e-9)
    assert back.translation_mm == pytest.approx(phantom.motion.translation_mm, abs=1e-9)


def test_simpleitk_resamples_moving_onto_fixed_with_the_file(tmp_path, baseline, follow_up, phantom):
    """The file alone undoes the motion: the head's edges then differ by noise, not by anatomy."""
    path = tmp_path / "t.tfm"
    write_transform(phantom.motion, path)
    fixed, moving = to_itk(follow_up), to_itk(baseline)
    with_file = sitk.GetArrayFromImage(
        sitk.Resample(moving, fixed, sitk.ReadTransform(str(path)), sitk.sitkLinear, -1000.0)
    )
    without = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, sitk.Transform(), sitk.sitkLinear, -1000.0))
    assert np.corrcoef(with_file.ravel(), follow_up.voxels.ravel())[0, 1] > 0.98
    assert np.corrcoef(without.ravel(), follow_up.voxels.ravel())[0, 1] < 0.8


def test_simpleitk_maps_fixed_points_to_moving_points_with_the_file(tmp_path, phantom):
    path = tmp_path / "t.tfm"
    write_transform(phantom.rigid(shift=(1, 2, 3)), path)
    assert sitk.ReadTransform(str(path)).TransformPoint((10.0, 0.0, 0.0)) == pytest.approx((11.0, 2.0, 3.0))


def test_an_affine_that_scales_is_not_rigid(tmp_path):
    affine = sitk.AffineTransform(3)
    affine.Scale(1.1)
    sitk.WriteTransform(affine, str(tmp_path / "a.tfm"))
    with pytest.raises(GeometryError, match="proper rotation"):
        read_transform(tmp_path / "a.tfm")


def test_a_bspline_without_a_rigid_part_is_refused(tmp_path):
    sitk.WriteTransform(sitk.BSplineTransform(3), str(tmp_path / "b.tfm"))
    with pytest.raises(GeometryError, match=r"expected a rigid part after a B-spline, found BSplineTransform"):
        read_transform(tmp_path / "b.tfm")


def test_what_is_no_transform_is_refused_by_name(tmp_path, phantom):
    (tmp_path / "x.tfm").write_text("hello")
    with pytest.raises(InputError, match=r"x\.tfm: expected an ITK transform"):
        read_transform(tmp_path / "x.tfm")
    with pytest.raises(InputError, match=r"y\.tfm: no such file"):
        read_transform(tmp_path / "y.tfm")
    with pytest.raises(InputError, match=r"z\.json: expected \.tfm"):
        write_transform(phantom.motion, tmp_path / "z.json")
    with pytest.raises(InputError, match=r"t\.tfm: cannot be written"):
        write_transform(phantom.motion, tmp_path / "nowhere" / "t.tfm")
