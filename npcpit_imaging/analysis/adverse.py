"""Adverse events: worst grade by patient and term, and rates by patient and by treatment cycle (CTCAE 5.0)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd

from npcpit_imaging.analysis.proportion import Estimate, clopper_pearson, clusters, korn_graubard
from npcpit_imaging.analysis.records import shown
from npcpit_imaging.study.adverse_event import GRADES, AdverseEvent, term_key

SEVERE = 3
"""Grade from which an event is severe."""

EVENTS = ["subject", "term", "grade", "start_day", "end_day", "lesion", "field", "related", "serious", "cycle"]
WORST = [
    "term",
    *(f"grade_{grade}" for grade in GRADES),
    "any_grade",
    "any_percent",
    "severe",
    "severe_percent",
    "patients",
]
RATES = ["what", "unit", "count", "denominator", "patients", "estimate", "lower", "upper", "method", "note"]

ANY_TERM = "any event"


def event_table(events: Iterable[AdverseEvent], cycles: pd.DataFrame, zero: Mapping[str, date]) -> pd.DataFrame:
    """A row per event in days from first treatment, with the cycle it followed.

    Terms that differ only in case or blanks are one, written as most events write it (of equals the first by letters).

    Args:
        events: The events.
        cycles: ``subject``, ``cycle``, ``day``: when each cycle's light was given.
        zero: Day 0 of each subject; events of others have no days.
    """
    events = list(events)
    spelling = _spellings([each.term for each in events])
    days = {name: own.sort_values("day")[["day", "cycle"]].to_numpy(float) for name, own in cycles.groupby("subject")}
    rows = []
    for each in sorted(events, key=lambda one: (one.subject, one.start, one.term)):
        start = _days(each.start, zero.get(each.subject))
        rows.append(
            {
                "subject": each.subject,
                "term": spelling[term_key(each.term)],
                "grade": each.grade,
                "start_day": start,
                "end_day": _days(each.end, zero.get(each.subject)),
                "lesion": each.lesion,
                "field": each.field,
                "related": each.related,
                "serious": each.serious,
                "cycle": _cycle(start, days.get(each.subject)),
            }
        )
    return pd.DataFrame(rows, columns=EVENTS)


def _spellings(terms: Sequence[str]) -> dict[str, str]:
    """How each term is written, by `term_key`."""
    counts = Counter(" ".join(term.split()) for term in terms)
    found: dict[str, str] = {}
    for term, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        found.setdefault(term_key(term), term)
    return found


def left_out_notes(events: pd.DataFrame, patients: Sequence[str], later: Sequence[str]) -> tuple[str, ...]:
    """What of the adverse events is in no rate and in no worst grade, and why.

    Args:
        events: Of `event_table`.
        patients: Every treated patient.
        later: Subject of each event that began after the data cut, which is in no table at all.
    """
    stranger = ~events["subject"].isin(patients)
    strangers = sorted(set(events.loc[stranger, "subject"]))
    early = int(((events["start_day"] < 0) & ~stranger).sum())
    told = (
        (int(stranger.sum()), f"of subjects without a treatment on record ({shown(strangers)})"),
        (early, "that began before the first treatment"),
        (len(later), "that began after the data cut"),
    )
    return tuple(f"{count} adverse events {why} are in no rate and no worst grade" for count, why in told if count)


def _days(day: date | None, zero: date | None) -> float:
    return float("nan") if day is None or zero is None else float((day - zero).days)


def _cycle(start: float, own: "np.ndarray | None") -> float:
    """The newest cycle whose light was given on or before that day; NaN before the first one."""
    if own is None or np.isnan(start):
        return float("nan")
    before = own[own[:, 0] <= start]
    return float(before[-1, 1]) if len(before) else float("nan")


def on_treatment(events: pd.DataFrame) -> pd.DataFrame:
    """Events on or after the first treatment; one without a day counts, for nobody can say it came before."""
    return events[~(events["start_day"] < 0)]


def worst_grades(events: pd.DataFrame, patients: Sequence[str]) -> pd.DataFrame:
    """How many patients had each worst grade of each term; a patient counts once a term.

    Args:
        events: Of `event_table`.
        patients: Every treated patient: the denominator.
    """
    counted = on_treatment(events)
    counted = counted[counted["subject"].isin(patients)]
    both = pd.concat([counted, counted.assign(term=ANY_TERM)])
    worst = both.groupby(["term", "subject"])["grade"].max().reset_index() if len(both) else both
    rows = []
    for term, own in worst.groupby("term") if len(worst) else ():
        grades = {f"grade_{grade}": int((own["grade"] == grade).sum()) for grade in GRADES}
        severe = int((own["grade"] >= SEVERE).sum())
        rows.append(
            {
                "term": term,
                **grades,
                "any_grade": len(own),
                "any_percent": 100.0 * len(own) / len(patients),
                "severe": severe,
                "severe_percent": 100.0 * severe / len(patients),
                "patients": len(patients),
            }
        )
    rows.sort(
        key=lambda row: (row["term"] != ANY_TERM, -_number(row["any_grade"]), -_number(row["severe"]), str(row["term"]))
    )
    return pd.DataFrame(rows, columns=WORST)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def event_rates(events: pd.DataFrame, patients: Sequence[str], cycles: pd.DataFrame) -> pd.DataFrame:
    """Share of patients, and of treatment cycles, with an event: of any grade, severe, related, serious.

    Patients have Clopper-Pearson intervals; cycles are several a patient, so theirs are Korn-Graubard. Related and
    serious events have rows where any event was judged; one that was not judged is counted as neither, which is noted.
    """
    counted = on_treatment(events)
    counted = counted[counted["subject"].isin(patients)]
    rows = []
    for what, chosen, note in _selections(counted):
        if len(patients):
            with_one = chosen["subject"].nunique()
            found = clopper_pearson(with_one, len(patients))
            rows.append(_rate(what, "patient", (with_one, len(patients), len(patients)), found, note))
        if len(cycles):
            pairs = set(zip(chosen["subject"], chosen["cycle"], strict=True))
            own = [
                (name, float(cycle)) in pairs for name, cycle in zip(cycles["subject"], cycles["cycle"], strict=True)
            ]
            by_patient = clusters(cycles["subject"].tolist(), own)
            counts = (by_patient.responders, by_patient.total, by_patient.patients)
            rows.append(_rate(what, "cycle", counts, korn_graubard(by_patient), note))
    return pd.DataFrame(rows, columns=RATES)


def _selections(counted: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Which events rates are given of: in words, the events, and what must be known of them."""
    severe = counted["grade"] >= SEVERE
    yield "any grade", counted, ""
    yield f"grade {SEVERE} or more", counted[severe], ""
    for column, words in (("related", "related to treatment"), ("serious", "serious")):
        judged = counted[column].notna()
        if not judged.any():
            continue
        yes = counted[column].map(lambda value: value is True or value == 1).astype(bool)
        unjudged = int((~judged).sum())
        note = f"{unjudged} of {len(counted)} events not judged, counted as not {column}" if unjudged else ""
        yield words, counted[yes], note
        if column == "related":
            yield f"{words}, grade {SEVERE} or more", counted[yes & severe], note


def _rate(what: str, unit: str, counts: tuple[int, int, int], found: Estimate, note: str) -> dict[str, object]:
    return {
        "what": what,
        "unit": unit,
        **dict(zip(("count", "denominator", "patients"), counts, strict=True)),
        **{name: getattr(found, attribute) for name, attribute in _ESTIMATE.items()},
        "note": "; ".join(text for text in (found.note, note) if text),
    }


_ESTIMATE = {"estimate": "value", "lower": "lower", "upper": "upper", "method": "method"}
