"""Which subjects of a study are eligible: protocol, images, tables/subjects.csv and tables/treatments.csv together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import pandas as pd

from npcpit_imaging.analysis.eligibility import Candidate, Consent, Eligibility, Verdict, check_eligibility
from npcpit_imaging.app.data_cut import cut_course, cut_light, cuts_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import DateShift, parsed_table
from npcpit_imaging.dicom.deidentify import shift_day
from npcpit_imaging.errors import InputError, TableError
from npcpit_imaging.response.rows import Row, Table, read_table
from npcpit_imaging.response.table import SUBJECT_DATES, SUBJECT_OTHER, read_subjects, read_treatments
from npcpit_imaging.response.table_dates import read_date
from npcpit_imaging.store.bulk import visits_with_images
from npcpit_imaging.store.images import subjects
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.timepoint import BASELINE

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    """The columns of tables/subjects.csv that responses do not need."""

    subject: str
    consent: Consent | None
    consent_date: date | None
    birth_date: date | None
    age_years: float | None
    exclusion: str


def _read_status(lines: Iterable[str]) -> Table[_Status]:
    return read_table(lines, ("subject",), (*SUBJECT_OTHER, *SUBJECT_DATES), _status, key=lambda own: (own.subject,))


def _status(row: Row) -> _Status:
    return _Status(
        subject=row.needed("subject"),
        consent=row.maybe("consent", _consent),
        consent_date=row.maybe("consent_date", read_date),
        birth_date=row.maybe("birth_date", read_date),
        age_years=row.maybe("age_years", _age),
        exclusion=row.text("exclusion"),
    )


def _consent(text: str) -> Consent:
    try:
        return Consent(text.lower())
    except ValueError as error:
        raise ValueError(f"expected one of {', '.join(Consent)}; found '{text}'") from error


def _age(text: str) -> float:
    try:
        years = float(text)
    except ValueError as error:
        raise ValueError(f"expected an age in years, found '{text}'") from error
    if not 0 <= years <= 130:
        raise ValueError(f"expected an age of 0 to 130 years, found {text}")
    return years


def study_eligibility(study: Study) -> list[Eligibility]:
    """Check every subject that has images or a line in one of the tables.

    Raises:
        TableError: tables/subjects.csv or tables/treatments.csv cannot be used.
    """
    protocol = study.protocol
    return check_eligibility(candidates(study), protocol.eligibility, window_days=protocol.baseline_window_days)


def candidates(study: Study) -> list[Candidate]:
    """Gather what is known of each subject up to the data cut, in the hospital's own dates."""
    path = study.tables / "subjects.csv"
    status = _by_subject(path.name, parsed_table(path, _read_status))
    cut = study.protocol.results.data_cut
    stated = _by_subject(path.name, parsed_table(path, read_subjects))
    courses = {name: cut_course(each, cut) for name, each in stated.items()}
    treatments = parsed_table(study.tables / "treatments.csv", read_treatments)
    _refuse("treatments.csv", treatments)
    light, cuts = _light_until(treatments, courses, cut), cuts_of(courses.values(), cut)
    with study.database.session() as session:
        codes, visits = subjects(session), visits_with_images(session)
    shift = DateShift(study)
    names = sorted({*codes, *status, *treatments.by_subject})
    return [
        _candidate(
            name,
            status.get(name),
            start=_first_treatment(courses.get(name), light.get(name, ())),
            documented=bool(light.get(name)),
            visits={
                visit: own
                for visit, own in _true_dates(visits.get(name, {}), shift.days(name)).items()
                if cuts.keeps(name, own[0])
            },
        )
        for name in names
    ]


def _light_until(
    treatments: Table[Irradiation], courses: Mapping[str, Course], data_cut: date | None
) -> dict[str, list[Irradiation]]:
    """Each subject's light up to the data cut."""
    every = [each for rows in treatments.by_subject.values() for each in rows]
    kept: dict[str, list[Irradiation]] = {}
    for each in cut_light(every, courses.values(), data_cut)[0]:
        kept.setdefault(each.subject, []).append(each)
    return kept


def _first_treatment(course: Course | None, light: Sequence[Irradiation]) -> date | None:
    stated = None if course is None else course.treatment_start
    return stated or min((each.date for each in light), default=None)


Visits = dict[str, tuple[date, tuple[str, ...]]]


def _true_dates(visits: Visits, moved_days: int) -> Visits:
    return {name: (shift_day(day, -moved_days), modalities) for name, (day, modalities) in visits.items()}


def _candidate(name: str, status: _Status | None, *, start: date | None, documented: bool, visits: Visits) -> Candidate:
    baseline = visits.get(BASELINE)
    return Candidate(
        subject=name,
        baseline=None if baseline is None else baseline[0],
        baseline_modalities=() if baseline is None else baseline[1],
        follow_ups=len(visits) - (baseline is not None),
        treatment_start=start,
        cycles_documented=documented,
        consent=None if status is None else status.consent,
        consent_date=None if status is None else status.consent_date,
        birth_date=None if status is None else status.birth_date,
        age_years=None if status is None else status.age_years,
        exclusion="" if status is None else status.exclusion,
        on_record=status is not None,
    )


def _by_subject(name: str, table: Table[T]) -> dict[str, T]:
    _refuse(name, table)
    return {subject: rows[0] for subject, rows in table.by_subject.items()}


def _refuse(name: str, table: Table[T]) -> None:
    if table.faults:
        fault = table.faults[0]
        raise TableError(f"{name}: line {fault.line}: {fault.text}")


def eligibility_table(found: Sequence[Eligibility]) -> pd.DataFrame:
    """A row per subject: eligible, reasons, and each criterion's verdict; no dates but in an exclusion's own words."""
    rows = [
        {
            "subject": each.subject,
            "eligible": each.verdict.value,
            "reasons": "; ".join(each.reasons),
            **{one.name: one.verdict.value for one in each.criteria},
        }
        for each in found
    ]
    return pd.DataFrame(rows, columns=None if rows else ["subject", "eligible", "reasons"])


def eligible_subjects(found: Sequence[Eligibility]) -> set[str]:
    """Codes of those who are known to be eligible."""
    return {each.subject for each in found if each.verdict is Verdict.MET}


def write_eligibility(found: Sequence[Eligibility], path: Path) -> None:
    """Write the table as CSV.

    Raises:
        InputError: The file cannot be written.
    """
    try:
        eligibility_table(found).to_csv(path, index=False, lineterminator="\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def eligibility_json(found: Sequence[Eligibility]) -> list[dict[str, object]]:
    """The table for a program."""
    return [
        {
            "subject": each.subject,
            "eligible": each.verdict.value,
            "criteria": [{"name": c.name, "verdict": c.verdict.value, "reason": c.reason} for c in each.criteria],
        }
        for each in found
    ]


def eligibility_lines(found: Sequence[Eligibility]) -> list[str]:
    """A line per subject, then the counts."""
    lines = [f"{each.subject}: {_words(each)}" for each in found]
    counts = {word: sum(each.verdict is word for each in found) for word in _WORDS}
    return [*lines, f"{len(found)} subjects: " + ", ".join(f"{count} {_WORDS[word]}" for word, count in counts.items())]


_WORDS = {Verdict.MET: "eligible", Verdict.NOT_MET: "not eligible", Verdict.UNKNOWN: "not known"}


def _words(each: Eligibility) -> str:
    return _WORDS[each.verdict] + (f" ({'; '.join(each.reasons)})" if each.reasons else "")
