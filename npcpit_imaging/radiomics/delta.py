"""Delta radiomics: how a lesion's features changed between two dates."""

from dataclasses import dataclass
from math import log

from npcpit_imaging.errors import RadiomicsError
from npcpit_imaging.radiomics.feature import Feature, FeatureTable, key

RELATIVE_FLOOR = 1e-9
"""Smallest earlier value, as a fraction of the larger of the two, that a relative change is divided by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change of one feature.

    Args:
        name: Filter and tag, as the wide table's column.
        unit: Unit of the feature.
        before: Earlier value; None where it has none.
        after: Later value; None where it has none.
        absolute: After minus before.
        relative: Absolute change over the magnitude of the earlier value; None where that is zero.
        log_ratio: Natural logarithm of after over before; None unless both are positive.
        reason: Why something is missing.
    """

    name: str
    unit: str
    before: float | None
    after: float | None
    absolute: float | None = None
    relative: float | None = None
    log_ratio: float | None = None
    reason: str = ""


def changes(before: FeatureTable, after: FeatureTable) -> list[Change]:
    """Return the change of every feature of the earlier table.

    Args:
        before: Features at the earlier date.
        after: Features of the same lesion at the later date.

    Raises:
        RadiomicsError: The tables were made with different settings or versions, so that their numbers do not compare.
    """
    one, other = before.provenance, after.provenance
    if one.settings_digest != other.settings_digest:
        raise RadiomicsError(
            f"delta: expected one settings digest, found {one.settings_digest[:12]} and {other.settings_digest[:12]}"
        )
    if one.engine_version != other.engine_version:
        raise RadiomicsError(
            f"delta: expected one engine version, found {one.engine_version} and {other.engine_version}; recompute one"
        )
    later = {key(feature): feature for feature in after}
    return [_change(feature, later[key(feature)]) for feature in before]


def _change(before: Feature, after: Feature) -> Change:
    known = Change(name=key(before), unit=before.unit, before=before.value, after=after.value)
    if before.unit != after.unit:
        return _without(known, f"expected one unit, found {before.unit} and {after.unit}")
    if before.value is None or after.value is None:
        missing = before if before.value is None else after
        return _without(known, f"{'before' if before.value is None else 'after'}: {missing.reason}")
    return _numbers(known, before.value, after.value)


def _without(known: Change, reason: str) -> Change:
    return Change(name=known.name, unit=known.unit, before=known.before, after=known.after, reason=reason)


def _numbers(known: Change, before: float, after: float) -> Change:
    divisible = abs(before) > RELATIVE_FLOOR * max(abs(before), abs(after))
    positive = before > 0 and after > 0
    reasons = ["relative: the earlier value is zero"] * (not divisible)
    reasons += ["log ratio: a value is not positive"] * (not positive)
    return Change(
        name=known.name,
        unit=known.unit,
        before=before,
        after=after,
        absolute=after - before,
        relative=(after - before) / abs(before) if divisible else None,
        log_ratio=log(after / before) if positive else None,
        reason="; ".join(reasons),
    )
