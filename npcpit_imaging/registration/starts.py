"""Where a rigid search begins: geometry, moments, identity, offsets and a scan along the body's axis."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.registration.prepare import Prepared, overlap
from npcpit_imaging.registration.search import MIN_START_OVERLAP, Start, metric_at
from npcpit_imaging.volume.transform import RigidTransform


def starts(
    fixed: Prepared, moving: Prepared, plan: RegistrationPlan, initial: Sequence[RigidTransform] = ()
) -> tuple[Start, ...]:
    """Return the starts a plan asks for, given ones first; the same pair always gives the same starts."""
    rule = plan.starts
    found = [Start(name=f"given {number}", transform=transform) for number, transform in enumerate(initial, 1)]
    if rule.identity and _same_space(fixed, moving):
        found.append(Start(name="identity", transform=RigidTransform.identity()))
    if rule.moments:
        found.append(_shift("moments", moving.body_centre_mm - fixed.body_centre_mm))
    geometry = moving.centre_mm - fixed.centre_mm
    if rule.geometry:
        found.append(_shift("geometry", geometry))
    offsets = [np.array([0.0, 0.0, z_mm]) for z_mm in rule.z_offsets_mm]
    found.extend(_shift(f"geometry z{offset[2]:+g}", geometry + offset) for offset in offsets)
    return (*found, *_scan(fixed, moving, plan))


def _same_space(fixed: Prepared, moving: Prepared) -> bool:
    uids = fixed.geometry.frame_of_reference_uid, moving.geometry.frame_of_reference_uid
    return uids[0] == uids[1] or None in uids


def _scan(fixed: Prepared, moving: Prepared, plan: RegistrationPlan) -> list[Start]:
    """Look along z where one image is much longer than the other, and keep the best places."""
    rule = plan.starts
    covered = max((abs(offset) for offset in rule.z_offsets_mm), default=0.0) + rule.scan_step_mm
    reach = abs(_height_mm(fixed) - _height_mm(moving)) / 2.0
    if reach <= covered or rule.scan_kept == 0:
        return []
    steps = int(np.ceil(reach / rule.scan_step_mm))
    across = (moving.body_centre_mm - fixed.body_centre_mm) * [1.0, 1.0, 0.0]
    along = (moving.centre_mm - fixed.centre_mm) * [0.0, 0.0, 1.0]
    places = [
        _shift(f"scan z{z_mm:+g}", across + along + [0.0, 0.0, z_mm])
        for z_mm in np.arange(-steps, steps + 1) * rule.scan_step_mm
    ]
    usable = [place for place in places if overlap(fixed.body, moving.body, place.transform) > MIN_START_OVERLAP]
    ranked = sorted(usable, key=lambda place: metric_at(fixed, moving, plan, place.transform))
    return ranked[: rule.scan_kept]


def _height_mm(image: Prepared) -> float:
    return float(np.ptp(image.geometry.corners_mm()[:, 2]))


def _shift(name: str, translation_mm: NDArray[np.float64]) -> Start:
    return Start(name=name, transform=RigidTransform(rotation=np.eye(3), translation_mm=translation_mm))
