"""SDTM datasets as files: SAS transport version 5 (XPT) and Dataset-JSON 1.1, both from the same rows."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyreadstat
from pydantic_core import to_json

import npcpit_imaging
from npcpit_imaging.errors import InputError
from npcpit_imaging.report.sdtm_rows import Cell
from npcpit_imaging.report.sdtm_spec import FINDINGS, LONGEST_LABEL, LONGEST_NAME, LONGEST_TEXT, Dataset, Variable
from npcpit_imaging.report.sdtm_xpt import RECORD_BYTES, ROWS_AT_ONCE, observations

DATASET_JSON_VERSION = "1.1.0"
SDTMIG = "MDV.SDTMIG.3.4"
"""metaDataVersionOID of the files."""

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


XPT_MOMENTS = (80 + 64, 2 * 80, 5 * 80 + 64, 6 * 80)
"""Where a transport file holds its four moments (library and member, created and modified; SAS TS-140), 16 bytes."""

OBSERVATIONS = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!"
"""The last header; rows follow."""

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
    try:
        pyreadstat.write_xport(
            pd.DataFrame({variable.name: _widest(dataset, variable) for variable in columns}),
            path,
            file_label=dataset.spec.label,
            column_labels=[variable.label for variable in columns],
            table_name=dataset.spec.name,
            file_format_version=5,
        )
        _write_observations(dataset, path)
        _stamp_xpt(path, created)
    except (OSError, pyreadstat.PyreadstatError) as error:
        raise InputError(f"{path.name}: cannot be written: {error}") from error


def _widest(dataset: Dataset, variable: Variable) -> "pd.Series[float] | pd.Series[str]":
    """One value as wide as the column: what the headers are made from; no row gives none."""
    if variable.kind.numeric:
        return pd.Series([0.0] if dataset.rows else [], dtype="float64")
    return pd.Series(["x" * dataset.length(variable)] if dataset.rows else [], dtype=object)


def _write_observations(dataset: Dataset, path: Path) -> None:
    """Put the rows behind the headers: by column, where the library goes cell by cell."""
    if not dataset.rows:
        return
    header = path.read_bytes()
    start = header.index(OBSERVATIONS) + RECORD_BYTES
    widths = [None if each.kind.numeric else dataset.length(each) for each in dataset.columns]
    with path.open("wb") as file:
        file.write(header[:start])
        file.writelines(observations([dataset.cells(each.name) for each in dataset.columns], widths))


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


def dataset_json(dataset: Dataset, *, study_id: str, created: datetime) -> dict[str, Json]:
    """Give a dataset as the value of a Dataset-JSON 1.1 file.

    Args:
        dataset: The rows.
        study_id: STUDYID.
        created: When the file is made.
    """
    return {**_head(dataset, study_id=study_id, created=created), "rows": [list(row) for row in _rows(dataset)]}


def _head(dataset: Dataset, *, study_id: str, created: datetime) -> dict[str, Json]:
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


def _rows(dataset: Dataset) -> Iterator[tuple[Cell, ...]]:
    """Rows of cells, numbers as they are, everything else as text."""
    columns = [dataset.cells(v.name) if v.kind.numeric else dataset.texts(v.name) for v in dataset.columns]
    return zip(*columns, strict=True)


def write_dataset_json(dataset: Dataset, path: Path, *, study_id: str, created: datetime) -> None:
    """Write a dataset as Dataset-JSON 1.1.

    Raises:
        InputError: The file cannot be written.
    """
    head = json.dumps(_head(dataset, study_id=study_id, created=created), ensure_ascii=False)
    rows = _rows(dataset)
    try:
        with path.open("wb") as file:
            file.write(f'{head[:-1]}, "rows": ['.encode())  # the rows are the last key: they never stand whole
            between = b""
            while part := list(islice(rows, ROWS_AT_ONCE)):
                file.write(between + to_json(part)[1:-1])
                between = b","
            file.write(b"]}\n")
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
