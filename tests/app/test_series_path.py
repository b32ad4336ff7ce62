"""Which way points take from one series to another, and what they carry."""

from collections.abc import Sequence

import numpy as np
import pytest

from npcpit_imaging.app.links import Link
from npcpit_imaging.app.series_path import SeriesPath, shortest
from npcpit_imaging.store.images import SeriesSummary
from npcpit_imaging.volume.transform import RigidTransform


def series(uid: str, visit: str, frame: str) -> SeriesSummary:
    return SeriesSummary(
        uid=uid, subject="S1", timepoint=visit, modality="CT", description="", date=None, frame_of_reference_uid=frame,
        instances=1, findings=(),
    )  # fmt: skip


def link(one: str, other: str, shift_mm: Sequence[float], doubt_mm: float, *, problem: str = "") -> Link:
    return Link(
        from_visit="", to_visit="", from_series_uid=one, to_series_uid=other, verdict="accept", reasons=(),
        transform=RigidTransform(rotation=np.eye(3), translation_mm=np.array(shift_mm, float)),
        uncertainty_mm=doubt_mm, numbers={}, problem=problem,
    )  # fmt: skip


SERIES = [
    series("pet", "FU1", "a"), series("petct", "FU1", "a"), series("ct", "FU1", "b"), series("first", "BASELINE", "c"),
    series("lent", "BASELINE", "a"),
]  # fmt: skip
LINKS = [link("petct", "ct", (1, 0, 0), 0.5), link("ct", "first", (0, 2, 0), 1.5)]


def path(one: str, other: str, links: Sequence[Link] = LINKS) -> SeriesPath:
    found = shortest(SERIES, links, from_series_uid=one, to_series_uid=other)
    assert found is not None
    return found


def test_a_pet_s_point_goes_by_its_ct_and_the_diagnostic_ct_to_the_baseline_and_back():
    """Shifts (1, 0, 0) and (0, 2, 0), doubts 0.5 and 1.5 mm: they add up."""
    there = path("pet", "first")
    assert there.map(np.array([[10.0, 20.0, 30.0]])).tolist() == [[11.0, 22.0, 30.0]]
    assert (there.uncertainty_mm, there.registered) == (2.0, True)
    assert path("first", "pet").map(np.array([[11.0, 22.0, 30.0]])).tolist() == [[10.0, 20.0, 30.0]]


def test_series_of_one_frame_of_reference_need_no_registration():
    same = path("pet", "petct")
    assert (same.map(np.array([[1.0, 2.0, 3.0]])).tolist(), same.uncertainty_mm) == ([[1.0, 2.0, 3.0]], 0.0)
    assert not same.registered


def test_a_frame_of_reference_that_two_visits_share_is_not_believed():
    """`lent` bears the PET's frame of reference, on another day."""
    assert shortest(SERIES, LINKS, from_series_uid="pet", to_series_uid="lent") is None


def test_a_registration_that_may_not_be_used_is_no_way():
    rejected = [LINKS[0], link("ct", "first", (0, 2, 0), 1.5, problem="the registration was rejected")]
    assert shortest(SERIES, rejected, from_series_uid="pet", to_series_uid="first") is None


def test_fewer_registrations_go_before_less_doubt_and_of_equals_less_doubt_wins():
    direct = [*LINKS, link("petct", "first", (5, 5, 5), 9.0), link("petct", "first", (6, 6, 6), 8.0)]
    assert path("pet", "first", direct).map(np.zeros((1, 3))).tolist() == [[6.0, 6.0, 6.0]]


def test_a_point_that_is_none_stays_none():
    found = path("pet", "first").map(np.array([[np.nan, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert np.isnan(found[0]).all()
    assert found[1] == pytest.approx([1.0, 2.0, 0.0])
