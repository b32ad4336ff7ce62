"""Reads: signed when written, superseded with a reason, never edited (the database refuses)."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.images import timepoint_id
from npcpit_imaging.store.schema import AssessmentRow, JsonObject, LesionRow, ReadRow, TimePointRow
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, Lesion, LesionState, TumourMarker


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedLesion:
    """What a reader says of one lesion at one time point.

    Args:
        lesion: The lesion.
        state: What was found.
        longest_diameter_mm: The confirmed size, mm; None unless measured.
        short_axis_mm: The confirmed short axis, mm; None unless measured.
        proposal_id: The proposal that was looked at; None when there was none or nothing was measured.
        accepted: ``proposal`` or ``caliper``: whose numbers the confirmed ones are; empty unless measured.
        reader_caliper: The reader's own long axis, kept beside the mask's.
        reader_short_caliper: The reader's own short axis.
        field: Position relative to the irradiated field, where it was judged.
        findings: Differences between mask and caliper and the like.
        parent_lesion: The lesion it split from or merged into; empty when neither.
        endoscopy: What endoscopy says of it, where it was done.
        series_uid: The series that the calipers were drawn on, where that is known.
    """

    lesion: Lesion
    state: LesionState
    longest_diameter_mm: float | None = None
    short_axis_mm: float | None = None
    proposal_id: int | None = None
    accepted: str = ""
    reader_caliper: Caliper | None = None
    reader_short_caliper: Caliper | None = None
    field: FieldPosition | None = None
    comment: str = ""
    findings: tuple[Finding, ...] = ()
    parent_lesion: str = ""
    endoscopy: EndoscopyState | None = None
    series_uid: str | None = None


@dataclass(frozen=True, slots=True)
class ReadLesion:
    """What a signed read says of one lesion, as it is stored (`ConfirmedLesion` says what each field is)."""

    id: int
    read_id: int
    tracking_uid: str
    proposal_id: int | None
    state: str
    longest_diameter_mm: float | None
    short_axis_mm: float | None
    accepted: str
    reader_caliper: JsonObject | None
    reader_short_caliper: JsonObject | None
    field: str | None
    comment: str
    findings: list[JsonObject]
    parent_lesion: str
    endoscopy: str | None
    series_uid: str | None


_STORED = tuple(getattr(AssessmentRow, each.name) for each in fields(ReadLesion))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRead:
    """One reader's signed read of one time point, the newest version."""

    subject: str
    timepoint: str
    date: date
    reader: str
    version: int
    signed: datetime
    label: str
    lesions: tuple[ReadLesion, ...]
    id: int = 0
    reason: str = ""
    comment: str = ""
    tumour_marker: TumourMarker | None = None


def sign_read(
    session: Session,
    *,
    subject: str,
    timepoint: str,
    reader: str,
    lesions: Sequence[ConfirmedLesion],
    now: datetime,
    label: str = "",
    reason: str = "",
    comment: str = "",
    tumour_marker: TumourMarker | None = None,
) -> int:
    """Write a signed read, and that it was signed into the audit trail, and return its version.

    Args:
        session: One transaction.
        subject: Subject code.
        timepoint: Time point's name.
        reader: Who read.
        lesions: What the reader says, a row per lesion.
        now: When it was signed (UTC).
        label: Shown wherever the read is shown, e.g. that it was scripted.
        reason: Why an earlier read is superseded; required when there is one.
        comment: The reader's words on the visit as a whole.
        tumour_marker: The serum marker at this time point; None when not collected.

    Raises:
        StoreError: A read is already signed and no reason is given, or a lesion stands twice.
    """
    place = timepoint_id(session, subject, timepoint)
    names = [confirmed.lesion.lesion_id for confirmed in lesions]
    if len(set(names)) != len(names):
        raise StoreError(f"subject {subject}, {timepoint}: a lesion stands twice in one read: {sorted(names)}")
    version = (
        session.scalar(select(func.max(ReadRow.version)).where(ReadRow.timepoint_id == place, ReadRow.reader == reader))
        or 0
    )
    if version and not reason:
        raise StoreError(
            f"subject {subject}, {timepoint}: reader {reader} has signed version {version}; "
            "a signed read is superseded with a reason, never edited"
        )
    row = ReadRow(
        timepoint_id=place,
        reader=reader,
        version=version + 1,
        signed=now,
        reason=reason,
        label=label,
        comment=comment,
        tumour_marker=None if tumour_marker is None else tumour_marker.value,
    )
    session.add(row)
    session.flush()
    session.add_all(_assessment(row.id, confirmed) for confirmed in lesions)
    detail = {"version": row.version, "reason": reason, "label": label, "lesions": [_said(each) for each in lesions]}
    append_audit(session, actor=reader, action="read.sign", now=now, subject=subject, item=timepoint, detail=detail)
    return row.version


def _said(confirmed: ConfirmedLesion) -> dict[str, object]:
    """What a read says of a lesion, as the audit trail keeps it."""
    return {
        "lesion": confirmed.lesion.lesion_id,
        "state": confirmed.state.value,
        "longest_diameter_mm": confirmed.longest_diameter_mm,
        "short_axis_mm": confirmed.short_axis_mm,
        "accepted": confirmed.accepted,
    }


def _assessment(read_id: int, confirmed: ConfirmedLesion) -> AssessmentRow:
    return AssessmentRow(
        read_id=read_id,
        tracking_uid=confirmed.lesion.tracking_uid,
        proposal_id=confirmed.proposal_id,
        state=confirmed.state.value,
        longest_diameter_mm=confirmed.longest_diameter_mm,
        short_axis_mm=confirmed.short_axis_mm,
        accepted=confirmed.accepted,
        reader_caliper=_caliper(confirmed.reader_caliper),
        reader_short_caliper=_caliper(confirmed.reader_short_caliper),
        field=None if confirmed.field is None else confirmed.field.value,
        comment=confirmed.comment,
        parent_lesion=confirmed.parent_lesion,
        endoscopy=None if confirmed.endoscopy is None else confirmed.endoscopy.value,
        series_uid=confirmed.series_uid,
        findings=[{**asdict(finding), "severity": finding.severity.value} for finding in confirmed.findings],
    )


def _caliper(caliper: Caliper | None) -> JsonObject | None:
    return None if caliper is None else dict(asdict(caliper))


def newest_reads(session: Session, subject: str) -> list[SignedRead]:
    """Each reader's newest read of each time point, by date and reader."""
    return newest_reads_of_each(session, (subject,))[subject]


def newest_reads_of_each(session: Session, subjects: Collection[str]) -> dict[str, list[SignedRead]]:
    """The newest reads of every subject named, as `newest_reads` gives them."""
    rows = session.execute(
        select(
            ReadRow.timepoint_id,
            TimePointRow.subject,
            TimePointRow.name,
            TimePointRow.date,
            ReadRow.reader,
            ReadRow.version,
            ReadRow.signed,
            ReadRow.label,
            ReadRow.id,
            ReadRow.reason,
            ReadRow.comment,
            ReadRow.tumour_marker,
        )
        .join(TimePointRow, ReadRow.timepoint_id == TimePointRow.id)
        .where(TimePointRow.subject.in_(subjects))
        .order_by(TimePointRow.date, TimePointRow.name, ReadRow.reader, ReadRow.version)
    )
    newest = {(row.timepoint_id, row.reader): row for row in rows}
    said = _assessments(session, subjects)
    found: dict[str, list[SignedRead]] = {code: [] for code in subjects}
    for row in newest.values():
        found[row.subject].append(
            SignedRead(
                subject=row.subject,
                timepoint=row.name,
                date=row.date,
                reader=row.reader,
                version=row.version,
                signed=row.signed,
                label=row.label,
                lesions=tuple(said.get(row.id, ())),
                id=row.id,
                reason=row.reason,
                comment=row.comment,
                tumour_marker=None if row.tumour_marker is None else TumourMarker(row.tumour_marker),
            )
        )
    return found


def _assessments(session: Session, subjects: Collection[str]) -> dict[int, list[ReadLesion]]:
    """What every read of some subjects says, by the read's key, in the order of the lesions' names."""
    rows = session.execute(
        select(*_STORED)
        .join(LesionRow, AssessmentRow.tracking_uid == LesionRow.tracking_uid)
        .where(LesionRow.subject.in_(subjects))
        .order_by(LesionRow.lesion_id)
    )
    found: dict[int, list[ReadLesion]] = {}
    for values in rows:
        row = ReadLesion(*values)
        found.setdefault(row.read_id, []).append(row)
    return found
