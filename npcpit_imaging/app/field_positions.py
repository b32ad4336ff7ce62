"""Where each lesion lies to its subject's irradiated field: said by the pipelines, shown beside the reader's word.

It is a proposal that rests on the stored registrations; the ``field`` of a read stays the reader's.
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from npcpit_imaging.app.features import masks_in_use
from npcpit_imaging.app.fields import FieldRow, field_at, read_fields
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.series import find_series, open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import FlowError, InputError, RegistrationError, TableError
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.registration.field import classify
from npcpit_imaging.store.images import subjects, timepoints
from npcpit_imaging.store.lesions import StoredProposal, proposals_of
from npcpit_imaging.study.lesion import LesionRole
from npcpit_imaging.volume.volume import Modality

NOT_KNOWN = "not known"
"""How a position begins that could not be found out; the reason follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionInField:
    """Where one lesion of one visit lies to the united field of all cycles.

    Args:
        position: ``in``, ``margin``, ``out``, or why it is not known.
        nearest_mm: From the field's edge to the lesion's nearest point, negative inside; None when not known.
        reader: Whose accepted mask it is; empty for the newest proposal.
        read_position: What that reader said; empty when nothing.
    """

    subject: str
    timepoint: str
    lesion_id: str
    position: str
    role: str = ""
    fraction_in: float | None = None
    fraction_in_or_margin: float | None = None
    nearest_mm: float | None = None
    margin_mm: float | None = None
    reader: str = ""
    read_position: str = ""

    @property
    def text(self) -> str:
        """One line of words: ``N01 (NEW) out: 100 % outside field and margin, 21.3 mm from its edge +/- 4.0``."""
        name = f"{self.lesion_id} (NEW)" if self.role == LesionRole.NEW else self.lesion_id
        if self.nearest_mm is None or self.fraction_in is None:
            return f"{name} {self.position}"
        where = f"{self.nearest_mm:.1f} mm from its edge" if self.nearest_mm > 0 else f"{self.fraction_in:.0%} within"
        return f"{name} {self.position} ({where}, margin {self.margin_mm:.1f} mm)"


def has_fields(study: Study) -> bool:
    """Whether the study was told of any irradiated field."""
    return (study.tables / "fields.csv").is_file()


def positions(study: Study) -> tuple[LesionInField, ...]:
    """Where the newest mask of every lesion on a CT lies to its subject's field, visit by visit.

    Raises:
        InputError: The table is missing, or names a subject of whom nothing came.
        TableError: A line cannot be used.
    """
    rows = read_fields(study)
    with study.database.session() as session:
        known = subjects(session)
    unknown = sorted({row.subject for row in rows} - set(known))
    if unknown:
        raise InputError(f"fields.csv: no images of subject {', '.join(unknown)}, found {', '.join(known) or 'none'}")
    named = dict.fromkeys(row.subject for row in rows)
    return tuple(
        each
        for subject in named
        for visit in _visits(study, subject)
        for each in visit_positions(study, subject, visit, rows)
    )


def visit_positions(study: Study, subject: str, visit: str, rows: Sequence[FieldRow]) -> list[LesionInField]:
    """The same of one visit."""
    with study.database.session() as session:
        here = [each for each in proposals_of(session, subject) if each.timepoint == visit and each.uptake is None]
    chosen = mask_of_each_lesion(here, ct=_ct_uid(study, subject, visit))
    return _classified(study, subject, visit, rows, {(name, "", ""): each for name, each in chosen.items()})


def mask_of_each_lesion(proposals: Iterable[StoredProposal], *, ct: str) -> dict[str, StoredProposal]:
    """The mask by which each lesion of one visit is placed: the one on the CT, whatever other series show it later.

    Only a mask on the visit's CT can be placed; a lesion without one keeps its newest, and is said not to be known.

    Args:
        proposals: Of one visit, the newest last; at most one per lesion and series.
        ct: SeriesInstanceUID of the visit's CT; empty when it has none.
    """
    by_preference = sorted(proposals, key=lambda each: each.series_uid == ct)
    return {each.lesion.lesion_id: each for each in by_preference}


def _ct_uid(study: Study, subject: str, visit: str) -> str:
    """Empty where the visit has no usable CT: `_classified` says why."""
    try:
        return find_series(study, subject, visit, Modality.CT).uid
    except (FlowError, InputError):
        return ""


def field_inputs(study: Study, subject: str) -> tuple[str, ...]:
    """What the field of a subject is made of: its lines of fields.csv and the files they name; empty without any.

    A table that cannot be used is named by its bytes alone: whoever asks for a position is told why.
    """
    try:
        own = [row for row in read_fields(study) if row.subject == subject] if has_fields(study) else []
    except TableError:
        return (f"unusable {hashlib.sha256((study.tables / 'fields.csv').read_bytes()).hexdigest()}",)
    files = [row.file for row in own if row.file is not None and row.file.is_file()]
    return (*(repr(row) for row in own), *(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))


def planned_on(study: Study, subject: str) -> tuple[str, ...]:
    """Visits on whose CT a subject's field was planned; none where the table cannot be used."""
    try:
        rows = read_fields(study) if has_fields(study) else ()
    except TableError:
        return ()
    return tuple(dict.fromkeys(row.timepoint for row in rows if row.subject == subject))


def say_positions(study: Study, subject: str, visit: str) -> str:
    """Say in words where the lesions of one visit lie, new ones first.

    Raises:
        SkipCaseError: The visit has no lesion on a CT or MR, or of none is it known: it is asked again.
        TableError: A line of fields.csv cannot be used.
    """
    found = visit_positions(study, subject, visit, read_fields(study))
    if not found:
        raise SkipCaseError("no lesion with a mask")
    words = "; ".join(
        each.text for each in sorted(found, key=lambda each: (each.role != LesionRole.NEW, each.lesion_id))
    )
    if all(each.nearest_mm is None for each in found):
        raise SkipCaseError(words)
    return words


def read_positions(study: Study, subject: str) -> list[LesionInField]:
    """Where the masks lie that each reader of a subject accepted, beside what the reader said of them.

    Nothing where the study was told of no field of this subject; why not, where the table cannot be used.
    """
    try:
        rows = read_fields(study) if has_fields(study) else ()
    except TableError as error:
        rows, problem = (), f"{NOT_KNOWN}: {error}"
    else:
        problem = ""
        if not any(row.subject == subject for row in rows):
            return []
    used = [each for each in masks_in_use(study, subject) if each.confirmed]
    found: list[LesionInField] = []
    for visit in _visits(study, subject):
        here = {
            (each.proposal.lesion.lesion_id, each.read.reader, each.row.field or ""): each.proposal
            for each in used
            if each.read.timepoint == visit
        }
        if problem:
            found += [_said(subject, visit, key, each, problem) for key, each in here.items()]
        else:
            found += _classified(study, subject, visit, rows, here)
    return found


def _visits(study: Study, subject: str) -> list[str]:
    with study.database.session() as session:
        return [point.name for point in timepoints(session, subject)]


def _said(
    subject: str,
    visit: str,
    key: tuple[str, str, str],
    proposal: StoredProposal,
    position: str,
    **numbers: float,
) -> LesionInField:
    name, reader, word = key
    return LesionInField(
        subject=subject,
        timepoint=visit,
        lesion_id=name,
        position=position,
        role=proposal.lesion.role.value,
        reader=reader,
        read_position=word,
        **numbers,
    )


def _classified(
    study: Study, subject: str, visit: str, rows: Sequence[FieldRow], masks: dict[tuple[str, str, str], StoredProposal]
) -> list[LesionInField]:
    """One bad visit says why and hides no other."""
    if not masks:
        return []
    said = partial(_said, subject, visit)
    try:
        ct = find_series(study, subject, visit, Modality.CT).uid
        field = field_at(study, subject, visit, rows)
    except (FlowError, InputError, RegistrationError) as error:
        return [said(key, each, f"{NOT_KNOWN}: {error}") for key, each in masks.items()]
    volume, found = open_series(study, ct), []
    for key, proposal in masks.items():
        if proposal.series_uid != ct:
            found.append(said(key, proposal, f"{NOT_KNOWN}: its mask is not on the visit's CT"))
            continue
        relation = classify(field, open_mask_of(study, proposal, volume))
        found.append(
            said(
                key,
                proposal,
                relation.position.value,
                fraction_in=round(relation.fraction_in, 4),
                fraction_in_or_margin=round(relation.fraction_in_or_margin, 4),
                nearest_mm=round(relation.nearest_mm, 2),
                margin_mm=round(relation.margin_mm, 2),
            )
        )
    return found


def write_positions(found: Iterable[LesionInField], path: Path) -> None:
    """Write the answers as a table, a line per lesion and visit."""
    columns = tuple(LesionInField.__dataclass_fields__)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([getattr(each, column) for column in columns] for each in found)
