"""Which states a reader may choose for a lesion at a visit (recist.md 1.0, 1.3, 1.5, 1.6)."""

from npcpit_imaging.app.draft.content import LesionEntry
from npcpit_imaging.study.lesion import LesionRole, LesionState

S = LesionState

_FOLLOW_UP = {
    LesionRole.TARGET: (
        S.MEASURED, S.TOO_SMALL, S.ABSENT, S.NOT_ASSESSED, S.NOT_IMAGED, S.REMOVED, S.MERGED,
    ),
    LesionRole.NON_TARGET: (
        S.PRESENT, S.ABSENT, S.INCREASED, S.UNEQUIVOCAL_PD, S.MEASURED, S.NOT_ASSESSED, S.NOT_IMAGED, S.REMOVED,
        S.MERGED,
    ),
    LesionRole.NEW: (
        S.UNEQUIVOCAL, S.EQUIVOCAL, S.MEASURED, S.DISPROVED, S.ABSENT, S.NOT_ASSESSED, S.NOT_IMAGED, S.REMOVED,
    ),
}  # fmt: skip

_BASELINE = {
    LesionRole.TARGET: (S.MEASURED, S.NOT_ASSESSED, S.NOT_IMAGED),
    LesionRole.NON_TARGET: (S.PRESENT, S.MEASURED, S.NOT_ASSESSED, S.NOT_IMAGED),
    LesionRole.NEW: (),
}


def states_of(entry: LesionEntry, *, at_baseline: bool) -> tuple[LesionState, ...]:
    """The states that may be chosen for a lesion, the usual ones first."""
    return (_BASELINE if at_baseline else _FOLLOW_UP)[entry.role]


def signed_state(entry: LesionEntry) -> LesionState:
    """What a signed read says: a new lesion that is certain and was measured is measured, as in a table of reads."""
    assert entry.state is not None, "asked of confirmed entries only"
    measured = entry.state is LesionState.UNEQUIVOCAL and entry.size_mm is not None
    return LesionState.MEASURED if measured else entry.state
