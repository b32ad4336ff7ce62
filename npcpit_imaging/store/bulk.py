"""What an analysis reads of all subjects at once: plain rows of few columns, a query each, never an object a row."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from npcpit_imaging.store.schema import (
    AssessmentRow,
    FeatureRow,
    JsonObject,
    LesionRow,
    ProposalRow,
    ReadRow,
    ResponseRow,
    TimePointRow,
)
from npcpit_imaging.study.timepoint import BASELINE


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """One computed response: level (timepoint, lesion, subject, finding) and its values."""

    subject: str
    reader: str
    level: str
    values: JsonObject


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


def response_keys(session: Session) -> list[tuple[str, str]]:
    """Subject and key of every computed response's inputs, sorted: they change when any response does."""
    rows = session.execute(select(ResponseRow.subject, ResponseRow.key).distinct().order_by(ResponseRow.subject))
    return [(subject, key) for subject, key in rows]


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
