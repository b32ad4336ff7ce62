"""Response of one lesion at one time point: its size, its presence, or endoscopy (recist.md 1.11, 1.12)."""

from collections.abc import Sequence
from dataclasses import dataclass

from npcpit_imaging.config.protocol import EndoPolicy, Protocol
from npcpit_imaging.response.chart import Chart, Visit
from npcpit_imaging.response.endoscopy import residual_seen
from npcpit_imaging.response.measurability import measurability
from npcpit_imaging.response.sums import change_text, is_cleared, lesion_value, piece_values
from npcpit_imaging.response.target import is_increase, is_partial
from npcpit_imaging.study.assessment import Assessment, Tenths, mm_text
from npcpit_imaging.study.lesion import EndoscopyState, LesionRole, LesionState
from npcpit_imaging.study.response import Response

IMAGING, ENDOSCOPY = "IMAGING", "ENDOSCOPY"

_BY_ENDOSCOPY = {
    EndoscopyState.CR: Response.CR,
    EndoscopyState.NON_CR_NON_PD: Response.NON_CR_NON_PD,
    EndoscopyState.PD: Response.PD,
    EndoscopyState.NE: Response.NE,
}
UNSEEN = (LesionState.NOT_ASSESSED, LesionState.NOT_IMAGED, LesionState.REMOVED)
"""States that say nothing of a lesion."""

_GONE = (LesionState.ABSENT, LesionState.DISPROVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionAnswer:
    """The response of one lesion at one time point.

    Args:
        response: CR, PR, SD, PD, NON-CR/NON-PD or NE.
        source: ``IMAGING`` or ``ENDOSCOPY``.
        rule: Short stable name of the rule.
        text: One line for a person.
    """

    response: Response
    source: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionStart:
    """A lesion at its own baseline.

    Args:
        lesion: Its name.
        size: In tenths of mm; None when it was not measured.
        measurable: Whether its size answers.
        reason: Why.
        nodal: Whether it is a node.
    """

    lesion: str
    size: Tenths | None
    measurable: bool
    reason: str
    nodal: bool


def lesion_start(chart: Chart, baseline: Visit, lesion: str, protocol: Protocol, *, irradiated: bool) -> LesionStart:
    """Read a lesion at its own baseline; a non-target that no light reached is answered by its presence."""
    pieces = chart.pieces(baseline, lesion)
    by_presence = pieces[0].role is LesionRole.NON_TARGET and not irradiated
    sizes = () if by_presence else tuple(measurability(piece, protocol) for piece in pieces)
    return LesionStart(
        lesion=lesion,
        size=lesion_value(chart, baseline, lesion, protocol),
        measurable=any(size.measurable for size in sizes),
        reason=sizes[0].reason if sizes else "non-target, not irradiated",
        nodal=pieces[0].nodal,
    )


def classify_lesion(
    chart: Chart, visit: Visit, *, start: LesionStart, nadir: Tenths | None, protocol: Protocol
) -> LesionAnswer:
    """Classify one lesion at one time point.

    Args:
        chart: The subject's records.
        visit: The time point.
        start: The lesion at its own baseline.
        nadir: Its smallest size before, in tenths of mm; None when it was never measured.
        protocol: Thresholds and endoscopy.
    """
    pieces = chart.pieces(visit, start.lesion)
    if not pieces:
        return LesionAnswer(response=Response.NE, source=IMAGING, rule="lesion-ne", text=f"NE: no row at {visit.name}")
    if not start.measurable or start.size is None or nadir is None:
        return _not_measurable(pieces, protocol)
    values = piece_values(chart, visit, start.lesion, protocol)
    if values is None:
        return _no_number(pieces, protocol)
    if is_cleared(values, nodal=start.nodal, protocol=protocol):
        return _gone(pieces, sum(values), Response.PR, protocol)
    return _by_size(sum(values), start.size, nadir, protocol)


def _by_size(value: Tenths, baseline: Tenths, nadir: Tenths, protocol: Protocol) -> LesionAnswer:
    if is_increase(value, nadir, protocol):
        text = f"PD: {mm_text(value)} mm vs smallest {mm_text(nadir)} mm, {change_text(value, nadir)}"
        return LesionAnswer(response=Response.PD, source=IMAGING, rule="lesion-pd", text=text)
    response = Response.PR if is_partial(value, baseline, protocol) else Response.SD
    text = f"{response}: {mm_text(value)} mm vs baseline {mm_text(baseline)} mm, {change_text(value, baseline)}"
    return LesionAnswer(response=response, source=IMAGING, rule=f"lesion-{response.lower()}", text=text)


def _gone(pieces: Sequence[Assessment], value: Tenths, otherwise: Response, protocol: Protocol) -> LesionAnswer:
    if any(residual_seen(piece, protocol) for piece in pieces):
        text = f"{otherwise}: gone on imaging, but endoscopy shows tumour ({_endoscopy_words(pieces)})"
        return LesionAnswer(response=otherwise, source=ENDOSCOPY, rule="endoscopy-veto", text=text)
    text = "CR: gone on imaging" if value == 0 else f"CR: node of {mm_text(value)} mm short axis, below 10 mm"
    return LesionAnswer(response=Response.CR, source=IMAGING, rule="lesion-cr", text=text)


def _not_measurable(pieces: Sequence[Assessment], protocol: Protocol) -> LesionAnswer:
    """Answer for a lesion that imaging cannot measure: endoscopy where the protocol says so, else its presence."""
    if protocol.endo_policy is EndoPolicy.ONLY_WHEN_NOT_MEASURABLE:
        answered = _endoscopic(pieces)
        if answered is not None:
            return answered
    states = [piece.state for piece in pieces]
    if LesionState.UNEQUIVOCAL_PD in states:
        return LesionAnswer(
            response=Response.PD, source=IMAGING, rule="lesion-pd", text="PD: unequivocal progression of the lesion"
        )
    if any(state in UNSEEN for state in states):
        return LesionAnswer(response=Response.NE, source=IMAGING, rule="lesion-ne", text=f"NE: {', '.join(states)}")
    if all(_is_gone(piece, protocol) for piece in pieces):
        left = sum(piece.size or 0 for piece in pieces if piece.state is LesionState.MEASURED)
        return _gone(pieces, left, Response.NON_CR_NON_PD, protocol)
    return LesionAnswer(
        response=Response.NON_CR_NON_PD, source=IMAGING, rule="lesion-stable", text="NON-CR/NON-PD: still present"
    )


def _is_gone(piece: Assessment, protocol: Protocol) -> bool:
    """Say whether a row shows nothing any more; a node measured below 10 mm is normal."""
    if piece.state is LesionState.MEASURED and piece.size is not None:
        return is_cleared((piece.size,), nodal=piece.nodal, protocol=protocol)
    return piece.state in _GONE


def _no_number(pieces: Sequence[Assessment], protocol: Protocol) -> LesionAnswer:
    """Answer for a measurable lesion that was not measured this time."""
    states = [piece.state for piece in pieces]
    if LesionState.UNEQUIVOCAL_PD in states:
        text = "PD: unequivocal progression, not measured"
        return LesionAnswer(response=Response.PD, source=IMAGING, rule="lesion-pd", text=text)
    unseen = all(state in UNSEEN for state in states)
    if protocol.endo_policy is EndoPolicy.ONLY_WHEN_NOT_MEASURABLE and unseen:
        answered = _endoscopic(pieces)
        if answered is not None:
            return answered
    text = f"NE: no diameter ({', '.join(states)})"
    return LesionAnswer(response=Response.NE, source=IMAGING, rule="lesion-ne", text=text)


def _endoscopic(pieces: Sequence[Assessment]) -> LesionAnswer | None:
    found = {piece.endoscopy for piece in pieces} - {None}
    for state in (EndoscopyState.PD, EndoscopyState.NON_CR_NON_PD, EndoscopyState.NE, EndoscopyState.CR):
        if state in found:
            text = f"{_BY_ENDOSCOPY[state]}: imaging cannot measure the lesion; endoscopy says {state}"
            return LesionAnswer(response=_BY_ENDOSCOPY[state], source=ENDOSCOPY, rule="endoscopy-decides", text=text)
    return None


def _endoscopy_words(pieces: Sequence[Assessment]) -> str:
    return ", ".join(sorted({piece.endoscopy for piece in pieces if piece.endoscopy is not None}))
