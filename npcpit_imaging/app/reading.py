"""Readers' confirmations from a table: what each reader says of each lesion, signed, with both numbers kept.

The whole table is checked first; then every read of it is signed in one transaction, or none is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from npcpit_imaging.app.proposals import SEED_SOURCE
from npcpit_imaging.app.reading_calipers import read_calipers, require_on_an_image
from npcpit_imaging.app.study import Study
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.errors import TableError
from npcpit_imaging.measurement.compare import caliper_findings
from npcpit_imaging.store.images import IMAGE_MODALITIES, SeriesSummary, series_of, subjects, timepoints
from npcpit_imaging.store.lesions import StoredProposal, lesions_of, proposals_of
from npcpit_imaging.store.reads import ConfirmedLesion, sign_read
from npcpit_imaging.study.lesion import FieldPosition, Lesion, LesionState

READ_COLUMNS = ("subject", "timepoint", "reader", "lesion", "state", "accept")
OPTIONAL_COLUMNS = (
    "label",
    "caliper_mm",
    "short_caliper_mm",
    "field",
    "comment",
    "modality",
    "series_uid",
)


W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    subject: str
    timepoint: str
    reader: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a study knows of one visit: lesions by name, image series by UID, proposals for diameters."""

    lesions: Mapping[str, Lesion]
    series: Mapping[str, SeriesSummary]
    proposals: tuple[StoredProposal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckedRead:
    """A read that can be signed."""

    place: _Place
    rows: tuple[Row, ...]
    label: str
    lesions: tuple[ConfirmedLesion, ...]


def record_reads(study: Study, table: Path, *, reason: str = "") -> list[str]:
    """Sign one read per subject, time point and reader of a table; say each in one line, and each finding in one.

    Columns: subject, timepoint, reader, lesion, state, accept (``proposal`` or ``caliper`` when state is measured,
    else empty), and perhaps label, caliper_mm and short_caliper_mm (``x,y,z:x,y,z``), field, comment, and modality or
    series_uid where the lesion has proposals on several series of the visit.

    Args:
        study: The study.
        table: The CSV file.
        reason: Why earlier signed reads are superseded; required when there are any, and blanks are none.

    Raises:
        InputError: The table is missing.
        TableError: A line cannot be used; nothing of the table is signed.
        StoreError: A read is already signed and no reason is given; nothing of the table is signed.
    """
    rows = read_table(table, required=READ_COLUMNS, optional=OPTIONAL_COLUMNS)
    if not rows:
        raise TableError(f"{table.name}: expected a line for each lesion read, found none")
    grouped = groupby(sorted(rows, key=_sorting), key=_place)
    checked = [_checked(study, place, tuple(lines)) for place, lines in grouped]
    with study.database.session() as session:
        versions = [
            sign_read(
                session,
                subject=each.place.subject,
                timepoint=each.place.timepoint,
                reader=each.place.reader,
                lesions=each.lesions,
                now=study.now(),
                label=each.label,
                reason=reason.strip(),
            )
            for each in checked
        ]
    return [line for each, version in zip(checked, versions, strict=True) for line in _said(each, version)]


def _said(read: _CheckedRead, version: int) -> list[str]:
    place = read.place
    signed = f"{len(read.rows)} lesions signed by {place.reader} (version {version})"
    findings = [
        f"line {row.line}, {place.subject} {each.lesion.lesion_id}: {finding.severity}: {finding.text}"
        for row, each in zip(read.rows, read.lesions, strict=True)
        for finding in each.findings
    ]
    return [f"{place.subject} {place.timepoint}: {signed}", *findings]


def _place(row: Row) -> _Place:
    return _Place(subject=row.text("subject"), timepoint=row.text("timepoint"), reader=row.text("reader"))


def _sorting(row: Row) -> tuple[str, str, str]:
    place = _place(row)
    return (place.subject, place.timepoint, place.reader)


def _checked(study: Study, place: _Place, rows: tuple[Row, ...]) -> _CheckedRead:
    labels = sorted({row.values["label"] for row in rows})
    if len(labels) > 1:
        raise TableError(f"label: expected one in a read, found {labels}", line=rows[0].line)
    known = _known(study, place, rows[0].line)
    first: dict[str, int] = {}
    for row in rows:
        name = row.text("lesion")
        if name in first:
            raise TableError(f"lesion {name} stands twice in one read, first on line {first[name]}", line=row.line)
        first[name] = row.line
    lesions = tuple(_confirmed(study, row, known) for row in rows)
    return _CheckedRead(place=place, rows=rows, label=labels[0], lesions=lesions)


def _known(study: Study, place: _Place, line: int) -> _Known:
    with study.database.session() as session:
        codes = subjects(session)
        names = [point.name for point in timepoints(session, place.subject)]
        if place.subject not in codes:
            raise TableError(f"no subject {place.subject}, found {codes}", line=line)
        if place.timepoint not in names:
            raise TableError(f"subject {place.subject}: no time point {place.timepoint}, found {names}", line=line)
        images = [each for each in series_of(session, subject=place.subject) if each.modality in IMAGE_MODALITIES]
        return _Known(
            lesions={lesion.lesion_id: lesion for lesion in lesions_of(session, place.subject)},
            series={each.uid: each for each in images if each.timepoint == place.timepoint},
            proposals=tuple(
                each
                for each in proposals_of(session, place.subject)
                if each.timepoint == place.timepoint and each.uptake is None
            ),
        )


def _confirmed(study: Study, row: Row, known: _Known) -> ConfirmedLesion:
    name = row.text("lesion")
    if name not in known.lesions:
        raise TableError(
            f"subject {row.text('subject')}: no lesion {name}, found {sorted(known.lesions)}", line=row.line
        )
    lesion, state = known.lesions[name], _word(row, "state", LesionState)
    field = _word(row, "field", FieldPosition) if row.values["field"] else None
    if state is LesionState.MEASURED:
        return _measured(study, row, lesion, known, field)
    if row.values["accept"] or row.values["caliper_mm"] or row.values["short_caliper_mm"]:
        raise TableError(f"state {state}: expected no accept and no caliper, found one", line=row.line)
    return ConfirmedLesion(lesion=lesion, state=state, field=field, comment=row.values["comment"])


def _measured(study: Study, row: Row, lesion: Lesion, known: _Known, field: FieldPosition | None) -> ConfirmedLesion:
    long, short = read_calipers(row)
    accepted = row.text("accept")
    if accepted not in ("proposal", "caliper"):
        raise TableError(f"accept: expected proposal or caliper, found {accepted!r}", line=row.line)
    series = _chosen_series(row, known)
    proposal = _chosen_proposal(row, lesion, known, series)
    if accepted == "proposal":
        if proposal is None:
            where = " on ".join(("this visit", *filter(None, (row.values["modality"], row.values["series_uid"]))))
            raise TableError(f"accept proposal: lesion {lesion.lesion_id} has no proposal at {where}", line=row.line)
        if proposal.prompt.get("source") == SEED_SOURCE:
            raise TableError(
                f"accept proposal: lesion {lesion.lesion_id} was only carried over from the baseline: it says where, "
                "not how large; prompt the lesion at this visit, or accept a caliper",
                line=row.line,
            )
        longest_mm, shortest_mm = proposal.measurement.longest_diameter_mm, proposal.measurement.short_axis_mm
    else:
        if long is None or (lesion.nodal and short is None):
            needed = "caliper_mm and short_caliper_mm (a node)" if lesion.nodal else "caliper_mm"
            raise TableError(f"accept caliper: expected {needed}, found none", line=row.line)
        longest_mm, shortest_mm = long.length_mm, None if short is None else short.length_mm
    likeliest = "" if proposal is None else proposal.series_uid
    require_on_an_image(study, row, sorted(series, key=lambda uid: uid != likeliest))
    return ConfirmedLesion(
        lesion=lesion,
        state=LesionState.MEASURED,
        longest_diameter_mm=longest_mm,
        short_axis_mm=shortest_mm,
        proposal_id=None if proposal is None else proposal.id,
        accepted=accepted,
        reader_caliper=long,
        reader_short_caliper=short,
        field=field,
        comment=row.values["comment"],
        findings=caliper_findings(None if proposal is None else proposal.measurement, long, short),
    )


def _chosen_series(row: Row, known: _Known) -> list[str]:
    """The series of the visit that a line speaks of: all, unless it names a modality or one series."""
    modality, uid = row.values["modality"].upper(), row.values["series_uid"]
    found = [each.uid for each in known.series.values() if modality in ("", each.modality) and uid in ("", each.uid)]
    if not found:
        asked = " ".join(each for each in (modality, uid) if each)
        listed = "; ".join(_named(each) for each in known.series.values())
        raise TableError(f"modality, series_uid: no series {asked} at this visit, found {listed}", line=row.line)
    return found


def _chosen_proposal(row: Row, lesion: Lesion, known: _Known, series: list[str]) -> StoredProposal | None:
    """The one proposal of a lesion on the chosen series, or None; never one of several by chance."""
    found = [
        each for each in known.proposals if each.lesion.lesion_id == lesion.lesion_id and (each.series_uid in series)
    ]
    if len(found) > 1:
        listed = "; ".join(sorted(_named(known.series[each.series_uid]) for each in found))
        raise TableError(
            f"lesion {lesion.lesion_id} has proposals on {len(found)} series of this visit: {listed}; "
            "choose one in column modality or series_uid",
            line=row.line,
        )
    return found[0] if found else None


def _named(series: SeriesSummary) -> str:
    return f"{series.modality} {series.uid}"


def _word(row: Row, column: str, words: type[W]) -> W:
    text = row.text(column).lower()
    try:
        return words(text)
    except ValueError as error:
        raise TableError(f"{column}: expected {', '.join(words)}, found {text!r}", line=row.line) from error
