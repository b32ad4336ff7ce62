"""Which results no longer rest on what the study holds: their inputs' digests differ from the series as they are now.

Nothing is deleted and no marker can be forgotten: staleness is computed from the digests whenever it is asked for.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.images import series_digest, series_of
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of, proposals_of
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.store.schema import DeliveryRow, FeatureRow, InstanceRow, RegistrationRow


class ResultKind(StrEnum):
    """What was computed, or signed."""

    REGISTRATION = "registration"
    PROPOSAL = "proposal"
    FEATURES = "features"
    READ = "read"
    RESPONSE = "response"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleResult:
    """One result that must be made again.

    Args:
        kind: What it is.
        subject: Whose.
        name: Which one, e.g. ``FU1/T01``, a reader, a file.
        reason: What has changed since.
        series: UIDs of the changed series, where the result rests on them directly.
        reader: Whose read or response it is; empty for other results.
    """

    kind: ResultKind
    subject: str
    name: str
    reason: str
    series: tuple[str, ...] = ()
    reader: str = ""


def is_current(session: Session, inputs: Mapping[str, object]) -> bool:
    """Whether every series that a result was computed from is still as it was read."""
    return all(series_digest(session, uid) == digest for uid, digest in inputs.items())


def stale_results(session: Session, subject: str) -> list[StaleResult]:
    """Every stale result of a subject, in the order in which they are made again."""
    summaries = series_of(session, subject=subject)
    digests = {each.uid: series_digest(session, each.uid) for each in summaries}
    reads = newest_reads(session, subject)
    images = [
        *_registrations(session, subject, digests),
        *_proposals(session, subject, digests),
        *_features(session, subject, digests, reads),
        *_reads(session, subject, digests, reads),
    ]
    answers = list(_responses(session, subject, reads, images))
    return [*images, *answers, *_deliveries(session, subject, bool(images or answers))]


def _changed(inputs: Mapping[str, object], digests: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(uid for uid, digest in inputs.items() if digests.get(uid) != digest))


def _words(changed: tuple[str, ...]) -> str:
    return f"{len(changed)} series changed since: {', '.join(changed)}"


def _registrations(session: Session, subject: str, digests: Mapping[str, str]) -> Iterator[StaleResult]:
    rows = session.scalars(
        select(RegistrationRow).where(RegistrationRow.fixed_series_uid.in_(digests)).order_by(RegistrationRow.id)
    )
    newest = {(row.fixed_series_uid, row.moving_series_uid): row for row in rows}
    for row in newest.values():
        changed = _changed(row.inputs, digests)
        if changed:
            yield StaleResult(
                kind=ResultKind.REGISTRATION, subject=subject, name=row.path, reason=_words(changed), series=changed
            )


def _name(proposal: StoredProposal) -> str:
    return f"{proposal.timepoint}/{proposal.lesion.lesion_id}"


def _proposals(session: Session, subject: str, digests: Mapping[str, str]) -> Iterator[StaleResult]:
    for proposal in proposals_of(session, subject):
        changed = _changed(proposal.inputs, digests)
        if changed:
            yield StaleResult(
                kind=ResultKind.PROPOSAL, subject=subject, name=_name(proposal), reason=_words(changed), series=changed
            )


def _features(
    session: Session, subject: str, digests: Mapping[str, str], reads: list[SignedRead]
) -> Iterator[StaleResult]:
    """Features of masks that are in use: the newest ones and those that the newest reads accepted."""
    described = set(session.scalars(select(FeatureRow.proposal_id).distinct()))
    accepted = {row.proposal_id for read in reads for row in read.lesions}
    newest = {each.id for each in proposals_of(session, subject)}
    for proposal in every_proposal_of(session, subject):
        changed = _changed(proposal.inputs, digests)
        if changed and proposal.id in described & (accepted | newest):
            yield StaleResult(
                kind=ResultKind.FEATURES, subject=subject, name=_name(proposal), reason=_words(changed), series=changed
            )


def _reads(
    session: Session, subject: str, digests: Mapping[str, str], reads: list[SignedRead]
) -> Iterator[StaleResult]:
    proposals = {each.id: each for each in every_proposal_of(session, subject)}
    for read in reads:
        accepted = [proposals[row.proposal_id] for row in read.lesions if row.proposal_id in proposals]
        changed = {uid for each in accepted for uid in _changed(each.inputs, digests)} | _grown(session, read)
        if changed:
            found = tuple(sorted(changed))
            yield StaleResult(
                kind=ResultKind.READ,
                subject=subject,
                name=read.timepoint,
                reason=_words(found),
                series=found,
                reader=read.reader,
            )


def _grown(session: Session, read: SignedRead) -> set[str]:
    """Series of a read's visit that were there when it was signed and got more objects afterwards."""
    visit = {each.uid for each in series_of(session, subject=read.subject) if each.timepoint == read.timepoint}
    rows = session.execute(
        select(InstanceRow.series_uid)
        .where(InstanceRow.series_uid.in_(visit))
        .group_by(InstanceRow.series_uid)
        .having(func.min(InstanceRow.received) <= read.signed, func.max(InstanceRow.received) > read.signed)
    )
    return {uid for (uid,) in rows}


def _responses(
    session: Session, subject: str, reads: list[SignedRead], images: list[StaleResult]
) -> Iterator[StaleResult]:
    answered = responses_of(session, subject)
    for reader in dict.fromkeys(row.reader for row in answered):
        created = max(row.created for row in answered if row.reader == reader)
        stale = [each.name for each in images if (each.kind, each.reader) == (ResultKind.READ, reader)]
        later = [read.timepoint for read in reads if read.reader == reader and read.signed > created]
        reasons = [f"rests on the stale read of {name}" for name in stale]
        reasons += [f"{name} was read again since" for name in later]
        if reasons:
            yield StaleResult(
                kind=ResultKind.RESPONSE, subject=subject, name="", reason="; ".join(reasons), reader=reader
            )


def _deliveries(session: Session, subject: str, anything_stale: bool) -> Iterator[StaleResult]:
    answered = max((row.created for row in responses_of(session, subject)), default=None)
    rows = session.scalars(select(DeliveryRow).where(DeliveryRow.subject == subject).order_by(DeliveryRow.path))
    for row in rows:
        newer = answered is not None and answered > row.created
        if anything_stale or newer:
            reason = "responses were computed again since" if newer else "rests on results that are stale"
            yield StaleResult(kind=ResultKind.DELIVERY, subject=subject, name=row.path, reason=reason)
