"""Nouns of radiomics: a feature's definition, its value in one region, the table of one region (IBSI 1, 3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from npcpit_imaging.config.radiomics import Family

Values = dict[str, float]
"""Feature values by stem or tag; NaN where the formula has no value for the region."""


class Status(StrEnum):
    """What became of a feature."""

    COMPUTED = "computed"
    UNDEFINED = "undefined"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a feature is, whatever region it is computed in.

    Args:
        stem: IBSI tag without aggregation, e.g. ``cm_joint_max``.
        code: Four-letter IBSI code.
        family: Which chapter of IBSI 1.
        name: IBSI's name.
        unit: Unit of the value; ``{I}`` and ``{I2}`` stand for the intensity unit and its square.
        pyradiomics: PyRadiomics' name of the same quantity, class and feature; empty where it has none.
        undefined_when: When the formula has no value, in words.
    """

    stem: str
    code: str
    family: Family
    name: str
    unit: str = "1"
    pyradiomics: str = ""
    undefined_when: str = ""

    def unit_for(self, intensity_unit: str) -> str:
        """Return the unit with the image's intensity unit in its place."""
        square = "1" if intensity_unit == "1" else f"{intensity_unit}2"
        return self.unit.replace("{I2}", square).replace("{I}", intensity_unit).removeprefix("1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of one region.

    Args:
        tag: IBSI tag with aggregation, e.g. ``cm_joint_max_3D_avg``.
        code: Four-letter IBSI code.
        family: Which chapter of IBSI 1.
        name: IBSI's name.
        filter: Which response map it was computed on; empty for the image itself.
        value: The number; None unless it was computed.
        unit: Unit of the value.
        pyradiomics: PyRadiomics' name of the same quantity; empty where there is none.
        status: What became of it.
        reason: Why there is no value; empty where there is one.
    """

    tag: str
    code: str
    family: Family
    name: str
    filter: str = ""
    value: float | None
    unit: str
    pyradiomics: str = ""
    status: Status = Status.COMPUTED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a region's values come from.

    Args:
        image_digest: SHA-256 of the image's voxels and grid.
        mask_digest: SHA-256 of the mask's voxels and grid.
        settings_digest: SHA-256 of every setting.
        engine_version: Version of this package.
        series_uid: SeriesInstanceUID of the image; empty for files.
        spacing_before_mm: The image's own spacing along i, j, k.
        spacing_after_mm: Spacing along i, j, k of the grid the features were computed on.
        morphological_voxels: Voxels of the morphological mask, after resampling.
        intensity_voxels: Voxels of the intensity mask, after resegmentation.
        grey_levels: Grey levels of the textures; 0 where none were made.
    """

    image_digest: str
    mask_digest: str
    settings_digest: str
    engine_version: str
    series_uid: str = ""
    spacing_before_mm: tuple[float, float, float]
    spacing_after_mm: tuple[float, float, float]
    morphological_voxels: int = 0
    intensity_voxels: int = 0
    grey_levels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTable:
    """Every feature of one region, in the order of the settings' families, with its provenance.

    Example:
        >>> from npcpit_imaging.radiomics.extract import extract  # doctest: +SKIP
        >>> extract(volume, mask, settings)["stat_mean"].value  # doctest: +SKIP
        42.0
    """

    features: tuple[Feature, ...]
    provenance: Provenance

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, tag: str) -> Feature:
        for feature in self.features:
            if feature.tag == tag and not feature.filter:
                return feature
        raise KeyError(tag)

    def values(self) -> dict[str, float]:
        """Return the computed values by key: the tag, after the filter's name where there is one."""
        return {key(feature): feature.value for feature in self.features if feature.value is not None}


def key(feature: Feature) -> str:
    """Return the name of a feature's column in a wide table."""
    return f"{feature.filter}.{feature.tag}" if feature.filter else feature.tag
