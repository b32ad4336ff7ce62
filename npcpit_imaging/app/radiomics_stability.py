"""Which features are stable over a table of cases: under perturbations (repeatable by seed), or between readers."""

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.app.pace import Tell
from npcpit_imaging.app.radiomics_cases import MeasureCase, read_cases, run_step
from npcpit_imaging.app.radiomics_export import write_outcomes
from npcpit_imaging.app.radiomics_inputs import Inputs
from npcpit_imaging.app.radiomics_parts import part_path, read_part
from npcpit_imaging.app.tables import Row
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Case, Outcome, Status
from npcpit_imaging.radiomics.feature import FeatureTable
from npcpit_imaging.radiomics.icc import Icc
from npcpit_imaging.radiomics.perturb import Limits, draw
from npcpit_imaging.radiomics.stability import Stability, perturbed_tables, stability

REPETITIONS = 30
"""Perturbations a case (Zwanenburg 2019)."""

COLUMNS = (
    *("feature", "cases", "repetitions", "icc_2_1", "icc_2_1_lower", "icc_2_1_upper"),
    *("icc_3_1", "icc_3_1_lower", "icc_3_1_upper", "stable", "reason"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StabilityReport:
    """Coefficients, and what became of every case.

    Args:
        outcomes: One per line of the table, in its order.
        features: One per feature.
        left_out: Lesions that not every reader has outlined, or whose case failed.
        file: The table that was written.
    """

    outcomes: tuple[Outcome, ...]
    features: tuple[Stability, ...]
    left_out: tuple[str, ...]
    file: Path


@dataclass(frozen=True, kw_only=True)
class PerturbCase(MeasureCase):
    """The step: compute one case under every perturbation.

    Args:
        repetitions: How many.
        seed: Of all cases; each case draws its own from it and from its name.
        limits: How large.
    """

    repetitions: int
    seed: int
    limits: Limits

    @property
    def recipe(self) -> tuple[str, ...]:
        """What the tables depend on besides files and settings."""
        return ("perturbed", str(self.repetitions), str(self.seed), repr(self.limits))

    def tables(self, case: Case, opened: Inputs) -> tuple[FeatureTable, ...]:
        """Compute the case's features under its perturbations."""
        changes = draw(self.repetitions, seed=seed_of(self.seed, case.name), limits=self.limits)
        return tuple(perturbed_tables(opened.volume, opened.mask, opened.settings, changes))


def seed_of(seed: int, name: str) -> int:
    """A case's own seed: the same whatever other cases there are, in whatever order and process."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode()).digest()[:8])


def perturbation_stability(
    table: Path,
    output: Path,
    *,
    settings: Path | None = None,
    repetitions: int = REPETITIONS,
    seed: int = 1,
    limits: Limits = Limits(),
    workers: int = 1,
    tell: Tell = lambda *_: None,
) -> StabilityReport:
    """Compute every case under perturbations, and each feature's coefficients over cases.

    Args:
        table: A table of cases, as `radiomics_cases` takes it.
        output: Folder for the results; of its own, resumable.
        settings: Imaging settings of cases that name none.
        repetitions: Perturbations a case.
        seed: The same seed gives the same numbers, whatever the number of workers.
        limits: How large perturbations are.
        workers: How many processes.
        tell: Told how far it is.

    Raises:
        NpcpitError: The table cannot be used, or the cases do not compare.
    """
    rows = read_cases(table)
    step = PerturbCase(
        folder=table.parent, output=output, rows=rows, settings=settings, repetitions=repetitions, seed=seed,
        limits=limits,
    )  # fmt: skip
    outcomes = run_step(list(rows), step, output=output, workers=workers, tell=tell)
    found = _tables(output, outcomes)
    lost = tuple(name for name in rows if name not in found)
    return _report(output, outcomes, rows, found, lost)


def reader_stability(
    table: Path, output: Path, *, settings: Path | None = None, workers: int = 1, tell: Tell = lambda *_: None
) -> StabilityReport:
    """Compute every reader's mask, and each feature's coefficients over lesions and readers.

    Args:
        table: A table of cases, one line a lesion and reader; a lesion is its subject, time point, name and modality.
        output: Folder for the results, which may be that of `radiomics_cases`.
        settings: Imaging settings of cases that name none.
        workers: How many processes.
        tell: Told how far it is.

    Raises:
        InputError: There are not two readers, or one has two masks of a lesion.
        NpcpitError: The table cannot be used, or the cases do not compare.
    """
    rows = read_cases(table)
    lesions = _by_lesion(rows)
    step = MeasureCase(folder=table.parent, output=output, rows=rows, settings=settings)
    outcomes = run_step(list(rows), step, output=output, workers=workers, tell=tell)
    found = _tables(output, outcomes)
    readers = sorted({row.values["reader"] for row in rows.values()})
    whole = {
        lesion: [found[of_reader[reader]][0] for reader in readers]
        for lesion, of_reader in lesions.items()
        if all(of_reader.get(reader) in found for reader in readers)
    }
    lost = tuple(lesion for lesion in lesions if lesion not in whole)
    return _report(output, outcomes, rows, whole, lost)


def _by_lesion(rows: Mapping[str, Row]) -> dict[str, dict[str, str]]:
    """Case names by reader, by lesion."""
    lesions: dict[str, dict[str, str]] = {}
    for name, row in rows.items():
        parts = [row.values[column] for column in ("subject", "timepoint", "lesion", "modality")]
        lesion, reader = "/".join(part for part in parts if part), row.text("reader")
        if reader in lesions.setdefault(lesion, {}):
            raise InputError(f"readers: expected one mask of {lesion} by {reader}, found another in line {row.line}")
        lesions[lesion][reader] = name
    readers = {reader for of_reader in lesions.values() for reader in of_reader}
    if len(readers) < 2:
        raise InputError(f"readers: expected at least 2, found {len(readers)}")
    return lesions


def _tables(output: Path, outcomes: Sequence[Outcome]) -> dict[str, Sequence[FeatureTable]]:
    """Tables of the cases that have values now."""
    found: dict[str, Sequence[FeatureTable]] = {}
    for outcome in outcomes:
        part = read_part(part_path(output, outcome.case.name))
        if outcome.status is not Status.FAILED and part is not None:
            found[outcome.case.name] = part.tables
    return found


def _report(
    output: Path,
    outcomes: Sequence[Outcome],
    rows: Mapping[str, Row],
    tables: Mapping[str, Sequence[FeatureTable]],
    left_out: tuple[str, ...],
) -> StabilityReport:
    try:
        write_outcomes(output / "outcomes.csv", outcomes, rows)
        features = stability(tables)
        file = _write(output / "stability.csv", features)
    except OSError as error:
        raise InputError(f"{output.name}: tables cannot be written ({error.strerror or 'unknown reason'})") from error
    return StabilityReport(outcomes=tuple(outcomes), features=tuple(features), left_out=left_out, file=file)


def _write(path: Path, features: Sequence[Stability]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for each in features:
            row = (each.name, each.cases, each.repetitions, *_cells(each.agreement), *_cells(each.consistency))
            writer.writerow((*row, "yes" if each.is_stable() else "no", each.reason))
    return path


def _cells(icc: Icc | None) -> tuple[float | str, ...]:
    return ("", "", "") if icc is None else (icc.value, icc.lower, icc.upper)
