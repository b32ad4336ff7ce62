"""Worklists: what a reader is to read, in the order in which it opens."""

from datetime import date

from npcpit_imaging.app.access.roles import Principal
from npcpit_imaging.app.access.sequence import PlacedVisit, VisitStatus, visits_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.store.assignments import Assignment, AssignmentKind, assignments
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.store.staleness import ResultKind, stale_results

STATUS_WORDS = {
    VisitStatus.OPEN: "open",
    VisitStatus.DRAFT: "in_progress",
    VisitStatus.SIGNED: "signed",
    VisitStatus.LOCKED: "locked",
}
"""A visit's status as a worklist says it."""


def worklist(study: Study, reader: Principal) -> list[JsonObject]:
    """A reader's assigned visits by subject and date, those that have not come yet last."""
    with study.database.session() as session:
        work = [each for each in assignments(session, username=reader.name) if each.kind is AssignmentKind.READER]
    items: list[JsonObject] = []
    for subject in sorted({each.subject for each in work}):
        items += _subject(study, reader, subject, [each for each in work if each.subject == subject])
    return items


def _subject(study: Study, reader: Principal, subject: str, work: list[Assignment]) -> list[JsonObject]:
    with study.database.session() as session:
        visits = visits_of(session, subject, reader.name)
        stale = [
            each
            for each in stale_results(session, subject)
            if each.kind is ResultKind.READ and each.reader == reader.name
        ]
    named = {each.timepoint for each in work}
    items = [
        {
            **visit_item(visit, subject, due_of(work, visit.name)),
            "stale": [s.reason for s in stale if s.name == visit.name],
        }
        for visit in visits
        if visit.name in named or "" in named
    ]
    absent = sorted(named - {visit.name for visit in visits} - {""})
    return [*items, *(_not_received(subject, name, due_of(work, name)) for name in absent)]


def due_of(work: list[Assignment], visit: str) -> date | None:
    """When a visit is due: its own date, else that of all of the subject's visits."""
    own = [each.due for each in work if each.timepoint == visit] or [each.due for each in work if not each.timepoint]
    return min((each for each in own if each is not None), default=None)


def visit_item(visit: PlacedVisit, subject: str, due: date | None) -> JsonObject:
    """One visit as a worklist shows it."""
    return {
        "subject": subject,
        "timepoint": visit.name,
        "date": visit.date.isoformat(),
        "kind": AssignmentKind.READER.value,
        "status": STATUS_WORDS[visit.status],
        "due": None if due is None else due.isoformat(),
        "overdue": is_overdue(due, done=visit.signed is not None),
        "version": visit.version,
        "signed": None if visit.signed is None else visit.signed.isoformat(),
        "locked_because": visit.locked_because,
    }


def is_overdue(due: date | None, *, done: bool) -> bool:
    """Whether work that is not done is late."""
    return due is not None and not done and Study.now().date() > due


def _not_received(subject: str, name: str, due: date | None) -> JsonObject:
    return {
        "subject": subject,
        "timepoint": name,
        "date": None,
        "kind": AssignmentKind.READER.value,
        "status": "not_received",
        "due": None if due is None else due.isoformat(),
        "overdue": False,
        "version": 0,
        "signed": None,
        "locked_because": "no images of this visit have come",
        "stale": [],
    }
