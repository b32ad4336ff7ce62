"""Proposals: a reader's prompt, or a seed carried over from the baseline, becomes a measured and stored mask."""

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.lesion_numbers import LesionNumbers, lesion_numbers, with_findings
from npcpit_imaging.app.lesions import LesionPrompt
from npcpit_imaging.app.registrations import onto_pet, visit_transform
from npcpit_imaging.app.series import find_series, open_series, pet_with_ct, series_files, series_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import FlowError, MeasurementError
from npcpit_imaging.flow.run import SkipCaseError
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.segmentation.prompt import BoxPrompt, Prompt
from npcpit_imaging.segmentation.segmenter import Proposal
from npcpit_imaging.segmentation.segmenters import segment
from npcpit_imaging.store.lesions import StoredProposal, lesion_named, proposals_of, put_proposal
from npcpit_imaging.study.finding import Severity
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.deformable import Transform
from npcpit_imaging.volume.files import read_mask, write_mask
from npcpit_imaging.volume.volume import Mask, Modality, Volume

SEED_MARGIN_MM = 6.0
"""How far a propagated box reaches beyond the baseline lesion, besides the registration's own uncertainty."""

SEED_SOURCE = "propagated from baseline"
"""Origin of a proposal that no reader pointed at: it says where the lesion was, not how large it is now."""

PET_MARGIN_MM = 8.0
"""How far the PET box reaches beyond the CT lesion: a PET's point spread is 5-7 mm."""


def propose_from_prompt(study: Study, prompt: LesionPrompt) -> str:
    """Segment and measure one lesion from a reader's prompt, and store the proposal.

    Raises:
        NpcpitError: The series, the prompt or the lesion cannot be used.
    """
    series = find_series(study, prompt.subject, prompt.timepoint, prompt.modality, series_uid=prompt.series_uid)
    inputs = series_inputs(study, series.uid)
    volume = open_series(study, series.uid)
    return _propose(
        study,
        inputs=inputs,
        subject=prompt.subject,
        timepoint=prompt.timepoint,
        lesion_id=prompt.lesion_id,
        volume=volume,
        prompts=prompt.prompts,
        origin={"source": "reader's prompt", "prompt": prompt.text},
    )


def _propose(
    study: Study,
    *,
    inputs: Mapping[str, str],
    subject: str,
    timepoint: str,
    lesion_id: str,
    volume: Volume,
    prompts: tuple[Prompt, ...],
    origin: dict[str, object],
) -> str:
    proposal = segment(volume, prompts, study.imaging(volume.modality).segmentation)
    if not proposal.mask.voxels.any():
        raise MeasurementError(f"{subject} {timepoint} {lesion_id}: the segmenter found nothing at the prompt")
    numbers = lesion_numbers(volume, proposal.mask, series_files(study, volume.series_uid))
    stored = _store(
        study,
        inputs=inputs,
        subject=subject,
        timepoint=timepoint,
        lesion_id=lesion_id,
        volume=volume,
        proposal=proposal,
        origin=origin,
        numbers=numbers,
    )
    size = stored.measurement.longest_diameter_mm or 0.0
    with_suv = "" if numbers.uptake is None else f", SUVmax {numbers.uptake.suv_max:.1f}"
    volume_ml = stored.measurement.volume_ml
    by = f"({proposal.provenance.name}){_doubts(proposal)}"
    return f"{volume.modality}: {size:.1f} mm, {volume_ml:.2f} mL{with_suv} {by}"


def _doubts(proposal: Proposal) -> str:
    """What a person should look at before anything else, by name."""
    codes = dict.fromkeys(each.code for each in proposal.findings if each.severity is not Severity.INFO)
    return f"; {', '.join(codes)}" if codes else ""


def _store(
    study: Study,
    *,
    inputs: Mapping[str, str],
    subject: str,
    timepoint: str,
    lesion_id: str,
    volume: Volume,
    proposal: Proposal,
    origin: dict[str, object],
    numbers: LesionNumbers,
) -> StoredProposal:
    path = study.derived / subject / timepoint / f"{lesion_id}_{volume.modality}_{proposal.mask.digest[:12]}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mask(proposal.mask, path)
    measurement = with_findings(numbers.measurement, volume.findings, proposal.findings)
    findings = [each.text for each in dict.fromkeys((*volume.findings, *proposal.findings, *numbers.findings))]
    provenance = {**asdict(proposal.provenance), "findings": findings}
    rests_on = json.dumps([origin, dict(inputs)], sort_keys=True)
    key = digest_of(subject, timepoint, lesion_id, volume.digest, proposal.mask.digest, rests_on)
    with study.database.session() as session:
        stored = StoredProposal(
            lesion=lesion_named(session, subject, lesion_id),
            subject=subject,
            timepoint=timepoint,
            series_uid=volume.series_uid,
            mask_path=path.relative_to(study.folder).as_posix(),
            mask_sha256=proposal.mask.digest,
            prompt=origin,
            segmenter=provenance,
            measurement=measurement,
            uptake=numbers.uptake,
            key=key,
            inputs=inputs,
        )
        put_proposal(session, stored, now=study.now())
    return stored


def open_mask_of(study: Study, proposal: StoredProposal, volume: Volume) -> Mask:
    """Read a stored proposal's mask on its volume's grid.

    Raises:
        MeasurementError: The file is not the mask that was measured.
    """
    read = read_mask(study.folder / proposal.mask_path)
    mask = Mask(voxels=read.voxels, geometry=volume.geometry, label=proposal.lesion.lesion_id)
    if mask.digest != proposal.mask_sha256:
        raise MeasurementError(f"{proposal.mask_path}: expected the mask that was measured, found another one")
    return mask


def propose_from_seed(study: Study, subject: str, timepoint: str, lesion_id: str) -> str:
    """Propose a lesion at a follow-up from the baseline's mask, carried over by the registration.

    Raises:
        SkipCaseError: The lesion has no mask at baseline (a new lesion has none).
        NpcpitError: The registration or the segmentation failed.
    """
    baseline = _on_ct(study, subject, BASELINE, lesion_id)
    if baseline is None:
        raise SkipCaseError("no CT mask at baseline to carry over, and no prompt")
    target_uid = find_series(study, subject, timepoint, Modality.CT).uid
    inputs = {**baseline.inputs, **series_inputs(study, target_uid)}
    transform, uncertainty_mm = visit_transform(study, subject, timepoint)
    source, volume = open_series(study, baseline.series_uid), open_series(study, target_uid)
    mask = open_mask_of(study, baseline, source)
    box = _box_around(mask, transform.inverse(), margin_mm=SEED_MARGIN_MM + uncertainty_mm)
    origin: dict[str, object] = {
        "source": SEED_SOURCE,
        "uncertainty_mm": round(uncertainty_mm, 2),
        "prompt": f"box {box.corner_mm} {box.opposite_mm}",
    }
    said = _propose(
        study,
        inputs=inputs,
        subject=subject,
        timepoint=timepoint,
        lesion_id=lesion_id,
        volume=volume,
        prompts=(box,),
        origin=origin,
    )
    return f"{said}; only a place to look: carried from baseline +/- {uncertainty_mm:.1f} mm, its size must be drawn"


def _on_ct(study: Study, subject: str, timepoint: str, lesion_id: str) -> StoredProposal | None:
    """The newest proposal of a lesion on the visit's diagnostic CT: the only one a CT's transform may carry."""
    ct_uid = find_series(study, subject, timepoint, Modality.CT).uid
    with study.database.session() as session:
        found = [
            each
            for each in proposals_of(session, subject)
            if (each.timepoint, each.lesion.lesion_id, each.series_uid) == (timepoint, lesion_id, ct_uid)
        ]
    return found[-1] if found else None


def _box_around(mask: Mask, transform: Transform, *, margin_mm: float) -> BoxPrompt:
    points = transform.map(mask.geometry.to_mm(np.argwhere(mask.voxels)))
    low, high = points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm
    return BoxPrompt(corner_mm=_point(low), opposite_mm=_point(high))


def _point(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return (x, y, z)


def propose_on_pet(study: Study, subject: str, timepoint: str, lesion_id: str) -> str:
    """Segment a lesion on the visit's PET within a box around its CT mask, and measure its uptake.

    PET and CT of one examination share a frame of reference and are never registered to each other; the diagnostic CT
    is registered to the PET's CT and carries the box along.

    Raises:
        SkipCaseError: The visit has no PET, or the lesion has no CT mask.
        NpcpitError: Registration, segmentation or SUV failed.
    """
    pair = pet_with_ct(study, subject, timepoint)
    if pair is None:
        raise SkipCaseError("no PET of this visit")
    on_ct = _on_ct(study, subject, timepoint, lesion_id)
    if on_ct is None:
        raise SkipCaseError("no CT mask of this lesion")
    pet, pet_ct = pair
    inputs = {**on_ct.inputs, **series_inputs(study, pet.uid, pet_ct.uid)}
    diagnostic = open_series(study, on_ct.series_uid)
    mask = open_mask_of(study, on_ct, diagnostic)
    transform, verdict = onto_pet(study, subject, timepoint, pet_ct.uid, diagnostic)
    if verdict == Verdict.REJECT:
        raise FlowError(f"{subject} {timepoint}: CT onto PET/CT was rejected; a reader must prompt this lesion on PET")
    box = _box_around(mask, transform.inverse(), margin_mm=PET_MARGIN_MM)
    return _propose(
        study,
        inputs=inputs,
        subject=subject,
        timepoint=timepoint,
        lesion_id=lesion_id,
        volume=open_series(study, pet.uid),
        prompts=(box,),
        origin={"source": "CT mask carried to PET", "prompt": f"box {box.corner_mm} {box.opposite_mm}"},
    )
