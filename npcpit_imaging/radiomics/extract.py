"""Every radiomic feature of one region: a value, or a status with its reason (IBSI 1)."""

from dataclasses import replace

from npcpit_imaging import __version__
from npcpit_imaging.config.radiomics import Family, Filter, Normalisation, RadiomicsSettings
from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.families import FAMILIES, OF_THE_IMAGE_ONLY, tags
from npcpit_imaging.radiomics.feature import Feature, FeatureTable, Provenance
from npcpit_imaging.radiomics.filters import filter_name, margin_mm, respond
from npcpit_imaging.radiomics.local_intensity import PEAK_RADIUS_MM
from npcpit_imaging.radiomics.normalise import normalise
from npcpit_imaging.radiomics.region import Region, prepare
from npcpit_imaging.radiomics.rows import Label, label_for, refused_rows, rows
from npcpit_imaging.radiomics.scene import Scene
from npcpit_imaging.volume.volume import Mask, Modality, Unit, Volume, require_same_grid


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
    unit = volume.unit if settings.normalise.method is Normalisation.NONE else Unit.ARBITRARY
    try:
        region = _region(volume, mask, settings)
    except RadiomicsError as error:
        features = [row for name in _names(settings) for row in _refused(settings, unit, name, str(error))]
        return FeatureTable(features=tuple(features), provenance=_provenance(volume, mask, settings))
    scene = Scene(region=region, settings=settings)
    features = _measured(scene, unit)
    for chosen in settings.filters:
        features += _of_response(region, settings, chosen)
    return FeatureTable(features=tuple(features), provenance=_provenance(volume, mask, settings, scene))


def _region(volume: Volume, mask: Mask, settings: RadiomicsSettings) -> Region:
    _require_unit(volume, settings)
    spacing_mm = settings.resampling.spacing_mm or max(volume.geometry.spacing_mm)
    region = prepare(
        normalise(volume, settings.normalise),
        mask,
        resampling=settings.resampling,
        resegmentation=settings.resegmentation,
        margin_mm=max([PEAK_RADIUS_MM, *(margin_mm(chosen, spacing_mm) for chosen in settings.filters)]),
    )
    _require_enough(region, settings)
    return region


def _require_unit(volume: Volume, settings: RadiomicsSettings) -> None:
    """Refuse Bq/mL, or a PET whose unit nobody stated, where SUV is expected; other files are taken at their word."""
    if settings.unit and volume.modality is Modality.PT and volume.unit is Unit.ARBITRARY:
        raise RadiomicsError(f"image: expected a PET in {settings.unit}, found one whose unit nobody stated")
    if settings.unit and volume.unit not in (settings.unit, Unit.ARBITRARY):
        raise RadiomicsError(f"image: expected intensities in {settings.unit}, found {volume.unit}")


def _require_enough(region: Region, settings: RadiomicsSettings) -> None:
    found, least = int(region.intensity.sum()), settings.minimum_voxels
    if found < least:
        raise RadiomicsError(
            f"mask: expected at least {least} voxels after interpolation and resegmentation, found {found}"
        )


def _names(settings: RadiomicsSettings) -> list[str]:
    return ["", *(filter_name(chosen) for chosen in settings.filters)]


def _families(settings: RadiomicsSettings, name: str) -> list[Family]:
    """Families of the image (no name), or of a response map, which has neither shape nor spheres of its own."""
    return [family for family in settings.families if not (name and family in OF_THE_IMAGE_ONLY)]


def _refused(settings: RadiomicsSettings, unit: str, name: str, reason: str) -> list[Feature]:
    label = label_for(settings, unit, name)
    expected = [tag for family in _families(settings, name) for tag in tags(family, settings.dimensions)]
    return refused_rows(expected, reason, label)


def _measured(scene: Scene, unit: str) -> list[Feature]:
    label = label_for(scene.settings, unit, scene.filter)
    return [row for family in _families(scene.settings, scene.filter) for row in _family(scene, family, label)]


def _of_response(region: Region, settings: RadiomicsSettings, chosen: Filter) -> list[Feature]:
    name = filter_name(chosen)
    try:
        response = replace(region, intensities=respond(region, chosen))
    except RadiomicsError as error:
        return _refused(settings, "1", name, str(error))
    return _measured(Scene(region=response, settings=settings, filter=name), "1")


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
