"""QIDO-RS answers: studies, series and instances as DICOM JSON, filtered by a viewer's keys (PS3.18 10.6)."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.study import Study
from npcpit_imaging.app.web_objects import WebSeries
from npcpit_imaging.dicom.web_answers import JsonHeader, header_json
from npcpit_imaging.errors import InputError

T = TypeVar("T")

TAGS = {
    "StudyDate": "00080020", "StudyTime": "00080030", "AccessionNumber": "00080050", "Modality": "00080060",
    "ModalitiesInStudy": "00080061", "StudyDescription": "00081030", "SeriesDescription": "0008103E",
    "PatientName": "00100010", "PatientID": "00100020", "StudyInstanceUID": "0020000D", "SeriesInstanceUID": "0020000E",
    "StudyID": "00200010", "SeriesNumber": "00200011", "SOPClassUID": "00080016", "SOPInstanceUID": "00080018",
    "InstanceNumber": "00200013",
}  # fmt: skip
"""Keys that can be searched for; others are ignored with a warning, as the standard allows."""

STUDY_TAGS = ("00080005", "00080020", "00080030", "00080050", "00080090", "00081030", "00100010", "00100020",
              "00100030", "00100040", "0020000D", "00200010")  # fmt: skip
"""Attributes of a study that are answered, as its images say them."""

SERIES_TAGS = ("00080060", "0008103E", "0020000D", "0020000E", "00200011", "00200052", "00080021", "00080031")
"""Attributes of a series."""

INSTANCE_TAGS = ("00080016", "00080018", "00080060", "0020000D", "0020000E", "00200013", "00280010", "00280011",
                 "00280100", "00280008", "00083002")  # fmt: skip
"""Attributes of an instance."""

NEVER = frozenset({"limit", "offset", "includefield", "fuzzymatching"})
"""Parameters that are no keys."""

MOST = 5000
"""Answers at a time, at most."""


@lru_cache(maxsize=4096)
def cached_header(path: Path) -> JsonHeader:
    """The header of an object; objects are never changed."""
    return header_json(path)


def study_answers(study: Study, series: Sequence[WebSeries], keys: Mapping[str, str]) -> list[JsonHeader]:
    """One answer per study."""
    by_study: dict[str, list[WebSeries]] = {}
    for each in series:
        by_study.setdefault(each.study_uid, []).append(each)
    return _page(list(by_study.values()), keys, lambda group: _study(study, group))


def _study(study: Study, group: Sequence[WebSeries]) -> JsonHeader:
    header = _first(study, group[0])
    return {
        **_chosen(header, STUDY_TAGS),
        "00080061": _value("CS", *sorted({each.modality for each in group})),
        "00201206": _value("IS", len(group)),
        "00201208": _value("IS", sum(len(each.instances) for each in group)),
    }


def series_answers(study: Study, series: Sequence[WebSeries], keys: Mapping[str, str]) -> list[JsonHeader]:
    """One answer per series."""
    return _page(series, keys, lambda each: _one_series(study, each))


def _one_series(study: Study, each: WebSeries) -> JsonHeader:
    header = _first(study, each)
    return {**_chosen(header, (*SERIES_TAGS, *STUDY_TAGS)), "00201209": _value("IS", len(each.instances))}


def instance_answers(study: Study, series: Sequence[WebSeries], keys: Mapping[str, str]) -> list[JsonHeader]:
    """One answer per object."""
    return _page(
        [one for each in series for one in each.instances],
        keys,
        lambda one: _chosen(cached_header(study.objects.file(one.path)), (*INSTANCE_TAGS, *STUDY_TAGS)),
    )


def _first(study: Study, series: WebSeries) -> JsonHeader:
    return cached_header(study.objects.file(series.instances[0].path))


def _chosen(header: JsonHeader, tags: Sequence[str]) -> JsonHeader:
    return {tag: header[tag] for tag in tags if tag in header}


def _value(vr: str, *values: object) -> dict[str, object]:
    return {"vr": vr, "Value": list(values)}


def _page(items: Sequence[T], keys: Mapping[str, str], answer: Callable[[T], JsonHeader]) -> list[JsonHeader]:
    """Answers from `offset`, at most `limit`; no header is read that is neither looked for in nor answered."""
    offset, limit = _whole(keys, "offset", 0), min(_whole(keys, "limit", MOST), MOST)
    tests = _tests(keys)
    if not tests:
        return [answer(each) for each in items[offset : offset + limit]]
    found = (each for each in map(answer, items) if all(test(each) for test in tests))
    return list(islice(found, offset, offset + limit))


def _whole(keys: Mapping[str, str], name: str, default: int) -> int:
    text = keys.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InputError(f"{name}: expected a whole number, found something else")
    return int(text)


def _tests(keys: Mapping[str, str]) -> list[Callable[[JsonHeader], bool]]:
    known = {**TAGS, **{tag: tag for tag in TAGS.values()}}
    wanted = {known[name]: text for name, text in keys.items() if name in known and name not in NEVER and text}
    return [lambda each, tag=tag, text=text: _matches(each, tag, text) for tag, text in wanted.items()]  # type: ignore[misc]


def _matches(answer: JsonHeader, tag: str, text: str) -> bool:
    """Single value, list of UIDs, wildcard or date range (PS3.4 C.2.2.2)."""
    values = _texts(answer.get(tag))
    if tag == TAGS["StudyDate"] and "-" in text:
        low, _, high = text.partition("-")
        return any((not low or value >= low) and (not high or value <= high) for value in values)
    wanted = (
        text.replace("\\", ",").split(",") if tag.startswith("0020000") or tag == TAGS["SOPInstanceUID"] else [text]
    )
    return any(fnmatch.fnmatchcase(value, each) for value in values for each in wanted)


def _texts(element: object) -> list[str]:
    values = element.get("Value") if isinstance(element, dict) else None
    return [
        str(value.get("Alphabetic", "")) if isinstance(value, dict) else str(value)
        for value in (values if isinstance(values, list) else [])
    ]
