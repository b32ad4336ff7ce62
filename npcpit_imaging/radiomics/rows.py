"""Values of one family to rows of the table: code, unit, PyRadiomics' name, status and reason beside each number."""

from dataclasses import dataclass
from math import isfinite

from npcpit_imaging.config.radiomics import Discretiser, Family, RadiomicsSettings
from npcpit_imaging.radiomics.catalogue import DEFINITIONS, MERGED_AND_AVERAGED, TEXTURES, stem_of
from npcpit_imaging.radiomics.feature import Definition, Feature, Status, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What rows of one image or response map have in common.

    Args:
        filter: Name of the response map; empty for the image itself.
        unit: Unit of an intensity; 1 for a response map.
        ivh_unit: Unit of an intensity on the intensity-volume histogram's axis; 1 for bin numbers.
    """

    filter: str
    unit: str
    ivh_unit: str


def label_for(settings: RadiomicsSettings, unit: str, filter_name: str = "") -> Label:
    """Return the label of the image (no filter's name) or of a response map."""
    if filter_name:
        return Label(filter=filter_name, unit="1", ivh_unit="1")
    by_number = settings.ivh.method is Discretiser.FIXED_BIN_NUMBER
    return Label(filter="", unit=unit, ivh_unit="1" if by_number else unit)


def rows(tags: list[str], values: Values, label: Label) -> list[Feature]:
    """Return one row a tag, in order; a value that is not finite becomes a reason."""
    return [_computed(tag, values[tag], label) for tag in tags]


def refused_rows(tags: list[str], reason: str, label: Label) -> list[Feature]:
    """Return one row a tag, none of which could be computed."""
    return [_row(tag, label, None, Status.REFUSED, reason) for tag in tags]


def _computed(tag: str, value: float, label: Label) -> Feature:
    if isfinite(value):
        return _row(tag, label, value, Status.COMPUTED, "")
    reason = DEFINITIONS[stem_of(tag)].undefined_when or "the formula has no value for this region"
    return _row(tag, label, None, Status.UNDEFINED, reason)


def _row(tag: str, label: Label, value: float | None, status: Status, reason: str) -> Feature:
    definition = DEFINITIONS[stem_of(tag)]
    unit = label.ivh_unit if definition.family is Family.IVH else label.unit
    return Feature(
        tag=tag,
        code=definition.code,
        family=definition.family,
        name=definition.name,
        filter=label.filter,
        value=value,
        unit=definition.unit_for(unit),
        pyradiomics=_pyradiomics_name(definition, tag),
        status=status,
        reason=reason,
    )


def _pyradiomics_name(definition: Definition, tag: str) -> str:
    """PyRadiomics works in 3D and averages over directions; other aggregations have no name there."""
    if definition.family not in TEXTURES:
        return definition.pyradiomics
    end = "_3D_avg" if definition.family in MERGED_AND_AVERAGED else "_3D"
    return definition.pyradiomics if tag.endswith(end) else ""
