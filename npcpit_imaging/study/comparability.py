"""Whether a subject's visits are comparable and one person's: what differs is a finding of the later series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from npcpit_imaging.study.circumstances import Circumstances, Contrast
from npcpit_imaging.study.finding import Finding, Severity

UPTAKE_DIFFERENCE_MIN = 15.0
"""PERCIST 1.0 (Wahl 2009): a follow-up's uptake time lies within 15 minutes of the baseline's."""

WEIGHT_CHANGE = 0.2
"""A change beyond this fraction suggests another person; 10 to 15 % are usual under treatment of the head and neck."""

WEIGHT_CHANGE_WITHIN_VISIT = 0.05
"""The same for series of one visit."""

SIZE_DIFFERENCE_M = 0.05
"""An adult's height measured twice differs by less."""

CONTRAST_MODALITIES = ("CT", "MR")
"""Modalities whose lesions look larger or smaller with contrast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSeries:
    """A series of a subject, as far as comparing needs it.

    Args:
        uid: As the study knows it.
        modality: CT, MR or PT.
        timepoint: Its visit; None before the visits are assembled.
        date: Its day (shifted when de-identified).
        circumstances: How it was taken, and of what body.
    """

    uid: str
    modality: str
    timepoint: str | None
    date: date | None
    circumstances: Circumstances


def compare_visits(series: Sequence[ComparedSeries]) -> dict[str, tuple[Finding, ...]]:
    """Compare every series of one subject with the earlier ones.

    Args:
        series: All image series of one subject.

    Returns:
        Findings by series UID, only for series that have some. The earlier series is named, so that a person can tell
        which of the two is the wrong one.
    """
    dated = [each for each in series if each.date is not None]
    ordered = sorted(dated, key=lambda each: (str(each.date), each.modality, each.uid))
    found = {each.uid: (*_body(each, ordered[:at]), *_exam(each, ordered)) for at, each in enumerate(ordered)}
    return {uid: findings for uid, findings in found.items() if findings}


def _body(later: ComparedSeries, earlier: Sequence[ComparedSeries]) -> Iterator[Finding]:
    yield from _sex(later, earlier)
    yield from _size(later, earlier)
    yield from _weight(later, earlier)


def _sex(later: ComparedSeries, earlier: Sequence[ComparedSeries]) -> Iterator[Finding]:
    sex = later.circumstances.sex
    known = [each for each in earlier if each.circumstances.sex in ("M", "F")]
    if sex in ("M", "F") and known and known[0].circumstances.sex != sex:
        yield _other_person(f"PatientSex (0010,0040) {sex}, but {known[0].circumstances.sex}", known[0])


def _size(later: ComparedSeries, earlier: Sequence[ComparedSeries]) -> Iterator[Finding]:
    size = later.circumstances.size_m
    known = [each for each in earlier if each.circumstances.size_m is not None]
    before = known[0].circumstances.size_m if known else None
    if size is not None and before is not None and round(abs(size - before), 3) > SIZE_DIFFERENCE_M:
        yield _other_person(f"PatientSize (0010,1020) {size:.2f} m, but {before:.2f} m", known[0])


def _weight(later: ComparedSeries, earlier: Sequence[ComparedSeries]) -> Iterator[Finding]:
    weight = later.circumstances.weight_kg
    known = [each for each in earlier if each.circumstances.weight_kg is not None]
    before = known[-1].circumstances.weight_kg if known else None
    if weight is None or before is None:
        return
    same_visit = later.timepoint is not None and known[-1].timepoint == later.timepoint
    limit = WEIGHT_CHANGE_WITHIN_VISIT if same_visit else WEIGHT_CHANGE
    if abs(weight - before) > limit * before:
        yield _other_person(f"PatientWeight (0010,1030) {weight:g} kg, but {before:g} kg", known[-1])


def _other_person(what: str, earlier: ComparedSeries) -> Finding:
    return Finding(
        code="wrong-patient-suspected",
        severity=Severity.WARNING,
        text=f"wrong patient suspected: {what} in series {earlier.uid} of {_when(earlier)}",
    )


def _exam(later: ComparedSeries, all_series: Sequence[ComparedSeries]) -> Iterator[Finding]:
    """Compare with the same modality of the subject's first visit that has it."""
    alike = [each for each in all_series if each.modality == later.modality and each.timepoint is not None]
    if not alike or later.timepoint in (None, alike[0].timepoint):
        return
    first = [each for each in alike if each.timepoint == alike[0].timepoint]
    own = [each for each in alike if each.timepoint == later.timepoint]
    if later.modality in CONTRAST_MODALITIES:
        yield from _contrast(later, own, first)
    if later.modality == "PT":
        yield from _uptake(later, first)


def _contrast(
    later: ComparedSeries, own: Sequence[ComparedSeries], first: Sequence[ComparedSeries]
) -> Iterator[Finding]:
    """A visit may hold both a native and an enhanced series: only whether it has an enhanced one is compared."""
    here, before = _is_enhanced(own), _is_enhanced(first)
    if here != before:
        words = {True: "with a contrast agent", False: "with no contrast agent stated"}
        text = (
            f"ContrastBolusAgent (0018,0010): {later.modality} {words[here]}, but {words[before]} at {_when(first[0])}"
        )
        yield Finding(code="contrast-differs", severity=Severity.WARNING, text=text)


def _is_enhanced(series: Sequence[ComparedSeries]) -> bool:
    return any(each.circumstances.contrast is Contrast.GIVEN for each in series)


def _uptake(later: ComparedSeries, first: Sequence[ComparedSeries]) -> Iterator[Finding]:
    minutes = later.circumstances.uptake_min
    known = [each for each in first if each.circumstances.uptake_min is not None]
    before = known[0].circumstances.uptake_min if known else None
    if minutes is not None and before is not None and abs(minutes - before) > UPTAKE_DIFFERENCE_MIN:
        text = (
            f"uptake time {minutes:g} min, but {before:g} min at {_when(known[0])}: "
            f"expected at most {UPTAKE_DIFFERENCE_MIN:g} min between them"
        )
        yield Finding(code="uptake-time-differs", severity=Severity.WARNING, text=text)
    traced = [each for each in first if each.circumstances.tracer]
    tracer = later.circumstances.tracer
    if tracer and traced and traced[0].circumstances.tracer != tracer:
        text = f"tracer {tracer}, but {traced[0].circumstances.tracer} at {_when(traced[0])}"
        yield Finding(code="tracer-differs", severity=Severity.WARNING, text=text)


def _when(series: ComparedSeries) -> str:
    return series.timepoint or str(series.date)
