"""``npcpit export --research``: a folder that a researcher can load with pandas and nibabel and nothing of ours."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

import npcpit_imaging
from npcpit_imaging.app.delivery import NO_MOMENT, checksums
from npcpit_imaging.app.delivery_key_images import ENDING
from npcpit_imaging.app.research_images import MASK_COLUMNS, write_subject
from npcpit_imaging.app.research_labels import bids_labels
from npcpit_imaging.app.result_files import write_result_table
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError
from npcpit_imaging.radiomics.catalogue import DEFINITIONS, stem_of
from npcpit_imaging.report.research_dictionary import dictionary_rows
from npcpit_imaging.store.bulk import deidentified_subjects
from npcpit_imaging.store.images import subjects

NOT_EXPORTED = ("eligibility",)
"""Tables of results that stay: their reasons are people's own words."""

FREE_TEXT = ("comment", "findings", "date", "reason", "read_label")
"""Columns of delivered tables that are left out: people's own words, and dates."""

TELLING_DAYS = ("cutoff_day",)
"""Days that with the data cut, which a paper states, tell the date of a subject's first treatment."""


def export_research(study: Study, output: Path, *, images: bool = True) -> int:
    """Write images, masks, transforms, tables, DICOM SEG and SR and SDTM with sidecars, dictionary and checksums.

    Args:
        study: The study; `run deliver` must have written its results.
        output: Where to; must not hold anything.
        images: Whether pixels leave; a head can be recognised from a CT or MR even without a name.

    Returns:
        How many files there are.

    Raises:
        InputError: Nothing was delivered yet, a subject is not de-identified, or the folder holds something.
    """
    codes = _require_exportable(study, output)
    output.mkdir(parents=True, exist_ok=True)
    labels = bids_labels(codes)
    rows = [row for code in codes for row in write_subject(study, code, labels[code], output, images=images)]
    _tsv(output / "masks.tsv", rows, MASK_COLUMNS)
    _participants(output, labels, rows)
    _transforms(study, output)
    described = _tables(study, output)
    pd.DataFrame(described).to_csv(output / "tables" / "dictionary.csv", index=False, lineterminator="\n")
    _delivered(study, output, images=images)
    _readme(study, output, codes, images=images)
    checksums(output)
    for path in output.rglob("*"):
        os.utime(path, (NO_MOMENT, NO_MOMENT))
    return sum(path.is_file() for path in output.rglob("*"))


def _require_exportable(study: Study, output: Path) -> list[str]:
    if not (study.deliver / "results" / "tables").is_dir():
        raise InputError("nothing to export yet: run the pipelines up to deliver first")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"{output}: expected no folder or an empty one, found something in it")
    with study.database.session() as session:
        known, codes = deidentified_subjects(session), subjects(session)
    open_ones = [code for code, hidden in known.items() if not hidden]
    if open_ones:
        raise InputError(
            f"research export: expected de-identified images of every subject, found {len(open_ones)} as they came"
        )
    return codes


def _tsv(path: Path, rows: Sequence[dict[str, object]], columns: Sequence[str]) -> None:
    pd.DataFrame(list(rows), columns=list(columns)).to_csv(path, sep="\t", index=False, lineterminator="\n")


def _participants(output: Path, labels: Mapping[str, str], rows: Sequence[dict[str, object]]) -> None:
    table = [
        {
            "participant_id": f"sub-{label}",
            "subject": code,
            "sessions": len({row["session"] for row in rows if row["subject"] == code}),
            "lesions": len({row["lesion"] for row in rows if row["subject"] == code}),
        }
        for code, label in labels.items()
    ]
    _tsv(output / "participants.tsv", table, ["participant_id", "subject", "sessions", "lesions"])
    meaning = {
        "subject": {"Description": "study code, as in the tables"},
        "sessions": {"Description": "visits with a mask"},
        "lesions": {"Description": "lesions with a mask"},
    }
    (output / "participants.json").write_text(json.dumps(meaning, indent=2) + "\n", encoding="utf-8")
    described = {"Name": "npcpit_imaging research export", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (output / "dataset_description.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _transforms(study: Study, output: Path) -> None:
    for source in sorted(study.derived.rglob("*.tfm")):
        target = output / "derivatives" / "transforms" / source.relative_to(study.derived)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _tables(study: Study, output: Path) -> list[dict[str, str]]:
    """Copy the tables of results and features, and return the data dictionary."""
    folder = output / "tables"
    folder.mkdir()
    found: dict[str, list[str]] = {}
    for source in sorted((study.deliver / "results" / "tables").glob("*.parquet")):
        if source.stem not in NOT_EXPORTED:
            found[source.stem] = _result_table(source, folder)
    for name in ("measurements.csv", "features.csv"):
        path = study.deliver / name
        if path.exists() and path.stat().st_size > 1:
            table = pd.read_csv(path, low_memory=False)
            kept = table.drop(columns=[column for column in FREE_TEXT if column in table])
            kept.to_csv(folder / name, index=False, lineterminator="\n")
            found[path.stem] = list(kept.columns)
    wide = study.deliver / "features_wide.parquet"
    table = pd.read_parquet(wide) if wide.exists() else pd.DataFrame(columns=["subject", "timepoint", "lesion"])
    table = table.drop(columns=[column for column in FREE_TEXT if column in table])
    table.to_parquet(folder / "features_wide.parquet", index=False)
    found["features_wide"] = list(table.columns)
    words, units = _feature_words({column for columns in found.values() for column in columns})
    return dictionary_rows(found, _words(study) | words, units)


def _result_table(source: Path, folder: Path) -> list[str]:
    """Copy a table of results as CSV and Parquet, without days that tell a date, and return its columns."""
    table = pd.read_parquet(source)
    telling = [name for name in TELLING_DAYS if name in table]
    if telling:
        table = table.drop(columns=telling)
        write_result_table(folder, source.stem, table)
    else:
        for kind in (".csv", ".parquet"):
            shutil.copy2(source.with_suffix(kind), folder / f"{source.stem}{kind}")
    return [str(name) for name in table.columns]


def _feature_words(columns: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Meaning and unit of each column that is a radiomic feature: FILTER.TAG or TAG."""
    words, units = {}, {}
    for column in columns:
        filtered, _, tag = column.rpartition(".")
        definition = DEFINITIONS.get(stem_of(tag))
        if definition is not None:
            after = f", after filter {filtered}" if filtered else ""
            words[column] = f"{definition.name}, IBSI {definition.code}{after}"
            units[column] = definition.unit_for("intensity").replace("intensity2", "intensity squared")
    return words, units


def _words(study: Study) -> dict[str, str]:
    """What the study's own columns mean: predictors in their words."""
    screening = pd.read_parquet(study.deliver / "results" / "tables" / "association_screening.parquet")
    if "predictor" not in screening:
        return {}
    return dict(zip(screening["predictor"].astype(str), screening["words"].astype(str), strict=True))


def _delivered(study: Study, output: Path, *, images: bool) -> None:
    """Copy DICOM SEG, SR and, where pixels leave, key images, and SDTM."""
    for source in sorted(study.deliver.glob("*/*.dcm")):
        if not images and source.stem.endswith(ENDING):
            continue
        target = output / "dicom" / source.relative_to(study.deliver)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    if (study.deliver / "sdtm").is_dir():
        shutil.copytree(study.deliver / "sdtm", output / "sdtm")


def _readme(study: Study, output: Path, codes: Sequence[str], *, images: bool) -> None:
    template = files("npcpit_imaging.report").joinpath("research_readme.md").read_text(encoding="utf-8")
    pixels = (
        "Images are not defaced: a head can be recognised from them. Handle this folder as health data.\n"
        if images
        else "Without images: masks, tables and reports only.\n"
    )
    text = template.format(
        title=study.protocol.title,
        subjects=len(codes),
        pixels=pixels,
        version=npcpit_imaging.__version__,
        digest=study.protocol.digest,
    )
    (output / "README.md").write_text(text, encoding="utf-8")
