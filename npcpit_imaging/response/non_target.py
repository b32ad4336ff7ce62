"""RECIST 1.1 non-target response of one time point (Eisenhauer 2009, 4.3.3 and 4.3.4; recist.md 1.5)."""

from collections.abc import Sequence
from enum import StrEnum

from npcpit_imaging.config.protocol import NtPartialPolicy, Protocol, TumourMarkerPolicy
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.endoscopy import answers_for_imaging, residual_seen
from npcpit_imaging.response.sums import is_cleared
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import EndoscopyState, LesionState, TumourMarker
from npcpit_imaging.study.response import Response, RuleFired

CLAUSE = "Eisenhauer 2009, 4.3.3"


class Presence(StrEnum):
    """What one non-target lesion is at one time point."""

    ABSENT = "absent"
    PRESENT = "present"
    PD = "unequivocal progression"
    UNKNOWN = "not assessed"


_BY_STATE = {
    LesionState.ABSENT: Presence.ABSENT,
    LesionState.MERGED: Presence.PRESENT,
    LesionState.DISPROVED: Presence.ABSENT,
    LesionState.UNEQUIVOCAL_PD: Presence.PD,
    LesionState.NOT_ASSESSED: Presence.UNKNOWN,
    LesionState.NOT_IMAGED: Presence.UNKNOWN,
    LesionState.REMOVED: Presence.UNKNOWN,
}

_BY_ENDOSCOPY = {
    EndoscopyState.CR: Presence.ABSENT,
    EndoscopyState.NON_CR_NON_PD: Presence.PRESENT,
    EndoscopyState.PD: Presence.PD,
    EndoscopyState.NE: Presence.UNKNOWN,
}


def presence(record: Assessment, protocol: Protocol) -> Presence:
    """Say what a non-target lesion is: from its state, its size when given, and endoscopy where it decides."""
    answer = answers_for_imaging(record, protocol)
    if answer is not None:
        return _BY_ENDOSCOPY[answer]
    found = _BY_STATE.get(record.state, Presence.PRESENT)
    if record.state is LesionState.MEASURED and record.size is not None:
        found = Presence.ABSENT if is_cleared((record.size,), nodal=record.nodal, protocol=protocol) else found
    if found is Presence.ABSENT and residual_seen(record, protocol):
        return Presence.PRESENT
    return found


def lesion_presence(chart: Chart, visit: Visit, lesion: str, protocol: Protocol) -> Presence:
    """Say what a non-target lesion and the fragments it split into are together."""
    found = [presence(piece, protocol) for piece in chart.pieces(visit, lesion)]
    for worst in (Presence.PD, Presence.PRESENT, Presence.UNKNOWN):
        if worst in found:
            return worst
    return Presence.ABSENT if found else Presence.UNKNOWN


def non_target_response(chart: Chart, visit: Visit, protocol: Protocol) -> tuple[Response, RuleFired]:
    """Classify the non-target lesions of one time point.

    PD needs unequivocal progression; what was not assessed makes CR and NON-CR/NON-PD impossible unless the
    protocol ignores it.

    Returns:
        The response and the rule that fired.
    """
    found = {lesion: lesion_presence(chart, visit, lesion, protocol) for lesion in chart.non_targets}
    by_kind = {kind: [name for name, own in found.items() if own is kind] for kind in Presence}
    answer = _classify(by_kind, protocol, _comments(visit, by_kind[Presence.PD])) if found else _NO_NON_TARGET
    disease = bool(found or chart.targets)
    asked = protocol.tumour_marker_policy is TumourMarkerPolicy.NORMAL_FOR_CR and disease
    return (_by_marker(chart, visit) or answer) if asked and answer[0] in (Response.CR, Response.NA) else answer


def _by_marker(chart: Chart, visit: Visit) -> tuple[Response, RuleFired] | None:
    """Give what a serum marker makes of a CR: an elevated one takes it away, an unknown one leaves it open."""
    now = marker_of(visit)
    if now is TumourMarker.ELEVATED:
        return _fired(Response.NON_CR_NON_PD, "tumour-marker", "the tumour marker is above its upper limit of normal")
    if now is not TumourMarker.NORMAL and marker_of(chart.baseline) is TumourMarker.ELEVATED:
        return _fired(Response.NE, "tumour-marker", "the tumour marker was elevated at baseline and is not known now")
    return None


def marker_of(visit: Visit) -> TumourMarker | None:
    """Give the serum marker of a time point; None when it was not collected.

    Raises:
        ResponseError: Rows of one time point that say different things.
    """
    found = {row.tumour_marker for row in visit.by_lesion.values()} - {None}
    if len(found) > 1:
        raise ResponseError(f"{visit.name}: the rows give {len(found)} different tumour_marker, expected one")
    return next(iter(found), None)


def _classify(by_kind: dict[Presence, list[str]], protocol: Protocol, comments: str) -> tuple[Response, RuleFired]:
    progressed, present = by_kind[Presence.PD], by_kind[Presence.PRESENT]
    absent, unknown = by_kind[Presence.ABSENT], by_kind[Presence.UNKNOWN]
    if progressed:
        text = f"unequivocal progression of {', '.join(progressed)}{comments}"
        return _fired(Response.PD, "non-target-pd", text, progressed)
    ignore = protocol.nt_partial_policy is NtPartialPolicy.IGNORE_MISSING and (present or absent)
    if unknown and not ignore:
        return _fired(Response.NE, "non-target-ne", f"{', '.join(unknown)} not assessed", unknown)
    if present:
        return _fired(Response.NON_CR_NON_PD, "non-target-stable", f"{', '.join(present)} still present", present)
    return _fired(Response.CR, "non-target-cr", "all non-target lesions gone", absent)


def _comments(visit: Visit, lesions: Sequence[str]) -> str:
    words = [visit.by_lesion[name].comment for name in lesions if name in visit.by_lesion]
    said = "; ".join(word for word in words if word)
    return f" ({said})" if said else ""


def _fired(response: Response, rule: str, text: str, lesions: Sequence[str] = ()) -> tuple[Response, RuleFired]:
    numbers = (("lesions", " ".join(lesions)),) if lesions else ()
    return response, RuleFired(rule=rule, clause=CLAUSE, text=f"{response}: {text}", numbers=numbers)


_NO_NON_TARGET = _fired(Response.NA, "non-target-na", "no non-target lesion at baseline")
