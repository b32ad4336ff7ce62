"""From signed reads to RECIST responses in the store, with tables/treatments.csv and tables/subjects.csv."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy.orm import Session

from npcpit_imaging.analysis.records import is_told
from npcpit_imaging.app.data_cut import cut_course, cut_light
from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.respond import without_light
from npcpit_imaging.app.stored_reads import best_rules
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.study_tables import DateShift, moved_course, parsed_table
from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.dicom.deidentify import shift_day, shift_moment
from npcpit_imaging.errors import NpcpitError, TableError
from npcpit_imaging.flow.outcome import Case as FlowCase
from npcpit_imaging.flow.outcome import Outcome, SkipCaseError, Status, attempt
from npcpit_imaging.response.answers import finding_answers, lesion_answers, subject_answer, timepoint_answers
from npcpit_imaging.response.engine import Case, respond_case
from npcpit_imaging.response.result import SubjectResponse
from npcpit_imaging.response.rows import Table
from npcpit_imaging.response.table import read_subjects, read_treatments
from npcpit_imaging.response.table_dates import with_late_starts
from npcpit_imaging.store.adjudications import Adjudicated, Adjudications, acceptance_of, adjudications_on_record
from npcpit_imaging.store.lesions import lesions_of_each
from npcpit_imaging.store.reads import ReadLesion, SignedRead, newest_reads_of_each
from npcpit_imaging.store.results import put_responses, replace_responses
from npcpit_imaging.store.schema import JsonObject
from npcpit_imaging.study.assessment import Assessment, Tenths, tenths_from_mm
from npcpit_imaging.study.course import Course, Irradiation
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, Lesion, LesionState

T = TypeVar("T")

StoredRow: TypeAlias = tuple[str, str, str | None, str | None, JsonObject]
"""Reader, level, time point, lesion and values of one response."""


def respond_to_reads(study: Study, subject: str) -> str:
    """Compute a subject's responses from the newest signed reads and store them.

    Raises:
        TableError: tables/treatments.csv or tables/subjects.csv cannot be used for this subject.
        ResponseError: The records contradict each other.
    """
    try:
        computed = _respond(stored_case(study, subject), study.protocol, study.protocol.digest)
    except NpcpitError:
        with study.database.session() as session:  # an earlier answer is none to the records as they are now
            replace_responses(session, subject, key="", rows=(), now=study.now())
        raise
    with study.database.session() as session:
        replace_responses(session, subject, key=computed.key, rows=computed.rows, now=study.now())
    return computed.said


def _marked(decision: Adjudicated | None, reader: str) -> str:
    """What an adjudicator made of a reader's reads, behind their responses."""
    acceptance = acceptance_of(decision, reader)
    return f" ({acceptance})" if acceptance else ""


def respond_to_each(study: Study, cases: Sequence[FlowCase]) -> list[Outcome]:
    """`respond_to_reads` of the subjects that cases are named by, stored in one transaction.

    Of a subject that cannot be answered nothing stays stored: an earlier answer is none to its records as they are now.

    Returns:
        One outcome per case, in order; a subject that cannot be answered hides no other.

    Raises:
        StoreError: The database refused; nothing of these subjects was stored.
    """
    case_of = stored_cases(study, [case.name for case in cases])
    computed: dict[str, _Computed] = {}
    protocol, digest = study.protocol, study.protocol.digest

    def respond(case: FlowCase) -> str:
        stored = case_of(case.name)
        if not stored.was_read:
            raise SkipCaseError("no signed read")
        computed[case.name] = _respond(stored, protocol, digest)
        return computed[case.name].said

    outcomes = [attempt(case, respond) for case in cases]
    found = {each.case.name: ("", ()) for each in outcomes if each.status is Status.FAILED} | {
        name: (each.key, each.rows) for name, each in computed.items()
    }
    with study.database.session() as session:
        put_responses(session, found, now=study.now())
    return outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Computed:
    """A subject's responses, before they are stored."""

    key: str
    rows: Sequence[StoredRow]
    said: str


def _respond(stored: "StoredCase", protocol: Protocol, digest: str) -> _Computed:
    if stored.case is None:
        return _Computed(key="", rows=(), said="no read on or before the data cut")
    answers = respond_case(stored.case, protocol=protocol)
    return _Computed(
        key=response_key(stored.case, digest),
        rows=[row for answer in answers for row in stored_rows(answer)],
        said="; ".join(f"{_said(answer)}{_marked(stored.decision, answer.reader)}" for answer in answers),
    )


def response_key(case: Case, protocol_digest: str) -> str:
    """Digest of everything a subject's responses are computed from; the protocol's is the same for all of them."""
    records = repr([_RECORD(record) for record in case.records])  # by field: each with its name takes thrice as long
    return digest_of(protocol_digest, _RECORD_FIELDS, records, repr(case.course), repr(case.irradiations))


_RECORD = attrgetter(*(each.name for each in fields(Assessment)))
_RECORD_FIELDS = " ".join(each.name for each in fields(Assessment))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCase:
    """What the newest signed reads and the study's tables say of a subject, up to the data cut.

    Args:
        case: As the response engine takes it; None without a read on or before the data cut.
        was_read: Whether there is any signed read, also after the data cut.
        decision: Of an adjudicator; None where nobody adjudicated.
    """

    case: Case | None
    was_read: bool
    decision: Adjudicated | None


def stored_case(study: Study, subject: str) -> StoredCase:
    """What is stored of one subject.

    Raises:
        TableError: tables/treatments.csv or tables/subjects.csv cannot be used for this subject.
    """
    return stored_cases(study, (subject,))(subject)


def stored_cases(study: Study, subjects: Collection[str]) -> Callable[[str], StoredCase]:
    """`stored_case` of any of the subjects named, after one look into the store."""
    with study.database.session() as session:
        stored = stored_reads(session, subjects)
        decided = adjudications_on_record(session, subjects=subjects)
    return cases_of(study, stored, decided)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReads:
    """The lesions and newest reads of some subjects, as they are asked for together; every subject is in both."""

    lesions: Mapping[str, Sequence[Lesion]]
    reads: Mapping[str, Sequence[SignedRead]]


def stored_reads(session: Session, subjects: Collection[str]) -> StoredReads:
    """Ask for the lesions and newest reads of the subjects named."""
    return StoredReads(lesions=lesions_of_each(session, subjects), reads=newest_reads_of_each(session, subjects))


def cases_of(study: Study, stored: StoredReads, decided: Adjudications) -> Callable[[str], StoredCase]:
    """`stored_case` of any of the subjects that were asked for."""
    lesions, reads = stored.lesions, stored.reads
    subjects = reads.keys()
    shift, cut = DateShift(study, subjects), study.protocol.results.data_cut
    tables = _Tables(study)

    def case_of(subject: str) -> StoredCase:
        last = shift(subject, cut)
        by_uid = {lesion.tracking_uid: lesion for lesion in lesions[subject]}
        records = tuple(
            assessment_of(read, row, by_uid[row.tracking_uid])
            for read in reads[subject]
            if last is None or read.date <= last
            for row in read.lesions
        )
        told = tables.course(subject)
        light, later = _light(tables, subject, shift, told)
        course = None if told is None else moved_course(told, shift)
        kept = without_light(records, later)
        case = Case(records=kept, course=course, irradiations=light) if kept else None
        return StoredCase(case=case, was_read=bool(reads[subject]), decision=decided.get(subject))

    return case_of


def assessment_of(read: SignedRead, row: ReadLesion, lesion: Lesion) -> Assessment:
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


@lru_cache(maxsize=4096)
def tenths_of(length_mm: float | None) -> Tenths | None:
    """Round a stored length half up to tenths; six decimals first, so that 12.35 is not 12.3499999."""
    return None if length_mm is None else tenths_from_mm(f"{length_mm:.6f}")


def irradiations_of(study: Study, subject: str, *, shift: DateShift | None = None) -> tuple[Irradiation, ...]:
    """A subject's light treatments up to the data cut, in the study's own (shifted) dates.

    Args:
        study: The study.
        subject: Its code.
        shift: How dates move, where it is known already.

    Raises:
        TableError: A line of this subject cannot be used.
    """
    tables = _Tables(study)
    return _light(tables, subject, shift or DateShift(study, (subject,)), tables.course(subject))[0]


def _light(
    tables: "_Tables", subject: str, shift: DateShift, course: Course | None
) -> tuple[tuple[Irradiation, ...], frozenset[str]]:
    """Light up to the data cut, in the study's own dates, and the lesions that it reached only later."""
    kept, later = cut_light(tables.light(subject), [course] if course else [], tables.data_cut)
    days = shift.days(subject)
    moved = tuple(kept) if not days else tuple(replace(each, date=shift_day(each.date, days)) for each in kept)
    return moved, frozenset(lesion for _, lesion in later)


def course_of(study: Study, subject: str, *, shift: DateShift | None = None) -> Course | None:
    """A subject's other dates, in the study's own (shifted) dates; None when the table does not name the subject.

    Its cut-off is the protocol's data cut, or its own where that is earlier.

    Args:
        study: The study.
        subject: Its code.
        shift: How dates move, where it is known already.

    Raises:
        TableError: A line of this subject cannot be used.
    """
    course = _Tables(study).course(subject)
    if course is None:
        return None
    return moved_course(course, shift or DateShift(study, (subject,)))


class _Tables:
    """The tables beside the reads, each looked for once, when a subject first asks for it."""

    def __init__(self, study: Study) -> None:
        self._treatments = study.tables / "treatments.csv"
        self._subjects = study.tables / "subjects.csv"
        self.data_cut = study.protocol.results.data_cut

    def light(self, subject: str) -> tuple[Irradiation, ...]:
        """A subject's light treatments, in the hospital's dates."""
        return _own(self._treatments, self._every_light, subject)

    def course(self, subject: str) -> Course | None:
        """A subject's course up to the data cut, in the hospital's dates."""
        found = _own(self._subjects, self._every_course, subject)
        return cut_course(found[0], self.data_cut) if found else None

    @cached_property
    def _every_light(self) -> Table[Irradiation]:
        return parsed_table(self._treatments, read_treatments)

    @cached_property
    def _every_course(self) -> Table[Course]:
        return with_late_starts(parsed_table(self._subjects, read_subjects), self._every_light)


def _own(path: Path, table: Table[T], subject: str) -> tuple[T, ...]:
    """A subject's rows of a table; refused when one of them, or the whole table, has a fault."""
    own = [fault for fault in table.faults if fault.subject in ("", subject)]
    faults = [f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in own]
    if faults:
        raise TableError(f"{path.name}: {'; '.join(faults)}")
    return tuple(table.by_subject.get(subject, ()))


def table_inputs(study: Study) -> tuple[str, ...]:
    """Digests of the tables beside the reads that a response depends on."""
    tables = [study.tables / name for name in ("treatments.csv", "subjects.csv")]
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in tables)


def shifted(study: Study, subject: str, day: date) -> date:
    """A hospital date in the study's own dates: moved by the subject's one constant, as its images' dates are."""
    return shift_day(day, DateShift(study, (subject,)).days(subject))


def shifted_moment(study: Study, subject: str, moment: datetime) -> datetime:
    """A moment of today in the study's own dates: beside shifted image dates a true one would give the shift away."""
    return shift_moment(moment, DateShift(study, (subject,)).days(subject))


def stored_rows(answer: SubjectResponse) -> list[StoredRow]:
    """Every response of one reader, as the store keeps it."""
    timepoints: list[StoredRow] = [
        (answer.reader, "timepoint", str(values["timepoint"]), None, dict(values))
        for values in timepoint_answers(answer)
    ]
    lesions: list[StoredRow] = [
        (answer.reader, "lesion", None, lesion.lesion, {**values, **best_rules(lesion)})
        for lesion, values in zip(answer.lesions, lesion_answers(answer), strict=True)
    ]
    findings: list[StoredRow] = [
        (answer.reader, "finding", None, None, dict(values)) for values in finding_answers(answer)
    ]
    return [*timepoints, *lesions, (answer.reader, "subject", None, None, dict(subject_answer(answer))), *findings]


def _said(answer: SubjectResponse) -> str:
    per_visit = ", ".join(f"{each.timepoint} {each.overall}" for each in answer.timepoints)
    told = Counter(each.code for each in answer.findings if is_told(severity=each.severity, code=each.code))
    asks = "".join(f"; {count} {code}" for code, count in sorted(told.items()))
    return f"{answer.reader}: {per_visit}; best {answer.bor.response}, confirmed {answer.confirmed_bor.response}{asks}"
