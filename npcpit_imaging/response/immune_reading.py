"""What iRECIST looks at in one visit: sum, non-targets, new lesions with a sum of their own (Seymour 2017)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.new_lesion import NewLesionResult
from npcpit_imaging.response.non_target import Presence, lesion_presence, non_target_response
from npcpit_imaging.response.sums import value_of
from npcpit_imaging.study.assessment import Assessment, Tenths
from npcpit_imaging.study.lesion import LesionState
from npcpit_imaging.study.response import Response

_GROWS = (LesionState.INCREASED, LesionState.UNEQUIVOCAL_PD)
_SILENT = (LesionState.NOT_ASSESSED, LesionState.NOT_IMAGED, LesionState.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImmuneReading:
    """One visit as iRECIST reads it.

    Args:
        total: Sum of the assessed baseline targets, in tenths of mm.
        non_target: Non-target response.
        non_target_pd: Non-target lesions with unequivocal progression.
        non_target_increased: Non-target lesions the reader called increased.
        first_seen: Certain new lesions that were not known before.
        present: All certain new lesions that are there.
        judged: New lesions this visit says something of.
        sizes: Size of the new lesions that have one, in tenths of mm.
        organs: Organ of those lesions.
        new_increased: New lesions the reader called increased.
    """

    total: Tenths
    non_target: Response
    non_target_pd: frozenset[str]
    non_target_increased: frozenset[str]
    first_seen: frozenset[str]
    present: frozenset[str]
    judged: frozenset[str]
    sizes: Mapping[str, Tenths]
    organs: Mapping[str, str]
    new_increased: frozenset[str]


def read_immune(
    chart: Chart, visit: Visit, new: NewLesionResult, *, total: Tenths, known: frozenset[str], protocol: Protocol
) -> ImmuneReading:
    """Read one visit.

    Args:
        chart: The subject's records.
        visit: The visit.
        new: Its new lesions.
        total: Sum of its assessed baseline targets, in tenths of mm.
        known: New lesions seen at earlier visits.
        protocol: The study's decisions.
    """
    present = frozenset(sighting.lesion for sighting in new.certain)
    rows = {name: row for name in chart.new if (row := visit.by_lesion.get(name)) is not None}
    judged = {name: row for name, row in rows.items() if row.state not in _SILENT}
    non_targets = {name: lesion_presence(chart, visit, name, protocol) for name in chart.non_targets}
    return ImmuneReading(
        total=total,
        non_target=non_target_response(chart, visit, protocol)[0],
        non_target_pd=frozenset(name for name, found in non_targets.items() if found is Presence.PD),
        non_target_increased=frozenset(name for name in chart.non_targets if _increased(chart, visit, name)),
        first_seen=present - known,
        present=present,
        judged=frozenset(judged),
        sizes=_sizes(judged, present | known, protocol),
        organs={name: _organ(row) for name, row in judged.items()},
        new_increased=frozenset(name for name, row in judged.items() if row.state in _GROWS),
    )


def _increased(chart: Chart, visit: Visit, lesion: str) -> bool:
    return any(piece.state is LesionState.INCREASED for piece in chart.pieces(visit, lesion))


def _sizes(rows: Mapping[str, Assessment], names: frozenset[str], protocol: Protocol) -> dict[str, Tenths]:
    values = {name: value_of(row, protocol) for name, row in rows.items() if name in names}
    return {name: value for name, value in values.items() if value is not None}


def _organ(row: Assessment) -> str:
    return "node" if row.nodal else row.organ.lower()


def new_targets(reading: ImmuneReading, protocol: Protocol) -> frozenset[str]:
    """Choose the new lesions that are measured in a sum of their own: the largest, up to five and two per organ."""
    chosen: list[str] = []
    per_organ: Counter[str] = Counter()
    for name in sorted(reading.sizes, key=lambda lesion: (-reading.sizes[lesion], lesion)):
        organ = reading.organs[name]
        if len(chosen) < protocol.max_targets and per_organ[organ] < protocol.max_targets_per_organ:
            chosen.append(name)
            per_organ[organ] += 1
    return frozenset(chosen)
