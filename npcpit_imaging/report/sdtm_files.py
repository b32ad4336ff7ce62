"""SDTM datasets as files: SAS transport version 5 (XPT) and Dataset-JSON 1.1, both from the same rows."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyreadstat

import npcpit_imaging
from npcpit_imaging.errors import InputError
from npcpit_imaging.report.sdtm_spec import FINDINGS, LONGEST_LABEL, LONGEST_NAME, LONGEST_TEXT, Cell, Dataset, Variable

DATASET_JSON_VERSION = "1.1.0"
SDTMIG = "MDV.SDTMIG.3.4"
"""metaDataVersionOID of the files."""

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


XPT_MOMENTS = (80 + 64, 2 * 80, 5 * 80 + 64, 6 * 80)
"""Where a transport file holds its four moments (library and member, created and modified; SAS TS-140), 16 bytes."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def write_xpt(dataset: Dataset, path: Path, *, created: datetime) -> None:
    """Write a dataset as SAS transport version 5; text is as long as its longest value.

    The library writes this computer's clock into the headers; the given moment takes its place, so that equal rows give
    equal files and no true date stands beside shifted ones.

    Args:
        dataset: What to write.
        path: Where to.
        created: The files' own moment.

    Raises:
        InputError: A name, label or text is longer than version 5 can hold, or the file cannot be written.
    """
    columns = dataset.columns
    for variable in columns:
        _refuse_too_long(dataset, variable)
    frame = pd.DataFrame({variable.name: _series(dataset, variable) for variable in columns})
    try:
        pyreadstat.write_xport(
            frame,
            path,
            file_label=dataset.spec.label,
            column_labels=[variable.label for variable in columns],
            table_name=dataset.spec.name,
            file_format_version=5,
        )
        _stamp_xpt(path, created)
    except (OSError, pyreadstat.PyreadstatError) as error:
        raise InputError(f"{path.name}: cannot be written: {error}") from error


def _stamp_xpt(path: Path, moment: datetime) -> None:
    words = f"{moment:%d}{MONTHS[moment.month - 1]}{moment:%y:%H:%M:%S}".encode("ascii")
    with path.open("r+b") as file:
        for offset in XPT_MOMENTS:
            file.seek(offset)
            file.write(words)


def _refuse_too_long(dataset: Dataset, variable: Variable) -> None:
    where = f"{dataset.spec.name}.{variable.name}"
    if len(variable.name) > LONGEST_NAME or len(variable.label) > LONGEST_LABEL:
        raise InputError(f"{where}: expected a name of {LONGEST_NAME} and a label of {LONGEST_LABEL} characters")
    if dataset.length(variable) > LONGEST_TEXT:
        raise InputError(f"{where}: expected at most {LONGEST_TEXT} bytes, found {dataset.length(variable)}")


def _series(dataset: Dataset, variable: Variable) -> "pd.Series[float] | pd.Series[str]":
    if variable.kind.numeric:
        return pd.Series([row.get(variable.name) for row in dataset.rows], dtype="float64")
    return pd.Series([str(row.get(variable.name) or "") for row in dataset.rows], dtype=object)


def dataset_json(dataset: Dataset, *, study_id: str, created: datetime) -> dict[str, Json]:
    """Give a dataset as the value of a Dataset-JSON 1.1 file.

    Args:
        dataset: The rows.
        study_id: STUDYID.
        created: When the file is made.
    """
    columns, name = dataset.columns, dataset.spec.name
    return {
        "datasetJSONCreationDateTime": created.isoformat(timespec="seconds"),
        "datasetJSONVersion": DATASET_JSON_VERSION,
        "fileOID": f"{study_id}.{name}",
        "originator": "npcpit_imaging",
        "sourceSystem": {"name": "npcpit_imaging", "version": npcpit_imaging.__version__},
        "studyOID": study_id,
        "metaDataVersionOID": SDTMIG,
        "itemGroupOID": f"IG.{name}",
        "records": len(dataset.rows),
        "name": name,
        "label": dataset.spec.label,
        "columns": [_column(dataset, variable) for variable in columns],
        "rows": _rows(dataset),
    }


def _column(dataset: Dataset, variable: Variable) -> Json:
    keys = dataset.spec.keys
    column: dict[str, Json] = {
        "itemOID": f"IT.{dataset.spec.name}.{variable.name}",
        "name": variable.name,
        "label": variable.label,
        "dataType": variable.kind.value,
    }
    if not variable.kind.numeric:
        column["length"] = dataset.length(variable)
    if variable.name in keys:
        column["keySequence"] = keys.index(variable.name) + 1
    return column


def _rows(dataset: Dataset) -> list[Json]:
    """Rows of cells, numbers as they are, everything else as text."""
    numeric = [(variable.name, variable.kind.numeric) for variable in dataset.columns]
    return [[row.get(name) if number else _text(row.get(name)) for name, number in numeric] for row in dataset.rows]


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def write_dataset_json(dataset: Dataset, path: Path, *, study_id: str, created: datetime) -> None:
    """Write a dataset as Dataset-JSON 1.1.

    Raises:
        InputError: The file cannot be written.
    """
    text = json.dumps(dataset_json(dataset, study_id=study_id, created=created), ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path.name}: cannot be written: {error.strerror}") from error


def _remove(*paths: Path) -> None:
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{paths[0].name}: an older export cannot be removed: {error.strerror}") from error


def write_datasets(datasets: Iterable[Dataset], folder: Path, *, study_id: str, created: datetime) -> list[Path]:
    """Write every dataset in both forms, ``tu.xpt`` and ``tu.json``; qualifiers and relations only where there are any.

    Raises:
        InputError: A file cannot be written.
    """
    written: list[Path] = []
    for dataset in datasets:
        xpt = folder / f"{dataset.spec.name.lower()}.xpt"
        if not dataset.rows and dataset.spec.name not in FINDINGS:
            _remove(xpt, xpt.with_suffix(".json"))  # an empty one is not submitted, and an older export's is not ours
            continue
        write_xpt(dataset, xpt, created=created)
        write_dataset_json(dataset, xpt.with_suffix(".json"), study_id=study_id, created=created)
        written += [xpt, xpt.with_suffix(".json")]
    return written
