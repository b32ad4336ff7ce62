"""Adjudication: two readers' reads of a subject compared, without their names, and one of them chosen as a whole."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.draft.sign import STATEMENTS
from npcpit_imaging.app.responses import assessment_of, course_of, irradiations_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.work import is_overdue
from npcpit_imaging.errors import AccessError, NpcpitError, ReadingError, StaleRevisionError
from npcpit_imaging.response.answers import Answer, subject_answer, timepoint_answers
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.store.assignments import AssignmentKind, assignments
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import lesions_of
from npcpit_imaging.store.reading_schema import AdjudicationRow
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.schema import JsonObject

LABELS = ("A", "B")
"""What the adjudicator knows the two readers by."""

READERS = 2
"""How many readers an adjudication compares."""


class Cause(StrEnum):
    """Why two readers differ: the closed list of a discordance."""

    TARGET_SELECTION = "selection of target lesions"
    MEASUREMENT = "measurement of the same lesions"
    NEW_LESION = "presence or certainty of a new lesion"
    NON_TARGET = "judgement of non-target lesions"
    EVALUABILITY = "whether a lesion can be evaluated"
    IMAGE_QUALITY = "image quality or missing images"
    ERROR = "an error of one reader"
    OTHER = "another cause, told in the comment"


class AdjudicationStatus(StrEnum):
    """How far a subject's adjudication is."""

    WAITING = "waiting"
    AGREED = "agreed"
    OPEN = "open"
    DECIDED = "decided"
    STALE = "stale"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two readers' reads of one subject.

    Args:
        subject: Subject code.
        readers: By label; in an order that says nothing.
        answers: The engine's answers per follow-up, by label.
        best: The engine's one row of the subject, by label.
        discordance: In what they differ, in words.
        rests_on: Version of every read, by reader and visit.
        status: How far it is.
        revision: Digest of what it rests on: a decision names it.
        decision: The newest decision; None when there is none.
    """

    subject: str
    readers: Mapping[str, str]
    answers: Mapping[str, Sequence[Answer]]
    best: Mapping[str, Answer]
    discordance: tuple[str, ...]
    rests_on: JsonObject
    status: AdjudicationStatus
    revision: str
    decision: AdjudicationRow | None


def adjudications(study: Study, adjudicator: Principal) -> list[JsonObject]:
    """The subjects that an adjudicator is assigned."""
    with study.database.session() as session:
        work = [
            each for each in assignments(session, username=adjudicator.name) if each.kind is AssignmentKind.ADJUDICATOR
        ]
    return [
        {
            "subject": each.subject,
            "status": (status := compare(study, each.subject).status).value,
            "due": None if each.due is None else each.due.isoformat(),
            "overdue": is_overdue(each.due, done=status in (AdjudicationStatus.DECIDED, AdjudicationStatus.AGREED)),
        }
        for each in work
    ]


def require_assigned(study: Study, adjudicator: Principal, subject: str) -> None:
    """Let in the adjudicator of a subject.

    Raises:
        AccessError: It is not assigned; the message is the same whether it exists or not.
    """
    with study.database.session() as session:
        work = assignments(session, username=adjudicator.name, subject=subject)
    if not any(each.kind is AssignmentKind.ADJUDICATOR for each in work):
        raise AccessError(f"{subject}: not assigned to you")


def compare(study: Study, subject: str) -> Compared:
    """Compare a subject's two readers; waiting until both have signed every visit that has come."""
    with study.database.session() as session:
        readers = _readers(session, subject)
        visits = [point.name for point in timepoints(session, subject)]
        reads = [each for each in newest_reads(session, subject) if each.reader in readers]
        decision = session.scalars(
            select(AdjudicationRow).where(AdjudicationRow.subject == subject).order_by(AdjudicationRow.version.desc())
        ).first()
    labels = dict(zip(LABELS, sorted(readers, key=lambda name: _shuffled(subject, name)), strict=False))
    signed = {name: {each.timepoint: each.version for each in reads if each.reader == name} for name in readers}
    ready = len(readers) == READERS and len(visits) > 1 and all(set(signed[name]) == set(visits) for name in readers)
    rests_on: JsonObject = {name: dict(sorted(signed[name].items())) for name in sorted(readers)}
    answers, best = _answers(study, subject, labels, reads) if ready else ({}, {})
    discordance = tuple(_differences(study, answers, best)) if ready else ()
    return Compared(
        subject=subject,
        readers=labels,
        answers=answers,
        best=best,
        discordance=discordance,
        rests_on=rests_on,
        status=_status(ready, discordance, decision, rests_on),
        revision=hashlib.sha256(repr(rests_on).encode()).hexdigest()[:16],
        decision=decision,
    )


def _readers(session: Session, subject: str) -> list[str]:
    work = assignments(session, subject=subject)
    return sorted({each.username for each in work if each.kind is AssignmentKind.READER})


def _shuffled(subject: str, name: str) -> str:
    """An order of the readers that differs from subject to subject and is always the same for one."""
    return hashlib.sha256(f"{subject}|{name}".encode()).hexdigest()


def _status(
    ready: bool, discordance: Sequence[str], decision: AdjudicationRow | None, rests_on: JsonObject
) -> AdjudicationStatus:
    if not ready:
        return AdjudicationStatus.WAITING
    if decision is not None:
        same = decision.rests_on == rests_on
        return AdjudicationStatus.DECIDED if same else AdjudicationStatus.STALE
    return AdjudicationStatus.OPEN if discordance else AdjudicationStatus.AGREED


def _answers(
    study: Study, subject: str, labels: Mapping[str, str], reads: Sequence[SignedRead]
) -> tuple[dict[str, Sequence[Answer]], dict[str, Answer]]:
    with study.database.session() as session:
        lesions = {each.tracking_uid: each for each in lesions_of(session, subject)}
    answers: dict[str, Sequence[Answer]] = {}
    best: dict[str, Answer] = {}
    for label, name in labels.items():
        records = tuple(
            assessment_of(read, row, lesions[row.tracking_uid])
            for read in reads
            if read.reader == name
            for row in read.lesions
        )
        case = Case(records=records, course=course_of(study, subject), irradiations=irradiations_of(study, subject))
        try:
            (found,) = respond_case(case, protocol=study.protocol)
        except NpcpitError as error:
            raise ReadingError(f"{subject}, reader {label}: no response can be computed ({error})") from error
        answers[label] = [_without_reader(row, label) for row in timepoint_answers(found)]
        best[label] = _without_reader(subject_answer(found), label)
    return answers, best


def _without_reader(row: Answer, label: str) -> Answer:
    return {**row, "reader": label}


def _differences(study: Study, answers: Mapping[str, Sequence[Answer]], best: Mapping[str, Answer]) -> list[str]:
    """In what two readers differ, visit by visit (`second_reader_discordance`), and in the best response."""
    first, second = (answers[label] for label in LABELS)
    others = {row["timepoint"]: row for row in second}
    found = [
        f"{row['timepoint']} {name.replace('_', '-')}: A {row[name]}, B {others[row['timepoint']][name]}"
        for row in first
        for name in study.site.server.second_reader_discordance
        if row["timepoint"] in others and row[name] != others[row["timepoint"]][name]
    ]
    if best["A"]["bor"] != best["B"]["bor"]:
        found.append(f"best response: A {best['A']['bor']}, B {best['B']['bor']}")
    return found


def compared_view(compared: Compared) -> JsonObject:
    """What an adjudicator is given: both readers' answers by label, never a name."""
    decision = compared.decision
    labels = {name: label for label, name in compared.readers.items()}
    return {
        "subject": compared.subject,
        "status": compared.status.value,
        "revision": compared.revision,
        "reads": [
            {"label": label, "timepoints": list(rows), "best": compared.best[label]}
            for label, rows in compared.answers.items()
        ],
        "discordance": list(compared.discordance),
        "causes": [cause.value for cause in Cause],
        "statement": STATEMENTS["adjudicated"],
        "decision": None
        if decision is None
        else {
            "chosen": labels.get(decision.chosen, "?"),
            "cause": decision.cause,
            "comment": decision.comment,
            "version": decision.version,
            "signed": decision.signed.isoformat(),
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An adjudicator's choice.

    Args:
        revision: What was compared, as it was shown.
        chosen: ``A`` or ``B``.
        cause: Why the readers differ.
        comment: The adjudicator's words; needed when the cause is another one.
        reason: Why an earlier decision is superseded; needed when there is one.
        meaning: Of the signature.
    """

    revision: str
    chosen: str
    cause: Cause
    comment: str = ""
    reason: str = ""
    meaning: str = "adjudicated"


def decide(study: Study, adjudicator: Principal, subject: str, decision: Decision) -> Compared:
    """Choose one reader's reads of a subject as a whole; signed, superseded with a reason, never edited.

    Raises:
        AccessError: The subject is not assigned to this adjudicator.
        ReadingError: The readers are not done, or something is not said.
        StaleRevisionError: A reader signed again since the reads were shown.
    """
    require_assigned(study, adjudicator, subject)
    compared = compare(study, subject)
    if compared.status is AdjudicationStatus.WAITING:
        raise ReadingError(f"{subject}: both readers must have signed every visit first")
    if decision.revision != compared.revision:
        raise StaleRevisionError(f"{subject}: a reader signed again since; look at the reads once more")
    if decision.cause is Cause.OTHER and not decision.comment.strip():
        raise ReadingError("cause: another one, expected it in the comment, found none")
    if compared.decision is not None and not decision.reason.strip():
        raise ReadingError(f"{subject}: is decided already; a decision is superseded with a reason, never edited")
    now = study.now()
    with study.database.session() as session:
        detail = {"chosen": compared.readers[decision.chosen], "cause": decision.cause.value, "reason": decision.reason}
        append_audit(
            session, actor=adjudicator.name, action="adjudication.sign", now=now, subject=subject, detail=detail
        )
        version = session.scalar(select(func.max(AdjudicationRow.version)).where(AdjudicationRow.subject == subject))
        session.add(
            AdjudicationRow(
                subject=subject,
                version=(version or 0) + 1,
                adjudicator=adjudicator.name,
                chosen=compared.readers[decision.chosen],
                cause=decision.cause.value,
                comment=decision.comment,
                reason=decision.reason,
                meaning=decision.meaning,
                rests_on=compared.rests_on,
                discordance={"differences": list(compared.discordance)},
                signed=now,
            )
        )
    return compare(study, subject)
