"""The rows of a study's tables: what each reader says of each lesion, the responses, the features of masks in use."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from npcpit_imaging.app.features import (
    CONFIRMED,
    NOT_CONFIRMED,
    MaskInUse,
    acceptance_of_mask,
    first_made,
    masks_in_use_of_each,
    named_masks,
    readers_of,
)
from npcpit_imaging.app.respond import csv_cells
from npcpit_imaging.app.responses import StoredReads
from npcpit_imaging.app.stored_reads import BEST_RULES
from npcpit_imaging.app.study import Study
from npcpit_imaging.report.sdtm_rows import ColumnRows
from npcpit_imaging.response.answers import Answer, Cell, flat_lesions
from npcpit_imaging.response.columns import FINDING_COLUMNS, LESION_COLUMNS, SUBJECT_COLUMNS, TIMEPOINT_COLUMNS
from npcpit_imaging.store.adjudications import (
    Adjudicated,
    Adjudications,
    acceptance_of,
    adjudications_on_record,
)
from npcpit_imaging.store.bulk import StoredAnswer, in_groups
from npcpit_imaging.store.images import subjects
from npcpit_imaging.store.mask_numbers import MaskNumbers
from npcpit_imaging.store.reads import SignedRead
from npcpit_imaging.store.results import features
from npcpit_imaging.store.schema import FeatureRow, JsonObject
from npcpit_imaging.study.lesion import Lesion

LEVELS = {
    "timepoint": TIMEPOINT_COLUMNS,
    "lesion": LESION_COLUMNS,
    "subject": SUBJECT_COLUMNS,
    "finding": FINDING_COLUMNS,
}
"""Levels of responses, a file each, with their first columns."""


def response_rows(
    answers: Mapping[str, Sequence[StoredAnswer]], level: str, reads: StoredReads, decided: Adjudications
) -> Iterator[Answer]:
    """The responses of some subjects of one level, lesions a row per visit, each with its reader's reads' label.

    Where an adjudicator decided, every row says what became of its reader's reads: one reader's are accepted.
    """
    for subject, answered in answers.items():
        decision, labels = decided.get(subject), _labels(reads.reads[subject])
        rows: list[Answer] = [
            {
                "subject": subject,
                "reader": row.reader,
                **_shown(row.values),
                **_for_analysis(decision, row.reader, level),
                "read_label": "; ".join(sorted(labels.get(row.reader, ()))),
                "adjudication": acceptance_of(decision, row.reader).value,
            }
            for row in answered
            if row.level == level
        ]
        yield from flat_lesions(rows) if level == "lesion" else rows


def _labels(reads: Iterable[SignedRead]) -> dict[str, set[str]]:
    """What the newest reads of a subject are labelled, by reader."""
    found: dict[str, set[str]] = {}
    for read in reads:
        if read.label:
            found.setdefault(read.reader, set()).add(read.label)
    return found


def _shown(values: JsonObject) -> Answer:
    """What a table shows of a stored answer; not what only an export asks for."""
    return {name: cast("Cell", cell) for name, cell in values.items() if name not in BEST_RULES}


def _for_analysis(decision: Adjudicated | None, reader: str, level: str) -> Answer:
    """The adjudicator's word goes before what the rows say of their evaluator."""
    if decision is None or level != "subject":
        return {}
    return {"for_analysis": None if decision.stale else reader == decision.chosen}


def write_table(path: Path, rows: ColumnRows[Cell]) -> None:
    """Write rows as CSV, as ``npcpit respond`` does: lists of words joined by spaces, other lists and dicts as JSON."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.columns)
        writer.writerows(zip(*map(csv_cells, rows.columns.values()), strict=True))


def measurement_rows(
    stored: StoredReads, masks: Mapping[str, Sequence[MaskNumbers]], decided: Adjudications
) -> Iterator[Answer]:
    """What each reader says of each lesion of some subjects, the mask's own numbers beside the confirmed ones."""
    for subject, reads in stored.reads.items():
        yield from _measurements(subject, reads, stored.lesions[subject], masks[subject], decided.get(subject))


def _measurements(
    subject: str,
    reads: Iterable[SignedRead],
    lesions: Iterable[Lesion],
    every: Iterable[MaskNumbers],
    decision: Adjudicated | None,
) -> list[Answer]:
    by_uid = {lesion.tracking_uid: lesion for lesion in lesions}
    masks = {each.id: each for each in every}
    newest_on_pet = {(each.timepoint, each.lesion): each for each in masks.values() if each.stored_uptake is not None}
    rows: list[Answer] = []
    for read in reads:
        for row in read.lesions:
            lesion = by_uid[row.tracking_uid]
            mask = masks.get(row.proposal_id) if row.proposal_id else None
            pet = None if mask is None else newest_on_pet.get((read.timepoint, lesion.lesion_id))
            on_pet = None if pet is None else pet.uptake
            rows.append(
                {
                    "subject": subject,
                    "timepoint": read.timepoint,
                    "date": read.date.isoformat(),
                    "reader": read.reader,
                    "read_version": read.version,
                    "read_label": read.label,
                    "adjudication": acceptance_of(decision, read.reader).value,
                    "lesion": lesion.lesion_id,
                    "tracking_uid": lesion.tracking_uid,
                    "role": lesion.role.value,
                    "organ": lesion.organ,
                    "location": lesion.location,
                    "nodal": lesion.nodal,
                    "irradiated": lesion.irradiated,
                    "state": row.state,
                    "accepted": row.accepted,
                    "longest_diameter_mm": _rounded(row.longest_diameter_mm),
                    "short_axis_mm": _rounded(row.short_axis_mm),
                    "mask_longest_diameter_mm": None if mask is None else _rounded(mask.longest_diameter_mm),
                    "mask_short_axis_mm": None if mask is None else _rounded(mask.short_axis_mm),
                    "volume_ml": None if mask is None else _rounded(mask.volume_ml),
                    "series_uid": None if mask is None else mask.series_uid,
                    "mask_sha256": None if mask is None else mask.mask_sha256,
                    "segmenter": None if mask is None else str(mask.segmenter["name"]),
                    "convention": None if mask is None else str(mask.measurement["convention"]),
                    "suv_max": None if on_pet is None else _rounded(on_pet.suv_max),
                    "suv_peak": None if on_pet is None else _rounded(on_pet.suv_peak),
                    "mtv_ml": None if on_pet is None else _rounded(on_pet.mtv_ml),
                    "pet_status": None if pet is None else CONFIRMED if pet.id == row.proposal_id else NOT_CONFIRMED,
                    "field": row.field,
                    "comment": row.comment,
                    "findings": "; ".join(str(finding["text"]) for finding in row.findings),
                }
            )
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def feature_rows(study: Study) -> list[dict[str, object]]:
    """Features of the masks in use: a mask that readers share has one set; superseded masks have none here.

    By subject, visit and lesion: the store's own order is that of proposing, which with several workers is chance.
    """
    with study.database.session() as session:
        codes, stored = subjects(session), features(session)
        decided = adjudications_on_record(session)
    if not stored:
        return []
    used = {
        first_made(users).id: users
        for group in in_groups(codes)
        for code, own in masks_in_use_of_each(study, group).items()
        for users in named_masks(code, own).values()
    }
    place = {proposal: number for number, proposal in enumerate(used)}
    shown = sorted((row for row in stored if row.proposal_id in used), key=lambda row: place[row.proposal_id])
    return [_feature(row, used[row.proposal_id], decided) for row in shown]


def _feature(row: FeatureRow, users: Sequence[MaskInUse], decided: Adjudications) -> dict[str, object]:
    """One value; without the moment it was computed, which beside shifted dates would give the shift away."""
    proposal = first_made(users)
    return {
        "subject": proposal.subject,
        "timepoint": proposal.timepoint,
        "lesion": proposal.lesion.lesion_id,
        "tracking_uid": proposal.lesion.tracking_uid,
        "series_uid": proposal.series_uid,
        "modality": users[0].modality,
        "on_pet": proposal.uptake is not None,
        "mask_sha256": proposal.mask_sha256,
        "mask_status": CONFIRMED if any(each.confirmed for each in users) else NOT_CONFIRMED,
        "readers": readers_of(users),
        "adjudication": acceptance_of_mask(users, decided.get(proposal.subject)).value,
        "read_label": "; ".join(sorted({each.read.label for each in users if each.read.label})),
        "filter": row.filter,
        "tag": row.tag,
        "code": row.code,
        "family": row.family,
        "value": row.value,
        "unit": row.unit,
        "status": row.status,
        "reason": row.reason,
        "settings_sha256": row.settings_sha256,
        **{
            name: value if isinstance(value, int | float | str) else str(value)
            for name, value in row.provenance.items()
        },
    }
