"""One lesion at one time point by one reader (RECIST 1.1, Eisenhauer 2009, section 4.3; CDISC TR)."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from npcpit_imaging.study.lesion import (
    EndoscopyState,
    Evaluator,
    FieldPosition,
    LesionRole,
    LesionState,
    TumourMarker,
)

Tenths = int
"""A length in tenths of a millimetre: classes come from exact integers, never from floats."""

LONGEST_PLAUSIBLE_MM = 1000
"""A diameter above this is a slip of the pen (or centimetres and millimetres mixed up)."""


def tenths_from_mm(text: str) -> Tenths:
    """Read a length in mm as integer tenths, rounded half up (recist.md, "Decided here").

    Args:
        text: Decimal text with a point, e.g. ``12.35``.

    Raises:
        ValueError: Not a plain decimal number, below 0 or above `LONGEST_PLAUSIBLE_MM`.

    Example:
        >>> tenths_from_mm("12.35"), tenths_from_mm("9.949")
        (124, 99)
    """
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"expected a length in mm such as 12.3, found '{text}'") from error
    if "_" in text or not text.isascii():  # Decimal reads both
        raise ValueError(f"expected a length in mm such as 12.3, found '{text}'")
    if not value.is_finite() or not 0 <= value <= LONGEST_PLAUSIBLE_MM:
        raise ValueError(f"expected a length from 0 to {LONGEST_PLAUSIBLE_MM} mm, found '{text}'")
    return int((value * 10).quantize(Decimal(1), rounding=ROUND_HALF_UP))


@lru_cache(maxsize=4096)
def mm_text(length: Tenths) -> str:
    """Write tenths as mm with one decimal.

    Example:
        >>> mm_text(624), mm_text(-5)
        ('62.4', '-0.5')
    """
    sign = "-" if length < 0 else ""
    return f"{sign}{abs(length) // 10}.{abs(length) % 10}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """One lesion at one time point by one reader.

    Args:
        subject: Subject code, never a hospital identifier.
        timepoint: ``BASELINE`` or a follow-up's name.
        date: Date of the scan that shows (or does not show) the lesion.
        reader: Who read it.
        lesion: The lesion's name within the subject.
        role: Target, non-target or new.
        state: What the reader found.
        organ: Organ group; empty when not given.
        nodal: True for a lymph node.
        irradiated: True when photoimmunotherapy light reached it.
        longest_diameter: In tenths of mm; None when not measured.
        short_axis: In tenths of mm; None when not measured.
        method: How it was imaged (CDISC TRMETHOD); empty when not given.
        slice_thickness: In tenths of mm, gap included; None when not given.
        field: Where it lies relative to the irradiated field; None when not given.
        endoscopy: What endoscopy says; None when not done.
        comment: The reader's words.
        parent_lesion: The lesion it split from or merged into; empty when neither.
        prior_rt: True when it lies in a previously irradiated area.
        prior_rt_progression: Whether progression since that radiotherapy is on record; None when unknown.
        biopsy_proven: Whether a biopsy since that radiotherapy showed tumour; None when unknown.
        field_distance: From the edge of the irradiated field, in tenths of mm, 0 within it; None when not given.
        evaluator: Whose read it is; None when not given.
        stated_sum: The sum of diameters the reader wrote for this time point, in tenths of mm; None when not given.
        tumour_marker: The serum marker at this time point; None when not collected.
    """

    subject: str
    timepoint: str
    date: date
    reader: str
    lesion: str
    role: LesionRole
    state: LesionState
    organ: str = ""
    nodal: bool = False
    irradiated: bool = False
    longest_diameter: Tenths | None = None
    short_axis: Tenths | None = None
    method: str = ""
    slice_thickness: Tenths | None = None
    field: FieldPosition | None = None
    endoscopy: EndoscopyState | None = None
    comment: str = ""
    parent_lesion: str = ""
    prior_rt: bool = False
    prior_rt_progression: bool | None = None
    biopsy_proven: bool | None = None
    field_distance: Tenths | None = None
    evaluator: Evaluator | None = None
    stated_sum: Tenths | None = None
    tumour_marker: TumourMarker | None = None

    def __post_init__(self) -> None:
        """Refuse a measured lesion without its size, a merger without its partner, and words that could mean PD."""
        if self.state is LesionState.MEASURED and self.size is None:
            wanted = "short_axis_mm" if self.nodal else "longest_diameter_mm"
            raise ValueError(f"lesion {self.lesion}: state is measured, expected {wanted}, found none")
        if self.state is LesionState.MERGED and not self.parent_lesion:
            raise ValueError(f"lesion {self.lesion}: state is merged, expected parent_lesion, found none")
        if self.role is LesionRole.NON_TARGET and self.state is LesionState.UNEQUIVOCAL:
            raise ValueError(f"lesion {self.lesion}: a non-target is present or unequivocal_pd, found unequivocal")
        if self.parent_lesion == self.lesion:
            raise ValueError(f"lesion {self.lesion}: parent_lesion is the lesion itself")

    @property
    def size(self) -> Tenths | None:
        """Short axis of a node, longest diameter of anything else, in tenths of mm."""
        return self.short_axis if self.nodal else self.longest_diameter
