"""From injection to scan: which PET time stamps count for decay (DICOM PS3.3 C.8.9.1; QIBA vendor-neutral pseudo-code).

DecayCorrection START corrects every bed position to the scan's start. SeriesDate and SeriesTime are that start as long
as no acquisition began before them. A series that was post-processed carries a later SeriesTime; then the start is GE's
private scan time (0009,xx0D), else it is computed back from each frame: acquisition time less FrameReferenceTime plus
the time of average count rate. What cannot be told is refused with the tag's name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset

from npcpit_imaging.dicom.values import first_text, number, tag_name, text
from npcpit_imaging.errors import QuantityError
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.volume.suv import DecayCorrection, average_count_rate_time_s

LARGEST_EXPONENT = 700.0
"""Whose exponential is still a number."""

SAME_TIME_S = 60.0
"""Times that differ by less tell the same moment; one minute is 0.6 % of an FDG SUV."""

CLOCK_GRAIN_S = 1.0
"""SeriesTime may be written to the second and AcquisitionTime to its fraction."""

LONG_HALF_LIFE_S = 12 * 3600.0
"""From here on a time of day without a date no longer tells on which day the injection was."""

GE_PRIVATE = (0x0009, 0x0D, "GEMS_PETD_01")
"""GE's scan date and time: group, element, creator."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the tracer decayed before the time the image's activity stands for.

    Args:
        injected_at: Local time of the injection.
        reference_at: Local time the image's activity is corrected to.
        source: Which tags gave the reference time.
        findings: What was noticed.
    """

    injected_at: datetime
    reference_at: datetime
    source: str
    findings: tuple[Finding, ...] = ()

    @property
    def elapsed_s(self) -> float:
        """Seconds from injection to the reference time."""
        return (self.reference_at - self.injected_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class _Start:
    """A candidate for the scan's start."""

    at: datetime
    source: str
    findings: tuple[Finding, ...] = ()


def timing(datasets: Sequence[Dataset], decay: DecayCorrection, half_life_s: float) -> Timing:
    """Return the times that count for the decay of a PET series.

    Args:
        datasets: The headers of every image of the series.
        decay: DecayCorrection of the series, START or NONE; with ADMIN no time counts.
        half_life_s: Half-life of the nuclide.

    Raises:
        QuantityError: A time is missing, or two that should agree do not; the message names the tags.
    """
    if decay is DecayCorrection.NONE:
        start = _single_frame(datasets, half_life_s)
    else:
        start = _scan_start(datasets, half_life_s)
        start = _check_decay_factor(datasets, start, half_life_s)
    injected_at, findings = _injection(datasets[0], start.at, half_life_s)
    return Timing(
        injected_at=injected_at, reference_at=start.at, source=start.source, findings=(*start.findings, *findings)
    )


def _scan_start(datasets: Sequence[Dataset], half_life_s: float) -> _Start:
    told = {moment(dataset, "SeriesDate", "SeriesTime") for dataset in datasets}
    if len(told) > 1:
        names = f"{tag_name('SeriesDate')} and {tag_name('SeriesTime')}"
        raise QuantityError(f"{names}: expected one moment in the series, found {len(told)}")
    series = told.pop()
    earliest = min(acquisition_start(dataset) for dataset in datasets)
    if series <= earliest + timedelta(seconds=CLOCK_GRAIN_S):
        return _Start(at=series, source=f"{tag_name('SeriesDate')} and {tag_name('SeriesTime')}")
    late = Finding(
        code="suv-series-time-after-acquisition",
        severity=Severity.WARNING,
        text=f"{tag_name('SeriesTime')} is {(series - earliest).total_seconds():.0f} s after the first "
        f"{tag_name('AcquisitionTime')}: the series was made later, its time is not the scan's",
    )
    scanned = {_ge_scan_time(dataset) for dataset in datasets}
    if len(scanned) > 1:
        raise QuantityError(f"GE scan time (0009,xx0D): expected one moment in the series, found {len(scanned)}")
    start = scanned.pop() or _computed_back(datasets, half_life_s, earliest)
    return _Start(at=start.at, source=start.source, findings=(late, *start.findings))


def _ge_scan_time(dataset: Dataset) -> _Start | None:
    group, element, creator = GE_PRIVATE
    try:
        value = str(dataset.private_block(group, creator)[element].value)
    except KeyError:
        return None
    return _Start(at=parse_moment(value[:8], value[8:], "GE scan time (0009,xx0D)"), source="GE scan time (0009,xx0D)")


def _computed_back(datasets: Sequence[Dataset], half_life_s: float, earliest: datetime) -> _Start:
    frames = [start for dataset in datasets if (start := _frame_start(dataset, half_life_s)) is not None]
    if len(frames) != len(datasets):
        return _earliest_if_confirmed(datasets, half_life_s, earliest)
    spread = (max(frames) - min(frames)).total_seconds()
    source = f"{tag_name('AcquisitionTime')} and {tag_name('FrameReferenceTime')}"
    if spread > SAME_TIME_S:
        raise QuantityError(
            f"{source}: expected every frame to tell the same scan start within {SAME_TIME_S:.0f} s, "
            f"found {spread:.0f} s between them, and {tag_name('SeriesTime')} is later than the acquisition"
        )
    return _Start(at=sorted(frames)[len(frames) // 2], source=source)


def _frame_start(dataset: Dataset, half_life_s: float) -> datetime | None:
    """Compute the scan's start back from one frame; None where the frame does not say enough."""
    reference_ms, duration_ms = number(dataset, "FrameReferenceTime"), number(dataset, "ActualFrameDuration")
    if reference_ms is None or not reference_ms > 0 or duration_ms is None or not duration_ms > 0:
        return None
    average_s = average_count_rate_time_s(duration_ms / 1000.0, half_life_s)
    return _later(acquisition_start(dataset), average_s - reference_ms / 1000.0, "FrameReferenceTime")


def _earliest_if_confirmed(datasets: Sequence[Dataset], half_life_s: float, earliest: datetime) -> _Start:
    """Take the first acquisition as the scan's start when DecayFactor says the same."""
    told = _told_by_decay_factor(datasets, half_life_s)
    if told is None or abs((told - earliest).total_seconds()) > SAME_TIME_S:
        raise QuantityError(
            f"{tag_name('SeriesTime')} is later than the acquisition and neither {tag_name('FrameReferenceTime')} "
            f"nor {tag_name('DecayFactor')} tells the scan's start"
        )
    return _Start(at=earliest, source=f"{tag_name('AcquisitionTime')} confirmed by {tag_name('DecayFactor')}")


def _check_decay_factor(datasets: Sequence[Dataset], start: _Start, half_life_s: float) -> _Start:
    """Compare the scan's start with the one the scanner used, as far as DecayFactor tells it."""
    told = _told_by_decay_factor(datasets, half_life_s)
    if told is None:
        code, name = "suv-scan-start-before-acquisition", f"the first {tag_name('AcquisitionTime')}"
        apart_s = max((min(acquisition_start(each) for each in datasets) - start.at).total_seconds(), 0.0)
    else:
        code, name = "suv-decay-factor-disagrees", tag_name("DecayFactor")
        apart_s = (told - start.at).total_seconds()
    if abs(apart_s) <= SAME_TIME_S:
        return start
    percent = 100.0 * math.expm1(min(math.log(2.0) * abs(apart_s) / half_life_s, LARGEST_EXPONENT))
    words = f"{name} tells a scan start {apart_s:+.0f} s from {start.source}: SUV may be {percent:.1f} % off"
    doubt = Finding(code=code, severity=Severity.WARNING, text=words)
    return _Start(at=start.at, source=start.source, findings=(*start.findings, doubt))


def _told_by_decay_factor(datasets: Sequence[Dataset], half_life_s: float) -> datetime | None:
    """Return the scan start that the frame with the least decay factor implies; None where no factor says anything."""
    told = [
        (factor, dataset)
        for dataset in datasets
        if (factor := number(dataset, "DecayFactor")) is not None and factor > 1
    ]
    if not told:
        return None
    factor, dataset = min(told, key=lambda pair: pair[0])
    duration_s = (number(dataset, "ActualFrameDuration") or 0.0) / 1000.0
    since_start_s = half_life_s * math.log2(factor)
    average_s = average_count_rate_time_s(duration_s, half_life_s)
    return _later(acquisition_start(dataset), average_s - since_start_s, "DecayFactor")


def _later(moment: datetime, seconds: float, keyword: str) -> datetime:
    """A moment moved by what an element tells; refused where that is no span of time."""
    try:
        return moment + timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise QuantityError(f"{tag_name(keyword)}: expected a span of time, found {seconds:g} s") from error


def _single_frame(datasets: Sequence[Dataset], half_life_s: float) -> _Start:
    """Return the time of average count rate of an image without decay correction, all at one bed position."""
    starts = {acquisition_start(dataset) for dataset in datasets}
    if len(starts) != 1:
        raise QuantityError(
            f"{tag_name('DecayCorrection')}: NONE with {len(starts)} acquisition times: no single SUV factor exists"
        )
    duration_ms = number(datasets[0], "ActualFrameDuration")
    if duration_ms is None:
        raise QuantityError(f"{tag_name('ActualFrameDuration')} is missing: {tag_name('DecayCorrection')} is NONE")
    shift_s = average_count_rate_time_s(duration_ms / 1000.0, half_life_s)
    middle = _later(starts.pop(), shift_s, "ActualFrameDuration")
    return _Start(at=middle, source=f"{tag_name('AcquisitionTime')} plus half the frame")


def _injection(dataset: Dataset, scan_at: datetime, half_life_s: float) -> tuple[datetime, tuple[Finding, ...]]:
    item = radiopharmaceutical(dataset)
    whole, time = text(item, "RadiopharmaceuticalStartDateTime"), text(item, "RadiopharmaceuticalStartTime")
    if whole:
        return _dated_injection(dataset, whole, time), ()
    if not time:
        raise QuantityError(f"{tag_name('RadiopharmaceuticalStartTime')} is missing")
    if half_life_s >= LONG_HALF_LIFE_S:
        raise QuantityError(
            f"{tag_name('RadiopharmaceuticalStartDateTime')} is missing: with a half-life of "
            f"{half_life_s / 3600:.1f} h a time of day does not tell the day"
        )
    same_day = parse_moment(f"{scan_at:%Y%m%d}", time, tag_name("RadiopharmaceuticalStartTime"))
    if same_day <= scan_at:
        return same_day, ()
    day_before = Finding(
        code="suv-injection-before-midnight",
        severity=Severity.INFO,
        text=f"{tag_name('RadiopharmaceuticalStartTime')} is later than the scan: injection taken as the day before",
    )
    return same_day - timedelta(days=1), (day_before,)


def _dated_injection(dataset: Dataset, whole: str, time: str) -> datetime:
    keyword = tag_name("RadiopharmaceuticalStartDateTime")
    body, sign, offset = next(
        ((head, sign, tail) for sign in "+-" for head, found, tail in [whole.partition(sign)] if found), (whole, "", "")
    )
    if offset and text(dataset, "TimezoneOffsetFromUTC") != sign + offset:
        raise QuantityError(f"{keyword}: has a UTC offset that {tag_name('TimezoneOffsetFromUTC')} does not confirm")
    at = parse_moment(body[:8], body[8:], keyword)
    if time:
        other = parse_moment(f"{at:%Y%m%d}", time, tag_name("RadiopharmaceuticalStartTime"))
        if abs((other - at).total_seconds()) > SAME_TIME_S:
            raise QuantityError(f"{keyword} and {tag_name('RadiopharmaceuticalStartTime')} tell different times of day")
    return at


def radiopharmaceutical(dataset: Dataset) -> Dataset:
    """Return the one item of RadiopharmaceuticalInformationSequence.

    Raises:
        QuantityError: There is none, or more than one injection.
    """
    items = dataset.get("RadiopharmaceuticalInformationSequence") or []
    if len(items) != 1:
        name = tag_name("RadiopharmaceuticalInformationSequence")
        raise QuantityError(f"{name}: expected one injection, found {len(items) or 'none'}")
    return items[0]


def acquisition_start(dataset: Dataset) -> datetime:
    """Return when a frame's acquisition began.

    Raises:
        QuantityError: Date or time is missing or unreadable.
    """
    whole = text(dataset, "AcquisitionDateTime")
    if whole and not text(dataset, "AcquisitionTime"):
        return parse_moment(whole[:8], whole[8:].partition("+")[0].partition("-")[0], tag_name("AcquisitionDateTime"))
    return moment(dataset, "AcquisitionDate", "AcquisitionTime")


def moment(dataset: Dataset, date_keyword: str, time_keyword: str) -> datetime:
    """Return a DICOM date and time as one local time.

    Raises:
        QuantityError: One is missing or unreadable; the message names the tag.
    """
    for keyword in (date_keyword, time_keyword):
        if not text(dataset, keyword):
            raise QuantityError(f"{tag_name(keyword)} is missing")
    names = f"{tag_name(date_keyword)} and {tag_name(time_keyword)}"
    return parse_moment(first_text(dataset, date_keyword), first_text(dataset, time_keyword), names)


def parse_moment(date: str, time: str, name: str) -> datetime:
    """Parse DICOM's DA and TM (PS3.5 6.2), the old forms with dots and colons too.

    Raises:
        QuantityError: They are not a date and a time.

    Example:
        >>> parse_moment("20200131", "2359", "SeriesTime").isoformat()
        '2020-01-31T23:59:00'
    """
    days = date.replace(".", "").strip()
    clock, _, fraction = time.replace(":", "").strip().partition(".")
    try:
        at = datetime.strptime(days + clock.ljust(6, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007  DICOM's local time
    except ValueError as error:
        raise QuantityError(f"{name}: expected a date and a time as DICOM writes them") from error
    if len(clock) not in (2, 4, 6) or (fraction and not fraction.isdigit()):
        raise QuantityError(f"{name}: expected a time of day as HHMMSS.FFFFFF")
    return at + timedelta(seconds=float(f"0.{fraction or '0'}"))
