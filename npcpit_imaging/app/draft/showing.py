"""The whole answer to "open this visit": the read with its lesions, the live answer, checks and what surrounds it."""

from datetime import date, datetime

from npcpit_imaging.app.access.sequence import VisitStatus, visits_of
from npcpit_imaging.app.draft.answer import live_answer
from npcpit_imaging.app.draft.answer_view import answer_view
from npcpit_imaging.app.draft.opening import own_reads
from npcpit_imaging.app.draft.place import Desk, Place
from npcpit_imaging.app.draft.reading import OpenRead
from npcpit_imaging.app.draft.view import checks_view, lesion_views
from npcpit_imaging.app.responses import irradiations_of
from npcpit_imaging.store.images import IMAGE_MODALITIES, SeriesSummary, series_of
from npcpit_imaging.store.moments import utc
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.finding import Finding
from npcpit_imaging.volume.volume import Modality


def read_view(desk: Desk, place: Place, found: OpenRead) -> JsonObject:
    """A read as the page shows it."""
    live = live_answer(desk, place, found.content)
    visits, dates = _visits(desk, place)
    signed = {each.timepoint: utc(each.signed) for each in own_reads(desk, place)}
    shown = {name: moment for name, moment in signed.items() if name != place.timepoint or not found.is_draft}
    checks = live.checks if found.is_draft else ()
    return {
        "subject": place.subject,
        "timepoint": place.timepoint,
        "date": dates[place.timepoint].isoformat(),
        "reader": place.reader.name,
        "status": "draft" if found.is_draft else "signed",
        "revision": found.revision,
        "can_undo": bool(found.undo_says),
        "can_redo": bool(found.redo_says),
        "undo_says": found.undo_says,
        "redo_says": found.redo_says,
        "version": 0 if found.signed is None else found.signed.version,
        "reason": found.reason,
        "signed": _moment(None if found.signed is None else utc(found.signed.signed)),
        "seconds": round(found.seconds, 1),
        "saved": _moment(found.saved),
        "timepoints": visits,
        "treatments": _treatments(desk, place),
        "notices": _notices(desk, place, dates[place.timepoint]),
        "lesions": lesion_views(desk, place, found.content),
        "read": found.content.whole.json_object(),
        "answer": answer_view(live, place, dates, shown),
        "checks": checks_view(checks, found.content),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _visits(desk: Desk, place: Place) -> tuple[list[JsonObject], dict[str, date]]:
    """Every visit, with the series of those up to this one; and their dates."""
    with desk.study.database.session() as session:
        placed = visits_of(session, place.subject, place.reader.name)
        series = [each for each in series_of(session, subject=place.subject) if each.modality in IMAGE_MODALITIES]
    here = next(each.date for each in placed if each.name == place.timepoint)
    lines: list[JsonObject] = []
    for visit in placed:
        seen = visit.date <= here and visit.status is not VisitStatus.LOCKED
        own = [each for each in series if each.timepoint == visit.name]
        lines.append(
            {
                "name": visit.name,
                "date": visit.date.isoformat(),
                "status": visit.status.value if visit.date <= here else VisitStatus.LOCKED.value,
                "series": [series_line(each, own) for each in own] if seen else [],
            }
        )
    return lines, {each.name: each.date for each in placed if each.date <= here}


def series_line(series: SeriesSummary, visit: list[SeriesSummary]) -> JsonObject:
    """A series of a visit in one line."""
    return {
        "uid": series.uid,
        "modality": series.modality,
        "description": series.description,
        "timepoint": series.timepoint,
        "instances": series.instances,
        "role": _role(series, visit),
        "frame_of_reference_uid": series.frame_of_reference_uid,
        "state": series.state.value,
        "findings": [finding_json(each) for each in series.findings],
    }


def _role(series: SeriesSummary, visit: list[SeriesSummary]) -> str:
    """Whether a series is the PET, the CT of the PET, or the one to measure on (`series.find_series`)."""
    if series.modality == Modality.PT:
        return "pet"
    frames = {each.frame_of_reference_uid for each in visit if each.modality == Modality.PT}
    of_pet = series.modality == Modality.CT and series.frame_of_reference_uid in frames
    return "pet_ct" if of_pet else "diagnostic"


def finding_json(finding: Finding) -> JsonObject:
    """A finding as JSON."""
    return {"code": finding.code, "severity": finding.severity.value, "text": finding.text}


def _treatments(desk: Desk, place: Place) -> list[JsonObject]:
    return [
        {"lesion": each.lesion, "cycle": each.cycle, "date": each.date.isoformat()}
        for each in irradiations_of(desk.study, place.subject)
    ]


def _notices(desk: Desk, place: Place, day: date) -> list[str]:
    """What a reader should know before looking: a visit soon after light treatment."""
    days = [(day - each.date).days for each in irradiations_of(desk.study, place.subject)]
    since = min((each for each in days if each > 0), default=None)
    limit = desk.study.protocol.too_early_days
    if since is None or since >= limit:
        return []
    return [
        f"{place.timepoint} is {since} days after light treatment (fewer than {limit}): oedema, necrosis, bleeding?"
    ]
