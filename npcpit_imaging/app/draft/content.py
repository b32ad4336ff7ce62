"""What a draft says: one entry per lesion and one for the visit as a whole, as the store keeps them."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict

from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.caliper import Caliper, PointMm
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.lesion import (
    EndoscopyState,
    FieldPosition,
    Lesion,
    LesionRole,
    LesionState,
    TumourMarker,
)
from npcpit_imaging.study.measurement import Measurement, Uptake

WHOLE = "@read"
"""The part of a draft that is about no lesion."""


class Stored(BaseModel):
    """A frozen value that the store keeps as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_object(self) -> JsonObject:
        """The value as JSON."""
        return self.model_dump(mode="json")


class EntryStatus(StrEnum):
    """How far the reader is with a lesion. Only a confirmed entry counts."""

    TODO = "todo"
    PROPOSAL = "proposal"
    DRAWN = "drawn"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class FoundFinding(Stored):
    """A finding, as JSON."""

    code: str
    severity: Severity
    text: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """From the noun."""
        return cls(code=finding.code, severity=finding.severity, text=finding.text)

    def finding(self) -> Finding:
        """As the noun."""
        return Finding(code=self.code, severity=self.severity, text=self.text)


class DrawnLine(Stored):
    """A caliper on a series."""

    series_uid: str
    start_mm: PointMm
    end_mm: PointMm

    def caliper(self) -> Caliper:
        """As the noun."""
        return Caliper(start_mm=self.start_mm, end_mm=self.end_mm)


class MeasuredMask(Stored):
    """What was measured on a mask."""

    longest: tuple[PointMm, PointMm] | None
    short: tuple[PointMm, PointMm] | None
    slice_index_k: int | None
    slice_position_mm: float | None
    volume_ml: float
    components: int
    convention: str
    findings: tuple[FoundFinding, ...] = ()

    @classmethod
    def of(cls, found: Measurement) -> Self:
        """From the noun."""
        return cls(
            longest=_ends(found.longest_diameter),
            short=_ends(found.short_axis),
            slice_index_k=found.slice_index_k,
            slice_position_mm=found.slice_position_mm,
            volume_ml=found.volume_ml,
            components=found.components,
            convention=found.convention,
            findings=tuple(FoundFinding.of(each) for each in found.findings),
        )

    def measurement(self) -> Measurement:
        """As the noun."""
        return Measurement(
            longest_diameter=_caliper(self.longest),
            short_axis=_caliper(self.short),
            slice_index_k=self.slice_index_k,
            slice_position_mm=self.slice_position_mm,
            volume_ml=self.volume_ml,
            components=self.components,
            convention=self.convention,
            findings=tuple(each.finding() for each in self.findings),
        )


class MeasuredUptake(Stored):
    """PET uptake in a mask."""

    suv_max: float
    suv_mean: float
    suv_peak: float
    mtv_ml: float
    tlg_g: float

    def uptake(self) -> Uptake:
        """As the noun."""
        return Uptake(**self.model_dump())


class MaskInDraft(Stored):
    """A lesion's mask: which one, where it came from, what was measured on it."""

    digest: str
    series_uid: str
    origin: str
    prompt: JsonObject
    segmenter: JsonObject
    measurement: MeasuredMask
    uptake: MeasuredUptake | None = None
    seed_only: bool = False
    proposal_id: int | None = None


class LesionEntry(Stored):
    """What a draft says of one lesion."""

    lesion_id: str
    tracking_uid: str
    role: LesionRole
    organ: str
    location: str
    nodal: bool = False
    irradiated: bool = False
    prior_rt: bool = False
    prior_rt_progression_documented: bool | None = None
    own: bool = False
    parent: str = ""
    status: EntryStatus = EntryStatus.TODO
    state: LesionState | None = None
    accepted: str = ""
    longest_diameter_mm: float | None = None
    short_axis_mm: float | None = None
    mask: MaskInDraft | None = None
    caliper: DrawnLine | None = None
    short_caliper: DrawnLine | None = None
    field: FieldPosition | None = None
    endoscopy: EndoscopyState | None = None
    merged_into: str = ""
    comment: str = ""
    findings: tuple[FoundFinding, ...] = ()

    @classmethod
    def of(cls, lesion: Lesion, *, own: bool = False, parent: str = "") -> Self:
        """An entry of which nothing is said yet."""
        return cls(
            lesion_id=lesion.lesion_id,
            tracking_uid=lesion.tracking_uid,
            role=lesion.role,
            organ=lesion.organ,
            location=lesion.location,
            nodal=lesion.nodal,
            irradiated=lesion.irradiated,
            prior_rt=lesion.prior_rt,
            prior_rt_progression_documented=lesion.prior_rt_progression_documented,
            own=own,
            parent=parent,
        )

    def lesion(self) -> Lesion:
        """As the noun."""
        return Lesion(
            lesion_id=self.lesion_id,
            tracking_uid=self.tracking_uid,
            role=self.role,
            organ=self.organ,
            location=self.location,
            nodal=self.nodal,
            irradiated=self.irradiated,
            prior_rt=self.prior_rt,
            prior_rt_progression_documented=self.prior_rt_progression_documented,
        )

    @property
    def confirmed(self) -> bool:
        """Whether the entry counts."""
        return self.status is EntryStatus.CONFIRMED and self.state is not None

    @property
    def size_mm(self) -> float | None:
        """Short axis of a node, longest diameter of anything else, where confirmed."""
        return self.short_axis_mm if self.nodal else self.longest_diameter_mm

    @property
    def linked_lesion(self) -> str:
        """The lesion that this one split from or merged into."""
        return self.merged_into if self.state is LesionState.MERGED else self.parent


class WholeRead(Stored):
    """What a draft says of the visit as a whole."""

    comment: str = ""
    tumour_marker: TumourMarker | None = None


class DraftContent(Stored):
    """Everything a draft says."""

    lesions: tuple[LesionEntry, ...]
    whole: WholeRead = WholeRead()

    @classmethod
    def from_parts(cls, parts: JsonObject) -> Self:
        """From what the store keeps, lesions by role and name."""
        entries = [LesionEntry.model_validate(value) for name, value in parts.items() if name != WHOLE]
        order = {role: number for number, role in enumerate(LesionRole)}
        entries.sort(key=lambda entry: (order[entry.role], entry.lesion_id))
        return cls(lesions=tuple(entries), whole=WholeRead.model_validate(parts.get(WHOLE, {})))

    def parts(self) -> JsonObject:
        """As the store keeps it."""
        return {WHOLE: self.whole.json_object(), **{each.lesion_id: each.json_object() for each in self.lesions}}

    def entry(self, lesion_id: str) -> LesionEntry | None:
        """The entry of a lesion; None when the draft has none."""
        return next((each for each in self.lesions if each.lesion_id == lesion_id), None)


def _ends(caliper: Caliper | None) -> tuple[PointMm, PointMm] | None:
    return None if caliper is None else (caliper.start_mm, caliper.end_mm)


def _caliper(ends: tuple[PointMm, PointMm] | None) -> Caliper | None:
    return None if ends is None else Caliper(start_mm=ends[0], end_mm=ends[1])
