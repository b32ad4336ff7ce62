"""RECIST 1.1 overall response of one time point (Eisenhauer 2009, tables 1 and 2, as they stand on the page)."""

from npcpit_imaging.config.protocol import NtNeWithTargetCr, Protocol
from npcpit_imaging.study.response import NewLesion, Response

_CR, _PR, _SD, _PD, _NE = Response.CR, Response.PR, Response.SD, Response.PD, Response.NE
_NON, _NA, _NED = Response.NON_CR_NON_PD, Response.NA, Response.NED

Row = tuple[tuple[Response, ...], tuple[Response, ...], tuple[NewLesion, ...], Response]

_ANY = tuple(Response)
_NOT_PD = (_CR, _NON, _NE, _NA)
_NO = (NewLesion.NO, NewLesion.EQUIVOCAL)
_YES = (NewLesion.YES,)
_YES_OR_NO = tuple(NewLesion)

TABLE_1: tuple[Row, ...] = (
    # target       non-target      new           overall        target disease at baseline
    ((_CR,),       (_CR, _NA),     _NO,          _CR),
    ((_CR,),       (_NON,),        _NO,          _PR),
    ((_CR,),       (_NE,),         _NO,          _PR),
    ((_PR,),       _NOT_PD,        _NO,          _PR),
    ((_SD,),       _NOT_PD,        _NO,          _SD),
    ((_NE,),       _NOT_PD,        _NO,          _NE),
    ((_PD,),       _ANY,           _YES_OR_NO,   _PD),
    (_ANY,         (_PD,),         _YES_OR_NO,   _PD),
    (_ANY,         _ANY,           _YES,         _PD),
)  # fmt: skip
"""Table 1. An equivocal new lesion is not yet a new lesion; NA means that there was no such lesion at baseline."""

TABLE_2: tuple[Row, ...] = (
    # target       non-target      new           overall        non-target disease only
    ((_NA,),       (_CR,),         _NO,          _CR),
    ((_NA,),       (_NON,),        _NO,          _NON),
    ((_NA,),       (_NE,),         _NO,          _NE),
    ((_NA,),       (_PD,),         _YES_OR_NO,   _PD),
    ((_NA,),       _ANY,           _YES,         _PD),
    ((_NA,),       (_NA,),         _NO,          _NED),
)  # fmt: skip
"""Table 2, and a last line for a subject without any lesion at baseline."""


def _index() -> dict[tuple[Response, Response, NewLesion], tuple[Response, str]]:
    """Spread the two tables over their cells, first line first."""
    cells: dict[tuple[Response, Response, NewLesion], tuple[Response, str]] = {}
    for name, table in (("table 2", TABLE_2), ("table 1", TABLE_1)):
        for targets, non_targets, news, overall in table:
            for target in targets:
                for non_target in non_targets:
                    for new in news:
                        cells.setdefault((target, non_target, new), (overall, name))
    return cells


_CELLS = _index()


def overall_response(
    target: Response, non_target: Response, new: NewLesion, *, protocol: Protocol
) -> tuple[Response, str]:
    """Look the overall response up.

    Args:
        target: CR, PR, SD, PD, NE, or NA without target lesions at baseline.
        non_target: CR, NON-CR/NON-PD, PD, NE, or NA without non-target lesions at baseline.
        new: Whether there is a new lesion.
        protocol: The study's decisions (``nt_ne_with_t_cr``).

    Returns:
        The response and the table it stands in, ``table 1`` or ``table 2``.

    Example:
        >>> overall_response(Response.PR, Response.NE, NewLesion.NO, protocol=Protocol())[0].value
        'PR'
    """
    strict = protocol.nt_ne_with_t_cr is NtNeWithTargetCr.NE
    if strict and target is _CR and non_target is _NE and new is not NewLesion.YES:
        return _NE, "protocol, nt_ne_with_t_cr"
    overall, table = _CELLS[target, non_target, new]
    return overall, f"Eisenhauer 2009, {table}"
