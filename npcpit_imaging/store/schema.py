"""The tables of a study: SQLAlchemy models; the migrations beside them are the database's history.

Times are UTC. Calipers and findings are JSON, because they are read whole and never searched. Inputs of a result are
JSON too: series UID to the digest of its objects when it was read (`staleness`).
"""

from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import JSON, Date, DateTime, Float, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

JsonObject = dict[str, object]

UID_LENGTH = 64
"""Longest DICOM UID (PS3.5, 9.1)."""


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can find it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        JsonObject: JSON,
        list[JsonObject]: JSON,
        datetime: DateTime(timezone=True),
        date: Date,
    }


class SubjectRow(Base):
    """A subject by code; never a hospital identifier."""

    __tablename__ = "subject"
    code: Mapped[str] = mapped_column(String(64), primary_key=True)
    deidentified: Mapped[bool]
    created: Mapped[datetime]


class TimePointRow(Base):
    """A visit of a subject."""

    __tablename__ = "timepoint"
    __table_args__ = (UniqueConstraint("subject", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"))
    name: Mapped[str] = mapped_column(String(32))
    date: Mapped[date]


class SeriesRow(Base):
    """A series: how complete it is (see `completeness`), and what was noticed about it. Updated: its newest object.

    Findings are of its headers as a whole; arrival findings are what de-identification noticed in its objects.
    """

    __tablename__ = "series"
    uid: Mapped[str] = mapped_column(String(UID_LENGTH), primary_key=True)
    study_uid: Mapped[str] = mapped_column(String(UID_LENGTH), index=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"), index=True)
    timepoint_id: Mapped[int | None] = mapped_column(ForeignKey("timepoint.id"))
    modality: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text, default="")
    frame_of_reference_uid: Mapped[str | None] = mapped_column(String(UID_LENGTH))
    date: Mapped[date | None]
    state: Mapped[str] = mapped_column(String(16), index=True)
    state_reason: Mapped[str] = mapped_column(Text, default="")
    expected: Mapped[int | None]
    findings: Mapped[list[JsonObject]] = mapped_column(default=list)
    arrival_findings: Mapped[list[JsonObject]] = mapped_column(default=list)
    circumstances: Mapped[JsonObject | None]
    updated: Mapped[datetime]


class InstanceRow(Base):
    """One DICOM object on disk. The digests tell a repeat from a conflict."""

    __tablename__ = "instance"
    sop_instance_uid: Mapped[str] = mapped_column(String(UID_LENGTH), primary_key=True)
    sop_class_uid: Mapped[str] = mapped_column(String(UID_LENGTH))
    series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"), index=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    received_sha256: Mapped[str] = mapped_column(String(64))
    deidentified: Mapped[bool]
    received: Mapped[datetime]


class LesionRow(Base):
    """A lesion; its tracking UID is the key from voxel to table row."""

    __tablename__ = "lesion"
    __table_args__ = (UniqueConstraint("subject", "lesion_id"),)
    tracking_uid: Mapped[str] = mapped_column(String(UID_LENGTH), primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"))
    lesion_id: Mapped[str] = mapped_column(String(16))
    role: Mapped[str] = mapped_column(String(16))
    organ: Mapped[str] = mapped_column(String(64))
    location: Mapped[str] = mapped_column(String(64))
    nodal: Mapped[bool]
    irradiated: Mapped[bool]
    prior_rt: Mapped[bool]
    prior_rt_progression_documented: Mapped[bool | None]
    owner: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """The reader who found it; empty for the study's own lesions, which every reader is given."""


class RegistrationRow(Base):
    """How a moving series was laid on a fixed one, and how well."""

    __tablename__ = "registration"
    __table_args__ = (Index("ix_registration_pair", "fixed_series_uid", "moving_series_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    fixed_series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"))
    moving_series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"))
    path: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(16))
    quality: Mapped[JsonObject]
    inputs: Mapped[JsonObject] = mapped_column(default=dict)
    key: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]


class ProposalRow(Base):
    """A segmenter's answer and what was measured on it; no measurement of the study until a reader confirms it."""

    __tablename__ = "proposal"
    __table_args__ = (Index("ix_proposal_place", "tracking_uid", "timepoint_id", "series_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tracking_uid: Mapped[str] = mapped_column(ForeignKey("lesion.tracking_uid"))
    timepoint_id: Mapped[int] = mapped_column(ForeignKey("timepoint.id"))
    series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"))
    mask_path: Mapped[str] = mapped_column(Text)
    mask_sha256: Mapped[str] = mapped_column(String(64))
    prompt: Mapped[JsonObject]
    segmenter: Mapped[JsonObject]
    measurement: Mapped[JsonObject]
    uptake: Mapped[JsonObject | None]
    inputs: Mapped[JsonObject] = mapped_column(default=dict)
    key: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    reader: Mapped[str] = mapped_column(String(64), default="", server_default="")
    """Whose hand the mask comes from; empty for a pipeline's, which every reader is offered."""


class ReadRow(Base):
    """One reader's read of one time point. Signed when written; superseded with a reason, never edited."""

    __tablename__ = "read"
    __table_args__ = (UniqueConstraint("timepoint_id", "reader", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    timepoint_id: Mapped[int] = mapped_column(ForeignKey("timepoint.id"))
    reader: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    signed: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text, default="")
    label: Mapped[str] = mapped_column(Text, default="")
    comment: Mapped[str] = mapped_column(Text, default="", server_default="")
    tumour_marker: Mapped[str | None] = mapped_column(String(16))


class AssessmentRow(Base):
    """What a read says of one lesion."""

    __tablename__ = "assessment"
    __table_args__ = (UniqueConstraint("read_id", "tracking_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    read_id: Mapped[int] = mapped_column(ForeignKey("read.id"))
    tracking_uid: Mapped[str] = mapped_column(ForeignKey("lesion.tracking_uid"))
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("proposal.id"))
    state: Mapped[str] = mapped_column(String(32))
    longest_diameter_mm: Mapped[float | None] = mapped_column(Float)
    short_axis_mm: Mapped[float | None] = mapped_column(Float)
    accepted: Mapped[str] = mapped_column(String(16), default="")
    reader_caliper: Mapped[JsonObject | None]
    reader_short_caliper: Mapped[JsonObject | None]
    field: Mapped[str | None] = mapped_column(String(8))
    comment: Mapped[str] = mapped_column(Text, default="")
    findings: Mapped[list[JsonObject]] = mapped_column(default=list)
    parent_lesion: Mapped[str] = mapped_column(String(16), default="", server_default="")
    endoscopy: Mapped[str | None] = mapped_column(String(16))
    series_uid: Mapped[str | None] = mapped_column(String(UID_LENGTH))
    """The series that the reader's calipers were drawn on, where the read says."""


class ResponseRow(Base):
    """A computed response with the rule that fired and its numbers."""

    __tablename__ = "response"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"), index=True)
    reader: Mapped[str] = mapped_column(String(64))
    level: Mapped[str] = mapped_column(String(16))
    timepoint: Mapped[str | None] = mapped_column(String(32))
    lesion_id: Mapped[str | None] = mapped_column(String(16))
    values: Mapped[JsonObject]
    key: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]


class FeatureRow(Base):
    """One radiomic feature value, or the reason why there is none."""

    __tablename__ = "feature"
    __table_args__ = (UniqueConstraint("proposal_id", "settings_sha256", "filter", "tag"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposal.id"))
    filter: Mapped[str] = mapped_column(String(64), default="")
    settings_sha256: Mapped[str] = mapped_column(String(64))
    tag: Mapped[str] = mapped_column(String(96))
    code: Mapped[str] = mapped_column(String(8), default="")
    family: Mapped[str] = mapped_column(String(32))
    value: Mapped[float | None] = mapped_column(Float)
    unit: Mapped[str] = mapped_column(String(16), default="")
    status: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    provenance: Mapped[JsonObject]
    created: Mapped[datetime]


class RunRow(Base):
    """One case of one pipeline: what came of it. The key makes a done step skippable."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_step", "pipeline", "case_name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    pipeline: Mapped[str] = mapped_column(String(32))
    case_name: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    code_version: Mapped[str] = mapped_column(String(32))
    started: Mapped[datetime]
    ended: Mapped[datetime]


class DeliveryRow(Base):
    """A file that was delivered and what it was built from."""

    __tablename__ = "delivery"
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"))
    kind: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
