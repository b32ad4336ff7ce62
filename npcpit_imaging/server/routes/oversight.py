"""The audit trail, accounts, and every reader's responses."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from npcpit_imaging.app.access import accounts
from npcpit_imaging.app.draft.requests import Request
from npcpit_imaging.errors import InputError
from npcpit_imaging.server.callers import Administering, Analysing, Auditing, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.store.adjudications import acceptance_of, adjudications_on_record
from npcpit_imaging.store.audit import audit_events, verify_audit
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api", tags=["oversight"])

Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9._-]{0,31}$")]


class AccountRequest(Request):
    """A new account."""

    username: Annotated[str, Field(max_length=64)]
    full_name: Annotated[str, Field(max_length=200)] = ""
    roles: Annotated[tuple[str, ...], Field(min_length=1, max_length=6)]
    password: Annotated[str, Field(max_length=1024)]


@router.get("/audit")
def trail(
    caller: Auditing,  # asked for its check
    desk: TheDesk,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    subject: Annotated[str, Query(max_length=64)] = "",
) -> JsonObject:
    """Rows of the audit trail in order."""
    with desk.study.database.session() as session:
        rows = audit_events(session, after=after, limit=limit, subject=subject)
    return {
        "events": [
            {
                "sequence": each.sequence,
                "at": each.at,
                "actor": each.actor,
                "action": each.action,
                "subject": each.subject,
                "item": each.item,
                "detail": dict(each.detail),
                "digest": each.digest,
            }
            for each in rows
        ]
    }


@router.get("/audit/verify")
def verify(caller: Auditing, desk: TheDesk) -> JsonObject:
    """Whether the audit trail is whole."""
    with desk.study.database.session() as session:
        verdict = verify_audit(session)
    return {"whole": verdict.whole, "rows": verdict.rows, "digest": verdict.digest, "faults": list(verdict.faults)}


@router.get("/responses")
def responses(
    caller: Analysing,
    desk: TheDesk,
    subject: Annotated[str, Query(max_length=64)] = "",
) -> JsonObject:
    """Responses as the respond pipeline computed them, and what an adjudicator made of each reader's reads."""
    with desk.study.database.session() as session:
        codes = [each for each in subjects(session) if subject in ("", each)]
        rows = [row for code in codes for row in responses_of(session, code)]
        decided = adjudications_on_record(session, subject=subject)
        return {
            "responses": [
                {
                    "subject": row.subject,
                    "reader": row.reader,
                    "level": row.level,
                    "adjudication": acceptance_of(decided.get(row.subject), row.reader).value,
                    "values": row.values,
                }
                for row in rows
            ]
        }


@router.get("/accounts")
def list_(caller: Administering, desk: TheDesk) -> JsonObject:
    """Every account, without secrets."""
    return {
        "accounts": [
            {
                "username": each.username,
                "name": each.full_name,
                "code": each.code,
                "roles": sorted(each.roles),
                "disabled": each.disabled,
                "locked": each.locked,
                "oidc": each.oidc,
            }
            for each in accounts.accounts(desk.study)
        ]
    }


@router.post("/accounts", status_code=201)
def add(asked: AccountRequest, caller: Administering, desk: TheDesk) -> JsonObject:
    """Make an account."""
    accounts.add_account(
        desk.study,
        asked.username,
        roles=accounts.roles_from(asked.roles),
        password=asked.password,
        full_name=asked.full_name,
        actor=caller.principal.name,
    )
    return {"username": asked.username}


@router.post("/accounts/{username}/{action}")
def act(
    username: Name, action: Literal["enable", "disable", "unlock"], caller: Administering, desk: TheDesk
) -> JsonObject:
    """Open, close or unlock an account."""
    actor = caller.principal.name
    try:
        if action == "unlock":
            accounts.unlock(desk.study, username, actor=actor)
        else:
            accounts.set_disabled(desk.study, username, disabled=action == "disable", actor=actor)
    except InputError as error:
        raise Problem(404, "not-found", str(error)) from error
    return {"username": username, "action": action}
