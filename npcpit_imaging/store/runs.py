"""What was run: one row per case and attempt; a done step with the same key is skipped."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import RunRow

DONE = "done"
"""The outcome after which a step with the same key need not run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedRun:
    """With which inputs a case was last run, and what became of it."""

    key: str
    outcome: str
    reason: str


def newest_keys(session: Session, pipeline: str) -> dict[str, KeyedRun]:
    """The newest run of every case of a pipeline, by case."""
    rows = session.execute(
        select(RunRow.case_name, RunRow.key, RunRow.outcome, RunRow.reason)
        .where(RunRow.pipeline == pipeline)
        .order_by(RunRow.id)
    )
    newest = {case: own for case, *own in rows}
    return {case: KeyedRun(key=key, outcome=outcome, reason=reason) for case, (key, outcome, reason) in newest.items()}


def done_keys(session: Session, pipeline: str) -> dict[str, str]:
    """Keys of the cases of a pipeline whose newest run is done, by case."""
    return {case: run.key for case, run in newest_keys(session, pipeline).items() if run.outcome == DONE}


def done_reasons(session: Session, pipeline: str, *, ending: str, subjects: Sequence[str]) -> dict[str, str]:
    """What was said when each case of some subjects that ends so was last done, by case."""
    rows = session.execute(
        select(RunRow.case_name, RunRow.reason)
        .where(RunRow.pipeline == pipeline, RunRow.outcome == DONE, RunRow.case_name.endswith(ending, autoescape=True))
        .order_by(RunRow.id)
    )
    known = set(subjects)
    return {case: reason for case, reason in rows if case.split("/")[0] in known}


def put_runs(session: Session, rows: Sequence[RunRow]) -> None:
    """Record runs of cases, in one statement: as objects they would be one each on SQLite, to learn their keys."""
    names = [column.key for column in RunRow.__table__.columns if column.key != "id"]
    session.execute(insert(RunRow), [{name: getattr(row, name) for name in names} for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestRun:
    """What became of a case when it was last run."""

    pipeline: str
    case_name: str
    outcome: str
    reason: str


def newest_runs(session: Session) -> list[NewestRun]:
    """The newest run of every case, in the order of the cases' first runs."""
    newest = (
        select(func.min(RunRow.id).label("first"), func.max(RunRow.id).label("last"))
        .group_by(RunRow.pipeline, RunRow.case_name)
        .subquery()
    )
    rows = session.execute(
        select(RunRow.pipeline, RunRow.case_name, RunRow.outcome, RunRow.reason)
        .join(newest, RunRow.id == newest.c.last)
        .order_by(newest.c.first)
    )
    return [
        NewestRun(pipeline=pipeline, case_name=case, outcome=outcome, reason=reason)
        for pipeline, case, outcome, reason in rows
    ]


def runs(session: Session) -> list[RunRow]:
    """Every run, oldest first."""
    return list(session.scalars(select(RunRow).order_by(RunRow.id)))
