"""Which lesions can be measured and which may be targets (Eisenhauer 2009, 3.1)."""

from datetime import date

import pytest

from npcpit_imaging.config.protocol import Protocol
from npcpit_imaging.response.measurability import may_be_target, measurability
from npcpit_imaging.study.assessment import Assessment, tenths_from_mm
from npcpit_imaging.study.lesion import LesionRole, LesionState


def lesion(size, *, nodal=False, thickness=None, method="", state=LesionState.MEASURED, **evidence):
    return Assessment(
        subject="S1", timepoint="BASELINE", date=date(2026, 1, 1), reader="R1", lesion="T1", role=LesionRole.TARGET,
        state=state, nodal=nodal, method=method,
        slice_thickness=None if thickness is None else tenths_from_mm(thickness),
        longest_diameter=None if nodal or size is None else tenths_from_mm(size),
        short_axis=tenths_from_mm(size) if nodal else None, **evidence,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "more", "measurable"),
    [
        ("10", {}, True),
        ("9.9", {}, False),
        ("15", {"nodal": True}, True),
        ("14.9", {"nodal": True}, False),
        ("10", {"thickness": "5"}, True),
        ("10", {"thickness": "5.1"}, False),
        ("10.2", {"thickness": "5.1"}, True),
        ("15.9", {"nodal": True, "thickness": "8"}, False),
        ("16", {"nodal": True, "thickness": "8"}, True),
        ("15", {"nodal": True, "thickness": "6"}, True),
        ("20", {"method": "Chest X-ray"}, True),
        ("19.9", {"method": "CHEST X-RAY"}, False),
        ("40", {"method": "ULTRASOUND"}, False),
        ("40", {"method": "ENDOSCOPY"}, False),
        ("40", {"method": "MRI"}, True),
        (None, {"state": LesionState.PRESENT}, False),
    ],
)
def test_size_slices_and_method(size, more, measurable):
    """10 mm, nodes 15 mm, chest X-ray 20 mm, twice the slice above 5 mm; ultrasound and endoscopy never."""
    assert measurability(lesion(size, **more), Protocol()).measurable is measurable


def test_slices_may_be_left_out_for_nodes():
    """slice_mult_nodes = false: a node of 15 mm on 8 mm slices is measurable."""
    node = lesion("15", nodal=True, thickness="8")
    assert measurability(node, Protocol(slice_mult_nodes=False)).measurable
    assert measurability(node, Protocol()).reason == (
        "short axis 15.0 mm < 16.0 mm (twice the slice thickness of 8.0 mm)"
    )


@pytest.mark.parametrize(
    ("evidence", "policy", "allowed"),
    [
        ({}, "require_progression", True),
        ({"prior_rt": True}, "require_progression", False),
        ({"prior_rt": True, "prior_rt_progression": False}, "require_progression", False),
        ({"prior_rt": True, "prior_rt_progression": True}, "require_progression", True),
        ({"prior_rt": True, "biopsy_proven": True}, "require_progression", False),
        ({"prior_rt": True, "biopsy_proven": True}, "allow_if_biopsy_proven", True),
        ({"prior_rt": True}, "allow_if_biopsy_proven", False),
        ({"prior_rt": True}, "allow", True),
    ],
)
def test_previously_irradiated_lesions_need_evidence(evidence, policy, allowed):
    """A lesion in an irradiated area may be a target only with the evidence the protocol asks for."""
    answer = may_be_target(lesion("20", **evidence), Protocol(prior_rt_policy=policy))
    assert answer.measurable is allowed
    assert answer.reason


def test_a_small_lesion_is_no_target_whatever_the_evidence():
    """Evidence does not make 9 mm measurable."""
    assert not may_be_target(lesion("9", prior_rt=True, prior_rt_progression=True), Protocol()).measurable
