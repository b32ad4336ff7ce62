"""STOW-RS: SEG and SR (PS3.18 10.5)."""

import io
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool

from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.web_store import StoredObject, store_object
from npcpit_imaging.dicom.multipart import Multipart, boundary_of
from npcpit_imaging.errors import NetworkError
from npcpit_imaging.server.callers import Caller, Storing, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.server.routes.dicomweb_search import DicomJson

router = APIRouter(prefix="/dicom-web", tags=["DICOMweb"])

MOST_OBJECTS = 200
"""Objects in one request."""


@router.post("/studies", response_class=DicomJson)
async def store(request: Request, caller: Storing, desk: TheDesk) -> DicomJson:
    """Store objects of any study."""
    return await _store(request, caller, desk, "")


@router.post("/studies/{study}", response_class=DicomJson)
async def store_in(
    study: Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")], request: Request, caller: Storing, desk: TheDesk
) -> DicomJson:
    """Store objects of one study."""
    return await _store(request, caller, desk, study)


async def _store(request: Request, caller: Caller, desk: Desk, study: str) -> DicomJson:
    kind = request.headers.get("Content-Type", "")
    body = await request.body()
    return await run_in_threadpool(_take, desk, caller, kind, body, study)


def _take(desk: Desk, caller: Caller, kind: str, body: bytes, study: str) -> DicomJson:
    try:
        if "application/dicom" not in kind.replace('"', "") or "application/dicom+" in kind:
            raise Problem(415, "media-type", 'expected multipart/related; type="application/dicom"')
        contents = [b"".join(part) for part in Multipart(io.BytesIO(body).read, boundary_of(kind)).parts()]
    except NetworkError as error:
        raise Problem(400, "invalid", str(error)) from error
    if not 0 < len(contents) <= MOST_OBJECTS:
        raise Problem(400, "invalid", f"expected 1 to {MOST_OBJECTS} objects, found {len(contents)}")
    outcomes = [store_object(desk.study, caller.principal, each, study_uid=study) for each in contents]
    failed = [each for each in outcomes if each.failure]
    status = 200 if not failed else 409 if len(failed) == len(outcomes) else 202
    answer: dict[str, object] = {}
    if len(failed) < len(outcomes):
        answer["00081199"] = {"vr": "SQ", "Value": [_referenced(each) for each in outcomes if not each.failure]}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": [_failed(each) for each in failed]}
        answer["00081196"] = {"vr": "LO", "Value": [failed[0].reason[:64]]}
    return DicomJson(answer, status_code=status)


def _referenced(each: StoredObject) -> dict[str, object]:
    return {
        "00081150": {"vr": "UI", "Value": [each.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [each.sop_instance_uid]},
    }


def _failed(each: StoredObject) -> dict[str, object]:
    return {**_referenced(each), "00081197": {"vr": "US", "Value": [each.failure]}}
