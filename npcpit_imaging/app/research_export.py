"""``npcpit export --research``: a folder that a researcher can load with pandas and nibabel and nothing of ours."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd

import npcpit_imaging
from npcpit_imaging.app.delivery import NO_MOMENT, checksums
from npcpit_imaging.app.delivery_key_images import ENDING
from npcpit_imaging.app.delivery_of_study import write_sdtm
from npcpit_imaging.app.exportable import require_exportable
from npcpit_imaging.app.exported_transforms import copy_transforms
from npcpit_imaging.app.research_images import MASK_COLUMNS, write_subject
from npcpit_imaging.app.research_labels import bids_labels
from npcpit_imaging.app.research_people import People, people_of
from npcpit_imaging.app.research_tables import write_tables
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.bulk import deidentified_subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchExport:
    """What was exported.

    Args:
        files: How many files there are.
        notes: What was left out and why.
    """

    files: int
    notes: tuple[str, ...]


def export_research(study: Study, output: Path, *, images: bool = True) -> ResearchExport:
    """Write images, masks, transforms, tables, DICOM SEG and SR and SDTM with sidecars, dictionary and checksums.

    Args:
        study: The study; `run deliver` must have written its results.
        output: Where to; must not hold anything.
        images: Whether pixels leave; a head can be recognised from a CT or MR even without a name.

    Returns:
        How many files there are, and what was left out: subjects whose consent is refused or withdrawn, free text.

    Raises:
        InputError: Nothing was delivered yet, something is stale, a subject is not de-identified, or the folder holds
            something.
    """
    _require_exportable(study, output)
    people = people_of(study)
    output.mkdir(parents=True, exist_ok=True)
    labels = bids_labels(people.known)
    rows = [row for code in people.codes for row in write_subject(study, code, labels[code], output, images=images)]
    _tsv(output / "masks.tsv", rows, MASK_COLUMNS)
    _participants(output, people, labels, rows)
    copy_transforms(study, people.codes, output / "derivatives" / "transforms")
    written = write_tables(study, output / "tables", left_out=people.left_out)
    _delivered(study, output, people, images=images)
    notes = tuple(words for words in (people.words(), written.words()) if words)
    _readme(study, output, people, notes, images=images)
    checksums(output)
    for path in output.rglob("*"):
        os.utime(path, (NO_MOMENT, NO_MOMENT))
    return ResearchExport(files=sum(path.is_file() for path in output.rglob("*")), notes=notes)


def _require_exportable(study: Study, output: Path) -> None:
    if not (study.deliver / "results" / "tables").is_dir():
        raise InputError("nothing to export yet: run the pipelines up to deliver first")
    require_exportable(study, output)
    with study.database.session() as session:
        known = deidentified_subjects(session)
    open_ones = [code for code, hidden in known.items() if not hidden]
    if open_ones:
        raise InputError(
            f"research export: expected de-identified images of every subject, found {len(open_ones)} as they came"
        )


def _tsv(path: Path, rows: Sequence[dict[str, object]], columns: Sequence[str]) -> None:
    pd.DataFrame(list(rows), columns=list(columns)).to_csv(path, sep="\t", index=False, lineterminator="\n")


PARTICIPANT_COLUMNS = ["participant_id", "subject", "sessions", "lesions", "eligible", "reason"]


def _participants(output: Path, people: People, labels: Mapping[str, str], rows: Sequence[dict[str, object]]) -> None:
    table = [
        {
            "participant_id": f"sub-{labels[code]}",
            "subject": code,
            "sessions": len({row["session"] for row in rows if row["subject"] == code}),
            "lesions": len({row["lesion"] for row in rows if row["subject"] == code}),
            "eligible": people.eligible[code][0],
            "reason": people.eligible[code][1],
        }
        for code in people.codes
    ]
    _tsv(output / "participants.tsv", table, PARTICIPANT_COLUMNS)
    meaning = {
        "subject": {"Description": "study code, as in the tables"},
        "sessions": {"Description": "visits with a mask"},
        "lesions": {"Description": "lesions with a mask"},
        "eligible": {
            "Description": "the protocol's criteria",
            "Levels": {"met": "eligible", "not met": "not eligible", "unknown": "something is not on record"},
        },
        "reason": {"Description": "criteria that are not met, or not known to be; empty when all are"},
    }
    (output / "participants.json").write_text(json.dumps(meaning, indent=2) + "\n", encoding="utf-8")
    described = {"Name": "npcpit_imaging research export", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (output / "dataset_description.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _delivered(study: Study, output: Path, people: People, *, images: bool) -> None:
    """Copy DICOM SEG, SR and, where pixels leave, key images, and SDTM; without those whose data stay made anew."""
    for source in sorted(study.deliver.glob("*/*.dcm")):
        if source.parent.name in people.left_out or (not images and source.stem.endswith(ENDING)):
            continue
        target = output / "dicom" / source.relative_to(study.deliver)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    if any(code in people.left_out for code in people.known):
        write_sdtm(study, output / "sdtm", people.codes)
    elif (study.deliver / "sdtm").is_dir():
        shutil.copytree(study.deliver / "sdtm", output / "sdtm")


def _readme(study: Study, output: Path, people: People, notes: Sequence[str], *, images: bool) -> None:
    template = files("npcpit_imaging.report").joinpath("research_readme.md").read_text(encoding="utf-8")
    pixels = (
        "Images are not defaced: a head can be recognised from them. Handle this folder as health data.\n"
        if images
        else "Without images: masks, tables and reports only.\n"
    )
    text = template.format(
        title=study.protocol.title,
        subjects=len(people.codes),
        notes="".join(f"{note[0].upper()}{note[1:]}.\n" for note in notes) or "Nobody and nothing was left out.\n",
        pixels=pixels,
        version=npcpit_imaging.__version__,
        digest=study.protocol.digest,
    )
    (output / "README.md").write_text(text, encoding="utf-8")
