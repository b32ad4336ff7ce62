"""Which results no longer rest on what the study holds: their inputs' digests differ from the series as they are now.

Nothing is deleted and no marker can be forgotten: staleness is computed from the digests whenever it is asked for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.digests import series_digest, series_digests
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of_each, newest_proposals
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.reads import SignedRead, newest_reads_of_each
from npcpit_imaging.store.schema import (
    DeliveryRow,
    FeatureRow,
    InstanceRow,
    JsonObject,
    LesionRow,
    ProposalRow,
    RegistrationRow,
    ResponseRow,
    SeriesRow,
    TimePointRow,
)


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
    return stale_results_of_each(session, (subject,))[subject]


def stale_results_of_each(
    session: Session, subjects: Collection[str], *, reads: Mapping[str, Sequence[SignedRead]] | None = None
) -> dict[str, list[StaleResult]]:
    """The stale results of every subject named, as `stale_results` gives them.

    Args:
        session: One transaction.
        subjects: Whose.
        reads: Their newest reads, where somebody has just asked for them.
    """
    records = _records(session, subjects, newest_reads_of_each(session, subjects) if reads is None else reads)
    described = _described(session, [code for code in subjects if _candidates(records[code])])
    return {code: _stale(records[code], described) for code in subjects}


@dataclass(slots=True, kw_only=True)
class _Records:
    """What a subject's results rest on, and when they were made.

    Args:
        digests: Of the subject's series as they are now.
        registrations: Path and inputs of the newest one of each pair of series.
        every: Every proposal.
        arrivals: Visit, first and last arrival of an object, by series.
        answered: When each reader's responses were computed, in their order.
        delivered: Path and moment of every file.
    """

    subject: str
    reads: Sequence[SignedRead]
    digests: dict[str, str] = field(default_factory=dict)
    registrations: dict[tuple[str, str], tuple[str, JsonObject]] = field(default_factory=dict)
    every: list[StoredProposal] = field(default_factory=list)
    arrivals: dict[str, tuple[str | None, datetime, datetime]] = field(default_factory=dict)
    answered: dict[str, datetime] = field(default_factory=dict)
    delivered: list[tuple[str, datetime]] = field(default_factory=list)


def _records(
    session: Session, subjects: Collection[str], reads: Mapping[str, Sequence[SignedRead]]
) -> dict[str, _Records]:
    """Ask each table once."""
    found = {code: _Records(subject=code, reads=reads[code]) for code in subjects}
    digests = series_digests(session, subjects)
    for code, uid, visit, first, last in session.execute(_arrivals(subjects)):
        if uid not in digests:  # came between the two questions: the next look sees it whole
            continue
        found[code].digests[uid] = digests[uid]
        if first is not None:
            found[code].arrivals[uid] = (visit, utc(first), utc(last))
    for code, row in session.execute(
        select(SeriesRow.subject, RegistrationRow)
        .join(SeriesRow, RegistrationRow.fixed_series_uid == SeriesRow.uid)
        .where(SeriesRow.subject.in_(subjects))
        .order_by(RegistrationRow.id)
    ):
        found[code].registrations[row.fixed_series_uid, row.moving_series_uid] = (row.path, row.inputs)
    for code, every in every_proposal_of_each(session, subjects).items():
        found[code].every = every
    for code, reader, created in session.execute(
        select(ResponseRow.subject, ResponseRow.reader, func.max(ResponseRow.created))
        .where(ResponseRow.subject.in_(subjects))
        .group_by(ResponseRow.subject, ResponseRow.reader)
        .order_by(func.min(ResponseRow.id))
    ):
        found[code].answered[reader] = utc(created)
    for code, path, created in session.execute(
        select(DeliveryRow.subject, DeliveryRow.path, DeliveryRow.created)
        .where(DeliveryRow.subject.in_(subjects))
        .order_by(DeliveryRow.path)
    ):
        found[code].delivered.append((path, utc(created)))
    return found


def _arrivals(subjects: Collection[str]) -> Select[str, str, str, datetime, datetime]:
    """Subject, series, visit, and when the first and last object came."""
    return (
        select(
            SeriesRow.subject,
            SeriesRow.uid,
            TimePointRow.name,
            func.min(InstanceRow.received),
            func.max(InstanceRow.received),
        )
        .outerjoin(TimePointRow, SeriesRow.timepoint_id == TimePointRow.id)
        .outerjoin(InstanceRow, InstanceRow.series_uid == SeriesRow.uid)
        .where(SeriesRow.subject.in_(subjects))
        .group_by(SeriesRow.subject, SeriesRow.uid, TimePointRow.name)
    )


def _stale(own: _Records, described: Collection[int]) -> list[StaleResult]:
    images = [*_registrations(own), *_proposals(own), *_features(own, described), *_reads(own)]
    answers = list(_responses(own, images))
    return [*images, *answers, *_deliveries(own, bool(images or answers))]


def _changed(inputs: Mapping[str, object], digests: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(uid for uid, digest in inputs.items() if digests.get(uid) != digest))


def _words(changed: tuple[str, ...]) -> str:
    return f"{len(changed)} series changed since: {', '.join(changed)}"


def _registrations(own: _Records) -> Iterator[StaleResult]:
    for path, inputs in own.registrations.values():
        changed = _changed(inputs, own.digests)
        if changed:
            yield StaleResult(
                kind=ResultKind.REGISTRATION, subject=own.subject, name=path, reason=_words(changed), series=changed
            )


def _name(proposal: StoredProposal) -> str:
    return f"{proposal.timepoint}/{proposal.lesion.lesion_id}"


def _proposals(own: _Records) -> Iterator[StaleResult]:
    for proposal in newest_proposals(own.every):
        changed = _changed(proposal.inputs, own.digests)
        if changed:
            yield StaleResult(
                kind=ResultKind.PROPOSAL,
                subject=own.subject,
                name=_name(proposal),
                reason=_words(changed),
                series=changed,
            )


def _candidates(own: _Records) -> list[StoredProposal]:
    """Masks in use whose series have changed: the newest ones and those that the newest reads accepted."""
    accepted = {row.proposal_id for read in own.reads for row in read.lesions}
    newest = {each.id for each in newest_proposals(own.every)}
    used = accepted | newest
    return [each for each in own.every if each.id in used and _changed(each.inputs, own.digests)]


def _described(session: Session, subjects: Collection[str]) -> set[int]:
    """Which proposals of some subjects have features."""
    if not subjects:
        return set()
    return set(
        session.scalars(
            select(FeatureRow.proposal_id)
            .join(ProposalRow, FeatureRow.proposal_id == ProposalRow.id)
            .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
            .where(LesionRow.subject.in_(subjects))
            .distinct()
        )
    )


def _features(own: _Records, described: Collection[int]) -> Iterator[StaleResult]:
    for proposal in _candidates(own):
        changed = _changed(proposal.inputs, own.digests)
        if proposal.id in described:
            yield StaleResult(
                kind=ResultKind.FEATURES,
                subject=own.subject,
                name=_name(proposal),
                reason=_words(changed),
                series=changed,
            )


def _reads(own: _Records) -> Iterator[StaleResult]:
    proposals = {each.id: each for each in own.every}
    for read in own.reads:
        accepted = [proposals[row.proposal_id] for row in read.lesions if row.proposal_id in proposals]
        changed = {uid for each in accepted for uid in _changed(each.inputs, own.digests)} | _grown(own, read)
        if changed:
            found = tuple(sorted(changed))
            yield StaleResult(
                kind=ResultKind.READ,
                subject=own.subject,
                name=read.timepoint,
                reason=_words(found),
                series=found,
                reader=read.reader,
            )


def _grown(own: _Records, read: SignedRead) -> set[str]:
    """Series of a read's visit that were there when it was signed and got more objects afterwards."""
    signed = utc(read.signed)
    return {
        uid for uid, (visit, first, last) in own.arrivals.items() if visit == read.timepoint and first <= signed < last
    }


def _responses(own: _Records, images: list[StaleResult]) -> Iterator[StaleResult]:
    for reader, created in own.answered.items():
        stale = [each.name for each in images if (each.kind, each.reader) == (ResultKind.READ, reader)]
        later = [read.timepoint for read in own.reads if read.reader == reader and utc(read.signed) > created]
        reasons = [f"rests on the stale read of {name}" for name in stale]
        reasons += [f"{name} was read again since" for name in later]
        if reasons:
            yield StaleResult(
                kind=ResultKind.RESPONSE, subject=own.subject, name="", reason="; ".join(reasons), reader=reader
            )


def _deliveries(own: _Records, anything_stale: bool) -> Iterator[StaleResult]:
    answered = max(own.answered.values(), default=None)
    for path, created in own.delivered:
        newer = answered is not None and answered > created
        if anything_stale or newer:
            reason = "responses were computed again since" if newer else "rests on results that are stale"
            yield StaleResult(kind=ResultKind.DELIVERY, subject=own.subject, name=path, reason=reason)
