"""WADO-RS: metadata, whole objects and frames, streamed as they are stored (PS3.18 10.4)."""

import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import StreamingResponse

from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.web_objects import WebInstance, WebSeries
from npcpit_imaging.app.web_search import cached_header
from npcpit_imaging.dicom.web_answers import stored_frames, transfer_syntax_of
from npcpit_imaging.server.callers import Caller, Looking, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.server.routes.dicomweb_search import DicomJson, Uid, series_seen_by, the_series

router = APIRouter(prefix="/dicom-web/studies/{study}", tags=["DICOMweb"])

CHUNK = 1 << 20
"""Bytes read from disk at a time."""

Frames = Annotated[str, Path(pattern=r"^[0-9]{1,6}(,[0-9]{1,6}){0,999}$")]


@router.get("/metadata", response_class=DicomJson)
def study_metadata(study: Uid, caller: Looking, desk: TheDesk) -> DicomJson:
    """Headers of a study's objects."""
    return _metadata(desk, _study(desk, caller, study))


@router.get("/series/{series}/metadata", response_class=DicomJson)
def series_metadata(study: Uid, series: Uid, caller: Looking, desk: TheDesk) -> DicomJson:
    """Headers of a series' objects."""
    return _metadata(desk, [the_series(desk, caller, study, series)])


@router.get("/series/{series}/instances/{instance}/metadata", response_class=DicomJson)
def instance_metadata(study: Uid, series: Uid, instance: Uid, caller: Looking, desk: TheDesk) -> DicomJson:
    """One object's header."""
    found = _instance(desk, caller, study, series, instance)
    return DicomJson([cached_header(desk.study.objects.file(found.path))])


@router.get("", response_class=StreamingResponse)
def study_objects(study: Uid, caller: Looking, desk: TheDesk) -> StreamingResponse:
    """A study's objects."""
    return _objects(desk, [each for series in _study(desk, caller, study) for each in series.instances])


@router.get("/series/{series}", response_class=StreamingResponse)
def series_objects(study: Uid, series: Uid, caller: Looking, desk: TheDesk) -> StreamingResponse:
    """A series' objects."""
    return _objects(desk, the_series(desk, caller, study, series).instances)


@router.get("/series/{series}/instances/{instance}", response_class=StreamingResponse)
def one_object(study: Uid, series: Uid, instance: Uid, caller: Looking, desk: TheDesk) -> StreamingResponse:
    """One object."""
    return _objects(desk, [_instance(desk, caller, study, series, instance)])


@router.get("/series/{series}/instances/{instance}/frames/{frames}", response_class=StreamingResponse)
def frames_of(
    study: Uid, series: Uid, instance: Uid, frames: Frames, caller: Looking, desk: TheDesk
) -> StreamingResponse:
    """Frames of one object, compressed as stored."""
    found = _instance(desk, caller, study, series, instance)
    numbers = tuple(int(each) for each in frames.split(","))
    stored = stored_frames(desk.study.objects.file(found.path), numbers)
    return _multipart(stored.media_type, ((stored.media_type, [frame]) for frame in stored.frames))


def _study(desk: Desk, caller: Caller, study: str) -> list[WebSeries]:
    found = series_seen_by(desk, caller, study)
    if not found:
        raise Problem(404, "not-found", f"study {study}: none that you may see")
    return found


def _instance(desk: Desk, caller: Caller, study: str, series: str, instance: str) -> WebInstance:
    for each in the_series(desk, caller, study, series).instances:
        if each.uid == instance:
            return each
    raise Problem(404, "not-found", f"instance {instance}: none that you may see")


def _metadata(desk: Desk, series: Iterable[WebSeries]) -> DicomJson:
    return DicomJson(
        [
            cached_header(path)
            for each in series
            for path in desk.study.objects.files(one.path for one in each.instances)
        ]
    )


def _objects(desk: Desk, instances: Iterable[WebInstance]) -> StreamingResponse:
    paths = desk.study.objects.files(each.path for each in instances)
    parts = ((f"application/dicom; transfer-syntax={transfer_syntax_of(path)}", _pieces(path)) for path in paths)
    return _multipart("application/dicom", parts)


def _pieces(path: FilePath) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def _multipart(media_type: str, parts: Iterable[tuple[str, Iterable[bytes]]]) -> StreamingResponse:
    boundary = f"npcpit{secrets.token_hex(12)}"

    def body() -> Iterator[bytes]:
        for content_type, pieces in parts:
            yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode("ascii")
            yield from pieces
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode("ascii")

    kind = re.split(";", media_type)[0].strip()
    return StreamingResponse(
        body(), media_type=f'multipart/related; type="{kind}"; boundary={boundary}', headers={"Vary": "Accept"}
    )
