"""Edit checks of the baseline: choice, size, evidence and date of the targets (Eisenhauer 2009, 3 and 4.2)."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from npcpit_imaging.config.protocol import OrganGrouping
from npcpit_imaging.response.checking import Check, Read, error, info, warning
from npcpit_imaging.response.measurability import may_be_target, measurability
from npcpit_imaging.response.sums import sum_of_diameters, value_of
from npcpit_imaging.study.assessment import Assessment, mm_text
from npcpit_imaging.study.lesion import LesionState
from npcpit_imaging.study.timepoint import BASELINE


def _too_many_targets(read: Read) -> Iterator[str]:
    count, most = len(read.chart.targets), read.protocol.max_targets
    if count > most:
        yield f"{count} target lesions, expected at most {most}"


def _organ(row: Assessment, grouping: OrganGrouping) -> str:
    """Name the organ of a target: all nodes are one organ, and so are the two of a pair."""
    if row.nodal and grouping is OrganGrouping.NODES_ONE_ORGAN:
        return "lymph nodes"
    return _side_left_out(row.organ)


@lru_cache(maxsize=1024)
def _side_left_out(organ: str) -> str:
    return " ".join(word for word in organ.lower().replace(",", " ").split() if word not in ("left", "right"))


def _too_many_per_organ(read: Read) -> Iterator[str]:
    grouping, most = read.protocol.organ_grouping, read.protocol.max_targets_per_organ
    if len(read.chart.targets) <= most:
        return
    organs = Counter(_organ(row, grouping) for row in read.targets())
    for organ, count in sorted(organs.items()):
        if organ and count > most:
            yield f"{count} target lesions in {organ}, expected at most {most}"


def _organ_missing(read: Read) -> Iterator[str]:
    for row in read.targets():
        if not row.organ and not row.nodal:
            yield f"{row.lesion}: expected an organ (two targets per organ at most), found none"


def _not_measurable(read: Read) -> Iterator[str]:
    for row in read.targets():
        if row.state is LesionState.MEASURED:
            size = measurability(row, read.protocol)
            if not size.measurable:
                yield f"{row.lesion} is a target, but {size.reason}"


def _prior_rt(read: Read) -> Iterator[str]:
    for row in read.targets():
        if row.prior_rt and measurability(row, read.protocol).measurable:
            allowed = may_be_target(row, read.protocol)
            if not allowed.measurable:
                yield f"{row.lesion} is a target, but {allowed.reason} (prior_rt_policy)"


def _unmeasured(read: Read) -> Iterator[str]:
    for row in read.targets():
        if row.state is not LesionState.MEASURED:
            yield f"{row.lesion} is a target, expected a diameter at baseline, found {row.state}"


def _short_exceeds_long(read: Read) -> Iterator[str]:
    for visit, row in read.rows():
        if row.longest_diameter is not None and row.short_axis is not None and row.short_axis > row.longest_diameter:
            yield (
                f"{row.lesion} at {visit.name}: short axis {mm_text(row.short_axis)} mm exceeds "
                f"longest diameter {mm_text(row.longest_diameter)} mm"
            )


def _number_beside_state(read: Read) -> Iterator[str]:
    for visit, row in read.rows():
        if row.state is not LesionState.MEASURED and row.size is not None and row.size != value_of(row, read.protocol):
            yield f"{row.lesion} at {visit.name}: {mm_text(row.size)} mm is not used, because its state is {row.state}"


def _sum_inconsistent(read: Read) -> Iterator[str]:
    for visit in read.chart.visits:
        stated = sorted({row.stated_sum for row in visit.by_lesion.values() if row.stated_sum is not None})
        if not stated:
            continue
        now = sum_of_diameters(read.chart, visit, read.chart.targets, read.protocol)
        for length in stated:
            if length != now.total:
                partly = "" if now.complete else f" without {', '.join(now.missing)}"
                yield (
                    f"{visit.name}: sum_mm says {mm_text(length)} mm, but the targets add up to "
                    f"{mm_text(now.total)} mm{partly}"
                )


def _node_not_marked(read: Read) -> Iterator[str]:
    for row in read.chart.baseline.by_lesion.values():
        if not row.nodal and any(word in ("node", "nodes", "nodal", "lymph") for word in row.organ.lower().split()):
            yield f"{row.lesion}: its organ is {row.organ}, but nodal says no: its longest diameter is used"


def _baseline_by_date(read: Read) -> Iterator[str]:
    if read.chart.baseline.name.upper() != BASELINE:
        name, day = read.chart.baseline.name, read.chart.baseline.first_date
        yield f"no time point is named {BASELINE}; {name} of {day}, the earliest, was taken as it"


def _baseline_old(read: Read) -> Iterator[str]:
    start, most = read.case.treatment_start, read.protocol.baseline_window_days
    if start is not None and (start - read.chart.baseline.first_date).days > most:
        days = (start - read.chart.baseline.first_date).days
        yield f"{read.chart.baseline.name} is {days} days before treatment, expected at most {most}"


def _baseline_late(read: Read) -> Iterator[str]:
    start = read.case.treatment_start
    if start is not None and read.chart.baseline.last_date > start:
        yield f"{read.chart.baseline.name} of {read.chart.baseline.last_date} is after treatment began on {start}"


BASELINE_CHECKS: tuple[Check, ...] = (
    error("too-many-targets", _too_many_targets),
    error("too-many-targets-per-organ", _too_many_per_organ),
    warning("organ-missing", _organ_missing),
    error("target-not-measurable", _not_measurable),
    error("target-prior-rt", _prior_rt),
    error("target-unmeasured-at-baseline", _unmeasured),
    error("sum-inconsistent", _sum_inconsistent),
    warning("node-not-marked", _node_not_marked),
    info("baseline-by-date", _baseline_by_date),
    error("short-axis-exceeds-longest-diameter", _short_exceeds_long),
    warning("number-beside-state", _number_beside_state),
    warning("baseline-too-old", _baseline_old),
    error("baseline-after-treatment", _baseline_late),
)
