"""Changes that say: confirm, reject, a state, a field position, an added lesion."""

from npcpit_imaging.app.draft.content import DraftContent, EntryStatus, FoundFinding, LesionEntry
from npcpit_imaging.app.draft.drawing import NEW_STATES, unconfirmed
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.requests import AddLesionChange, AnnotateChange, ConfirmChange, StateChange
from npcpit_imaging.app.draft.states import states_of
from npcpit_imaging.app.lesions import tracking_uid
from npcpit_imaging.errors import ReadingError
from npcpit_imaging.measurement.compare import caliper_findings
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.study.lesion import LesionRole, LesionState

PREFIXES = {LesionRole.TARGET: "T", LesionRole.NON_TARGET: "NT", LesionRole.NEW: "N"}
"""How an added lesion's name begins."""


def confirmed(desk: Desk, entry: LesionEntry, change: ConfirmChange) -> LesionEntry:
    """Make a lesion's size count: the mask's numbers, or those of the reader's own calipers.

    Raises:
        ReadingError: There is no size to confirm, or a new lesion is not said to be certain or not.
    """
    longest_mm, short_mm = _from_mask(desk, entry) if change.accept == "proposal" else _from_calipers(entry)
    if entry.role is LesionRole.NEW and entry.state not in NEW_STATES:
        raise ReadingError(f"{entry.lesion_id}: say first whether this new lesion is equivocal or unequivocal")
    return entry.model_copy(
        update={
            "status": EntryStatus.CONFIRMED,
            "state": entry.state if entry.role is LesionRole.NEW else LesionState.MEASURED,
            "accepted": change.accept,
            "longest_diameter_mm": longest_mm,
            "short_axis_mm": short_mm,
            "merged_into": "",
            "findings": tuple(FoundFinding.of(each) for each in _caliper_findings(entry)),
        }
    )


def _caliper_findings(entry: LesionEntry) -> tuple[Finding, ...]:
    long, short = (None if each is None else each.caliper() for each in (entry.caliper, entry.short_caliper))
    return caliper_findings(None if entry.mask is None else entry.mask.measurement.measurement(), long, short)


def _from_mask(desk: Desk, entry: LesionEntry) -> tuple[float, float]:
    if entry.mask is None:
        raise ReadingError(f"{entry.lesion_id}: there is no mask to accept; point at the lesion, or accept a caliper")
    if entry.mask.seed_only:
        raise ReadingError(
            f"{entry.lesion_id}: this mask was only carried over from the baseline: it says where, not how large; "
            "point at the lesion, or accept a caliper"
        )
    if desk.study.site.server.measure_first and entry.caliper is None:
        raise ReadingError(f"{entry.lesion_id}: in this study the reader's own caliper comes first; none is drawn")
    found = entry.mask.measurement.measurement()
    if found.longest_diameter_mm is None or found.short_axis_mm is None:
        raise ReadingError(f"{entry.lesion_id}: the mask is empty")
    return found.longest_diameter_mm, found.short_axis_mm


def _from_calipers(entry: LesionEntry) -> tuple[float, float | None]:
    if entry.caliper is None or (entry.nodal and entry.short_caliper is None):
        needed = "a long and a short caliper (a node)" if entry.nodal else "a caliper"
        raise ReadingError(f"{entry.lesion_id}: expected {needed}, found none")
    long_mm = entry.caliper.caliper().length_mm
    short_mm = None if entry.short_caliper is None else entry.short_caliper.caliper().length_mm
    if short_mm is not None and short_mm > long_mm:
        raise ReadingError(
            f"{entry.lesion_id}: expected a short axis of at most {long_mm:.1f} mm, found {short_mm:.1f} mm"
        )
    return long_mm, short_mm


def rejected(entry: LesionEntry) -> LesionEntry:
    """Turn a proposal down; the steps of the draft keep it.

    Raises:
        ReadingError: There is none.
    """
    if entry.mask is None:
        raise ReadingError(f"{entry.lesion_id}: there is no proposal to reject")
    without = entry.model_copy(update={"mask": None, **unconfirmed(entry, has_mask=False)})
    return without if entry.caliper is not None else without.model_copy(update={"status": EntryStatus.REJECTED})


def reopened(entry: LesionEntry) -> LesionEntry:
    """Take a confirmation back.

    Raises:
        ReadingError: The entry is not confirmed.
    """
    if entry.status is not EntryStatus.CONFIRMED:
        raise ReadingError(f"{entry.lesion_id}: expected a confirmed lesion, found {entry.status}")
    return entry.model_copy(update=unconfirmed(entry, has_mask=entry.mask is not None))


def with_state(content: DraftContent, place: Place, entry: LesionEntry, change: StateChange) -> LesionEntry:
    """Say what was found of a lesion that is not measured.

    Raises:
        ReadingError: The state is none of this lesion's, or a merger names no other lesion of the read.
    """
    allowed = [each for each in states_of(entry, at_baseline=place.at_baseline) if each is not LesionState.MEASURED]
    if change.state not in allowed:
        raise ReadingError(f"{entry.lesion_id}: expected one of {', '.join(allowed)}, found {change.state}")
    merged = change.state is LesionState.MERGED
    if merged and (change.merged_into == entry.lesion_id or content.entry(change.merged_into) is None):
        raise ReadingError(f"{entry.lesion_id}: merged into which lesion? found {change.merged_into or 'none'}")
    keeps_size = change.state in NEW_STATES and entry.confirmed and entry.size_mm is not None
    size = {} if keeps_size else {"accepted": "", "longest_diameter_mm": None, "short_axis_mm": None, "findings": ()}
    return entry.model_copy(
        update={
            "status": EntryStatus.CONFIRMED,
            "state": change.state,
            "merged_into": change.merged_into if merged else "",
            **size,
        }
    )


def annotated(entry: LesionEntry, change: AnnotateChange) -> LesionEntry:
    """Say something beside the size: field position, endoscopy, words; what is not given stays."""
    given = change.model_fields_set - {"kind", "lesion"}
    said = {name: getattr(change, name) for name in given}
    if "comment" in said:
        said["comment"] = said["comment"] or ""
    return entry.model_copy(update=said)


def added(content: DraftContent, place: Place, change: AddLesionChange, *, taken: frozenset[str]) -> LesionEntry:
    """A lesion that this reader adds; its name holds the reader's code, so that two readers' lesions are never one.

    Args:
        content: The draft.
        place: Whose.
        change: What is added.
        taken: Names of every lesion that this reader ever added to the subject.

    Raises:
        ReadingError: The role does not fit the visit, or the lesion it split from is none of the read.
    """
    parent = content.entry(change.parent) if change.parent else None
    if change.parent and (parent is None or parent.role is not change.role or parent.role is LesionRole.NEW):
        raise ReadingError(
            f"split from {change.parent}: expected a target or non-target of this read, of the same role"
        )
    if place.at_baseline and (change.role is LesionRole.NEW or change.parent):
        raise ReadingError(f"{place.timepoint}: what is there at baseline is not new, and splits later")
    if not place.at_baseline and change.role is not LesionRole.NEW and parent is None:
        raise ReadingError(f"{place.timepoint}: expected a new lesion, or the one it split from, found neither")
    entry = LesionEntry(
        lesion_id=(name := _name(change, place, taken | {each.lesion_id for each in content.lesions})),
        tracking_uid=tracking_uid(place.subject, name),
        role=change.role,
        organ=change.organ if parent is None else parent.organ,
        location=change.location,
        nodal=change.nodal if parent is None else parent.nodal,
        irradiated=change.irradiated if parent is None else parent.irradiated,
        prior_rt=change.prior_rt if parent is None else parent.prior_rt,
        prior_rt_progression_documented=None if parent is None else parent.prior_rt_progression_documented,
        own=True,
        parent=change.parent,
    )
    if change.state is None:
        return entry
    if change.role is not LesionRole.NEW or change.state not in NEW_STATES:
        raise ReadingError(f"{name}: expected equivocal or unequivocal for a new lesion, found {change.state}")
    return entry.model_copy(update={"state": change.state, "status": EntryStatus.CONFIRMED})


def _name(change: AddLesionChange, place: Place, taken: frozenset[str]) -> str:
    start, code = PREFIXES[change.role], place.reader.code
    number = 1
    while (name := f"{start}{number:02d}-{code}") in taken:
        number += 1
    return name
