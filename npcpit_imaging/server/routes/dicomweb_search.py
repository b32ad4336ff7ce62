"""QIDO-RS (PS3.18 10.6)."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.web_objects import WebSeries, one_series, visible_series
from npcpit_imaging.app.web_search import TAGS, instance_answers, series_answers, study_answers
from npcpit_imaging.server.callers import Caller, Looking, TheDesk
from npcpit_imaging.server.problems import Problem

router = APIRouter(prefix="/dicom-web", tags=["DICOMweb"])

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]


class DicomJson(JSONResponse):
    """An answer of DICOM JSON."""

    media_type = "application/dicom+json"


@router.get("/studies", response_class=DicomJson)
def studies(request: Request, caller: Looking, desk: TheDesk) -> DicomJson:
    """Search for studies."""
    keys = keys_of(request)
    return DicomJson(study_answers(desk.study, _searched(desk, caller, keys), keys))


@router.get("/series", response_class=DicomJson)
def every_series(request: Request, caller: Looking, desk: TheDesk) -> DicomJson:
    """Search for series of all studies."""
    keys = keys_of(request)
    return DicomJson(series_answers(desk.study, _searched(desk, caller, keys), keys))


@router.get("/studies/{study}/series", response_class=DicomJson)
def series(study: Uid, request: Request, caller: Looking, desk: TheDesk) -> DicomJson:
    """Search for a study's series."""
    return DicomJson(series_answers(desk.study, series_seen_by(desk, caller, study), keys_of(request)))


@router.get("/studies/{study}/instances", response_class=DicomJson)
def study_instances(study: Uid, request: Request, caller: Looking, desk: TheDesk) -> DicomJson:
    """Search for a study's instances."""
    return DicomJson(instance_answers(desk.study, series_seen_by(desk, caller, study), keys_of(request)))


@router.get("/studies/{study}/series/{series}/instances", response_class=DicomJson)
def instances(study: Uid, series: Uid, request: Request, caller: Looking, desk: TheDesk) -> DicomJson:
    """Search for a series' instances."""
    return DicomJson(instance_answers(desk.study, [the_series(desk, caller, study, series)], keys_of(request)))


def keys_of(request: Request) -> dict[str, str]:
    """A search's parameters."""
    return dict(request.query_params.items())


def series_seen_by(desk: Desk, caller: Caller, study: str = "") -> list[WebSeries]:
    """Every series that somebody may see."""
    with desk.study.database.session() as session:
        return visible_series(session, caller.principal, study_uid=study)


def _searched(desk: Desk, caller: Caller, keys: dict[str, str]) -> list[WebSeries]:
    """Series that a search can find: of one study, where it names one."""
    study = keys.get("StudyInstanceUID", keys.get(TAGS["StudyInstanceUID"], ""))
    one_study = study if study.replace(".", "").isdigit() else ""  # a list of UIDs is searched for in all
    return series_seen_by(desk, caller, one_study)


def the_series(desk: Desk, caller: Caller, study: str, series: str) -> WebSeries:
    """One series.

    Raises:
        Problem: There is none that this person may see.
        LockedTimepointError: It is of a visit that opens later.
    """
    with desk.study.database.session() as session:
        found = one_series(session, caller.principal, study, series)
    if found is None:
        raise Problem(404, "not-found", f"series {series}: none that you may see")
    return found
