"""Readers' confirmations from a table: what each reader says of each lesion, signed, with both numbers kept."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.errors import InputError, SegmentationError, TableError
from npcpit_imaging.measurement.compare import compare_with_caliper
from npcpit_imaging.segmentation.prompt import parse_line
from npcpit_imaging.store.lesions import StoredProposal, lesion_named, proposals_of
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.study.caliper import Caliper
from npcpit_imaging.study.lesion import FieldPosition, Lesion, LesionState

READ_COLUMNS = ("subject", "timepoint", "reader", "lesion", "state", "accept")
OPTIONAL_COLUMNS = ("label", "caliper_mm", "short_caliper_mm", "field", "comment")


W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    subject: str
    timepoint: str
    reader: str


def record_reads(study: Study, table: Path, *, reason: str = "") -> Iterator[str]:
    """Sign one read per subject, time point and reader of a table, and say each in one line.

    Columns: subject, timepoint, reader, lesion, state, accept (``proposal`` or ``caliper`` when state is measured,
    else empty), and perhaps label, caliper_mm and short_caliper_mm (``x,y,z:x,y,z``), field, comment.

    Args:
        study: The study.
        table: The CSV file.
        reason: Why earlier signed reads are superseded; required when there are any.

    Raises:
        InputError: The table is missing.
        TableError: A line cannot be used; nothing of its read is signed.
        StoreError: A read is already signed and no reason is given.
    """
    rows = read_table(table, required=READ_COLUMNS, optional=OPTIONAL_COLUMNS)
    for place, lines in groupby(sorted(rows, key=_sorting), key=_place):
        yield _sign(study, place, list(lines), reason)


def _place(row: Row) -> _Place:
    return _Place(subject=row.text("subject"), timepoint=row.text("timepoint"), reader=row.text("reader"))


def _sorting(row: Row) -> tuple[str, str, str]:
    place = _place(row)
    return (place.subject, place.timepoint, place.reader)


def _sign(study: Study, place: _Place, rows: list[Row], reason: str) -> str:
    labels = {row.values["label"] for row in rows}
    if len(labels) > 1:
        raise TableError(f"label: expected one in a read, found {sorted(labels)}", line=rows[0].line)
    with study.database.session() as session:
        proposals = {
            each.lesion.lesion_id: each
            for each in proposals_of(session, place.subject)
            if each.timepoint == place.timepoint and each.uptake is None
        }
        confirmed = [
            _confirmed(row, lesion_named(session, place.subject, row.text("lesion")), proposals.get(row.text("lesion")))
            for row in rows
        ]
        version = sign_read(
            session,
            subject=place.subject,
            timepoint=place.timepoint,
            reader=place.reader,
            lesions=confirmed,
            now=study.now(),
            label=labels.pop(),
            reason=reason,
        )
    return f"{place.subject} {place.timepoint}: {len(rows)} lesions signed by {place.reader} (version {version})"


def _confirmed(row: Row, lesion: Lesion, proposal: StoredProposal | None) -> ConfirmedLesion:
    state = _word(row, "state", LesionState)
    field = _word(row, "field", FieldPosition) if row.values["field"] else None
    if state is not LesionState.MEASURED:
        if row.values["accept"] or row.values["caliper_mm"] or row.values["short_caliper_mm"]:
            raise TableError(f"state {state}: expected no accept and no caliper, found one", line=row.line)
        return ConfirmedLesion(lesion=lesion, state=state, field=field, comment=row.values["comment"])
    caliper, short = _caliper(row, "caliper_mm"), _caliper(row, "short_caliper_mm")
    if row.text("accept") == "proposal":
        return replace(_accepted(row, lesion, proposal, caliper, field), reader_short_caliper=short)
    if row.text("accept") != "caliper":
        raise TableError(f"accept: expected proposal or caliper, found {row.text('accept')!r}", line=row.line)
    if caliper is None or (lesion.nodal and short is None):
        needed = "caliper_mm and short_caliper_mm (a node)" if lesion.nodal else "caliper_mm"
        raise TableError(f"accept caliper: expected {needed}, found none", line=row.line)
    return ConfirmedLesion(
        lesion=lesion,
        state=state,
        longest_diameter_mm=caliper.length_mm,
        short_axis_mm=None if short is None else short.length_mm,
        proposal_id=None if proposal is None else proposal.id,
        accepted="caliper",
        reader_caliper=caliper,
        reader_short_caliper=short,
        field=field,
        comment=row.values["comment"],
        findings=() if proposal is None else compare_with_caliper(proposal.measurement, caliper),
    )


def _accepted(
    row: Row, lesion: Lesion, proposal: StoredProposal | None, caliper: Caliper | None, field: FieldPosition | None
) -> ConfirmedLesion:
    if proposal is None:
        raise TableError(f"accept proposal: lesion {lesion.lesion_id} has no proposal at this visit", line=row.line)
    return ConfirmedLesion(
        lesion=lesion,
        state=LesionState.MEASURED,
        longest_diameter_mm=proposal.measurement.longest_diameter_mm,
        short_axis_mm=proposal.measurement.short_axis_mm,
        proposal_id=proposal.id,
        accepted="proposal",
        reader_caliper=caliper,
        field=field,
        comment=row.values["comment"],
        findings=() if caliper is None else compare_with_caliper(proposal.measurement, caliper),
    )


def _word(row: Row, column: str, words: type[W]) -> W:
    text = row.text(column).lower()
    try:
        return words(text)
    except ValueError as error:
        raise TableError(f"{column}: expected {', '.join(words)}, found {text!r}", line=row.line) from error


def _caliper(row: Row, column: str) -> Caliper | None:
    if not row.values[column]:
        return None
    try:
        line = parse_line(row.values[column])
    except (InputError, SegmentationError) as error:
        raise TableError(f"{column}: {error}", line=row.line) from error
    return Caliper(start_mm=line.start_mm, end_mm=line.end_mm)
