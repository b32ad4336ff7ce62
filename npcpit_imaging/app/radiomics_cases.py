"""Radiomics of a table of cases: an outcome for every line, results kept as they come, resumable after kill -9."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from npcpit_imaging.app.pace import Pace, Tell
from npcpit_imaging.app.radiomics_export import ExportedTables, export
from npcpit_imaging.app.radiomics_inputs import CaseFiles, Inputs
from npcpit_imaging.app.radiomics_parts import Part, part_path, read_part, write_part
from npcpit_imaging.app.tables import Row, read_table
from npcpit_imaging.errors import InputError, NpcpitError, RadiomicsError, TableError
from npcpit_imaging.flow.run import ALREADY_DONE, Case, Outcome, SkipCaseError, Status, run_cases
from npcpit_imaging.radiomics.extract import extract
from npcpit_imaging.radiomics.feature import FeatureTable
from npcpit_imaging.radiomics.feature import Status as FeatureStatus
from npcpit_imaging.volume.volume import Modality

REQUIRED = ("case", "image", "mask")
OPTIONAL = ("subject", "timepoint", "lesion", "reader", "modality", "unit", "roi", "segment", "label", "settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiomicsReport:
    """What became of a table of cases.

    Args:
        outcomes: One per line of the table, in its order.
        tables: The files that were written.
    """

    outcomes: tuple[Outcome, ...]
    tables: ExportedTables

    @property
    def ok(self) -> bool:
        """Whether no case failed."""
        return all(outcome.status is not Status.FAILED for outcome in self.outcomes)


def radiomics_cases(
    table: Path, output: Path, *, settings: Path | None = None, workers: int = 1, tell: Tell = lambda *_: None
) -> RadiomicsReport:
    """Compute the features of every case of a table.

    Each case is written to `output` as soon as it is computed; a case that is there already, from the same files and
    settings, is skipped. Long and wide tables are made from what is there when all cases are over.

    Args:
        table: CSV with the columns case, image, mask and perhaps subject, timepoint, lesion, reader, modality, roi,
            segment, label, settings; paths are relative to the table's folder.
        output: Folder for the results; made where it does not exist.
        settings: Imaging settings of cases that name none; the shipped ones of the modality where not given.
        workers: How many processes.
        tell: Told how far it is.

    Raises:
        InputError: The table cannot be read, or the folder cannot be written.
        TableError: A case has no name, or two have the same.
    """
    rows = read_cases(table)
    step = MeasureCase(folder=table.parent, output=output, rows=rows, settings=settings)
    outcomes = run_step(list(rows), step, output=output, workers=workers, tell=tell)
    return RadiomicsReport(outcomes=tuple(outcomes), tables=export(output, outcomes, rows))


def read_cases(table: Path) -> dict[str, Row]:
    """Read a table of cases, by name; what is wrong with one line is that case's outcome and no other's.

    Raises:
        InputError: The file cannot be read.
        TableError: A column is missing or unknown, a case has no name, or two have the same.
    """
    rows: dict[str, Row] = {}
    for row in read_table(table, required=REQUIRED, optional=OPTIONAL):
        name = row.text("case")
        if name in rows:
            raise TableError(f"case: expected a name once, found {name!r} in line {rows[name].line} too", line=row.line)
        rows[name] = row
    if not rows:
        raise InputError(f"{table.name}: expected at least one case, found none")
    return rows


def run_step(
    names: Sequence[str], step: Callable[[Case], str], *, output: Path, workers: int, tell: Tell
) -> list[Outcome]:
    """Run a step over cases that write their parts into `output`.

    Raises:
        InputError: The folder cannot be made.
    """
    try:
        part_path(output, "").parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output.name}: cannot be made a folder ({error.strerror or 'unknown reason'})") from error
    pace = Pace(total=len(names), tell=tell)
    return run_cases([Case(name=name) for name in names], step, on_outcome=pace.outcome, workers=workers)


@dataclass(frozen=True, kw_only=True)
class MeasureCase:
    """The step: compute one case and write its part; a case that fails leaves its reason.

    Args:
        folder: Folder the table's paths are relative to.
        output: Folder of the results.
        rows: Lines of the table, by case.
        settings: Settings file of lines that name none.
    """

    folder: Path
    output: Path
    rows: Mapping[str, Row]
    settings: Path | None = None

    def __call__(self, case: Case) -> str:
        """Compute one case.

        Raises:
            SkipCaseError: It is there already, from the same files and settings.
            NpcpitError: Its files or settings cannot be used, or no feature could be computed.
        """
        files = CaseFiles(folder=self.folder, row=self.rows[case.name], settings=self.settings)
        path = part_path(self.output, case.name)
        try:
            inputs = files.digest(*self.recipe)
            _skip_what_is_done(path, files, inputs)
            opened = files.open()
            tables = self.tables(case, opened)
        except SkipCaseError:
            raise
        except NpcpitError as error:
            write_part(path, Part(case=case.name, reason=str(error)))
            raise
        computed = sum(each.status is FeatureStatus.COMPUTED for each in tables[0])
        part = Part(
            case=case.name,
            reason="" if computed else f"no feature could be computed: {tables[0].features[0].reason}",
            inputs=inputs,
            modality=opened.volume.modality,
            notes=opened.notes,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tables=tables,
        )
        write_part(path, part)
        if part.reason:
            raise RadiomicsError(part.reason + part.notes)
        return f"{computed} of {len(tables[0])} features computed{part.notes}"

    @property
    def recipe(self) -> tuple[str, ...]:
        """What else the result depends on."""
        return ()

    def tables(self, case: Case, opened: Inputs) -> tuple[FeatureTable, ...]:
        """Compute the case's features."""
        return (extract(opened.volume, opened.mask, opened.settings),)


def _skip_what_is_done(path: Path, files: CaseFiles, inputs: str) -> None:
    try:
        part = read_part(path)
    except InputError:
        return  # of another version, or damaged: computed again
    if part is None or part.reason or part.inputs != inputs:
        return
    if part.tables[0].provenance.settings_digest == files.settings_of(Modality(part.modality)).digest:
        raise SkipCaseError(ALREADY_DONE + part.notes)
