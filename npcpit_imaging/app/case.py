"""One reader's report of one subject, gathered from the store: responses and why, sizes, findings, pictures."""

from collections.abc import Mapping, Sequence

import npcpit_imaging
from npcpit_imaging.app.case_pictures import DASH, key_image_panels, registration_panels, registration_verdict
from npcpit_imaging.app.field_positions import LesionInField, read_positions
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import ResponseError
from npcpit_imaging.report.case_report import CaseReport, SizeCurve, Table
from npcpit_imaging.store.adjudications import Acceptance, Adjudicated, adjudicated
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import lesions_given_to
from npcpit_imaging.store.reads import SignedRead, newest_reads
from npcpit_imaging.store.results import responses_of
from npcpit_imaging.store.schema import ResponseRow
from npcpit_imaging.study.lesion import Lesion, LesionRole, LesionState
from npcpit_imaging.study.timepoint import TimePoint

STATE_WORDS = {
    LesionState.TOO_SMALL: "too small (5 mm)",
    LesionState.ABSENT: "absent",
    LesionState.NOT_ASSESSED: "not assessed",
}


def readers_to_report(study: Study, subject: str) -> list[str]:
    """Everyone who has signed a read of a subject, each with a response.

    Raises:
        ResponseError: A reader has no response yet, or a response has no read behind it.
    """
    with study.database.session() as session:
        read = sorted({each.reader for each in newest_reads(session, subject)})
        answered = sorted({row.reader for row in responses_of(session, subject) if row.level == "subject"})
    if read != answered:
        raise ResponseError(
            f"subject {subject}: expected a response of every reader ({', '.join(read)}), "
            f"found {', '.join(answered) or 'none'}: run respond first"
        )
    return read


def build_case_report(study: Study, subject: str, reader: str) -> CaseReport:
    """Gather everything the report of one subject by one reader shows.

    Raises:
        NpcpitError: An image, a mask or a response cannot be used.
    """
    with study.database.session() as session:
        visits = timepoints(session, subject)
        lesions = sorted(lesions_given_to(session, subject, reader), key=lambda each: list(LesionRole).index(each.role))
        every_read = newest_reads(session, subject)
        answers = [row for row in responses_of(session, subject) if row.reader == reader]
        decision = adjudicated(session, subject)
    reads = [read for read in every_read if read.reader == reader]
    points = [visit.name for visit in visits]
    per_visit = {str(row.timepoint): row.values for row in answers if row.level == "timepoint"}
    per_lesion = {str(row.lesion_id): row.values for row in answers if row.level == "lesion"}
    (summary,) = [row.values for row in answers if row.level == "subject"]
    sizes = {lesion.lesion_id: [_size(lesion, read) for read in _by_visit(points, reads)] for lesion in lesions}
    others = sorted({read.reader for read in every_read} - {reader})
    return CaseReport(
        subject=subject,
        title=study.protocol.title,
        summary=(*_summary(study, reader, others, summary), *_adjudication(decision, reader, accepted=True)),
        timepoints=tuple(points),
        sum_curve=SizeCurve(name="sum", sizes_mm=tuple(_sum(name, points, per_visit) for name in points)),
        lesion_curves=tuple(
            SizeCurve(name=lesion.lesion_id, sizes_mm=tuple(sizes[lesion.lesion_id])) for lesion in lesions
        ),
        tables=(_response_table(visits, per_visit), _lesion_table(points, lesions, reads, per_lesion)),
        details=(
            _visit_table(visits, reads),
            _best_table(summary),
            _registration_table(study, subject, points[1:]),
            *_field_tables(study, subject, reader),
            _finding_table(answers),
        ),
        panels=(
            *key_image_panels(study, subject, reader, points),
            *registration_panels(study, subject, reader, points),
        ),
        notes=(
            *_adjudication(decision, reader, accepted=False),
            *sorted({read.label for read in reads if read.label}),
        ),
    )


def _summary(study: Study, reader: str, others: Sequence[str], values: Mapping[str, object]) -> tuple[str, ...]:
    best = f"best overall response {values['bor']}, confirmed {values['confirmed_bor']}"
    immune = values.get("irecist_bor")
    best += "" if immune is None else f", iRECIST {immune}"
    also = f"    also read by {', '.join(others)}: see their own reports" if others else ""
    return (
        f"Reader {reader}    {best}{also}",
        f"Protocol digest {study.protocol.digest[:16]}    npcpit_imaging {npcpit_imaging.__version__}    "
        f"measured on each visit's own pixels",
    )


def _adjudication(decision: Adjudicated | None, reader: str, *, accepted: bool) -> tuple[str, ...]:
    """A line on the adjudicator's decision: below the title for the accepted reads, a warning for all others."""
    if decision is None or (decision.acceptance(reader) is Acceptance.ACCEPTED) is not accepted:
        return ()
    said = {
        Acceptance.ACCEPTED: "The study's reads: chosen by the adjudicator",
        Acceptance.NOT_ACCEPTED: f"NOT the study's reads: the adjudicator chose those of {decision.chosen}",
        Acceptance.STALE: "Adjudication STALE: read again since, nobody's reads are the study's until decided again",
    }[decision.acceptance(reader)]
    return (f"{said}    cause: {decision.cause}",)


def _visit_table(visits: Sequence[TimePoint], reads: Sequence[SignedRead]) -> Table:
    rows = []
    for visit, read in zip(visits, _by_visit([visit.name for visit in visits], reads), strict=True):
        said = (DASH, DASH) if read is None else (f"version {read.version}", _text(read.label))
        rows.append((visit.name, visit.date.isoformat(), *said))
    header = ("visit", "date of images", "read", "label of the read")
    return Table(title="Visits, dates as stored in the study", header=header, rows=tuple(rows), widths=(1, 1, 1, 5))


def _best_table(values: Mapping[str, object]) -> Table:
    named = [("best overall response", "bor"), ("confirmed", "confirmed_bor")]
    rows = [
        (name, _text(values.get(key)), _text(values.get(f"{key}_date")), _text(values.get(f"{key}_rule")))
        for name, key in named
    ]
    immune = values.get("irecist_bor")
    if immune is not None:
        rows.append(
            ("iRECIST", str(immune), DASH, f"date of iRECIST progression: {_text(values.get('irecist_pd_date'))}")
        )
    header = ("", "response", "date", "why")
    return Table(title="Best response and why", header=header, rows=tuple(rows), widths=(1.6, 0.8, 1, 6))


def _registration_table(study: Study, subject: str, follow_ups: Sequence[str]) -> Table:
    rows = []
    for name in follow_ups:
        verdict, reasons = registration_verdict(study, subject, name)
        rows.append((name, verdict, _text(reasons)))
    header = ("visit", "verdict", "reasons")
    return Table(title="Registration of the baseline CT", header=header, rows=tuple(rows), widths=(1, 1, 7))


def _field_tables(study: Study, subject: str, reader: str) -> tuple[Table, ...]:
    """Where the reader's lesions lie to the irradiated field, by the registration and by the reader's own word."""
    found = [each for each in read_positions(study, subject) if each.reader == reader]
    rows = [
        (each.timepoint, each.lesion_id, each.role.lower(), *_place(each), _text(each.read_position), _doubt(each))
        for each in found
    ]
    header = ("visit", "lesion", "role", "by geometry", "of it in the field", "edge mm", "reader", "note")
    title = "Irradiated field: where each lesion lies (by the fibres and the registration: a proposal)"
    widths = (1, 0.8, 1, 1, 1.2, 0.9, 0.8, 6)
    return (Table(title=title, header=header, rows=tuple(rows), widths=widths),) if rows else ()


def _place(found: LesionInField) -> tuple[str, str, str]:
    if found.fraction_in is None or found.nearest_mm is None:
        return DASH, DASH, DASH
    return found.position, f"{found.fraction_in:.0%}", f"{found.nearest_mm:.1f}"


def _doubt(found: LesionInField) -> str:
    if found.fraction_in is None:
        return found.position
    said = f"margin {found.margin_mm:.1f} mm" if found.margin_mm else "planned on this visit's CT"
    differs = bool(found.read_position) and found.read_position != found.position
    return f"{said}; the reader says otherwise" if differs else said


def _finding_table(answers: Sequence[ResponseRow]) -> Table:
    found = [row.values for row in answers if row.level == "finding"]
    rows = [tuple(_text(values.get(key)) for key in ("severity", "code", "text")) for values in found]
    header = ("severity", "check", "what was found")
    return Table(title="Findings", header=header, rows=tuple(rows) or ((DASH, DASH, "none"),), widths=(0.8, 1.6, 6))


def _by_visit(points: Sequence[str], reads: Sequence[SignedRead]) -> list[SignedRead | None]:
    found = {read.timepoint: read for read in reads}
    return [found.get(name) for name in points]


def _size(lesion: Lesion, read: SignedRead | None) -> float | None:
    """Short axis of a node, longest diameter of anything else, 0 when absent; None when there is no number."""
    row = next((row for row in read.lesions if row.tracking_uid == lesion.tracking_uid), None) if read else None
    if row is None:
        return None
    if row.state == LesionState.ABSENT:
        return 0.0
    return row.short_axis_mm if lesion.nodal else row.longest_diameter_mm


def _sum(name: str, points: Sequence[str], per_visit: Mapping[str, Mapping[str, object]]) -> float | None:
    """A visit's sum; the baseline's is the one every follow-up was compared with."""
    values = per_visit.get(name)
    if values is None and name == points[0] and per_visit:
        return _number(next(iter(per_visit.values())).get("baseline_mm"))
    return None if values is None else _number(values.get("sum_mm"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _response_table(visits: Sequence[TimePoint], per_visit: Mapping[str, Mapping[str, object]]) -> Table:
    """Responses by visit; iRECIST's column is there when the protocol asked for it."""
    points = [visit.name for visit in visits]
    immune = any(values.get("irecist") is not None for values in per_visit.values())
    keys = ("target", "non_target", "new", "overall", *(("irecist",) if immune else ()))
    rows = []
    for visit in visits:
        values = per_visit.get(visit.name, {})
        total = _sum(visit.name, points, per_visit)
        size = DASH if total is None else f"{total:.1f}"
        cells = [_text(values.get(key)) for key in keys]
        rows.append((visit.name, visit.date.isoformat(), size, *cells, _text(values.get("rule"))))
    names = ("target", "non-target", "new lesion", "overall", *(("iRECIST",) if immune else ()))
    widths = (1.1, 1.0, 0.8, 0.8, 1.2, 1.0, 0.9, *((0.9,) if immune else ()), 6.3)
    header = ("visit", "date", "sum mm", *names, "why")
    return Table(title="RECIST response", header=header, rows=tuple(rows), widths=widths)


def _text(value: object) -> str:
    return DASH if value is None or value == "" else str(value)


def _lesion_table(
    points: Sequence[str],
    lesions: Sequence[Lesion],
    reads: Sequence[SignedRead],
    per_lesion: Mapping[str, Mapping[str, object]],
) -> Table:
    rows = []
    for lesion in lesions:
        cells = [_cell(lesion, read) for read in _by_visit(points, reads)]
        best = _text(per_lesion.get(lesion.lesion_id, {}).get("best"))
        kind = "node, short axis" if lesion.nodal else "longest diameter"
        field = "irradiated" if lesion.irradiated else "not irradiated"
        rows.append((lesion.lesion_id, lesion.location, lesion.role.lower(), kind, field, *cells, best))
    header = ("lesion", "site", "role", "size is", "light", *points, "best")
    widths = (0.7, 2.4, 1.0, 1.5, 1.3, *(1.4 for _ in points), 1.4)
    return Table(title="Lesions, mm", header=header, rows=tuple(rows), widths=widths)


def _cell(lesion: Lesion, read: SignedRead | None) -> str:
    row = next((row for row in read.lesions if row.tracking_uid == lesion.tracking_uid), None) if read else None
    if row is None:
        return DASH
    if row.state != LesionState.MEASURED:
        return STATE_WORDS.get(LesionState(row.state), row.state)
    size = _size(lesion, read)
    return DASH if size is None else f"{size:.1f}"
