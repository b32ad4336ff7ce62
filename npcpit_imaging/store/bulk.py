"""What an analysis reads of all subjects at once: plain rows of few columns, a query each, never an object a row."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from npcpit_imaging.store.images import IMAGE_MODALITIES
from npcpit_imaging.store.results import registrations_of_each
from npcpit_imaging.store.schema import (
    AssessmentRow,
    FeatureRow,
    JsonObject,
    LesionRow,
    ProposalRow,
    ReadRow,
    ResponseRow,
    SeriesRow,
    SubjectRow,
    TimePointRow,
)
from npcpit_imaging.study.timepoint import BASELINE

T = TypeVar("T")

SUBJECTS_AT_ONCE = 500
"""Subjects whose records are in memory together; a statement a table is asked for so many."""


def in_groups(subjects: Sequence[T]) -> Iterator[Sequence[T]]:
    """Subjects, or what there is one of for each, some at a time.

    Example:
        >>> [len(group) for group in in_groups(["S"] * 1100)]
        [500, 500, 100]
    """
    for first in range(0, len(subjects), SUBJECTS_AT_ONCE):
        yield subjects[first : first + SUBJECTS_AT_ONCE]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """One computed response: level (timepoint, lesion, subject, finding), its values, digest of what it rests on."""

    subject: str
    reader: str
    level: str
    values: JsonObject
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSize:
    """What a reader's newest signed read says of one lesion at one visit; sizes in mm, None unless measured."""

    subject: str
    timepoint: str
    date: date
    reader: str
    label: str
    lesion: str
    nodal: bool
    state: str
    longest_diameter_mm: float | None
    short_axis_mm: float | None
    proposal_id: int | None

    @property
    def size_mm(self) -> float | None:
        """Short axis of a node, longest diameter of anything else."""
        return self.short_axis_mm if self.nodal else self.longest_diameter_mm


def every_answer(session: Session, *, levels: tuple[str, ...]) -> Iterator[StoredAnswer]:
    """Every computed response of some levels, by subject and in the order they were computed."""
    rows = session.execute(
        select(ResponseRow.subject, ResponseRow.reader, ResponseRow.level, ResponseRow.values)
        .where(ResponseRow.level.in_(levels))
        .order_by(ResponseRow.subject, ResponseRow.id)
        .execution_options(yield_per=5000)
    )
    for subject, reader, level, values in rows:
        yield StoredAnswer(subject=subject, reader=reader, level=level, values=values)


def answers_of_each(
    session: Session, subjects: Collection[str], *, levels: tuple[str, ...]
) -> dict[str, list[StoredAnswer]]:
    """The computed responses of every subject named, of some levels, in the order they were computed."""
    rows = session.execute(
        select(ResponseRow.subject, ResponseRow.reader, ResponseRow.level, ResponseRow.values, ResponseRow.key)
        .where(ResponseRow.subject.in_(subjects), ResponseRow.level.in_(levels))
        .order_by(ResponseRow.id)
    )
    found: dict[str, list[StoredAnswer]] = {code: [] for code in subjects}
    for subject, reader, level, values, key in rows:
        found[subject].append(StoredAnswer(subject=subject, reader=reader, level=level, values=values, key=key))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallResponse:
    """What a reader's reads of one visit come to."""

    reader: str
    timepoint: str
    overall: str


def overall_responses(session: Session, subjects: Collection[str]) -> dict[str, list[OverallResponse]]:
    """The overall responses of some subjects' visits, in the order they were computed."""
    rows = session.execute(
        select(ResponseRow.subject, ResponseRow.reader, ResponseRow.timepoint, ResponseRow.values)
        .where(ResponseRow.subject.in_(subjects), ResponseRow.level == "timepoint")
        .order_by(ResponseRow.id)
    )
    found: dict[str, list[OverallResponse]] = {}
    for subject, reader, timepoint, values in rows:
        word = str(values.get("overall", ""))
        found.setdefault(subject, []).append(OverallResponse(reader=reader, timepoint=timepoint or "", overall=word))
    return found


def response_keys(session: Session, subjects: Collection[str] | None = None) -> list[tuple[str, str]]:
    """Subject and key of every computed response's inputs, sorted: they change when any response does."""
    query = select(ResponseRow.subject, ResponseRow.key).distinct().order_by(ResponseRow.subject)
    rows = session.execute(query if subjects is None else query.where(ResponseRow.subject.in_(subjects)))
    return [(subject, key) for subject, key in rows]


def newest_proposal_keys(session: Session, subjects: Collection[str]) -> list[tuple[str, str]]:
    """Subject and key of the proposals that `proposals_of` gives, of some subjects."""
    rows = session.execute(
        select(
            LesionRow.subject,
            ProposalRow.key,
            ProposalRow.tracking_uid,
            ProposalRow.timepoint_id,
            ProposalRow.series_uid,
        )
        .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
        .where(LesionRow.subject.in_(subjects), ProposalRow.reader == "")
        .order_by(ProposalRow.id)
    )
    newest = {(lesion, visit, series): (subject, key) for subject, key, lesion, visit, series in rows}
    return list(newest.values())


def baselines(session: Session) -> dict[str, date]:
    """Date of each subject's baseline visit."""
    rows = session.execute(select(TimePointRow.subject, TimePointRow.date).where(TimePointRow.name == BASELINE))
    return {subject: day for subject, day in rows}  # noqa: C416  # rows are no pairs to mypy


def lesion_flags(session: Session) -> list[tuple[str, str, bool, bool, bool]]:
    """Subject, lesion, irradiated, nodal and prior_rt of every lesion."""
    rows = session.execute(
        select(
            LesionRow.subject, LesionRow.lesion_id, LesionRow.irradiated, LesionRow.nodal, LesionRow.prior_rt
        ).order_by(LesionRow.subject, LesionRow.lesion_id)
    )
    return [(subject, lesion, light, nodal, prior) for subject, lesion, light, nodal, prior in rows]


def lesion_owners(session: Session) -> dict[tuple[str, str], str]:
    """The reader who found a lesion, by subject and lesion; a lesion of the study itself has none and is not here."""
    rows = session.execute(select(LesionRow.subject, LesionRow.lesion_id, LesionRow.owner).where(LesionRow.owner != ""))
    return {(subject, lesion): owner for subject, lesion, owner in rows}


def every_size(session: Session) -> Iterator[StoredSize]:
    """What the newest signed read of every reader says of every lesion, by subject, visit, reader and lesion."""
    newest = (
        select(ReadRow.timepoint_id, ReadRow.reader, func.max(ReadRow.version).label("version"))
        .group_by(ReadRow.timepoint_id, ReadRow.reader)
        .subquery()
    )
    read = aliased(ReadRow)
    rows = session.execute(
        select(
            TimePointRow.subject,
            TimePointRow.name,
            TimePointRow.date,
            read.reader,
            read.label,
            LesionRow.lesion_id,
            LesionRow.nodal,
            AssessmentRow.state,
            AssessmentRow.longest_diameter_mm,
            AssessmentRow.short_axis_mm,
            AssessmentRow.proposal_id,
        )
        .join(read, AssessmentRow.read_id == read.id)
        .join(
            newest,
            and_(
                newest.c.timepoint_id == read.timepoint_id,
                newest.c.reader == read.reader,
                newest.c.version == read.version,
            ),
        )
        .join(TimePointRow, read.timepoint_id == TimePointRow.id)
        .join(LesionRow, AssessmentRow.tracking_uid == LesionRow.tracking_uid)
        .order_by(TimePointRow.subject, TimePointRow.date, read.reader, LesionRow.lesion_id)
        .execution_options(yield_per=5000)
    )
    names = StoredSize.__dataclass_fields__
    for row in rows:
        yield StoredSize(**dict(zip(names, row, strict=True)))


def volumes_ml(session: Session, proposal_ids: set[int]) -> dict[int, float]:
    """Volume of masks by proposal."""
    rows = session.execute(select(ProposalRow.id, ProposalRow.measurement).execution_options(yield_per=5000))
    found = {}
    for number, measurement in rows:
        volume = measurement.get("volume_ml")
        if number in proposal_ids and isinstance(volume, int | float):
            found[number] = float(volume)
    return found


def feature_values(session: Session, proposal_ids: set[int]) -> Iterator[tuple[int, str, str, str, float | None]]:
    """Proposal, settings digest, filter, tag and value of every feature of some masks."""
    rows = session.execute(
        select(FeatureRow.proposal_id, FeatureRow.settings_sha256, FeatureRow.filter, FeatureRow.tag, FeatureRow.value)
        .order_by(FeatureRow.proposal_id, FeatureRow.id)
        .execution_options(yield_per=20_000)
    )
    for proposal, settings, filtered, tag, value in rows:
        if proposal in proposal_ids:
            yield proposal, settings, filtered, tag, value


def deidentified_subjects(session: Session, subjects: Collection[str] | None = None) -> dict[str, bool]:
    """Every subject, or those named, and whether its objects are in shifted dates."""
    query = select(SubjectRow.code, SubjectRow.deidentified)
    rows = session.execute(query if subjects is None else query.where(SubjectRow.code.in_(subjects)))
    return {row.code: row.deidentified for row in rows}


def visits_with_images(session: Session) -> dict[str, dict[str, tuple[date, tuple[str, ...]]]]:
    """Date and modalities of every visit that has image series: subject, then visit."""
    rows = session.execute(
        select(TimePointRow.subject, TimePointRow.name, TimePointRow.date, SeriesRow.modality)
        .join(SeriesRow, SeriesRow.timepoint_id == TimePointRow.id)
        .where(SeriesRow.modality.in_(IMAGE_MODALITIES))
        .distinct()
        .order_by(TimePointRow.subject, TimePointRow.date, TimePointRow.name, SeriesRow.modality)
    )
    found: dict[str, dict[str, tuple[date, tuple[str, ...]]]] = {}
    for subject, name, day, modality in rows:
        own = found.setdefault(subject, {})
        own[name] = (day, (*own.get(name, (day, ()))[1], modality))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadVersion:
    """Which version of a read is the newest."""

    subject: str
    timepoint: str
    reader: str
    version: int
    signed: datetime
    label: str


def newest_versions(session: Session, subjects: Collection[str] | None = None) -> list[ReadVersion]:
    """The newest version of every read, of all subjects or some, by subject, date, time point and reader."""
    query = (
        select(TimePointRow.subject, TimePointRow.name, ReadRow.reader, ReadRow.version, ReadRow.signed, ReadRow.label)
        .join(ReadRow, ReadRow.timepoint_id == TimePointRow.id)
        .order_by(TimePointRow.subject, TimePointRow.date, TimePointRow.name, ReadRow.reader, ReadRow.version)
    )
    rows = session.execute(query if subjects is None else query.where(TimePointRow.subject.in_(subjects)))
    newest = {
        (subject, timepoint, reader): ReadVersion(
            subject=subject, timepoint=timepoint, reader=reader, version=version, signed=signed, label=label
        )
        for subject, timepoint, reader, version, signed, label in rows
    }
    return list(newest.values())


def newest_registration_keys(session: Session, subjects: Collection[str]) -> list[tuple[str, str]]:
    """Subject and a text of each newest registration of a pair of series: what it was made from, its verdict."""
    rows = registrations_of_each(session, subjects)
    newest = {(row.fixed_series_uid, row.moving_series_uid): (code, row) for code, row in rows}
    return [(code, f"registration {row.path} {row.key} {row.verdict}") for code, row in newest.values()]
