"""Series and instances: what arrived, where it lies, which time point it belongs to."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.schema import InstanceRow, JsonObject, ReadRow, SeriesRow, SubjectRow, TimePointRow
from npcpit_imaging.study.circumstances import Circumstances, Contrast
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.timepoint import BASELINE, TimePoint

PATHS_AT_ONCE = 500
"""Paths in one query; SQLite takes 999 values."""

IMAGE_MODALITIES = ("CT", "MR", "PT")
"""Modalities whose series make visits."""


class SeriesState(StrEnum):
    """How complete a series is. Only `COMPLETE` was counted against what somebody else holds."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    QUIET = "quiet"
    INCOMPLETE = "incomplete"
    REOPENED = "reopened"


OPEN_STATES = (SeriesState.RECEIVING, SeriesState.REOPENED)
"""States of a series that may still grow; the others are verdicts."""

SETTLED_STATES = (SeriesState.COMPLETE, SeriesState.QUIET)
"""States of a series that may be measured and asks for nobody's attention."""


class IndexOutcome(StrEnum):
    """What became of an object that was offered to the index."""

    STORED = "stored"
    REPEAT = "repeat"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedObject:
    """One DICOM object on disk, as the index knows it.

    Args:
        sop_instance_uid: As stored (after de-identification).
        received_sha256: Digest of the bytes as received; tells a repeat from a conflict.
        path: Relative to the study's objects folder.
        date: Study date as stored.
        findings: What was noticed on its way in (a face, text in the pixels).
    """

    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    study_uid: str
    subject: str
    modality: str
    description: str
    frame_of_reference_uid: str | None
    date: date | None
    path: str
    sha256: str
    received_sha256: str
    deidentified: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSummary:
    """One series with the number of its objects, its place in the trial, what was noticed and how complete it is."""

    uid: str
    subject: str
    timepoint: str | None
    modality: str
    description: str
    date: date | None
    frame_of_reference_uid: str | None
    instances: int
    findings: tuple[Finding, ...]
    state: SeriesState = SeriesState.RECEIVING
    state_reason: str = ""
    circumstances: Circumstances | None = None
    arrival_findings: tuple[Finding, ...] = ()


def index_object(session: Session, offered: IndexedObject, *, now: datetime) -> IndexOutcome:
    """Add an object to the index.

    The same UID with the same received bytes is a repeat; with other bytes it is a conflict and changes nothing.

    Raises:
        StoreError: The series is already known for another subject or with another modality, or the subject's objects
            are in other dates (shifted, or the hospital's): no interval between the two would be true.
    """
    known = session.get(InstanceRow, offered.sop_instance_uid)
    if known is not None:
        same = known.received_sha256 == offered.received_sha256
        return IndexOutcome.REPEAT if same else IndexOutcome.CONFLICT
    _ensure_subject(session, offered, now)
    _ensure_series(session, offered, now)
    session.add(
        InstanceRow(
            sop_instance_uid=offered.sop_instance_uid,
            sop_class_uid=offered.sop_class_uid,
            series_uid=offered.series_uid,
            path=offered.path,
            sha256=offered.sha256,
            received_sha256=offered.received_sha256,
            deidentified=offered.deidentified,
            received=now,
        )
    )
    session.flush()  # whoever else brings the same UID now waits for the end of this transaction
    return IndexOutcome.STORED


def _ensure_subject(session: Session, offered: IndexedObject, now: datetime) -> None:
    known = session.get(SubjectRow, offered.subject)
    if known is None:
        session.add(SubjectRow(code=offered.subject, deidentified=offered.deidentified, created=now))
        session.flush()
    elif known.deidentified != offered.deidentified:
        dates = {True: "shifted dates (de-identified)", False: "the hospital's dates (not de-identified)"}
        raise StoreError(
            f"subject {offered.subject}: expected objects in {dates[known.deidentified]} as all of this subject's, "
            f"found one in {dates[offered.deidentified]}; mixed, every interval between them would be wrong"
        )


def is_deidentified(session: Session, subject: str) -> bool | None:
    """Whether a subject's objects are in shifted dates; None before the first one."""
    row = session.get(SubjectRow, subject)
    return None if row is None else row.deidentified


def _ensure_series(session: Session, offered: IndexedObject, now: datetime) -> None:
    series = session.get(SeriesRow, offered.series_uid)
    if series is None:
        session.add(
            SeriesRow(
                uid=offered.series_uid,
                study_uid=offered.study_uid,
                subject=offered.subject,
                modality=offered.modality,
                description=offered.description,
                frame_of_reference_uid=offered.frame_of_reference_uid,
                date=offered.date,
                state=SeriesState.RECEIVING.value,
                findings=[],
                arrival_findings=_findings_json(dict.fromkeys(offered.findings)),
                updated=now,
            )
        )
        session.flush()
        return
    if (series.subject, series.modality) != (offered.subject, offered.modality):
        raise StoreError(
            f"series {offered.series_uid}: expected subject {series.subject} and {series.modality}, "
            f"found {offered.subject} and {offered.modality}"
        )
    if SeriesState(series.state) not in OPEN_STATES:
        series.state_reason = f"an object arrived after the series was found {series.state}"
        series.state = SeriesState.REOPENED.value
    series.updated = now
    known = series.arrival_findings
    series.arrival_findings = [*known, *(each for each in _findings_json(offered.findings) if each not in known)]


def series_of(
    session: Session,
    *,
    subject: str | None = None,
    modality: str | None = None,
    subjects: Collection[str] | None = None,
) -> list[SeriesSummary]:
    """List series, all or of one or several subjects, ordered by subject, date, modality and UID."""
    query = (
        select(SeriesRow, TimePointRow.name, func.count(InstanceRow.sop_instance_uid))
        .outerjoin(TimePointRow, SeriesRow.timepoint_id == TimePointRow.id)
        .outerjoin(InstanceRow, InstanceRow.series_uid == SeriesRow.uid)
        .group_by(SeriesRow.uid, TimePointRow.name)
        .order_by(SeriesRow.subject, SeriesRow.date, SeriesRow.modality, SeriesRow.uid)
    )
    if subject is not None:
        query = query.where(SeriesRow.subject == subject)
    if subjects is not None:
        query = query.where(SeriesRow.subject.in_(subjects))
    if modality is not None:
        query = query.where(SeriesRow.modality == modality)
    return [_summary(row, name, count) for row, name, count in session.execute(query)]


def _summary(row: SeriesRow, timepoint: str | None, count: int) -> SeriesSummary:
    return SeriesSummary(
        uid=row.uid,
        subject=row.subject,
        timepoint=timepoint,
        modality=row.modality,
        description=row.description,
        date=row.date,
        frame_of_reference_uid=row.frame_of_reference_uid,
        instances=count,
        findings=_findings(row.findings),
        arrival_findings=_findings(row.arrival_findings),
        state=SeriesState(row.state),
        state_reason=row.state_reason,
        circumstances=_circumstances(row),
    )


def _circumstances(row: SeriesRow) -> Circumstances | None:
    if row.circumstances is None:
        return None
    values: dict[str, Any] = dict(row.circumstances)
    return Circumstances(**{**values, "contrast": Contrast(values["contrast"])})


def _findings(stored: Iterable[JsonObject]) -> tuple[Finding, ...]:
    return tuple(
        Finding(code=str(each["code"]), severity=Severity(str(each["severity"])), text=str(each["text"]))
        for each in stored
    )


def _findings_json(findings: Iterable[Finding]) -> list[JsonObject]:
    return [{**asdict(finding), "severity": finding.severity.value} for finding in findings]


def paths_of(session: Session, series_uid: str) -> list[str]:
    """Paths of a series' objects, relative to the objects folder, in a stable order.

    Raises:
        StoreError: The series is not known.
    """
    query = select(InstanceRow.path).where(InstanceRow.series_uid == series_uid).order_by(InstanceRow.path)
    found = list(session.scalars(query))
    if not found:
        raise StoreError(f"series {series_uid}: not in this study")
    return found


def digests_of(session: Session, paths: Sequence[str]) -> dict[str, str]:
    """SHA-256 of objects by their paths; a path that is not in the index is left out."""
    found: dict[str, str] = {}
    for start in range(0, len(paths), PATHS_AT_ONCE):
        query = select(InstanceRow.path, InstanceRow.sha256)
        rows = session.execute(query.where(InstanceRow.path.in_(paths[start : start + PATHS_AT_ONCE])))
        found |= {row.path: row.sha256 for row in rows}
    return found


def instances_of(session: Session, series_uid: str) -> list[str]:
    """SOP Instance UIDs of a series' objects, sorted."""
    query = select(InstanceRow.sop_instance_uid).where(InstanceRow.series_uid == series_uid)
    return sorted(session.scalars(query))


def study_uid_of(session: Session, series_uid: str) -> str:
    """StudyInstanceUID of a series.

    Raises:
        StoreError: The series is not known.
    """
    row = session.get(SeriesRow, series_uid)
    if row is None:
        raise StoreError(f"series {series_uid}: not in this study")
    return row.study_uid


def set_quality(
    session: Session, series_uid: str, findings: Sequence[Finding], circumstances: Circumstances | None
) -> None:
    """Replace what was noticed about a series as a whole, and how it was taken."""
    row = session.get_one(SeriesRow, series_uid)
    row.findings = _findings_json(findings)
    row.circumstances = None if circumstances is None else asdict(circumstances)


def subjects(session: Session) -> list[str]:
    """Subject codes, sorted."""
    return list(session.scalars(select(SubjectRow.code).order_by(SubjectRow.code)))


def timepoints(session: Session, subject: str) -> list[TimePoint]:
    """A subject's time points by date."""
    return timepoints_of_each(session, (subject,))[subject]


def timepoints_of_each(session: Session, subjects: Collection[str]) -> dict[str, list[TimePoint]]:
    """The time points of every subject named, each by date."""
    rows = session.scalars(
        select(TimePointRow).where(TimePointRow.subject.in_(subjects)).order_by(TimePointRow.date, TimePointRow.name)
    )
    found: dict[str, list[TimePoint]] = {code: [] for code in subjects}
    for row in rows:
        found[row.subject].append(TimePoint(subject=row.subject, name=row.name, date=row.date))
    return found


def timepoint_id(session: Session, subject: str, name: str) -> int:
    """The key of a time point.

    Raises:
        StoreError: The subject has no time point of that name; the message lists those there are.
    """
    found = session.scalar(select(TimePointRow.id).where(TimePointRow.subject == subject, TimePointRow.name == name))
    if found is None:
        names = [point.name for point in timepoints(session, subject)]
        raise StoreError(f"subject {subject}: no time point {name}, found {names}")
    return found


def assemble_timepoints(session: Session, subject: str, *, window_days: int) -> list[TimePoint]:
    """Group a subject's image series into visits, each of at most `window_days` after its first image.

    The earliest visit is the baseline, later ones are FU1, FU2, ... in date order. Objects that are no images
    (contours, reports) are dated when somebody made them and make no visit.

    Raises:
        StoreError: A visit that a reader has already signed would change its name or date (a late or mistaken
            series); nothing is changed.
    """
    images = select(SeriesRow).where(SeriesRow.subject == subject, SeriesRow.modality.in_(IMAGE_MODALITIES))
    rows = list(session.scalars(images.where(SeriesRow.date.is_not(None))))
    visits = _visits(sorted({row.date for row in rows if row.date is not None}), window_days)
    wanted = {_visit_name(index): dates for index, dates in enumerate(visits)}
    _refuse_to_move_signed(session, subject, {name: dates[0] for name, dates in wanted.items()})
    ids = _put_timepoints(session, subject, wanted)
    by_date = {day: ids[name] for name, dates in wanted.items() for day in dates}
    for row in rows:
        row.timepoint_id = by_date[row.date] if row.date is not None else None
    session.flush()
    return timepoints(session, subject)


def _visits(dates: Sequence[date], window_days: int) -> list[list[date]]:
    visits: list[list[date]] = []
    for day in dates:
        if visits and day - visits[-1][0] <= timedelta(days=window_days):
            visits[-1].append(day)
        else:
            visits.append([day])
    return visits


def _visit_name(index: int) -> str:
    return BASELINE if index == 0 else f"FU{index}"


def _refuse_to_move_signed(session: Session, subject: str, wanted: dict[str, date]) -> None:
    signed = session.execute(
        select(TimePointRow.name, TimePointRow.date)
        .join(ReadRow, ReadRow.timepoint_id == TimePointRow.id)
        .where(TimePointRow.subject == subject)
        .distinct()
    )
    for name, day in signed:
        if wanted.get(name) != day:
            raise StoreError(
                f"subject {subject}: new images would move the signed time point {name} "
                f"from {day} to {wanted.get(name, 'nothing')}; remove the images or supersede the read first"
            )


def _put_timepoints(session: Session, subject: str, wanted: dict[str, list[date]]) -> dict[str, int]:
    """Give every visit its row.

    A row stays with its images: a visit that turns out to be a follow-up is renamed, and what was proposed on its
    images goes with it.
    """
    rows = list(session.scalars(select(TimePointRow).where(TimePointRow.subject == subject)))
    for row in rows:
        row.name = f"moving {row.id}"
    session.flush()
    ids: dict[str, int] = {}
    for name, dates in wanted.items():
        row = next((each for each in rows if each.date in dates), None) or TimePointRow(subject=subject)
        rows = [each for each in rows if each is not row]
        row.name, row.date = name, dates[0]
        session.add(row)
        session.flush()
        ids[name] = row.id
    for row in rows:  # its images are gone; what was said of them stays, under a name of its own
        row.name = f"GONE {row.date}"
    session.flush()
    return ids
