"""Lesions and the proposals made for them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.images import timepoint_id
from npcpit_imaging.store.schema import AssessmentRow, JsonObject, LesionRow, ProposalRow, ReadRow, TimePointRow
from npcpit_imaging.study.caliper import Caliper, PointMm
from npcpit_imaging.study.finding import Finding, Severity
from npcpit_imaging.study.lesion import Lesion, LesionRole
from npcpit_imaging.study.measurement import Measurement, Uptake


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProposal:
    """A segmenter's answer for one lesion at one time point, with what was measured on it.

    Args:
        id: Key in the store; 0 before it is stored.
        mask_path: Relative to the study folder.
        prompt: The prompts it was made from.
        segmenter: Provenance: name, version, settings digest.
        key: Digest of everything it was computed from.
        inputs: Series UID to `images.series_digest` when it was read, for every series that the mask depends on.
    """

    id: int = 0
    lesion: Lesion
    subject: str
    timepoint: str
    series_uid: str
    mask_path: str
    mask_sha256: str
    prompt: JsonObject
    segmenter: JsonObject
    measurement: Measurement
    uptake: Uptake | None
    key: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    reader: str = ""
    """Whose hand the mask comes from; empty for a pipeline's."""


def put_lesion(session: Session, subject: str, lesion: Lesion, *, owner: str = "") -> None:
    """Add a lesion; the same lesion again changes nothing.

    Args:
        session: One transaction.
        subject: Subject code.
        lesion: The lesion.
        owner: The reader who found it; empty for a lesion of the study, which every reader is given.

    Raises:
        StoreError: The lesion is known with other properties.
    """
    values = {**asdict(lesion), "role": lesion.role.value, "subject": subject, "owner": owner}
    row = session.scalar(select(LesionRow).where(LesionRow.subject == subject, LesionRow.lesion_id == lesion.lesion_id))
    if row is None:
        session.add(LesionRow(**values))
        session.flush()
        return
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    if changed:
        raise StoreError(f"subject {subject}, lesion {lesion.lesion_id}: already known with other {', '.join(changed)}")


def lesions_of(session: Session, subject: str) -> list[Lesion]:
    """A subject's lesions by lesion ID."""
    return lesions_of_each(session, (subject,))[subject]


def lesions_of_each(session: Session, subjects: Collection[str]) -> dict[str, list[Lesion]]:
    """The lesions of every subject named, each by lesion ID."""
    rows = session.scalars(select(LesionRow).where(LesionRow.subject.in_(subjects)).order_by(LesionRow.lesion_id))
    found: dict[str, list[Lesion]] = {code: [] for code in subjects}
    for row in rows:
        found[row.subject].append(_lesion(row))
    return found


def lesions_given_to(session: Session, subject: str, reader: str) -> list[Lesion]:
    """The lesions that a reader may know of: the study's own and the reader's, by lesion ID."""
    query = select(LesionRow).where(LesionRow.subject == subject, LesionRow.owner.in_(("", reader)))
    return [_lesion(row) for row in session.scalars(query.order_by(LesionRow.lesion_id))]


def lesion_named(session: Session, subject: str, lesion_id: str) -> Lesion:
    """One lesion.

    Raises:
        StoreError: The subject has no such lesion; the message lists those there are.
    """
    found = {lesion.lesion_id: lesion for lesion in lesions_of(session, subject)}
    if lesion_id not in found:
        raise StoreError(f"subject {subject}: no lesion {lesion_id}, found {sorted(found)}")
    return found[lesion_id]


def _lesion(row: LesionRow) -> Lesion:
    return Lesion(
        lesion_id=row.lesion_id,
        tracking_uid=row.tracking_uid,
        role=LesionRole(row.role),
        organ=row.organ,
        location=row.location,
        nodal=row.nodal,
        irradiated=row.irradiated,
        prior_rt=row.prior_rt,
        prior_rt_progression_documented=row.prior_rt_progression_documented,
    )


def put_proposal(session: Session, proposal: StoredProposal, *, now: datetime) -> int:
    """Store a proposal and return its key in the store.

    The newest one of its lesion, time point and series is returned instead when it has the same `key`. An older one is
    not: a prompt that was changed and changed back must end as the newest again.
    """
    place = timepoint_id(session, proposal.subject, proposal.timepoint)
    newest = session.scalars(
        select(ProposalRow)
        .where(
            ProposalRow.tracking_uid == proposal.lesion.tracking_uid,
            ProposalRow.timepoint_id == place,
            ProposalRow.series_uid == proposal.series_uid,
            ProposalRow.reader == proposal.reader,
        )
        .order_by(ProposalRow.id.desc())
    ).first()
    if newest is not None and newest.key == proposal.key:
        return newest.id
    row = ProposalRow(
        tracking_uid=proposal.lesion.tracking_uid,
        timepoint_id=place,
        series_uid=proposal.series_uid,
        mask_path=proposal.mask_path,
        mask_sha256=proposal.mask_sha256,
        prompt=proposal.prompt,
        segmenter=proposal.segmenter,
        measurement=_measurement_json(proposal.measurement),
        uptake=None if proposal.uptake is None else dict(asdict(proposal.uptake)),
        inputs=dict(proposal.inputs),
        key=proposal.key,
        created=now,
        reader=proposal.reader,
    )
    session.add(row)
    session.flush()
    return row.id


def proposals_of(session: Session, subject: str) -> list[StoredProposal]:
    """A subject's newest proposal per lesion, time point and series, by time point date, lesion and series.

    Masks by a reader's own hand are none: another reader would be shown them. A signed read names those it accepted.
    """
    return newest_proposals(every_proposal_of(session, subject))


def newest_proposals(every: Iterable[StoredProposal]) -> list[StoredProposal]:
    """Of every proposal of one subject those that `proposals_of` gives."""
    newest = {(each.timepoint, each.lesion.lesion_id, each.series_uid): each for each in every if not each.reader}
    return list(newest.values())


def every_proposal_of(session: Session, subject: str) -> list[StoredProposal]:
    """Every proposal ever made for a subject: a read may have accepted one that is not the newest any more."""
    return every_proposal_of_each(session, (subject,))[subject]


def every_proposal_of_each(session: Session, subjects: Collection[str]) -> dict[str, list[StoredProposal]]:
    """Every proposal ever made for every subject named, as `every_proposal_of` gives them."""
    rows = session.execute(
        select(ProposalRow, TimePointRow.name, LesionRow)
        .join(TimePointRow, ProposalRow.timepoint_id == TimePointRow.id)
        .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
        .where(LesionRow.subject.in_(subjects))
        .order_by(TimePointRow.date, LesionRow.lesion_id, ProposalRow.series_uid, ProposalRow.id)
    )
    found: dict[str, list[StoredProposal]] = {code: [] for code in subjects}
    for row, name, lesion in rows:
        found[lesion.subject].append(_proposal(row, name, lesion))
    return found


def accepted_proposal(session: Session, reader: str, mask_sha256: str) -> StoredProposal | None:
    """A mask that any of a reader's signed reads names, by the mask's digest; None when there is none."""
    query = (
        select(ProposalRow, TimePointRow.name, LesionRow)
        .join(TimePointRow, ProposalRow.timepoint_id == TimePointRow.id)
        .join(LesionRow, ProposalRow.tracking_uid == LesionRow.tracking_uid)
        .join(AssessmentRow, AssessmentRow.proposal_id == ProposalRow.id)
        .join(ReadRow, AssessmentRow.read_id == ReadRow.id)
        .where(ReadRow.reader == reader, ProposalRow.mask_sha256 == mask_sha256)
    )
    found = session.execute(query).first()
    return None if found is None else _proposal(*found)


def _proposal(row: ProposalRow, timepoint: str, lesion: LesionRow) -> StoredProposal:
    return StoredProposal(
        id=row.id,
        lesion=_lesion(lesion),
        subject=lesion.subject,
        timepoint=timepoint,
        series_uid=row.series_uid,
        mask_path=row.mask_path,
        mask_sha256=row.mask_sha256,
        prompt=row.prompt,
        segmenter=row.segmenter,
        measurement=_measurement(row.measurement),
        uptake=None if row.uptake is None else stored_uptake(row.uptake),
        key=row.key,
        inputs={uid: str(digest) for uid, digest in row.inputs.items()},
        reader=row.reader,
    )


def _measurement_json(measurement: Measurement) -> JsonObject:
    values = asdict(measurement)
    values["findings"] = [{**asdict(f), "severity": f.severity.value} for f in measurement.findings]
    return values


def _measurement(values: JsonObject) -> Measurement:
    fields = dict(values)
    for name in ("longest_diameter", "short_axis"):
        fields[name] = stored_caliper(fields[name])
    findings = fields["findings"]
    assert isinstance(findings, list)
    fields["findings"] = tuple(
        Finding(code=f["code"], severity=Severity(f["severity"]), text=f["text"]) for f in findings
    )
    return Measurement(**fields)  # type: ignore[arg-type]  # JSON written by _measurement_json


def stored_caliper(value: object) -> Caliper | None:
    """A caliper as it was stored; None where there is none."""
    if not isinstance(value, dict):
        return None
    return Caliper(start_mm=_point(value["start_mm"]), end_mm=_point(value["end_mm"]))


def _point(value: object) -> PointMm:
    assert isinstance(value, list | tuple)
    x, y, z = (float(number) for number in value)
    return (x, y, z)


def stored_uptake(values: JsonObject) -> Uptake:
    """Uptake as it was stored; an older study's has no SULpeak."""
    known = {name: _number(value) for name, value in values.items() if value is not None}
    return Uptake(**known)


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
