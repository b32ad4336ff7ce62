"""New lesions, equivocal ones, and retro-dating (Eisenhauer 2009, 4.3.5; EORTC FAQ; recist.md 1.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.config.protocol import NewNodeRule, Protocol
from npcpit_imaging.response.chart import Chart
from npcpit_imaging.study.assessment import Assessment, Tenths, mm_text
from npcpit_imaging.study.lesion import FieldPosition, LesionState
from npcpit_imaging.study.response import NewLesion, RuleFired

CLAUSE = "Eisenhauer 2009, 4.3.5"

CERTAIN_NODE: Tenths = 150
"""Short axis from which a new node is certain at once: 15 mm, in tenths (EORTC FAQ)."""

_GONE = (LesionState.ABSENT, LesionState.DISPROVED)
_SILENT = (LesionState.NOT_ASSESSED, LesionState.NOT_IMAGED, LesionState.REMOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One new lesion at one time point.

    Args:
        lesion: Its name.
        date: Day of the scan that shows it.
        certain: Unequivocal, or an equivocal sighting that a later time point proved.
        proved_at: The later time point that proved it; empty when it was unequivocal at once.
        field: Where it lies relative to the irradiated field; None when not said.
        words: What the reader saw.
    """

    lesion: str
    date: date
    certain: bool
    proved_at: str
    field: FieldPosition | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLesionResult:
    """New lesions of one time point.

    Args:
        indicator: Y, N or EQUIVOCAL.
        sightings: The lesions, certain or not.
        rule: Why.
    """

    indicator: NewLesion
    sightings: tuple[Sighting, ...]
    rule: RuleFired

    @property
    def certain(self) -> tuple[Sighting, ...]:
        """The lesions that count."""
        return tuple(sighting for sighting in self.sightings if sighting.certain) if self.sightings else ()


NONE_SEEN = NewLesionResult(
    indicator=NewLesion.NO,
    sightings=(),
    rule=RuleFired(rule="new-none", clause=CLAUSE, text="no new lesion"),
)


def new_lesions(chart: Chart, *, protocol: Protocol, irradiated_on: Sequence[date] = ()) -> tuple[NewLesionResult, ...]:
    """Judge the new lesions of every follow-up; a later proof turns an equivocal first sighting into a new lesion.

    Args:
        chart: The subject's records.
        protocol: The study's decisions.
        irradiated_on: Days of light treatment, for the PET black-out after them.

    Returns:
        One result per follow-up, in order.
    """
    if not chart.new:
        return (NONE_SEEN,) * len(chart.follow_ups)
    by_visit: list[list[Sighting]] = [[] for _ in chart.follow_ups]
    pet_at_baseline = any(is_pet(record) for record in chart.baseline.by_lesion.values())
    for lesion in chart.new:
        records = [visit.by_lesion.get(lesion) for visit in chart.follow_ups]
        judged = [_judge(record, protocol, pet_at_baseline, irradiated_on) for record in records]
        _collect(judged, records, [visit.name for visit in chart.follow_ups], by_visit, protocol)
    return tuple(_result(sightings) if sightings else NONE_SEEN for sightings in by_visit)


def is_pet(record: Assessment) -> bool:
    """Say whether a finding is uptake: its method is PET and no diameter was measured on the CT or MR part."""
    return "PET" in record.method.upper() and record.state is not LesionState.MEASURED


def _judge(
    record: Assessment | None, protocol: Protocol, pet_at_baseline: bool, irradiated_on: Sequence[date]
) -> NewLesion | None:
    """Give YES, EQUIVOCAL or NO; None when the time point says nothing of the lesion."""
    if record is None or record.state in _SILENT:
        return None
    if record.state in _GONE:
        return NewLesion.NO
    if record.state is LesionState.EQUIVOCAL:
        return NewLesion.EQUIVOCAL
    if record.nodal and record.size is not None:
        return _judge_node(record, record.size, protocol)
    if is_pet(record) and (not pet_at_baseline or in_blackout(record.date, irradiated_on, protocol)):
        return NewLesion.EQUIVOCAL
    return NewLesion.YES


def in_blackout(day: date, irradiated_on: Sequence[date], protocol: Protocol) -> bool:
    """Say whether a PET lies so soon after light treatment that inflammation takes up the tracer."""
    return any(0 < (day - treated).days < protocol.pet_blackout_days for treated in irradiated_on)


def _judge_node(record: Assessment, short_axis: Tenths, protocol: Protocol) -> NewLesion:
    if short_axis < protocol.normal_short_axis_mm * 10:
        return NewLesion.NO
    if short_axis >= CERTAIN_NODE or protocol.new_node_rule is NewNodeRule.GE10:
        return NewLesion.YES
    if protocol.new_node_rule is NewNodeRule.GE15:
        return NewLesion.NO
    return NewLesion.YES if record.state is LesionState.UNEQUIVOCAL else NewLesion.EQUIVOCAL


def _collect(
    judged: Sequence[NewLesion | None],
    records: Sequence[Assessment | None],
    names: Sequence[str],
    by_visit: Sequence[list[Sighting]],
    protocol: Protocol,
) -> None:
    """Add one lesion's sightings to the visits that saw it."""
    for index, (answer, record) in enumerate(zip(judged, records, strict=True)):
        if record is None or answer in (None, NewLesion.NO):
            continue
        proof = None if answer is NewLesion.YES else _proof(index, judged, records)
        by_visit[index].append(
            Sighting(
                lesion=record.lesion,
                date=record.date,
                certain=answer is NewLesion.YES or proof is not None,
                proved_at="" if proof is None else names[proof],
                field=field_of(record, protocol),
                words=_words(record, protocol),
            )
        )


def _proof(seen: int, judged: Sequence[NewLesion | None], records: Sequence[Assessment | None]) -> int | None:
    """Find the later time point that proves an equivocal sighting, before any that disproves it."""
    for later in range(seen + 1, len(judged)):
        if judged[later] is NewLesion.NO:
            return None
        if judged[later] is NewLesion.YES:
            return later
        if judged[later] is NewLesion.EQUIVOCAL and _repeats(records[seen], records[later]):
            return later
    return None


def _repeats(first: Assessment | None, again: Assessment | None) -> bool:
    """Say whether a node of 10 to 15 mm, seen again at that size, is certain (EORTC FAQ: wait for the next scan)."""
    return all(r is not None and r.nodal and r.state is LesionState.MEASURED for r in (first, again))


def field_of(record: Assessment, protocol: Protocol) -> FieldPosition | None:
    """Say where a lesion lies: the reader's word, else its distance from the field against ``field_margin_mm``."""
    return record.field or field_by_distance(record, protocol)


def field_by_distance(record: Assessment, protocol: Protocol) -> FieldPosition | None:
    """Classify the distance from the field's edge; None without a distance, or outside while no margin is decided."""
    if record.field_distance is None:
        return None
    if record.field_distance == 0:
        return FieldPosition.IN
    if protocol.field_margin_mm is None:
        return None
    return FieldPosition.MARGIN if record.field_distance <= protocol.field_margin_mm * 10 else FieldPosition.OUT


def _words(record: Assessment, protocol: Protocol) -> str:
    size = "" if record.size is None else f", {mm_text(record.size)} mm"
    position = field_of(record, protocol)
    where = "" if position is None else f", {_FIELD_WORDS[position]}"
    return f"{record.state}{size}{where}"


_FIELD_WORDS = {
    FieldPosition.IN: "in the irradiated field",
    FieldPosition.MARGIN: "at the margin of the irradiated field",
    FieldPosition.OUT: "outside the irradiated field",
}


def _result(sightings: Sequence[Sighting]) -> NewLesionResult:
    certain = [sighting for sighting in sightings if sighting.certain]
    shown = certain or list(sightings)
    names = "; ".join(f"{s.lesion} ({s.words}{f'; proved at {s.proved_at}' if s.proved_at else ''})" for s in shown)
    rule, text = ("new-lesion", f"new lesion {names}") if certain else ("new-equivocal", f"equivocal: {names}")
    if certain and all(sighting.proved_at for sighting in certain):
        rule, text = "new-lesion-retro-dated", f"retro-dated new lesion {names}"
    numbers = (("lesions", " ".join(s.lesion for s in shown)),)
    return NewLesionResult(
        indicator=NewLesion.YES if certain else NewLesion.EQUIVOCAL,
        sightings=tuple(sightings),
        rule=RuleFired(rule=rule, clause=CLAUSE, text=text, numbers=numbers),
    )
