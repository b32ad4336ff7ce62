"""Features of a table of cases after each lesion's voxels were shuffled: the negative control of `docs/results.md`."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from npcpit_imaging.app.pace import Tell
from npcpit_imaging.app.radiomics_cases import MeasureCase, read_cases, run_step
from npcpit_imaging.app.radiomics_export import lesion_of, write_outcomes
from npcpit_imaging.app.radiomics_inputs import Inputs
from npcpit_imaging.app.radiomics_parts import part_path, read_part
from npcpit_imaging.app.radiomics_stability import seed_of
from npcpit_imaging.errors import InputError
from npcpit_imaging.flow.run import Case, Outcome, Status
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable
from npcpit_imaging.radiomics.shuffle import shuffled
from npcpit_imaging.radiomics.table import wide_table

FILE = "shuffled.csv"
"""What is written, and how results look for it in a study's tables."""


@dataclass(frozen=True, kw_only=True)
class ShuffleCase(MeasureCase):
    """The step: compute one case after its voxels were shuffled.

    Args:
        seed: Of all cases; each case has its own from it and from its name.
    """

    seed: int

    @property
    def recipe(self) -> tuple[str, ...]:
        """What the table depends on besides files and settings."""
        return ("shuffled", str(self.seed))

    def tables(self, case: Case, opened: Inputs) -> tuple[FeatureTable, ...]:
        """Compute the case's features."""
        image = shuffled(opened.volume, opened.mask, seed=seed_of(self.seed, case.name))
        return (extract(image, opened.mask, opened.settings),)


def shuffled_features(
    table: Path,
    output: Path,
    *,
    settings: Path | None = None,
    seed: int = 1,
    workers: int = 1,
    tell: Tell = lambda *_: None,
) -> tuple[tuple[Outcome, ...], Path]:
    """Compute every case with its voxels shuffled, and write one row a case.

    Args:
        table: A table of cases, as `radiomics_cases` takes it.
        output: Folder for the results; of its own, resumable.
        settings: Imaging settings of cases that name none.
        seed: The same seed gives the same numbers, whatever the number of workers.
        workers: How many processes.
        tell: Told how far it is.

    Returns:
        An outcome per line of the table, and the file: case, subject, timepoint, lesion, a column per feature.

    Raises:
        NpcpitError: The table cannot be used, or its cases were measured with different settings.
    """
    rows = read_cases(table)
    step = ShuffleCase(folder=table.parent, output=output, rows=rows, settings=settings, seed=seed)
    outcomes = run_step(list(rows), step, output=output, workers=workers, tell=tell)
    lesions = []
    for outcome in outcomes:
        part = read_part(part_path(output, outcome.case.name))
        if outcome.status is not Status.FAILED and part is not None:
            lesions.append(lesion_of(part, rows[outcome.case.name]))
    names = {"lesion_uid": "lesion", "time_point": "timepoint"}
    found = wide_table(lesions).rename(columns=names) if lesions else pd.DataFrame(columns=["subject", "lesion"])
    try:
        write_outcomes(output / "outcomes.csv", outcomes, rows)
        found.to_csv(output / FILE, index=False)
    except OSError as error:
        raise InputError(f"{output.name}: tables cannot be written ({error.strerror or 'unknown reason'})") from error
    return tuple(outcomes), output / FILE
