"""ITK transform files (.tfm, .txt, .h5, .mat): the transform that resamples MOVING onto FIXED."""

from pathlib import Path

import SimpleITK as sitk

from npcpit_imaging.errors import GeometryError, InputError
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.itk import (
    FILES,
    from_itk_deformable,
    from_itk_transform,
    to_itk_deformable,
    to_itk_transform,
)
from npcpit_imaging.volume.transform import RigidTransform

TRANSFORM_SUFFIXES = (".tfm", ".txt", ".h5", ".mat")
"""What ITK writes transforms as; ``.tfm`` is text that 3D Slicer and elastix's tools open."""


def write_transform(transform: RigidTransform | DeformableTransform, path: Path) -> None:
    """Write a transform for ITK, 3D Slicer and SimpleITK; a deformable one as a composite of B-spline and rigid part.

    As in ITK, the file's transform maps points of the fixed image to points of the moving image (LPS mm), which is what
    ``sitk.Resample(moving, fixed, transform)`` wants.

    Raises:
        InputError: The name's end is not one ITK knows, or the file cannot be written.
    """
    _require_suffix(path)
    try:
        with FILES:
            sitk.WriteTransform(_itk(transform), str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be written as a transform") from error


def read_transform(path: Path) -> RigidTransform | DeformableTransform:
    """Read a rigid ITK transform, whatever its parametrisation, or a rigid one after a cubic B-spline.

    Raises:
        InputError: The file is missing or is no transform.
        GeometryError: The transform is neither.
    """
    if not path.is_file():
        raise InputError(f"{path.name}: no such file")
    _require_suffix(path)
    try:
        with FILES:
            transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name}: expected an ITK transform, found something else") from error
    if transform.GetDimension() != 3:
        raise GeometryError(f"{path.name}: expected a 3D transform, found {transform.GetDimension()}D")
    return from_itk_transform(transform) if transform.IsLinear() else from_itk_deformable(transform)


def _require_suffix(path: Path) -> None:
    if path.suffix.lower() not in TRANSFORM_SUFFIXES:
        raise InputError(f"{path.name}: expected {', '.join(TRANSFORM_SUFFIXES)}")


def _itk(transform: RigidTransform | DeformableTransform) -> sitk.Transform:
    return to_itk_transform(transform) if isinstance(transform, RigidTransform) else to_itk_deformable(transform)
