"""Make arbitrary MR intensities comparable: N4 bias field, z-score or Nyul's scale over the body (IBSI 1, 2.3)."""

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from npcpit_imaging.config.radiomics import Normalisation, Normalise
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.nyul import to_standard_scale
from npcpit_imaging.volume.itk import to_itk
from npcpit_imaging.volume.volume import Unit, Volume

N4_SHRINK_MM = 4.0
"""Voxel size the (smooth) bias field is fitted at."""

N4_ITERATIONS = (50, 50, 30, 20)
"""Iterations at each level of the bias field's B-spline mesh."""

LOG_TOP_PERCENT = 99.0
"""Percentile of the intensities that counts as the brightest; flow and wrap-around artefacts lie above."""

LOG_RANGE = 1000.0
"""How many times brighter than the faintest distinguishable background the brightest tissue is."""

Bools = NDArray[np.bool_]


def normalise(volume: Volume, how: Normalise) -> Volume:
    """Return the image with the intensities the settings ask for; the same image where they ask for nothing.

    Args:
        volume: The image; its voxels must be finite where something is to be done.
        how: N4 or not (Tustison 2010), z-score, standard scale or neither.

    Raises:
        RadiomicsError: Voxels that are not finite, or an image without a body in it.
    """
    if not how.n4 and how.method is Normalisation.NONE:
        return volume
    if not np.isfinite(volume.voxels).all():
        raise RadiomicsError("normalisation: expected finite intensities, found some that are not")
    body = body_mask(volume)
    corrected = n4(volume, body) if how.n4 else volume
    if how.method is Normalisation.NONE:
        return corrected
    if how.nyul is not None:
        return to_standard_scale(corrected, body, how.nyul)
    return z_score(corrected, body, multiple=how.multiple)


def body_mask(volume: Volume) -> Bools:
    """Return `(K, J, I)` bool: the largest piece of tissue, its holes filled slice by slice.

    Raises:
        RadiomicsError: The image is uniform.
    """
    if volume.voxels.min() == volume.voxels.max():
        raise RadiomicsError("normalisation: expected a body against a background, found a uniform image")
    bright = sitk.GetArrayFromImage(sitk.OtsuThreshold(sitk.GetImageFromArray(_logarithm(volume)), 0, 1))
    pieces, _ = ndimage.label(bright)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = pieces == np.argmax(sizes)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest]).astype(np.bool_)


def _logarithm(volume: Volume) -> NDArray[np.float32]:
    """Logarithm of the intensities: on their own scale Otsu's threshold parts fat from muscle, not body from air."""
    low, high = float(volume.voxels.min()), float(np.percentile(volume.voxels, LOG_TOP_PERCENT))
    span = high - low if high > low else 1.0
    scaled = np.clip((volume.voxels - np.float32(low)) / np.float32(span), 0.0, 1.0)
    return np.asarray(np.log1p(LOG_RANGE * scaled), np.float32)


def n4(volume: Volume, body: Bools) -> Volume:
    """Divide the image by its bias field, fitted in the body on a coarse grid; one thread makes it repeatable."""
    image = sitk.Cast(to_itk(volume), sitk.sitkFloat32)
    mask = sitk.GetImageFromArray(body.astype(np.uint8))
    mask.CopyInformation(image)
    shrink = [max(1, int(N4_SHRINK_MM / spacing)) for spacing in volume.geometry.spacing_mm]
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    correction.SetNumberOfThreads(1)
    correction.SetMaximumNumberOfIterations(N4_ITERATIONS)
    correction.Execute(sitk.Shrink(image, shrink), sitk.Shrink(mask, shrink))
    field = np.exp(sitk.GetArrayFromImage(correction.GetLogBiasFieldAsImage(image)))
    return replace(volume, voxels=(volume.voxels / field).astype(np.float32))


def z_score(volume: Volume, body: Bools, *, multiple: float = 1.0) -> Volume:
    """Return intensities as `multiple` standard deviations of the body from the body's mean.

    Raises:
        RadiomicsError: The body is empty or uniform.
    """
    inside = volume.voxels[body].astype(np.float64)
    spread = float(inside.std()) if inside.size else 0.0
    if spread == 0.0:
        raise RadiomicsError("normalisation: expected a body of varying intensity, found a uniform one")
    scaled = multiple * (volume.voxels - inside.mean()) / spread
    return replace(volume, voxels=scaled.astype(np.float32), unit=Unit.ARBITRARY)
