"""Where a rigid search begins: geometry, moments, identity, offsets and a scan of all translations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from npcpit_imaging.config.registration import RegistrationPlan
from npcpit_imaging.registration.prepare import Prepared
from npcpit_imaging.registration.scan import scan_translations
from npcpit_imaging.registration.search import Start
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
    scanned = scan_translations(fixed, moving, step_mm=rule.scan_step_mm, kept=rule.scan_kept)
    return (*found, *(Start(name=f"scan {number}", transform=place) for number, place in enumerate(scanned, 1)))


def _same_space(fixed: Prepared, moving: Prepared) -> bool:
    uids = fixed.geometry.frame_of_reference_uid, moving.geometry.frame_of_reference_uid
    return uids[0] == uids[1] or None in uids


def _shift(name: str, translation_mm: NDArray[np.float64]) -> Start:
    return Start(name=name, transform=RigidTransform(rotation=np.eye(3), translation_mm=translation_mm))
