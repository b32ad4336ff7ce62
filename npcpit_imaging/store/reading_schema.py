"""The tables of the reading server: accounts, sessions, the audit trail, drafts of reads, signatures, adjudications."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from npcpit_imaging.store.schema import UID_LENGTH, Base, JsonObject

NAME_LENGTH = 64
"""Longest user name."""

DIGEST_LENGTH = 64
"""SHA-256 as hex."""


class AccountRow(Base):
    """A person who may sign in. The password itself is nowhere; an OIDC account has none."""

    __tablename__ = "account"
    username: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    full_name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(8), unique=True)
    roles: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text, default="")
    oidc_subject: Mapped[str | None] = mapped_column(Text, unique=True)
    disabled: Mapped[bool]
    failures: Mapped[int]
    locked_until: Mapped[datetime | None]
    created: Mapped[datetime]


class LoginSessionRow(Base):
    """A signed-in browser, known by the digest of its random identifier."""

    __tablename__ = "login_session"
    id_sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)
    username: Mapped[str] = mapped_column(ForeignKey("account.username"), index=True)
    csrf: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    method: Mapped[str] = mapped_column(String(16))
    created: Mapped[datetime]
    authenticated: Mapped[datetime]
    seen: Mapped[datetime]


class MachineTokenRow(Base):
    """A program's key, known by its digest; revoked, never deleted."""

    __tablename__ = "machine_token"
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(DIGEST_LENGTH), unique=True)
    scopes: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class AuditRow(Base):
    """One thing that somebody did. Its digest covers the one before it: a changed row breaks the chain."""

    __tablename__ = "audit"
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(NAME_LENGTH))
    action: Mapped[str] = mapped_column(String(48))
    subject: Mapped[str] = mapped_column(String(64), default="", index=True)
    item: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[str] = mapped_column(Text, default="{}")
    previous: Mapped[str] = mapped_column(String(DIGEST_LENGTH))
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH))


class AuditHeadRow(Base):
    """Where the audit trail ends: the lock of its writers, and the witness of rows taken off its end."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int]
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH))


class AssignmentRow(Base):
    """Who is to read a visit, or to adjudicate a subject (`timepoint` is then empty), and until when."""

    __tablename__ = "assignment"
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"), index=True)
    timepoint: Mapped[str] = mapped_column(String(32), default="")
    username: Mapped[str] = mapped_column(ForeignKey("account.username"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    due: Mapped[date | None]
    created: Mapped[datetime]
    withdrawn: Mapped[datetime | None]


class DraftRow(Base):
    """A read in progress: what it says now, and the step of its history that it stands on (0: the beginning)."""

    __tablename__ = "draft"
    __table_args__ = (
        Index(
            "ix_draft_open",
            "timepoint_id",
            "reader",
            unique=True,
            sqlite_where=text("closed IS NULL"),
            postgresql_where=text("closed IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    timepoint_id: Mapped[int] = mapped_column(ForeignKey("timepoint.id"))
    reader: Mapped[str] = mapped_column(ForeignKey("account.username"), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    revision: Mapped[int]
    step: Mapped[int]
    content: Mapped[JsonObject]
    seconds: Mapped[float]
    ticked: Mapped[datetime | None]
    started: Mapped[datetime]
    saved: Mapped[datetime]
    closed: Mapped[datetime | None]


class DraftStepRow(Base):
    """One change of a draft; undoing goes back to its parent, nothing is deleted."""

    __tablename__ = "draft_step"
    __table_args__ = (UniqueConstraint("draft_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id"))
    number: Mapped[int]
    parent: Mapped[int]
    says: Mapped[str] = mapped_column(Text)
    part: Mapped[str] = mapped_column(String(32))
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]
    created: Mapped[datetime]


class DraftMaskRow(Base):
    """A mask of a draft: the box around it, and its bits, compressed."""

    __tablename__ = "draft_mask"
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(String(DIGEST_LENGTH), primary_key=True)
    series_uid: Mapped[str] = mapped_column(ForeignKey("series.uid"))
    box: Mapped[JsonObject]
    bits: Mapped[bytes] = mapped_column(LargeBinary)
    created: Mapped[datetime]


class SignatureRow(Base):
    """Who signed a read, what the signature means, how the signer was recognised, and how long the read took."""

    __tablename__ = "signature"
    read_id: Mapped[int] = mapped_column(ForeignKey("read.id"), primary_key=True, autoincrement=False)
    username: Mapped[str] = mapped_column(ForeignKey("account.username"))
    full_name: Mapped[str] = mapped_column(Text)
    meaning: Mapped[str] = mapped_column(String(32))
    statement: Mapped[str] = mapped_column(Text)
    method: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float]
    draft_id: Mapped[int] = mapped_column(ForeignKey("draft.id"))


class KeyImageRow(Base):
    """The picture of one lesion as it was signed."""

    __tablename__ = "key_image"
    read_id: Mapped[int] = mapped_column(ForeignKey("read.id"), primary_key=True, autoincrement=False)
    lesion_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    caption: Mapped[str] = mapped_column(Text)
    png: Mapped[bytes] = mapped_column(LargeBinary)


class AdjudicationRow(Base):
    """An adjudicator's choice of one reader's reads of a subject as a whole; superseded, never edited."""

    __tablename__ = "adjudication"
    __table_args__ = (UniqueConstraint("subject", "version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(ForeignKey("subject.code"))
    version: Mapped[int]
    adjudicator: Mapped[str] = mapped_column(ForeignKey("account.username"))
    chosen: Mapped[str] = mapped_column(String(NAME_LENGTH))
    cause: Mapped[str] = mapped_column(String(48))
    comment: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    meaning: Mapped[str] = mapped_column(String(32))
    rests_on: Mapped[JsonObject]
    discordance: Mapped[JsonObject]
    signed: Mapped[datetime]


class SubmissionRow(Base):
    """Who stored an object over DICOMweb: nobody else's reader sees it."""

    __tablename__ = "submission"
    sop_instance_uid: Mapped[str] = mapped_column(
        String(UID_LENGTH), ForeignKey("instance.sop_instance_uid"), primary_key=True
    )
    username: Mapped[str] = mapped_column(String(NAME_LENGTH), index=True)
    at: Mapped[datetime]
