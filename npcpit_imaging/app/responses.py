"""From signed reads to RECIST responses in the store, with tables/treatments.csv and tables/subjects.csv."""

import hashlib
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy.orm import Session

from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import cut_course, parsed_table
from npcpit_imaging.app.vault import study_key
from npcpit_imaging.dicom.deidentify import shift_day, shift_moment, subject_shift_days
from npcpit_imaging.errors import TableError
from npcpit_imaging.response.answers import finding_answers, lesion_answers, subject_answer, timepoint_answers
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.response.rows import Table
from npcpit_imaging.response.table import read_subjects, read_treatments
from npcpit_imaging.store.adjudications import Adjudicated, acceptance_of, adjudicated
from npcpit_imaging.store.images import is_deidentified
from npcpit_imaging.store.lesions import lesions_of
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.results import replace_responses
from npcpit_imaging.store.schema import AssessmentRow, JsonObject
from npcpit_imaging.study.assessment import Assessment, Tenths, tenths_from_mm
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, Lesion, LesionState

T = TypeVar("T")


def respond_to_reads(study: Study, subject: str) -> str:
    """Compute a subject's responses from the newest signed reads and store them.

    Raises:
        TableError: tables/treatments.csv or tables/subjects.csv cannot be used for this subject.
        ResponseError: The records contradict each other.
    """
    case = stored_case(study, subject)
    if not case.records:
        with study.database.session() as session:
            replace_responses(session, subject, key="", rows=(), now=study.now())
        return "no read on or before the data cut"
    answers = respond_case(case, protocol=study.protocol)
    key = digest_of(study.protocol.digest, repr(case))
    with study.database.session() as session:
        decision = adjudicated(session, subject)
        rows = [row for answer in answers for row in _rows(answer)]
        replace_responses(session, subject, key=key, rows=rows, now=study.now())
    return "; ".join(f"{_said(answer)}{_marked(decision, answer.reader)}" for answer in answers)


def _marked(decision: Adjudicated | None, reader: str) -> str:
    """What an adjudicator made of a reader's reads, behind their responses."""
    acceptance = acceptance_of(decision, reader)
    return f" ({acceptance})" if acceptance else ""


def adjudication_input(session: Session, subject: str) -> tuple[str, ...]:
    """The adjudicator's newest decision as an input of what is computed from a subject's reads."""
    decision = adjudicated(session, subject)
    return () if decision is None else (decision.words,)


def stored_case(study: Study, subject: str) -> Case:
    """What the newest signed reads and the study's tables say of a subject, up to the data cut.

    Raises:
        TableError: tables/treatments.csv or tables/subjects.csv cannot be used for this subject.
        ResponseError: The subject has no signed read.
    """
    with study.database.session() as session:
        lesions = {lesion.tracking_uid: lesion for lesion in lesions_of(session, subject)}
        reads = newest_reads(session, subject)
    cut = study.protocol.results.data_cut
    last = None if cut is None else shifted(study, subject, cut)
    records = tuple(
        assessment_of(read, row, lesions[row.tracking_uid])
        for read in reads
        if last is None or read.date <= last
        for row in read.lesions
    )
    return Case(records=records, course=course_of(study, subject), irradiations=irradiations_of(study, subject))


def assessment_of(read: SignedRead, row: AssessmentRow, lesion: Lesion) -> Assessment:
    """What a signed read says of one lesion, as the response engine takes it."""
    return Assessment(
        subject=read.subject,
        timepoint=read.timepoint,
        date=read.date,
        reader=read.reader,
        lesion=lesion.lesion_id,
        role=lesion.role,
        state=LesionState(row.state),
        organ=lesion.organ,
        nodal=lesion.nodal,
        irradiated=lesion.irradiated,
        longest_diameter=tenths_of(row.longest_diameter_mm),
        short_axis=tenths_of(row.short_axis_mm),
        field=None if row.field is None else FieldPosition(row.field),
        comment=row.comment,
        endoscopy=None if row.endoscopy is None else EndoscopyState(row.endoscopy),
        parent_lesion=row.parent_lesion,
        tumour_marker=read.tumour_marker,
        prior_rt=lesion.prior_rt,
        prior_rt_progression=lesion.prior_rt_progression_documented,
    )


def tenths_of(length_mm: float | None) -> Tenths | None:
    """Round a stored length half up to tenths; six decimals first, so that 12.35 is not 12.3499999."""
    return None if length_mm is None else tenths_from_mm(f"{length_mm:.6f}")


def irradiations_of(study: Study, subject: str) -> tuple[Irradiation, ...]:
    """A subject's light treatments up to the data cut, in the study's own (shifted) dates.

    Raises:
        TableError: A line of this subject cannot be used.
    """
    table = parsed_table(study.tables / "treatments.csv", read_treatments)
    found = _own(study.tables / "treatments.csv", table, subject)
    cut = study.protocol.results.data_cut
    kept = [each for each in found if cut is None or each.date <= cut]
    return tuple(replace(each, date=shifted(study, subject, each.date)) for each in kept)


def course_of(study: Study, subject: str) -> Course | None:
    """A subject's other dates, in the study's own (shifted) dates; None when the table does not name the subject.

    Its cut-off is the protocol's data cut, or its own where that is earlier.

    Raises:
        TableError: A line of this subject cannot be used.
    """
    table = parsed_table(study.tables / "subjects.csv", read_subjects)
    found = _own(study.tables / "subjects.csv", table, subject)
    if not found:
        return None
    course = cut_course(found[0], study.protocol.results.data_cut)

    def moved(day: date | None) -> date | None:
        return None if day is None else shifted(study, subject, day)

    return Course(
        subject=subject,
        treatment_start=moved(course.treatment_start),
        randomisation=moved(course.randomisation),
        death_date=moved(course.death_date),
        last_contact=moved(course.last_contact),
        new_therapy_date=moved(course.new_therapy_date),
        cutoff=moved(course.cutoff),
    )


def _own(path: Path, table: Table[T], subject: str) -> tuple[T, ...]:
    """A subject's rows of a table; refused when one of them, or the whole table, has a fault."""
    faults = [fault.text for fault in table.faults if fault.subject in ("", subject)]
    if faults:
        raise TableError(f"{path.name}: {'; '.join(faults)}")
    return tuple(table.by_subject.get(subject, ()))


def table_inputs(study: Study) -> tuple[str, ...]:
    """Digests of the tables beside the reads that a response depends on."""
    tables = [study.tables / name for name in ("treatments.csv", "subjects.csv")]
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in tables)


def has_shifted_dates(study: Study, subject: str) -> bool:
    """Whether a subject's images are in shifted dates: as they arrived, whatever site.toml says by now."""
    with study.database.session() as session:
        known = is_deidentified(session, subject)
    return study.site.deidentification.enabled if known is None else known


def shifted(study: Study, subject: str, day: date) -> date:
    """A hospital date in the study's own dates: moved by the subject's one constant, as its images' dates are."""
    if not has_shifted_dates(study, subject):
        return day
    return shift_day(day, subject_shift_days(study_key(study), subject))


def shifted_moment(study: Study, subject: str, moment: datetime) -> datetime:
    """A moment of today in the study's own dates: beside shifted image dates a true one would give the shift away."""
    if not has_shifted_dates(study, subject):
        return moment
    return shift_moment(moment, subject_shift_days(study_key(study), subject))


StoredRow: TypeAlias = tuple[str, str, str | None, str | None, JsonObject]


def _rows(answer: SubjectResponse) -> list[StoredRow]:
    timepoints: list[StoredRow] = [
        (answer.reader, "timepoint", str(values["timepoint"]), None, dict(values))
        for values in timepoint_answers(answer)
    ]
    lesions: list[StoredRow] = [
        (answer.reader, "lesion", None, str(values["lesion"]), dict(values)) for values in lesion_answers(answer)
    ]
    findings: list[StoredRow] = [
        (answer.reader, "finding", None, None, dict(values)) for values in finding_answers(answer)
    ]
    return [*timepoints, *lesions, (answer.reader, "subject", None, None, dict(subject_answer(answer))), *findings]


def _said(answer: SubjectResponse) -> str:
    per_visit = ", ".join(f"{each.timepoint} {each.overall}" for each in answer.timepoints)
    return f"{answer.reader}: {per_visit}; best {answer.bor.response}, confirmed {answer.confirmed_bor.response}"
