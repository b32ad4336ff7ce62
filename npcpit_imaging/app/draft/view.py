"""A draft as the page is given it: lesions with all earlier values of this reader, sums, responses, checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from npcpit_imaging.app.draft.content import DraftContent, DrawnLine, LesionEntry, MaskInDraft
from npcpit_imaging.app.draft.opening import middle, own_reads
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.states import states_of
from npcpit_imaging.app.links import map_between
from npcpit_imaging.errors import NpcpitError
from npcpit_imaging.store.lesions import StoredProposal, every_proposal_of, stored_caliper
from npcpit_imaging.store.reads import ReadLesion
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.finding import Finding, Severity


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What this reader signed of one lesion at an earlier visit.

    Args:
        timepoint: Which visit.
        date: Its date.
        row: What the read says.
        proposal: The mask that was accepted or kept beside.
    """

    timepoint: str
    date: date
    row: ReadLesion
    proposal: StoredProposal | None

    @property
    def long(self) -> Caliper | None:
        """The long axis that counts: the reader's own, or the mask's."""
        own = stored_caliper(self.row.reader_caliper)
        from_mask = None if self.proposal is None else self.proposal.measurement.longest_diameter
        return (own or from_mask) if self.row.accepted == "caliper" else (from_mask or own)

    @property
    def short(self) -> Caliper | None:
        """The short axis that counts."""
        own = stored_caliper(self.row.reader_short_caliper)
        from_mask = None if self.proposal is None else self.proposal.measurement.short_axis
        return (own or from_mask) if self.row.accepted == "caliper" else (from_mask or own)


def earlier_values(desk: Desk, place: Place) -> dict[str, list[Earlier]]:
    """Earlier values by tracking UID, in date order; this reader's own only."""
    with desk.study.database.session() as session:
        proposals = {each.id: each for each in every_proposal_of(session, place.subject)}
    found: dict[str, list[Earlier]] = {}
    for read in own_reads(desk, place):
        for row in read.lesions if read.timepoint != place.timepoint else ():
            proposal = None if row.proposal_id is None else proposals.get(row.proposal_id)
            found.setdefault(row.tracking_uid, []).append(
                Earlier(timepoint=read.timepoint, date=read.date, row=row, proposal=proposal)
            )
    return found


def lesion_views(desk: Desk, place: Place, content: DraftContent) -> list[JsonObject]:
    """Every lesion's entry as the table shows it."""
    earlier = earlier_values(desk, place)
    return [
        {
            **entry_view(entry, place),
            "earlier": [_earlier_view(each, entry) for each in earlier.get(entry.tracking_uid, ())],
            **_ghost(desk, place, entry, earlier.get(entry.tracking_uid, ())),
            "change": _change(entry, earlier.get(entry.tracking_uid, ())),
        }
        for entry in content.lesions
    ]


def entry_view(entry: LesionEntry, place: Place) -> JsonObject:
    """What a draft says of one lesion."""
    said = entry.json_object()
    return {
        **{
            name: value for name, value in said.items() if name not in ("lesion_id", "mask", "caliper", "short_caliper")
        },
        "lesion": entry.lesion_id,
        "size_mm": entry.size_mm,
        "states": [each.value for each in states_of(entry, at_baseline=place.at_baseline)],
        "mask": None if entry.mask is None else mask_view(entry.mask),
        "caliper": _line_view(entry.caliper),
        "short_caliper": _line_view(entry.short_caliper),
    }


def _line_view(line: DrawnLine | None) -> JsonObject | None:
    return None if line is None else {**line.json_object(), "length_mm": line.caliper().length_mm}


def mask_view(mask: MaskInDraft) -> JsonObject:
    """A mask's description without its bits."""
    found = mask.measurement.measurement()
    return {
        "digest": mask.digest,
        "series_uid": mask.series_uid,
        "origin": mask.origin,
        "segmenter": f"{mask.segmenter.get('name', '')} {mask.segmenter.get('version', '')}".strip(),
        "seconds": mask.segmenter.get("seconds"),
        "seed_only": mask.seed_only,
        "measurement": {
            **mask.measurement.json_object(),
            "longest_diameter_mm": found.longest_diameter_mm,
            "short_axis_mm": found.short_axis_mm,
        },
        "uptake": None if mask.uptake is None else mask.uptake.json_object(),
    }


def _earlier_view(each: Earlier, entry: LesionEntry) -> JsonObject:
    row, long, short = each.row, each.long, each.short
    return {
        "timepoint": each.timepoint,
        "date": each.date.isoformat(),
        "state": row.state,
        "longest_diameter_mm": row.longest_diameter_mm,
        "short_axis_mm": row.short_axis_mm,
        "size_mm": row.short_axis_mm if entry.nodal else row.longest_diameter_mm,
        "field": row.field,
        "endoscopy": row.endoscopy,
        "series_uid": row.series_uid or (None if each.proposal is None else each.proposal.series_uid),
        "caliper": None if long is None else [long.start_mm, long.end_mm],
        "short_caliper": None if short is None else [short.start_mm, short.end_mm],
        "mask_digest": None if each.proposal is None else each.proposal.mask_sha256,
    }


def _ghost(desk: Desk, place: Place, entry: LesionEntry, earlier: Iterable[Earlier]) -> JsonObject:
    """The previous caliper in this visit's space, and where to look."""
    drawn = [each for each in earlier if each.long is not None]
    here = _own_middle(entry)
    if not drawn:
        return {"ghost": None, "seed_mm": here}
    last = drawn[-1]
    long, short = last.long, last.short
    assert long is not None, "chosen because it has one"
    ends = [long.start_mm, long.end_mm, *([] if short is None else [short.start_mm, short.end_mm])]
    try:
        mapped, carried = map_between(
            desk.study, place.subject, np.array(ends, float), from_visit=last.timepoint, to_visit=place.timepoint
        )
    except NpcpitError:
        return {"ghost": None, "seed_mm": here}
    if not np.isfinite(mapped).all():  # the deformation folds there
        return {"ghost": None, "seed_mm": here}
    points = [[round(float(value), 4) for value in point] for point in mapped]
    ghost: JsonObject = {
        "timepoint": last.timepoint,
        "start_mm": points[0],
        "end_mm": points[1],
        "short": points[2:] or None,
        "mapped_by": "registration",
        "uncertainty_mm": carried,
    }
    centre = [round(float(value), 4) for value in mapped[:2].mean(axis=0)]
    return {"ghost": ghost, "seed_mm": here or centre}


def _own_middle(entry: LesionEntry) -> list[float] | None:
    line = entry.caliper.caliper() if entry.caliper is not None else None
    if line is None and entry.mask is not None:
        line = entry.mask.measurement.measurement().longest_diameter
    return None if line is None else list(middle(line))


def _change(entry: LesionEntry, earlier: Iterable[Earlier]) -> JsonObject:
    """How a confirmed size compares with this reader's earlier ones."""
    sizes = [size for each in earlier if (size := _size(each.row, entry)) is not None]
    now = entry.size_mm
    if now is None or not sizes:
        return {"baseline_percent": None, "nadir_percent": None, "nadir_mm": None}
    nadir = min(sizes)
    return {
        "baseline_percent": _percent(now, sizes[0]),
        "nadir_percent": _percent(now, nadir),
        "nadir_mm": round(now - nadir, 1),
    }


def _size(row: ReadLesion, entry: LesionEntry) -> float | None:
    return row.short_axis_mm if entry.nodal else row.longest_diameter_mm


def _percent(now: float, before: float) -> float | None:
    return None if before == 0 else round(100 * (now / before - 1), 1)


def checks_view(checks: Iterable[Finding], content: DraftContent) -> list[JsonObject]:
    """Edit checks; an error blocks signing."""
    names = {each.lesion_id for each in content.lesions}
    return [
        {
            "code": each.code,
            "severity": each.severity.value,
            "text": each.text,
            "blocks": each.severity is Severity.ERROR,
            "lesion": next((word for word in [each.text.split(" ")[0].rstrip(":,")] if word in names), None),
        }
        for each in checks
    ]
