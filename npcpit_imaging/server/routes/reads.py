"""The worklist, and a reader's own reads: open, change, undo, preview, time, sign, unlock."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field

from npcpit_imaging.app.access.sessions import reauthenticate
from npcpit_imaging.app.draft import reading, sign
from npcpit_imaging.app.draft.masks import mask_json
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.preview import preview
from npcpit_imaging.app.draft.requests import Change, LesionName, PromptShape, Request, Uid
from npcpit_imaging.app.draft.showing import read_view
from npcpit_imaging.app.draft.view import mask_view
from npcpit_imaging.app.work import worklist
from npcpit_imaging.errors import AccessError, LockedOutError
from npcpit_imaging.server.callers import Caller, Reading, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api", tags=["reads"])

Subject = Annotated[str, Path(min_length=1, max_length=64)]
Timepoint = Annotated[str, Path(min_length=1, max_length=32)]
Revision = Annotated[int, Field(ge=0, le=2**31 - 1)]


class ChangeRequest(Request):
    """One change of a draft."""

    revision: Revision
    change: Change


class RevisionRequest(Request):
    """Which revision is meant."""

    revision: Revision


class PreviewRequest(Request):
    """Prompts whose mask is only looked at."""

    lesion: LesionName | None = None
    series_uid: Uid
    prompts: Annotated[tuple[PromptShape, ...], Field(min_length=1, max_length=50)]
    refine: bool = False


class SignRequest(Request):
    """A signature: who signs shows the password again and says what it means."""

    revision: Revision
    password: Annotated[str, Field(max_length=1024)] = ""
    meaning: Literal["read"]


class UnlockRequest(Request):
    """Why a signed read is read again."""

    reason: Annotated[str, Field(min_length=3, max_length=2000, pattern=r"\S")]


@router.get("/worklist")
def work(caller: Reading, desk: TheDesk) -> JsonObject:
    """What this reader is to read."""
    return {"items": worklist(desk.study, caller.principal)}


@router.get("/reads/{subject}/{timepoint}")
def open_(subject: Subject, timepoint: Timepoint, caller: Reading, desk: TheDesk) -> JsonObject:
    """Open a visit; begins a draft at the first call."""
    place = _place(subject, timepoint, caller)
    return read_view(desk, place, reading.open_read(desk, place))


@router.post("/reads/{subject}/{timepoint}/changes")
def change(subject: Subject, timepoint: Timepoint, asked: ChangeRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Make one change: one step of undo, durable when answered."""
    place = _place(subject, timepoint, caller)
    found, mask = reading.change_read(desk, place, asked.revision, asked.change)
    return {"read": read_view(desk, place, found), "mask": None if mask is None else mask_json(mask)}


@router.post("/reads/{subject}/{timepoint}/undo")
def undo(subject: Subject, timepoint: Timepoint, asked: RevisionRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Take the newest change back."""
    place = _place(subject, timepoint, caller)
    return {"read": read_view(desk, place, reading.undo(desk, place, asked.revision)), "mask": None}


@router.post("/reads/{subject}/{timepoint}/redo")
def redo(subject: Subject, timepoint: Timepoint, asked: RevisionRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Make the change again that was taken back last."""
    place = _place(subject, timepoint, caller)
    return {"read": read_view(desk, place, reading.redo(desk, place, asked.revision)), "mask": None}


@router.post("/reads/{subject}/{timepoint}/preview")
def look(subject: Subject, timepoint: Timepoint, asked: PreviewRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """What the segmenter would propose; the draft stays as it is."""
    place = _place(subject, timepoint, caller)
    found, mask = preview(desk, place, asked.lesion, asked.series_uid, asked.prompts, refine=asked.refine)
    return {"mask": mask_json(mask), "mask_ref": mask_view(found)}


@router.post("/reads/{subject}/{timepoint}/tick")
def tick(subject: Subject, timepoint: Timepoint, caller: Reading, desk: TheDesk) -> JsonObject:
    """The reader is at work: count the time since the last tick."""
    return {"seconds": round(reading.tick(desk, _place(subject, timepoint, caller)), 1)}


@router.post("/reads/{subject}/{timepoint}/sign")
def sign_(subject: Subject, timepoint: Timepoint, asked: SignRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Sign and lock the visit."""
    place = _place(subject, timepoint, caller)
    method = signing_method(desk, caller, asked.password)
    sign.sign_draft(desk, place, asked.revision, meaning=asked.meaning, method=method)
    return read_view(desk, place, reading.open_read(desk, place))


def signing_method(desk: Desk, caller: Caller, password: str) -> str:
    """How somebody proved again who they are.

    Raises:
        Problem: They did not.
    """
    if caller.session is None:
        raise AccessError("signing: expected a person, found a program")
    try:
        return reauthenticate(desk.study, caller.session, password)
    except LockedOutError:
        raise
    except AccessError as error:
        if caller.session.method == "oidc":
            raise Problem(401, "reauthenticate", str(error), {"url": "/api/oidc/start?purpose=sign"}) from error
        raise Problem(401, "bad-password", str(error)) from error


@router.post("/reads/{subject}/{timepoint}/unlock")
def unlock(subject: Subject, timepoint: Timepoint, asked: UnlockRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Read a signed visit again: a draft that will be a new version with this reason."""
    place = _place(subject, timepoint, caller)
    return read_view(desk, place, sign.unlock_read(desk, place, reason=asked.reason.strip()))


@router.get("/reads/{subject}/{timepoint}/key-images")
def key_images(subject: Subject, timepoint: Timepoint, caller: Reading, desk: TheDesk) -> list[JsonObject]:
    """The pictures captured at the newest signature."""
    place = _place(subject, timepoint, caller)
    url = f"/api/reads/{subject}/{timepoint}/key-images"
    return [
        {"lesion": each.lesion_id, "title": each.title, "caption": each.caption, "url": f"{url}/{each.lesion_id}.png"}
        for each in sign.key_images_of(desk, place)
    ]


@router.get("/reads/{subject}/{timepoint}/key-images/{lesion}.png")
def key_image(subject: Subject, timepoint: Timepoint, lesion: str, caller: Reading, desk: TheDesk) -> Response:
    """One picture."""
    place = _place(subject, timepoint, caller)
    for each in sign.key_images_of(desk, place):
        if each.lesion_id == lesion:
            return Response(each.png, media_type="image/png")
    raise Problem(404, "not-found", f"{subject} {timepoint}: no key image of {lesion}")


def _place(subject: str, timepoint: str, caller: Caller) -> Place:
    return Place(subject=subject, timepoint=timepoint, reader=caller.principal)
