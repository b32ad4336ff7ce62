"""Values of lesions and the sum of diameters (Eisenhauer 2009, 4.1 to 4.4.1; EORTC FAQ; recist.md 1.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from npcpit_imaging.config.protocol import Protocol, RemovedPolicy
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.study.assessment import Assessment, Tenths, mm_text
from npcpit_imaging.study.lesion import LesionState


@dataclass(frozen=True, slots=True, kw_only=True)
class SumOfDiameters:
    """The target lesions of one time point.

    Args:
        total: Sum of the lesions that have a value, in tenths of mm.
        missing: The lesions that have none.
        rest_cleared: True when, of the lesions with a value, every non-nodal one is gone and every node below 10 mm.
    """

    total: Tenths
    missing: tuple[str, ...]
    rest_cleared: bool

    @property
    def cleared(self) -> bool:
        """True when every lesion has a value and none is left: target CR."""
        return self.rest_cleared and not self.missing

    @property
    def complete(self) -> bool:
        """True when every target has a value; only a complete sum enters the nadir."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Nadir:
    """The smallest complete sum before a time point, baseline included.

    Args:
        total: In tenths of mm.
        at: The time point's name.
    """

    total: Tenths
    at: str


def value_of(record: Assessment, protocol: Protocol) -> Tenths | None:
    """Give the value of one row, in tenths of mm; None when the lesion has none.

    A measured 4 mm stays 4 mm; the default of 5 mm is only for what was seen but could not be measured.
    """
    match record.state:
        case LesionState.MEASURED:
            return record.size
        case LesionState.ABSENT | LesionState.MERGED:
            return 0
        case LesionState.TOO_SMALL:
            return protocol.tstm_default_mm * 10
        case LesionState.REMOVED:
            return 0 if protocol.removed_policy is RemovedPolicy.ZERO else None
        case _:
            return None


def piece_values(chart: Chart, visit: Visit, lesion: str, protocol: Protocol) -> tuple[Tenths, ...] | None:
    """Give the values of a lesion and of the fragments it split into; None when one of them has none.

    Raises:
        ResponseError: The lesion's own diameter equals the sum of its two or more fragments: counted twice.
    """
    if lesion not in chart.fragments:
        record = visit.by_lesion.get(lesion)
        value = None if record is None else _alone(record, visit, protocol)
        return None if value is None else (value,)
    return _split(chart, visit, lesion, protocol)


def _alone(record: Assessment, visit: Visit, protocol: Protocol) -> Tenths | None:
    """Give the value of a lesion that did not split; a merged one has 0 mm only where its partner was read."""
    if record.state is LesionState.MERGED and record.parent_lesion not in visit.by_lesion:
        return None
    return value_of(record, protocol)


def _split(chart: Chart, visit: Visit, lesion: str, protocol: Protocol) -> tuple[Tenths, ...] | None:
    """Give the values of a lesion that split at some visit: its own where it kept its name, and its fragments'."""
    pieces = chart.pieces(visit, lesion)
    parts = [piece for piece in pieces if piece.lesion != lesion]
    if not parts:
        value = _alone(pieces[0], visit, protocol) if pieces else None
        return None if value is None else (value,)
    if _part_missing(chart, visit, lesion):
        return None
    own = tuple(
        value_of(piece, protocol) or 0 for piece in pieces if piece.lesion == lesion and piece.state in _MEASURED_STATES
    )
    fragments = [value for part in parts if (value := value_of(part, protocol)) is not None]
    if len(fragments) < len(parts):
        return None
    if own and len(fragments) > 1 and own[0] == sum(fragments):
        raise ResponseError(
            f"lesion {lesion} at {visit.name}: its own {mm_text(own[0])} mm is the sum of its fragments; "
            "expected the fragments alone, or the part that kept the name"
        )
    return (*own, *fragments)


def _part_missing(chart: Chart, visit: Visit, lesion: str) -> bool:
    """Say whether a part that an earlier visit showed has neither a row now nor, since then, parts of its own."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    parents: dict[str, str] = {}
    for index, at in enumerate(chart.visits[: chart.visits.index(visit) + 1]):
        pieces = chart.pieces(at, lesion)
        split = any(piece.lesion != lesion for piece in pieces)
        for piece in pieces:
            first.setdefault(piece.lesion, index)
            parents[piece.lesion] = piece.parent_lesion
            if split and (piece.lesion != lesion or piece.state in _MEASURED_STATES):
                last[piece.lesion] = index
    now = {piece.lesion for piece in chart.pieces(visit, lesion)}
    return any(
        not any(parents[part] == name and first[part] > seen for part in first)
        for name, seen in last.items()
        if name not in now
    )


_MEASURED_STATES = (LesionState.MEASURED, LesionState.TOO_SMALL)


def lesion_value(chart: Chart, visit: Visit, lesion: str, protocol: Protocol) -> Tenths | None:
    """Give the value of a lesion, the sum of its fragments when it split, in tenths of mm; None when it has none."""
    values = piece_values(chart, visit, lesion, protocol)
    return None if values is None else sum(values)


def is_cleared(values: Iterable[Tenths], *, nodal: bool, protocol: Protocol) -> bool:
    """Say whether a lesion is gone: 0 mm, or for a node every piece below 10 mm in short axis."""
    limit = protocol.normal_short_axis_mm * 10 if nodal else 1
    return all(value < limit for value in values)


def sum_of_diameters(chart: Chart, visit: Visit, lesions: Sequence[str], protocol: Protocol) -> SumOfDiameters:
    """Add the values of the named lesions at one time point.

    Args:
        chart: The subject's records.
        visit: The time point.
        lesions: The target lesions, or a part of them.
        protocol: The study's decisions.
    """
    total, missing, cleared = 0, [], True
    for lesion in lesions:
        values = piece_values(chart, visit, lesion, protocol)
        if values is None:
            missing.append(lesion)
            continue
        total += sum(values)
        nodal = chart.baseline.by_lesion[lesion].nodal
        cleared = cleared and is_cleared(values, nodal=nodal, protocol=protocol)
    return SumOfDiameters(total=total, missing=tuple(missing), rest_cleared=cleared)


def change_permille(now: Tenths, before: Tenths) -> int | None:
    """Give the change in tenths of a percent, rounded half away from zero, for display only; None from 0 mm.

    Example:
        >>> change_permille(624, 501), change_permille(98, 140)
        (246, -300)
    """
    if before == 0:
        return None
    change = now - before
    size = (2000 * abs(change) + before) // (2 * before)
    return size if change >= 0 else -size


def change_text(now: Tenths, before: Tenths) -> str:
    """Write a change as ``+24.6 %, +12.3 mm``; the percentage is left out from 0 mm."""
    change = now - before
    sign = "+" if change >= 0 else ""
    permille = change_permille(now, before)
    percent = "" if permille is None else f"{sign if permille >= 0 else ''}{mm_text(permille)} %, "
    return f"{percent}{sign}{mm_text(change)} mm"
