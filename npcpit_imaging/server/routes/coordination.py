"""Coordination: who is how far, and assignments."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from npcpit_imaging.app.coordinating import progress
from npcpit_imaging.app.draft.requests import Request
from npcpit_imaging.server.callers import Coordinating, Following, TheDesk
from npcpit_imaging.store.assignments import (
    Assignment,
    AssignmentKind,
    assignments,
    put_assignment,
    withdraw_assignment,
)
from npcpit_imaging.store.audit import append_audit
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api", tags=["coordination"])


class AssignmentRequest(Request):
    """Work for somebody."""

    subject: Annotated[str, Field(min_length=1, max_length=64)]
    timepoint: Annotated[str, Field(max_length=32)] = ""
    username: Annotated[str, Field(min_length=1, max_length=64)]
    kind: AssignmentKind
    due: date | None = None


@router.get("/coordinator/subjects")
def subjects(
    caller: Following,  # asked for its check
    desk: TheDesk,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> JsonObject:
    """Subjects' visits, all of them or a page, and how many subjects there are."""
    found, total = progress(desk.study, offset=offset, limit=limit)
    return {"subjects": found, "total": total}


@router.get("/assignments")
def list_(caller: Coordinating, desk: TheDesk) -> JsonObject:
    """All work."""
    with desk.study.database.session() as session:
        return {"assignments": [_view(each) for each in assignments(session)]}


@router.post("/assignments", status_code=201)
def assign(asked: AssignmentRequest, caller: Coordinating, desk: TheDesk) -> JsonObject:
    """Assign work; the same again gets the new due date."""
    now = desk.study.now()
    with desk.study.database.session() as session:
        detail = {"username": asked.username, "kind": asked.kind.value, "due": asked.due}
        append_audit(
            session,
            actor=caller.principal.name,
            action="assignment.put",
            now=now,
            subject=asked.subject,
            item=asked.timepoint,
            detail=detail,
        )
        return _view(
            put_assignment(
                session,
                subject=asked.subject,
                timepoint=asked.timepoint,
                username=asked.username,
                kind=asked.kind,
                due=asked.due,
                now=now,
            )
        )


@router.delete("/assignments/{key}", status_code=204)
def withdraw(key: Annotated[int, Path(ge=1, le=2**31 - 1)], caller: Coordinating, desk: TheDesk) -> None:
    """Take an assignment back; what was signed stays."""
    now = desk.study.now()
    with desk.study.database.session() as session:
        gone = withdraw_assignment(session, key, now=now)
        append_audit(
            session,
            actor=caller.principal.name,
            action="assignment.withdraw",
            now=now,
            subject=gone.subject,
            item=gone.timepoint,
            detail={"username": gone.username, "kind": gone.kind.value},
        )


def _view(each: Assignment) -> JsonObject:
    return {
        "id": each.id,
        "subject": each.subject,
        "timepoint": each.timepoint,
        "username": each.username,
        "kind": each.kind.value,
        "due": None if each.due is None else each.due.isoformat(),
    }
