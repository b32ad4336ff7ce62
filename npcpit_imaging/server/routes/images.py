"""Series for the page: the grid, the voxels, masks, links between visits."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from npcpit_imaging.app.access.sequence import require_open, seen_series, series_seen, visits_of
from npcpit_imaging.app.draft.masks import mask_json
from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.draft.requests import Point, Request
from npcpit_imaging.app.draft.requests import Uid as SeriesUid
from npcpit_imaging.app.links import Link, Points, links_of, map_between
from npcpit_imaging.app.masks_seen import mask_seen
from npcpit_imaging.app.series_path import series_path
from npcpit_imaging.app.series_view import series_view, voxel_bytes
from npcpit_imaging.server.callers import Caller, Looking, Reading, TheDesk
from npcpit_imaging.server.problems import Problem
from npcpit_imaging.store.images import SeriesSummary
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.transform import RigidTransform

router = APIRouter(prefix="/api", tags=["images"])

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Subject = Annotated[str, Path(min_length=1, max_length=64)]
Timepoint = Annotated[str, Path(min_length=1, max_length=32)]

IMMUTABLE = "private, max-age=86400, immutable"
"""Of what is named by its digest."""


def seen(desk: Desk, caller: Caller, series_uid: str) -> SeriesSummary:
    """A series that somebody may see now.

    Raises:
        LockedTimepointError: It is of a visit that opens later.
        Problem: There is none, or it is not for this person; the answer is the same.
    """
    with desk.study.database.session() as session:
        found = series_seen(session, caller.principal, series_uid)
    if found is not None:
        return found
    raise Problem(404, "not-found", f"series {series_uid}: none that you may see")


@router.get("/series/{uid}")
def geometry(uid: Uid, caller: Looking, desk: TheDesk) -> JsonObject:
    """A series' grid, windows and slices."""
    return series_view(desk.study, desk.shelf, seen(desk, caller, uid))


@router.get("/series/{uid}/voxels", response_class=Response)
def voxels(
    uid: Uid,
    caller: Looking,
    desk: TheDesk,
    first: Annotated[int, Query(ge=0, le=100_000)] = 0,
    count: Annotated[int, Query(ge=1, le=100_000)] = 100_000,
) -> Response:
    """Slices of the grid, little-endian in (k, j, i) order: HU for CT, SUV for PET."""
    series = seen(desk, caller, uid)
    held = desk.shelf.get(series.uid)
    size = len(held.stored)
    if first >= size:
        raise Problem(400, "invalid", f"first: expected below {size}, found {first}")
    part = min(count, size - first)
    headers = {
        "X-First": str(first),
        "X-Count": str(part),
        "ETag": f'"{held.digest}"',
        "Cache-Control": "private, no-cache",
    }
    return Response(voxel_bytes(held, first, part), media_type="application/octet-stream", headers=headers)


@router.get("/masks/{digest}")
def mask(digest: Digest, caller: Reading, desk: TheDesk, response: Response) -> JsonObject:
    """A mask of one's own."""
    found = mask_seen(desk, caller.principal, digest)
    if found is None:
        raise Problem(404, "not-found", "mask: none that you may see")
    response.headers["Cache-Control"] = IMMUTABLE
    return mask_json(found)


class MapRequest(Request):
    """Points to carry over."""

    to: Annotated[str, Field(min_length=1, max_length=32)]
    points_mm: Annotated[tuple[Point, ...], Field(max_length=10_000)]
    inverse: bool = False


class SeriesMapRequest(Request):
    """Points of one series that are wanted in another's patient space."""

    from_series_uid: SeriesUid
    to_series_uid: SeriesUid
    points_mm: Annotated[tuple[Point, ...], Field(max_length=10_000)]


@router.get("/links/{subject}/{timepoint}")
def links(subject: Subject, timepoint: Timepoint, caller: Reading, desk: TheDesk) -> JsonObject:
    """How points of this visit and the earlier ones become points of the baseline, and of other series."""
    with desk.study.database.session() as session:
        here = require_open(session, caller.principal, subject, timepoint)
        names = [each.name for each in visits_of(session, subject, caller.principal.name) if each.date <= here.date]
    return {"links": [_link_view(each) for each in links_of(desk.study, subject, names)]}


def _link_view(link: Link) -> JsonObject:
    return {
        "from": link.from_visit,
        "to": link.to_visit,
        "from_series_uid": link.from_series_uid,
        "to_series_uid": link.to_series_uid,
        "kind": "deformable" if isinstance(link.transform, DeformableTransform) else "rigid",
        "matrix": _matrix(link.transform),
        "inverse": _matrix(link.transform.inverse()) if isinstance(link.transform, RigidTransform) else None,
        "verdict": link.verdict,
        "reasons": list(link.reasons),
        "uncertainty_mm": link.uncertainty_mm,
        "quality": link.numbers,
        "usable": link.usable,
        "problem": link.problem,
    }


def _matrix(transform: RigidTransform | DeformableTransform | None) -> list[list[float]] | None:
    """A rigid transform as 4 x 4; any other has none: its points are asked for."""
    if not isinstance(transform, RigidTransform):
        return None
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = transform.rotation, transform.translation_mm
    return [[float(value) for value in row] for row in matrix]


@router.post("/links/{subject}/{timepoint}/map")
def map_points(subject: Subject, timepoint: Timepoint, asked: MapRequest, caller: Reading, desk: TheDesk) -> JsonObject:
    """Carry points over to another visit, or from it (inverse)."""
    with desk.study.database.session() as session:
        require_open(session, caller.principal, subject, timepoint)
        require_open(session, caller.principal, subject, asked.to)
    from_visit, to_visit = (asked.to, timepoint) if asked.inverse else (timepoint, asked.to)
    points = np.array(asked.points_mm, float).reshape(-1, 3)
    mapped, uncertainty_mm = map_between(desk.study, subject, points, from_visit=from_visit, to_visit=to_visit)
    return {"points_mm": _points(mapped), "uncertainty_mm": uncertainty_mm}


@router.post("/links/{subject}/{timepoint}/points")
def map_series_points(
    subject: Subject, timepoint: Timepoint, asked: SeriesMapRequest, caller: Reading, desk: TheDesk
) -> JsonObject:
    """Carry points of one series over to another, of any visits that are open, through whatever was registered."""
    with desk.study.database.session() as session:
        require_open(session, caller.principal, subject, timepoint)
        ends = [series_seen(session, caller.principal, uid) for uid in (asked.from_series_uid, asked.to_series_uid)]
        series = seen_series(session, caller.principal, subject)
    if any(each is None or each.subject != subject for each in ends):
        raise Problem(404, "not-found", f"{subject}: no such series that you may see")
    path = series_path(
        desk.study, subject, series, from_series_uid=asked.from_series_uid, to_series_uid=asked.to_series_uid
    )
    points = np.array(asked.points_mm, float).reshape(-1, 3)
    return {
        "points_mm": _points(path.map(points)),
        "uncertainty_mm": path.uncertainty_mm,
        "registered": path.registered,
    }


def _points(mapped: Points) -> list[list[float] | None]:
    """Points as they travel; null where there is none."""
    return [[float(value) for value in point] if np.isfinite(point).all() else None for point in mapped]
