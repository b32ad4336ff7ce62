"""What a coordinator sees: visits expected, received, complete, read, signed, overdue; never what a read says."""

from datetime import date

from sqlalchemy.orm import Session

from npcpit_imaging.app.access.sequence import visits_of
from npcpit_imaging.app.adjudicating import compare
from npcpit_imaging.app.schedule import PlannedVisit, planned_visits, treatment_start
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.work import STATUS_WORDS, due_of, is_overdue
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.assignments import Assignment, AssignmentKind, assignments
from npcpit_imaging.store.images import SeriesState, SeriesSummary, series_of, subjects, timepoints
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.timepoint import BASELINE

SETTLED = (SeriesState.COMPLETE, SeriesState.QUIET)
"""States of a series that is whole as far as anybody knows."""


def progress(study: Study, *, offset: int = 0, limit: int | None = None) -> tuple[list[JsonObject], int]:
    """Subjects' visits in order of their codes, and how many subjects there are.

    Args:
        study: The study.
        offset: How many subjects are left out first.
        limit: How many are answered; None for all.
    """
    with study.database.session() as session:
        codes = subjects(session)
    asked = codes[offset:] if limit is None else codes[offset : offset + limit]
    return [_subject(study, code) for code in asked], len(codes)


def _subject(study: Study, subject: str) -> JsonObject:
    with study.database.session() as session:
        series = series_of(session, subject=subject)
        received = {point.name: point.date for point in timepoints(session, subject)}
        work = assignments(session, subject=subject)
        reads = _reads(session, subject, work)
    start = treatment_start(study, subject)
    planned = {each.name: each for each in planned_visits(study, subject, received)}
    names = list(dict.fromkeys((BASELINE, *planned, *received)))
    return {
        "subject": subject,
        "treatment_start": None if start is None else start.isoformat(),
        "visits": [
            _visit(name, received.get(name), planned.get(name), [s for s in series if s.timepoint == name])
            | {"reads": reads.get(name, [])}
            for name in names
        ],
        "adjudication": _adjudication(study, subject, work),
    }


def _adjudication(study: Study, subject: str, work: list[Assignment]) -> str | None:
    if not any(each.kind is AssignmentKind.ADJUDICATOR for each in work):
        return None
    try:
        return compare(study, subject).status.value
    except NpcpitError:
        return "open"


def _visit(name: str, received: date | None, planned: PlannedVisit | None, series: list[SeriesSummary]) -> JsonObject:
    expected, early, late = None, None, None
    if planned is not None:
        expected, early, late = planned.expected, planned.earliest, planned.latest
    counts: dict[str, int] = {}
    for each in series:
        counts[each.modality] = counts.get(each.modality, 0) + 1
    unsettled = [each for each in series if each.state not in SETTLED]
    return {
        "name": name,
        "expected": None if expected is None else expected.isoformat(),
        "window": None if early is None or late is None else [early.isoformat(), late.isoformat()],
        "received": None if received is None else received.isoformat(),
        "in_window": None if planned is None else planned.in_window(received),
        "series": dict(sorted(counts.items())),
        "overdue": planned is not None and planned.is_overdue,
        "complete": bool(series) and not unsettled,
        "open_series": [
            {"uid": each.uid, "state": each.state.value, "reason": each.state_reason} for each in unsettled
        ],
    }


def _reads(session: Session, subject: str, work: list[Assignment]) -> dict[str, list[JsonObject]]:
    """Who is how far with which visit."""
    found: dict[str, list[JsonObject]] = {}
    readers = sorted({each.username for each in work if each.kind is AssignmentKind.READER})
    for reader in readers:
        own = [each for each in work if each.username == reader and each.kind is AssignmentKind.READER]
        for visit in visits_of(session, subject, reader):
            if not any(each.timepoint in ("", visit.name) for each in own):
                continue
            due = due_of(own, visit.name)
            found.setdefault(visit.name, []).append(
                {
                    "username": reader,
                    "status": STATUS_WORDS[visit.status],
                    "version": visit.version,
                    "signed": None if visit.signed is None else visit.signed.isoformat(),
                    "due": None if due is None else due.isoformat(),
                    "overdue": is_overdue(due, done=visit.signed is not None),
                }
            )
    return found
