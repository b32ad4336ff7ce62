"""TU, TR, RS, SUPPTU, SUPPTR, SUPPRS and RELREC from readers' records (SDTMIG 3.4; recist.md 3)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.report.sdtm_draft import Draft, Study, qualifier_rows, sequenced
from npcpit_imaging.report.sdtm_records import SubjectRead
from npcpit_imaging.report.sdtm_rs import response_rows
from npcpit_imaging.report.sdtm_spec import RELREC, RS, SUPPRS, SUPPTR, SUPPTU, TR, TU, Dataset, DatasetSpec, Row
from npcpit_imaging.report.sdtm_tr import result_rows
from npcpit_imaging.report.sdtm_tu import tumor_rows

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
    tumors = sequenced((row for read in reads for row in tumor_rows(read, study)), "TU")
    results = sequenced((row for read in reads for row in result_rows(read, study, protocol)), "TR")
    responses = sequenced((row for read in reads for row in response_rows(read, study)), "RS")
    datasets = [
        _dataset(TU, tumors),
        _dataset(TR, results),
        _dataset(RS, responses),
        Dataset(spec=SUPPTU, rows=qualifier_rows(tumors, "TU")),
        Dataset(spec=SUPPTR, rows=qualifier_rows(results, "TR")),
        Dataset(spec=SUPPRS, rows=qualifier_rows(responses, "RS")),
    ]
    datasets.append(Dataset(spec=RELREC, rows=_relations(study_id, datasets)))
    starts = {study.usubjid(read.subject): read.reference_start for read in reads if read.reference_start is not None}
    return Tabulation(
        datasets={dataset.spec.name: dataset for dataset in datasets},
        reference_start=starts,
        too_small_mm=protocol.tstm_default_mm,
    )


def _dataset(spec: DatasetSpec, drafts: Iterable[Draft]) -> Dataset:
    return Dataset(spec=spec, rows=tuple(row.values for row in drafts))


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
