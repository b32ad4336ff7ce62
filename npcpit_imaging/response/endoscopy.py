"""Endoscopy where imaging cannot show the lesion: it qualifies a response and never measures (recist.md 1.12)."""

from npcpit_imaging.config.protocol import EndoPolicy, Protocol
from npcpit_imaging.study.assessment import Assessment
from npcpit_imaging.study.lesion import EndoscopyState, LesionState

_CR, _NON, _PD, _NE = EndoscopyState.CR, EndoscopyState.NON_CR_NON_PD, EndoscopyState.PD, EndoscopyState.NE

FORM: dict[str, dict[str, EndoscopyState]] = {
    # visible      biopsy: not done      negative      positive
    "none":     {"nd": _CR,        "neg": _CR,   "pos": _NON},
    "scar":     {"nd": _CR,        "neg": _CR,   "pos": _NON},
    "ulcer":    {"nd": _NE,        "neg": _CR,   "pos": _NON},
    "residual": {"nd": _NON,       "neg": _NON,  "pos": _NON},
    "new":      {"nd": _NE,        "neg": _NE,   "pos": _PD},
}  # fmt: skip
"""What the endoscopy form says: a visible finding, and its biopsy. Slough and ulcer are usual after light treatment, so
an ulcer without biopsy says nothing; a new growth is progression only when its biopsy is positive."""

_BLIND_STATES = (LesionState.NOT_ASSESSED, LesionState.NOT_IMAGED)
"""Imaging did not show the lesion."""


def read_endoscopy(text: str) -> EndoscopyState:
    """Read the endoscopy column: a state (``eCR``) or the form's ``visible/biopsy`` (``ulcer/neg``, ``scar``).

    Raises:
        ValueError: Neither; the message lists the words.

    Example:
        >>> read_endoscopy("ulcer/neg").value, read_endoscopy("ePD").value
        ('eCR', 'ePD')
    """
    for state in EndoscopyState:
        if state.value.lower() == text.lower():
            return state
    visible, _, biopsy = text.lower().partition("/")
    try:
        return FORM[visible][biopsy or "nd"]
    except KeyError as error:
        states = ", ".join(EndoscopyState)
        raise ValueError(
            f"endoscopy: expected {states}, or one of {', '.join(FORM)} with /nd, /neg or /pos; found '{text}'"
        ) from error


def answers_for_imaging(record: Assessment, protocol: Protocol) -> EndoscopyState | None:
    """Give endoscopy's answer where it decides because imaging does not show the lesion; None where imaging decides."""
    if protocol.endo_policy is not EndoPolicy.ONLY_WHEN_NOT_MEASURABLE or record.state not in _BLIND_STATES:
        return None
    return record.endoscopy


def residual_seen(record: Assessment, protocol: Protocol) -> bool:
    """Say whether endoscopy shows tumour and the protocol lets it take an imaging CR away."""
    return protocol.endo_vetoes_cr and record.endoscopy in (_NON, _PD)
