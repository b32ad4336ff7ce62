"""The live answer as the page is given it: this visit's sum and response, and the timeline of all visits read."""

from collections.abc import Mapping
from datetime import date, datetime

from npcpit_imaging.app.draft.answer import LiveAnswer
from npcpit_imaging.app.draft.place import Place
from npcpit_imaging.response.answers import lesion_answers, timepoint_answers
from npcpit_imaging.response.sums import SumOfDiameters, change_permille
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.timepoint import BASELINE

FROM_ENGINE = (
    "sum_mm", "sum_complete", "sum_assessed_mm", "baseline_mm", "nadir_mm", "nadir_at", "change_percent",
    "change_nadir_percent", "change_nadir_mm", "target", "non_target", "new", "overall", "rule", "fired", "target_rule",
    "non_target_rule", "irecist", "irecist_rule", "irradiated_sum_mm", "irradiated_response", "new_in_field",
    "new_margin_field", "new_out_field",
)  # fmt: skip
"""What of the engine's answer is shown."""

IN_TIMELINE = (
    "sum_mm", "sum_complete", "change_percent", "change_nadir_mm", "change_nadir_percent", "target", "non_target",
    "new", "overall", "rule",
)  # fmt: skip
"""What the timeline shows of each visit."""


def answer_view(
    live: LiveAnswer, place: Place, dates: Mapping[str, date], signed: Mapping[str, datetime]
) -> JsonObject:
    """This visit's answer with the timeline.

    Args:
        live: What the engine said.
        place: Which visit.
        dates: Of every visit up to this one.
        signed: When this reader signed each of them.
    """
    rows = {} if live.response is None else {str(row["timepoint"]): row for row in timepoint_answers(live.response)}
    own: JsonObject = dict(rows.get(place.timepoint, {}))
    found = live.sums.get(place.timepoint)
    return {
        **{name: own.get(name) for name in FROM_ENGINE},
        **(_sum(found, live.sums.get(BASELINE)) if not own else {}),
        "missing": [] if found is None else list(found.missing),
        "problem": live.problem or ("" if found is not None else "nothing is confirmed at this visit yet"),
        "timeline": [_line(live, rows.get(name, {}), name, day, signed) for name, day in dates.items()],
        "lesion_responses": _lesion_responses(live, place),
    }


def _sum(found: SumOfDiameters | None, baseline: SumOfDiameters | None) -> JsonObject:
    """The sum of a visit that has no response: the baseline."""
    if found is None:
        return {"sum_mm": None, "sum_complete": False, "sum_assessed_mm": None}
    whole = found.total / 10 if found.complete else None
    first = baseline.total / 10 if baseline is not None and baseline.complete else None
    return {
        "sum_mm": whole,
        "sum_complete": found.complete,
        "sum_assessed_mm": found.total / 10,
        "baseline_mm": first,
    }


def _line(
    live: LiveAnswer, row: Mapping[str, object], name: str, day: date, signed: Mapping[str, datetime]
) -> JsonObject:
    found, first = live.sums.get(name), live.sums.get(BASELINE)
    line: JsonObject = {key: row.get(key) for key in IN_TIMELINE}
    if not row:
        line |= {key: value for key, value in _sum(found, first).items() if key in IN_TIMELINE}
    elif found is not None and first is not None and found.complete and line["change_percent"] is None:
        permille = change_permille(found.total, first.total)
        line["change_percent"] = None if permille is None else permille / 10
    return {
        "timepoint": name,
        "date": day.isoformat(),
        **line,
        "sum_assessed_mm": None if found is None else found.total / 10,
        "missing": [] if found is None else list(found.missing),
        "signed": signed[name].isoformat() if name in signed else None,
        "draft": name not in signed,
    }


def _lesion_responses(live: LiveAnswer, place: Place) -> list[JsonObject]:
    if live.response is None:
        return []
    found: list[JsonObject] = []
    for row in lesion_answers(live.response):
        responses = row["responses"]
        assert isinstance(responses, list), "written by lesion_answers"
        found += [
            {"lesion": row["lesion"], "cycle": row["cycle"], "baseline_mm": row["baseline_mm"], **each}
            for each in responses
            if isinstance(each, dict) and each.get("timepoint") == place.timepoint
        ]
    return found
