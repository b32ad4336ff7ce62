"""The verb `radiomics --cases`: values of a table of cases, or their stability, with one report for all of them."""

from dataclasses import dataclass
from pathlib import Path

from npcpit_imaging.app.pace import Tell
from npcpit_imaging.app.radiomics_cases import radiomics_cases
from npcpit_imaging.app.radiomics_shuffled import shuffled_features
from npcpit_imaging.app.radiomics_stability import StabilityReport, perturbation_stability, reader_stability
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Outcome, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchReport:
    """What became of a table of cases.

    Args:
        outcomes: One per line of the table, in its order.
        files: What was written.
        left_out: Lesions no coefficient counts; empty where values were asked for.
    """

    outcomes: tuple[Outcome, ...]
    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no case failed."""
        return all(outcome.status is not Status.FAILED for outcome in self.outcomes)

    def to_json(self) -> dict[str, object]:
        """The report as JSON-able objects."""
        cases = [{"case": each.case.name, "status": each.status.value, "reason": each.reason} for each in self.outcomes]
        return {"cases": cases, "files": [str(file) for file in self.files], "left_out": list(self.left_out)}


def batch(
    table: Path,
    output: Path | None,
    *,
    settings: Path | None = None,
    workers: int = 1,
    perturb: int | None = None,
    seed: int = 1,
    readers: bool = False,
    shuffle: bool = False,
    tell: Tell = lambda *_: None,
) -> BatchReport:
    """Compute values of a table of cases, or their stability.

    Args:
        table: The table of cases.
        output: Folder for the results.
        settings: Imaging settings of cases that name none.
        workers: How many processes.
        perturb: Ask for stability under that many perturbations.
        seed: Of the perturbations.
        readers: Ask for stability between readers.
        shuffle: Ask for the features of shuffled voxels, the negative control.
        tell: Told how far it is.

    Raises:
        InputError: There is no output folder, or more than one of perturbations, readers and shuffling is asked for.
        NpcpitError: The table cannot be used.
    """
    if output is None:
        raise InputError("--cases: expected --output DIR for the results, found none")
    asked = {"--perturb": perturb is not None, "--readers": readers, "--shuffle": shuffle}
    if sum(asked.values()) > 1:
        found = " and ".join(name for name, wanted in asked.items() if wanted)
        raise InputError(f"--cases: expected one of {', '.join(asked)}, found {found}")
    if perturb is not None:
        return _of_stability(
            perturbation_stability(
                table, output, settings=settings, repetitions=perturb, seed=seed, workers=workers, tell=tell
            )
        )
    if readers:
        return _of_stability(reader_stability(table, output, settings=settings, workers=workers, tell=tell))
    if shuffle:
        outcomes, file = shuffled_features(table, output, settings=settings, seed=seed, workers=workers, tell=tell)
        return BatchReport(outcomes=outcomes, files=(file,))
    report = radiomics_cases(table, output, settings=settings, workers=workers, tell=tell)
    return BatchReport(outcomes=report.outcomes, files=report.tables.files)


def _of_stability(report: StabilityReport) -> BatchReport:
    return BatchReport(outcomes=report.outcomes, files=(report.file,), left_out=report.left_out)
