"""What adjudicators decided: whose reads of a subject are the study's, and whether that still holds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.reading_schema import AdjudicationRow
from npcpit_imaging.store.schema import ReadRow, TimePointRow

ASKED_BY_NAME = 500
"""Up to so many subjects a statement names each; of more, everybody is asked for."""


class Acceptance(StrEnum):
    """What an adjudicator made of one reader's reads of a subject."""

    NONE = ""
    """Nobody adjudicated this subject."""
    ACCEPTED = "accepted"
    """The study's reads (SDTM: accepted record flag)."""
    NOT_ACCEPTED = "not accepted"
    """Kept and shown, never counted."""
    STALE = "adjudication stale"
    """A read was signed again after the decision: nobody's reads are the study's until it is decided once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudicated:
    """The newest decision on one subject.

    Args:
        subject: Subject code.
        chosen: The reader whose reads of every visit were chosen.
        version: Of the decision.
        cause: Why the readers differed.
        signed: When it was signed.
        stale: Whether a read it rests on was superseded, or one of its readers read another visit since.
    """

    subject: str
    chosen: str
    version: int
    cause: str
    signed: datetime
    stale: bool

    def acceptance(self, reader: str) -> Acceptance:
        """What it makes of a reader's reads."""
        if self.stale:
            return Acceptance.STALE
        return Acceptance.ACCEPTED if reader == self.chosen else Acceptance.NOT_ACCEPTED

    @property
    def words(self) -> str:
        """The decision as an input of whatever is computed from it."""
        return f"adjudication {self.version} {self.chosen}{' stale' if self.stale else ''}"


Adjudications = Mapping[str, Adjudicated]
"""By subject; a subject that nobody adjudicated is not in it."""


def adjudications_on_record(
    session: Session, *, subject: str = "", subjects: Collection[str] | None = None
) -> dict[str, Adjudicated]:
    """The newest decision on every subject that was adjudicated, or on one or some."""
    rows = select(AdjudicationRow).order_by(AdjudicationRow.version)
    if subject:
        rows = rows.where(AdjudicationRow.subject == subject)
    if subjects is not None:
        rows = rows.where(AdjudicationRow.subject.in_(subjects))
    newest = {row.subject: row for row in session.scalars(rows)}
    versions = _signed_versions(session, newest) if newest else {}
    return {
        subject: Adjudicated(
            subject=subject,
            chosen=row.chosen,
            version=row.version,
            cause=row.cause,
            signed=row.signed,
            stale={name: versions.get((subject, name), {}) for name in row.rests_on} != row.rests_on,
        )
        for subject, row in newest.items()
    }


def _signed_versions(session: Session, subjects: Collection[str]) -> dict[tuple[str, str], dict[str, int]]:
    """By subject and reader: the newest signed version of each visit."""
    newest = (
        select(TimePointRow.subject, ReadRow.reader, TimePointRow.name, func.max(ReadRow.version))
        .join(TimePointRow, ReadRow.timepoint_id == TimePointRow.id)
        .group_by(TimePointRow.subject, ReadRow.reader, TimePointRow.name)
    )
    if len(subjects) <= ASKED_BY_NAME:
        newest = newest.where(TimePointRow.subject.in_(subjects))
    found: dict[tuple[str, str], dict[str, int]] = {}
    for subject, reader, visit, version in session.execute(newest):
        if subject in subjects:
            found.setdefault((subject, reader), {})[visit] = version
    return found


def adjudicated(session: Session, subject: str) -> Adjudicated | None:
    """The newest decision on a subject; None when there is none."""
    return adjudications_on_record(session, subject=subject).get(subject)


def acceptance_of(found: Adjudicated | None, reader: str) -> Acceptance:
    """What was made of a reader's reads; nothing where nobody adjudicated."""
    return Acceptance.NONE if found is None else found.acceptance(reader)
