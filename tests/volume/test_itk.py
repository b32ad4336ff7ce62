"""To SimpleITK and back: the same voxel is at the same millimetre on both sides."""

import numpy as np
import pytest
import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.itk import from_itk_transform, geometry_of, reference_image, to_itk, to_itk_transform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Mask, Volume

OBLIQUE = Geometry(
    shape_kji=(4, 3, 2),
    origin_mm=(10.0, -20.0, 30.0),
    spacing_mm=(0.5, 2.0, 3.0),
    direction=((0.0, 0.0, 1.0), (0.6, 0.8, 0.0), (-0.8, 0.6, 0.0)),
)


def a_rotation() -> RigidTransform:
    turn = sitk.Euler3DTransform((0, 0, 0), 0.1, -0.2, 0.3, (4.0, 5.0, 6.0))
    return RigidTransform(
        rotation=np.array(turn.GetMatrix()).reshape(3, 3), translation_mm=np.array(turn.GetTranslation())
    )


def test_a_voxel_lies_where_itk_says():
    volume = Volume(voxels=np.arange(24.0).reshape(4, 3, 2), geometry=OBLIQUE)
    image = to_itk(volume)
    assert image.GetPixel(1, 2, 3) == volume.voxels[3, 2, 1]
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((1, 2, 3)), OBLIQUE.to_mm((3, 2, 1)))


def test_a_mask_is_zeros_and_ones():
    image = to_itk(Mask(voxels=np.ones((4, 3, 2), bool), geometry=OBLIQUE))
    assert image.GetPixelID() == sitk.sitkUInt8
    assert sitk.GetArrayFromImage(image).max() == 1


def test_a_grid_comes_back():
    assert geometry_of(reference_image(OBLIQUE)).same_grid(OBLIQUE)
    assert geometry_of(reference_image(OBLIQUE), frame_of_reference_uid="1.2").frame_of_reference_uid == "1.2"


def test_a_transform_moves_points_as_itk_does_and_comes_back():
    ours = a_rotation()
    theirs = to_itk_transform(ours)
    np.testing.assert_allclose(theirs.TransformPoint((1.0, 2.0, 3.0)), ours.map([1, 2, 3]), atol=1e-9)
    again = from_itk_transform(sitk.CompositeTransform([theirs, sitk.TranslationTransform(3, (1.0, 0.0, 0.0))]))
    np.testing.assert_allclose(again.map([1, 2, 3]), ours.map([2, 2, 3]), atol=1e-9)


def test_a_transform_that_scales_is_refused():
    with pytest.raises(GeometryError, match="proper rotation"):
        from_itk_transform(sitk.ScaleTransform(3, (1.0, 1.0, 1.1)))
