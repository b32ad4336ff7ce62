"""Adjudication: both readers' reads by label, and a choice."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from npcpit_imaging.app.adjudicating import (
    Cause,
    Decision,
    adjudications,
    compare,
    compared_view,
    decide,
    require_assigned,
)
from npcpit_imaging.app.draft.requests import Request, Words
from npcpit_imaging.server.callers import Adjudicating, TheDesk
from npcpit_imaging.server.routes.reads import signing_method
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api/adjudications", tags=["adjudication"])

Subject = Annotated[str, Path(min_length=1, max_length=64)]


class DecisionRequest(Request):
    """A signed choice."""

    revision: Annotated[str, Field(max_length=64)]
    chosen: Literal["A", "B"]
    cause: Cause
    comment: Words = ""
    reason: Words = ""
    password: Annotated[str, Field(max_length=1024)] = ""
    meaning: Literal["adjudicated"]


@router.get("")
def list_(caller: Adjudicating, desk: TheDesk) -> JsonObject:
    """Subjects to adjudicate."""
    return {"items": adjudications(desk.study, caller.principal), "causes": [cause.value for cause in Cause]}


@router.get("/{subject}")
def open_(subject: Subject, caller: Adjudicating, desk: TheDesk) -> JsonObject:
    """Both readers' answers, without their names."""
    require_assigned(desk.study, caller.principal, subject)
    return compared_view(compare(desk.study, subject))


@router.post("/{subject}")
def choose(subject: Subject, asked: DecisionRequest, caller: Adjudicating, desk: TheDesk) -> JsonObject:
    """Choose one reader's reads as a whole, signed."""
    require_assigned(desk.study, caller.principal, subject)
    signing_method(desk, caller, asked.password)
    decision = Decision(
        revision=asked.revision,
        chosen=asked.chosen,
        cause=asked.cause,
        comment=asked.comment,
        reason=asked.reason,
        meaning=asked.meaning,
    )
    return compared_view(decide(desk.study, caller.principal, subject, decision))
