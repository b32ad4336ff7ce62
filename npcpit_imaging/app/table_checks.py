"""The verb ``npcpit tables``: what is wrong with each table of dates, by itself and beside the others and the store.

A lesion or subject written in another way than the study writes it is a record of nobody: an irradiated lesion that no
read answers, an event in no rate. It is named here, with the name that was meant where one is near.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from npcpit_imaging.app.lesions import LESION_COLUMNS
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import READERS, SubjectCycle, dated_tables, parsed_table
from npcpit_imaging.app.tables import read_table
from npcpit_imaging.errors import InputError, NpcpitError
from npcpit_imaging.response.rows import Fault, Table
from npcpit_imaging.response.table_dates import with_late_starts
from npcpit_imaging.store.bulk import lesion_flags
from npcpit_imaging.store.images import subjects
from npcpit_imaging.study.adverse_event import AdverseEvent
from npcpit_imaging.study.course import Course, Irradiation

SHOWN_NAMES = 8
"""Names that a fault lists as expected."""

Lesions = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTable:
    """What became of one table.

    Args:
        name: The file.
        rows: Usable rows.
        faults: What was refused or cannot be meant, with lines.
        ignored: Columns that mean nothing here.
        notes: What is right and yet should be known.
    """

    name: str
    rows: int
    faults: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_tables(study: Study) -> list[CheckedTable]:
    """Read every table of dates that is there and say what is wrong with it, contradictions between them last."""
    found, checked = _read(study)
    known, lesions = _known(study, found)
    together = []
    later: tuple[str, ...] = ()
    if not any(each.faults for each in checked.values()):
        try:
            later = dated_tables(study).later_events
        except NpcpitError as error:
            together.append(CheckedTable(name="together", rows=0, faults=(str(error),)))
    answers = []
    for name, each in checked.items():
        odd = tuple(_said(fault) for fault in _unknown(name, found.get(name), known, lesions))
        notes = (f"{len(later)} events begin after the data cut: not counted",) if later and name == EVENTS else ()
        answers.append(replace(each, faults=(*each.faults, *odd), notes=notes))
    return [*answers, *together]


EVENTS = "adverse_events.csv"


def _read(study: Study) -> tuple[dict[str, Table[object]], dict[str, CheckedTable]]:
    """Every table by name, and what its own rows say against it."""
    found: dict[str, Table[object]] = {}
    checked = {}
    for name, reader in READERS.items():
        path = study.tables / name
        if not path.exists():
            continue
        try:
            found[name] = parsed_table(path, reader)
        except NpcpitError as error:
            checked[name] = CheckedTable(name=name, rows=0, faults=(str(error),))
            continue
        checked[name] = CheckedTable(name=name, rows=0, faults=())
    if {"subjects.csv", "treatments.csv"} <= found.keys():
        found["subjects.csv"] = _with_late_starts(found["subjects.csv"], found["treatments.csv"])
    for name, table in found.items():
        faults = tuple(_said(fault) for fault in table.faults)
        count = sum(len(rows) for rows in table.by_subject.values())
        checked[name] = CheckedTable(name=name, rows=count, faults=faults, ignored=table.ignored)
    return found, checked


def _with_late_starts(courses: Table[object], light: Table[object]) -> Table[object]:
    return with_late_starts(courses, light)  # type: ignore[arg-type,return-value]  # each of its reader's own kind


def _known(study: Study, found: Mapping[str, Table[object]]) -> tuple[set[str], Lesions]:
    """Subjects of the store and subjects.csv, and the lesions of each in the store and lesions.csv."""
    with study.database.session() as session:
        known, stored = set(subjects(session)), lesion_flags(session)
    if "subjects.csv" in found:
        known |= found["subjects.csv"].by_subject.keys()
    lesions: dict[str, set[str]] = {}
    for subject, lesion, *_ in stored:
        lesions.setdefault(subject, set()).add(lesion)
    for subject, lesion in _listed_lesions(study):
        lesions.setdefault(subject, set()).add(lesion)
    return known | lesions.keys(), lesions


def _listed_lesions(study: Study) -> list[tuple[str, str]]:
    """Subject and lesion of each line of lesions.csv; of a table that cannot be read none: its own verbs refuse it."""
    path = study.tables / "lesions.csv"
    if not path.exists():
        return []
    try:
        rows = read_table(path, required=LESION_COLUMNS)
    except InputError:
        return []
    return [(row.values["subject"], row.values["lesion"]) for row in rows]


def _unknown(name: str, table: Table[object] | None, known: Collection[str], lesions: Lesions) -> Iterator[Fault]:
    """Rows of a subject or a lesion that the study does not know under this name."""
    alike = _alike(known)
    alike_lesions = {subject: _alike(own) for subject, own in lesions.items()}
    for line, row in () if table is None else table.numbered:
        if not isinstance(row, Irradiation | AdverseEvent | SubjectCycle | Course):
            continue
        own = row.subject
        if own not in known or isinstance(row, Course):
            text = _subject_fault(name, own, alike.get(_key(own), ()))
            if text:
                yield Fault(subject=own, line=line, text=text)
            continue
        lesion = row.lesion if isinstance(row, Irradiation | AdverseEvent) else ""
        expected = lesions.get(own, ())
        if lesion and expected and lesion not in expected:
            meant = _meant(alike_lesions[own].get(_key(lesion), ()))
            text = f"lesion: expected one of {_listed(expected)} of {own}, found {lesion}{meant}"
            yield Fault(subject=own, line=line, text=text)


def _subject_fault(name: str, subject: str, alike: Collection[str]) -> str:
    """A new subject may be listed or treated before its images come, but not under nearly the name of another."""
    others = [each for each in alike if each != subject]
    if others:
        return f"subject: {subject} differs from {_listed(others)} only in case or in noughts: one or two?"
    if name in (EVENTS, "cycles.csv"):
        return f"subject: expected one of the store or of subjects.csv, found {subject}"
    return ""


def _meant(names: Collection[str]) -> str:
    return f": did you mean {_listed(names)}?" if names else ""


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)[:SHOWN_NAMES]
    return ", ".join(shown) + (f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else "")


def _key(name: str) -> str:
    """What names share that differ only in case, noughts before a number, or the signs between.

    Example:
        >>> _key("T01") == _key("t1") == _key("T-001"), _key("T10") == _key("T1")
        (True, False)
    """
    return re.sub(r"0+(?=\d)", "", re.sub(r"[\s_.-]", "", name.casefold()))


def _alike(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_key(name), []).append(name)
    return groups


def _said(fault: Fault) -> str:
    return f"line {fault.line}: {fault.text}" if fault.line else fault.text


def checked_json(each: CheckedTable) -> dict[str, object]:
    """A checked table for a program."""
    return {
        "table": each.name,
        "rows": each.rows,
        "faults": list(each.faults),
        "ignored": list(each.ignored),
        "notes": list(each.notes),
    }


def checked_lines(checked: Iterable[CheckedTable]) -> list[str]:
    """Checked tables for a person."""
    lines = []
    for each in checked:
        ignored = f", columns not used: {', '.join(each.ignored)}" if each.ignored else ""
        lines.append(f"{each.name}: {each.rows} rows, {len(each.faults)} faults{ignored}")
        lines += [f"  {text}" for text in (*each.faults, *each.notes)]
    return lines or ["no table of dates"]
