"""Registrations of a study: a follow-up to its baseline, a diagnostic CT to the CT of its PET."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.app.digest import digest_of
from npcpit_imaging.app.series import find_series, open_series, series_inputs
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import FlowError, InputError
from npcpit_imaging.registration.align import Alignment, align
from npcpit_imaging.registration.files import read_transform, write_transform
from npcpit_imaging.registration.quality import Verdict
from npcpit_imaging.store.lesions import proposals_of
from npcpit_imaging.store.results import put_registration, registration_between
from npcpit_imaging.store.schema import RegistrationRow
from npcpit_imaging.store.staleness import is_current
from npcpit_imaging.study.timepoint import BASELINE
from npcpit_imaging.volume.deformable import DeformableTransform
from npcpit_imaging.volume.transform import RigidTransform
from npcpit_imaging.volume.volume import Modality, Volume


def register_visit(study: Study, subject: str, timepoint: str) -> str:
    """Register the baseline's CT onto a follow-up's CT, store transform and quality.

    Raises:
        NpcpitError: A series is missing or the images cannot be aligned.
    """
    fixed_uid = find_series(study, subject, timepoint, Modality.CT).uid
    moving_uid = find_series(study, subject, BASELINE, Modality.CT).uid
    inputs = series_inputs(study, fixed_uid, moving_uid)
    fixed, moving = open_series(study, fixed_uid), open_series(study, moving_uid)
    points = _baseline_centres(study, subject)
    name = f"{timepoint}_from_{BASELINE}"
    return _said(_register(study, subject, name, fixed=fixed, moving=moving, points_mm=points, inputs=inputs))


def _said(alignment: Alignment) -> str:
    quality = alignment.quality
    reasons = f" ({'; '.join(quality.reasons)})" if quality.reasons else ""
    return f"registration {quality.verdict}{reasons}"


def _register(
    study: Study,
    subject: str,
    name: str,
    *,
    fixed: Volume,
    moving: Volume,
    points_mm: NDArray[np.float64] | None,
    inputs: Mapping[str, str],
) -> Alignment:
    """Align, and write the transform under a name of its own: a stored registration's file is never written over."""
    alignment = align(fixed, moving, study.plan("ct-ct"), points_mm=points_mm)
    key = digest_of(fixed.digest, moving.digest, alignment.plan_digest, *sorted(inputs.values()))
    path = study.derived / subject / f"{name}_{key[:12]}.tfm"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_transform(alignment.transform, path)
    row = RegistrationRow(
        fixed_series_uid=fixed.series_uid,
        moving_series_uid=moving.series_uid,
        path=path.relative_to(study.folder).as_posix(),
        verdict=alignment.quality.verdict.value,
        quality={
            **asdict(alignment.quality),
            "verdict": alignment.quality.verdict.value,
            "transform_sha256": _sha256(path),
        },
        inputs=dict(inputs),
        key=key,
        created=study.now(),
    )
    with study.database.session() as session:
        put_registration(session, row)
    return alignment


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored_transform(study: Study, row: RegistrationRow) -> RigidTransform | DeformableTransform:
    """The transform of a stored registration.

    Raises:
        FlowError: Its file is gone, or is another one.
    """
    path = study.folder / row.path
    if not path.is_file() or _sha256(path) != row.quality["transform_sha256"]:
        raise FlowError(f"{row.path}: expected the transform that was registered, found none or another one")
    return read_transform(path)


def _baseline_centres(study: Study, subject: str) -> NDArray[np.float64] | None:
    with study.database.session() as session:
        found = [each for each in proposals_of(session, subject) if each.timepoint == BASELINE]
    lines = [each.measurement.longest_diameter for each in found if each.uptake is None]
    centres = [np.mean([line.start_mm, line.end_mm], axis=0) for line in lines if line is not None]
    return np.array(centres) if centres else None


def has_transform(study: Study, subject: str, timepoint: str) -> bool:
    """Whether a visit has a registration to the baseline that was not rejected."""
    try:
        visit_transform(study, subject, timepoint)
    except (FlowError, InputError):
        return False
    return True


def visit_transform(study: Study, subject: str, timepoint: str) -> tuple[RigidTransform | DeformableTransform, float]:
    """The stored transform from a follow-up's points to the baseline's, and its uncertainty in mm.

    Raises:
        FlowError: The visit was not registered, or the registration was rejected.
    """
    fixed = find_series(study, subject, timepoint, Modality.CT)
    moving = find_series(study, subject, BASELINE, Modality.CT)
    with study.database.session() as session:
        row = registration_between(session, fixed.uid, moving.uid)
        current = row is not None and is_current(session, row.inputs)
    if row is None:
        raise FlowError(f"{subject} {timepoint}: not registered to {BASELINE} yet")
    if not current:
        raise FlowError(f"{subject} {timepoint}: the images changed since the registration to {BASELINE}")
    if row.verdict == Verdict.REJECT:
        raise FlowError(f"{subject} {timepoint}: the registration was rejected; a reader must prompt this lesion")
    return stored_transform(study, row), float(str(row.quality["uncertainty_mm"]))


def onto_pet(
    study: Study, subject: str, timepoint: str, pet_ct_uid: str, diagnostic: Volume
) -> tuple[RigidTransform | DeformableTransform, str]:
    """The transform from the points of a PET's CT to those of the diagnostic CT, and its verdict.

    Registered once, and again when the images have changed.
    """
    inputs = series_inputs(study, pet_ct_uid, diagnostic.series_uid)
    with study.database.session() as session:
        row = registration_between(session, pet_ct_uid, diagnostic.series_uid)
    if row is not None and row.inputs == inputs:
        return stored_transform(study, row), row.verdict
    pet_ct = open_series(study, pet_ct_uid)
    name = f"{timepoint}_PETCT_from_CT"
    alignment = _register(study, subject, name, fixed=pet_ct, moving=diagnostic, points_mm=None, inputs=inputs)
    return alignment.transform, alignment.quality.verdict.value
