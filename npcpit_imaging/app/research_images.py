"""Images and masks of a research export: NIfTI with sidecars in BIDS-like folders, no file ever written over."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from npcpit_imaging.app.features import (
    CONFIRMED,
    NOT_CONFIRMED,
    MaskInUse,
    acceptance_of_mask,
    distinct_masks,
    first_made,
    readers_of,
)
from npcpit_imaging.app.proposals import open_mask_of
from npcpit_imaging.app.research_labels import SubjectLabels, bids_labels
from npcpit_imaging.app.series import open_series
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import InputError
from npcpit_imaging.store.adjudications import adjudicated
from npcpit_imaging.store.images import timepoints
from npcpit_imaging.store.lesions import StoredProposal
from npcpit_imaging.volume.files import write_mask, write_volume
from npcpit_imaging.volume.volume import Volume

MASK_COLUMNS = [
    *("subject", "session", "lesion", "modality", "image", "mask", "readers", "mask_status", "volume_ml"),
    *("tracking_uid", "series_uid", "adjudication", "participant_id", "session_id", "lesion_label"),
]

FOLDERS = {"CT": "anat", "MR": "anat", "PT": "pet"}
SUFFIXES = {"CT": "ct", "MR": "mr", "PT": "pet"}


def write_subject(study: Study, code: str, label: str, output: Path, *, images: bool) -> list[dict[str, object]]:
    """Write a subject's images and masks, and return its lines of masks.tsv.

    Args:
        study: The study.
        code: The subject.
        label: What it is called in names of files.
        output: The export's folder.
        images: Whether pixels leave.

    Raises:
        InputError: A file would be written over.
    """
    rows = []
    paths: dict[str, Path] = {}
    masks = distinct_masks(study, code)
    labels = _labels(study, code, label, masks)
    with study.database.session() as session:
        decision = adjudicated(session, code)
    for name, users in masks.items():
        proposal, modality = first_made(users), users[0].modality
        volume = open_series(study, proposal.series_uid)
        if proposal.series_uid not in paths:
            paths[proposal.series_uid] = _image_path(labels, proposal, modality, list(paths.values()))
            if images:
                _write_image(volume, proposal.series_uid, output / paths[proposal.series_uid])
        mask = output / _mask_path(labels, proposal, modality, readers=_readers(name, users))
        row = _mask_row(users, mask.relative_to(output), paths[proposal.series_uid] if images else None)
        row["adjudication"] = acceptance_of_mask(users, decision).value
        row["participant_id"] = f"sub-{labels.subject}"
        row["session_id"] = f"ses-{labels.visits[proposal.timepoint]}"
        row["lesion_label"] = labels.lesions[proposal.lesion.lesion_id]
        write_mask(open_mask_of(study, proposal, volume), _new(mask))
        _sidecar(mask, {**row, **_provenance(proposal)})
        rows.append(row)
    return rows


def _labels(study: Study, code: str, label: str, masks: Mapping[str, Sequence[MaskInUse]]) -> SubjectLabels:
    """Of every visit that the subject has, and of the lesions and readers of its masks."""
    with study.database.session() as session:
        visits = [point.name for point in timepoints(session, code)]
    used = [users[0].proposal for users in masks.values()]
    return SubjectLabels(
        subject=label,
        visits=bids_labels([*visits, *(each.timepoint for each in used)]),
        lesions=bids_labels(each.lesion.lesion_id for each in used),
        readers=bids_labels(word for name, users in masks.items() for word in _readers(name, users)),
    )


def _readers(name: str, users: Sequence[MaskInUse]) -> list[str]:
    """What follows SUBJECT/VISIT/LESION/MODALITY in a mask's name; any of these may hold a slash itself."""
    proposal = users[0].proposal
    place = f"{proposal.subject}/{proposal.timepoint}/{proposal.lesion.lesion_id}/{users[0].modality}"
    rest = name.removeprefix(place).removeprefix("/")
    return rest.split("/") if rest else []


def _image_path(labels: SubjectLabels, proposal: StoredProposal, modality: str, others: Sequence[Path]) -> Path:
    """Where an image stands; a second one of the visit and modality is a further run."""
    visit = proposal.timepoint
    folder = Path(labels.folder(visit)) / FOLDERS[modality]
    same = [path for path in others if path.parent == folder and path.name.endswith(f"{SUFFIXES[modality]}.nii.gz")]
    run = f"_run-{len(same) + 1}" if same else ""
    return folder / f"{labels.stem(visit)}{run}_{SUFFIXES[modality]}.nii.gz"


def _mask_path(labels: SubjectLabels, proposal: StoredProposal, modality: str, *, readers: Sequence[str]) -> Path:
    words = [f"lesion-{labels.lesions[proposal.lesion.lesion_id]}", f"modality-{SUFFIXES[modality]}"]
    words += [f"reader-{labels.readers[each]}" for each in readers]
    name = "_".join([labels.stem(proposal.timepoint), *words, "mask.nii.gz"])
    return Path("derivatives") / "masks" / labels.folder(proposal.timepoint) / name


def _new(path: Path) -> Path:
    """A path at which nothing stands yet, its folder made.

    Raises:
        InputError: This export wrote such a file already.
    """
    if path.exists():
        raise InputError(f"research export: expected a name of its own for every file, found {path.name} twice")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write_image(volume: Volume, series_uid: str, path: Path) -> None:
    write_volume(volume, _new(path))
    _sidecar(
        path,
        {
            "Modality": volume.modality.value,
            "Units": volume.unit.value,
            "SeriesInstanceUID": series_uid,
            "ShapeKJI": list(volume.geometry.shape_kji),
            "SpacingMm": [round(each, 6) for each in volume.geometry.spacing_mm],
            "FrameOfReferenceUID": volume.geometry.frame_of_reference_uid,
        },
    )


def _mask_row(users: Sequence[MaskInUse], mask: Path, image: Path | None) -> dict[str, object]:
    proposal = first_made(users)
    return {
        "subject": proposal.subject,
        "session": proposal.timepoint,
        "lesion": proposal.lesion.lesion_id,
        "modality": users[0].modality,
        "image": "" if image is None else image.as_posix(),
        "mask": mask.as_posix(),
        "readers": readers_of(users),
        "mask_status": CONFIRMED if any(each.confirmed for each in users) else NOT_CONFIRMED,
        "volume_ml": round(proposal.measurement.volume_ml, 4),
        "tracking_uid": proposal.lesion.tracking_uid,
        "series_uid": proposal.series_uid,
    }


def _provenance(proposal: StoredProposal) -> dict[str, object]:
    return {
        "role": proposal.lesion.role.value,
        "location": proposal.lesion.location,
        "irradiated": proposal.lesion.irradiated,
        "segmenter": {name: str(proposal.segmenter[name]) for name in ("name", "version")},
        "longest_diameter_mm": proposal.measurement.longest_diameter_mm,
        "short_axis_mm": proposal.measurement.short_axis_mm,
        "uptake": None if proposal.uptake is None else asdict(proposal.uptake),
    }


def _sidecar(path: Path, values: dict[str, object]) -> None:
    side = _new(path.with_name(path.name.removesuffix(".nii.gz") + ".json"))
    side.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
