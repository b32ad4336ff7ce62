"""The irradiated field on a series of an open visit."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from npcpit_imaging.app.access.sequence import require_open, series_seen
from npcpit_imaging.app.draft.masks import mask_json, pack
from npcpit_imaging.app.field_overlay import field_overlay, has_field
from npcpit_imaging.server.callers import Reading, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.schema import JsonObject

router = APIRouter(prefix="/api", tags=["field"])

Subject = Annotated[str, Path(min_length=1, max_length=64)]
Timepoint = Annotated[str, Path(min_length=1, max_length=32)]
SeriesUid = Annotated[str, Query(pattern=r"^[0-9.]{1,64}$")]


@router.get("/reads/{subject}/{timepoint}/field")
def field(subject: Subject, timepoint: Timepoint, series_uid: SeriesUid, caller: Reading, desk: TheDesk) -> JsonObject:
    """Where light acted, on the grid of a series of this visit or of an earlier one, and its margin of doubt."""
    with desk.study.database.session() as session:
        require_open(session, caller.principal, subject, timepoint)
        series = series_seen(session, caller.principal, series_uid)
        names = [point.name for point in timepoints(session, subject)]
    if series is None or series.subject != subject:
        raise Problem(404, "not-found", f"series {series_uid}: none of {subject} that you may see")
    visits = names[: names.index(timepoint) + 1]  # a reader of this visit knows of no later cycle
    if not has_field(desk.study, subject, visits=visits):
        raise Problem(404, "not-found", f"{subject}: no irradiated field on record")
    found = field_overlay(desk.study, desk.shelf, series, visits=visits)
    has_margin = bool(found.margin.voxels.any())
    return {
        "series_uid": series.uid,
        "timepoint": series.timepoint,
        "in": mask_json(pack(found.inside, series.uid)),
        "margin": mask_json(pack(found.margin, series.uid)) if has_margin else None,
        "margin_mm": round(found.margin_mm, 2),
        "planned_on": list(found.planned_on),
        "cycles": list(found.cycles),
        "source": f"planned on {', '.join(found.planned_on)}; cycle {', '.join(str(each) for each in found.cycles)}",
    }
