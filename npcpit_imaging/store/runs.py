"""What was run: one row per case and attempt; a done step with the same key is skipped."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from npcpit_imaging.store.schema import RunRow

DONE = "done"
"""The outcome after which a step with the same key need not run again."""


def is_done(session: Session, pipeline: str, case_name: str, key: str) -> bool:
    """Tell whether the newest run of this case with exactly this key is done."""
    newest = session.scalars(
        select(RunRow).where(RunRow.pipeline == pipeline, RunRow.case_name == case_name).order_by(RunRow.id.desc())
    ).first()
    return newest is not None and newest.key == key and newest.outcome == DONE


def put_run(session: Session, row: RunRow) -> None:
    """Record one run of one case."""
    session.add(row)


def runs(session: Session) -> list[RunRow]:
    """Every run, oldest first."""
    return list(session.scalars(select(RunRow).order_by(RunRow.id)))
