"""Every radiomic feature of one region: a value, or a status with its reason (IBSI 1)."""

from npcpit_imaging import __version__
from npcpit_imaging.config.radiomics import Family, Normalise, RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.families import FAMILIES, tags
from npcpit_imaging.radiomics.feature import Feature, FeatureTable, Provenance
from npcpit_imaging.radiomics.local_intensity import PEAK_RADIUS_MM
from npcpit_imaging.radiomics.region import Region, prepare
from npcpit_imaging.radiomics.rows import Label, label_for, refused_rows, rows
from npcpit_imaging.radiomics.scene import Scene
from npcpit_imaging.volume.volume import Mask, Volume, require_same_grid


def extract(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> FeatureTable:
    """Compute every feature the settings ask for.

    A feature without a value is a row with a reason; a region or an image no feature can be computed from makes a table
    of such rows, so that a batch goes on.

    Args:
        volume: The image, in the unit the settings were made for (HU, SUVbw).
        mask: The region, on the image's own voxels.
        settings: Image processing and families.

    Raises:
        GeometryError: The mask lies on another grid than the image.
    """
    require_same_grid(volume, mask)
    label = label_for(settings, volume.unit)
    try:
        scene = Scene(region=_region(volume, mask, settings), settings=settings)
    except RadiomicsError as error:
        expected = [tag for family in settings.families for tag in tags(family, settings.dimensions)]
        features = refused_rows(expected, str(error), label)
        return FeatureTable(features=tuple(features), provenance=_provenance(volume, mask, settings))
    features = [feature for family in settings.families for feature in _family(scene, family, label)]
    return FeatureTable(features=tuple(features), provenance=_provenance(volume, mask, settings, scene))


def _region(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> Region:
    if settings.filters or settings.normalise != Normalise():
        raise RadiomicsError("settings: filters and normalisation are not built yet")
    region = prepare(
        volume,
        mask,
        resampling=settings.resampling,
        resegmentation=settings.resegmentation,
        margin_mm=PEAK_RADIUS_MM,
    )
    _require_enough(region, settings)
    return region


def _require_enough(region: Region, settings: RadiomicsSettings) -> None:
    found, least = int(region.intensity.sum()), settings.minimum_voxels
    if found < least:
        raise RadiomicsError(
            f"mask: expected at least {least} voxels after interpolation and resegmentation, found {found}"
        )


def _family(scene: Scene, family: Family, label: Label) -> list[Feature]:
    """Compute one family; a refusal makes every one of its rows a reason."""
    expected = tags(family, scene.settings.dimensions)
    try:
        return rows(expected, FAMILIES[family](scene), label)
    except RadiomicsError as error:
        return refused_rows(expected, str(error), label)


def _provenance(volume: Volume, mask: Mask, settings: RadiomicsSettings, scene: Scene | None = None) -> Provenance:
    before = volume.geometry.spacing_mm
    region = scene.region if scene else None
    k, j, i = region.spacing_kji_mm if region else before[::-1]
    return Provenance(
        image_digest=volume.digest,
        mask_digest=mask.digest,
        settings_digest=settings.digest,
        engine_version=__version__,
        series_uid=volume.series_uid,
        spacing_before_mm=before,
        spacing_after_mm=(i, j, k),
        morphological_voxels=int(region.morphological.sum()) if region else 0,
        intensity_voxels=int(region.intensity.sum()) if region else 0,
        grey_levels=_grey_levels(scene) if scene else 0,
    )


def _grey_levels(scene: Scene) -> int:
    try:
        return scene.binning.count
    except RadiomicsError:
        return 0
