"""TU, TR, RS, SUPPTU, SUPPTR, SUPPRS and RELREC from readers' records (SDTMIG 3.4; recist.md 3)."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm_draft import Draft, Study, qualifier_rows, sequenced
from npcpit_imaging.report.sdtm_records import SubjectRead
from npcpit_imaging.report.sdtm_rows import Cell, ColumnRows, Row
from npcpit_imaging.report.sdtm_rs import response_rows
from npcpit_imaging.report.sdtm_spec import RELREC, RS, SUPPRS, SUPPTR, SUPPTU, TR, TU, Dataset, DatasetSpec
from npcpit_imaging.report.sdtm_tr import result_rows
from npcpit_imaging.report.sdtm_tu import tumor_rows

SUBJECTS_AT_ONCE = 200
"""Subjects whose rows are objects together, before they are cells of columns."""

_RELATIONS = (
    ("TU", "TULNKID", "ONE", "TUTR"),
    ("TR", "TRLNKID", "MANY", "TUTR"),
    ("TU", "TULNKID", "ONE", "TURS"),
    ("RS", "RSLNKID", "MANY", "TURS"),
    ("TR", "TRLNKGRP", "MANY", "TRRS"),
    ("RS", "RSLNKGRP", "ONE", "TRRS"),
)
"""Lesion to its results, lesion to its responses, results of a visit to its responses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabulation:
    """The datasets of one export.

    Args:
        datasets: By name, in the order they are written.
        reference_start: First treatment by USUBJID, where known: what study days are counted from.
        too_small_mm: The protocol's value of a lesion too small to measure.
    """

    datasets: Mapping[str, Dataset]
    reference_start: Mapping[str, date]
    too_small_mm: int


def tabulate(reads: Sequence[SubjectRead], *, study_id: str, protocol: Protocol) -> Tabulation:
    """Make the SDTM datasets.

    Args:
        reads: One per subject and reader, in any order.
        study_id: STUDYID.
        protocol: Planned visits, the value of what is too small to measure, the size of a normal node.
    """
    study = Study(study_id=study_id, visits=visit_numbers(reads, [visit.name for visit in protocol.visits]))
    groups = list(_by_subjects(reads))
    tumors = _both(groups, TU, SUPPTU, lambda read: tumor_rows(read, study))
    results = _both(groups, TR, SUPPTR, lambda read: result_rows(read, study, protocol))
    responses = _both(groups, RS, SUPPRS, lambda read: response_rows(read, study))
    datasets = [each for pair in zip(tumors, results, responses, strict=True) for each in pair]
    datasets.append(Dataset(spec=RELREC, rows=_relations(study_id, datasets)))
    starts = {study.usubjid(read.subject): read.reference_start for read in reads if read.reference_start is not None}
    return Tabulation(
        datasets={dataset.spec.name: dataset for dataset in datasets},
        reference_start=starts,
        too_small_mm=protocol.tstm_default_mm,
    )


def _by_subjects(reads: Sequence[SubjectRead]) -> Iterator[Sequence[SubjectRead]]:
    """Reads of some subjects at a time, in the order of the rows: rows are sorted within their subject."""
    by_subject: dict[str, list[SubjectRead]] = {}
    for read in reads:
        by_subject.setdefault(read.subject, []).append(read)
    names = sorted(by_subject)
    for first in range(0, len(names), SUBJECTS_AT_ONCE):
        yield [read for name in names[first : first + SUBJECTS_AT_ONCE] for read in by_subject[name]]


def _both(
    groups: Iterable[Sequence[SubjectRead]],
    spec: DatasetSpec,
    supplement: DatasetSpec,
    rows_of: Callable[[SubjectRead], Iterable[Draft]],
) -> tuple[Dataset, Dataset]:
    """A domain and its supplemental qualifiers, built some subjects at a time."""
    own: ColumnRows[Cell] = ColumnRows([], _names(spec))
    more: ColumnRows[Cell] = ColumnRows([], _names(supplement))
    for group in groups:
        drafts = sequenced((row for read in group for row in rows_of(read)), spec.name)
        own.add([row.values for row in drafts])
        more.add(qualifier_rows(drafts, spec.name))
    return Dataset(spec=spec, rows=own), Dataset(spec=supplement, rows=more)


def _names(spec: DatasetSpec) -> list[str]:
    return [variable.name for variable in spec.variables]


def _relations(study_id: str, datasets: Iterable[Dataset]) -> tuple[Row, ...]:
    """Relate datasets by variables that both have; a relation of one side alone would point nowhere."""
    there = {variable.name for dataset in datasets for variable in dataset.columns if dataset.rows}
    whole = {
        relation
        for relation in {each[3] for each in _RELATIONS}
        if all(variable in there for _, variable, _, own in _RELATIONS if own == relation)
    }
    return tuple(
        {
            "STUDYID": study_id,
            "RDOMAIN": domain,
            "USUBJID": "",
            "IDVAR": variable,
            "IDVARVAL": "",
            "RELTYPE": kind,
            "RELID": relation,
        }
        for domain, variable, kind, relation in _RELATIONS
        if relation in whole
    )


def visit_numbers(reads: Sequence[SubjectRead], planned: Sequence[str]) -> dict[str, int]:
    """Number the visits of the whole study from 1, so that every subject's dates and the plan are in order.

    Where two subjects contradict each other the natural order of the names decides, and a check reports the rows.

    Args:
        reads: Every subject and reader.
        planned: Names of the protocol's visits in their order.
    """
    after: dict[str, set[str]] = {}
    for chain in [*(_visits_of(read) for read in reads), *([planned] if planned else [])]:
        for earlier, later in pairwise(chain):
            after.setdefault(later, set()).add(earlier)
        for name in chain:
            after.setdefault(name, set())
    baselines = {read.baseline for read in reads}
    numbers: dict[str, int] = {}
    while left := [name for name in after if name not in numbers]:
        ready = [name for name in left if after[name] <= numbers.keys()] or left
        first = min(ready, key=lambda name: (name not in baselines, _natural(name)))
        numbers[first] = len(numbers) + 1
    return numbers


def _visits_of(read: SubjectRead) -> list[str]:
    """Give the visits of one read, baseline first, then by date."""
    first: dict[str, date] = {}
    for record in read.assessments:
        first[record.timepoint] = min(record.date, first.get(record.timepoint, record.date))
    return sorted(first, key=lambda name: (name != read.baseline, first[name], name))


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort WEEK 6 before WEEK 12."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in re.split(r"(\d+)", name) if part]
