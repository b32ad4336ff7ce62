"""A rigid transform maps fixed points to moving points; anything that is not rigid is refused."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.transform import RigidTransform

QUARTER_TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def test_rotation_comes_before_translation():
    """(1, 0, 0) turns to (0, 1, 0) and then moves by (10, 20, 30)."""
    moved = RigidTransform(rotation=QUARTER_TURN, translation_mm=np.array([10.0, 20.0, 30.0]))
    np.testing.assert_allclose(moved.map([1, 0, 0]), [10, 21, 30])
    np.testing.assert_allclose(moved.map([[1, 0, 0], [0, 2, 5]]), [[10, 21, 30], [8, 20, 35]])


def test_the_inverse_undoes_it():
    moved = RigidTransform(rotation=QUARTER_TURN, translation_mm=np.array([10.0, 20.0, 30.0]))
    np.testing.assert_allclose(moved.inverse().map(moved.map([3, 4, 5])), [3, 4, 5])


def test_the_angle_of_the_rotation():
    assert RigidTransform.identity().rotation_degrees == 0
    assert RigidTransform(rotation=QUARTER_TURN, translation_mm=np.zeros(3)).rotation_degrees == pytest.approx(90)


@pytest.mark.parametrize(
    "matrix", [np.diag([1.0, 1.0, -1.0]), 1.001 * np.eye(3), np.array([[1, 0.01, 0], [0, 1, 0], [0, 0, 1.0]])]
)
def test_a_mirror_a_scale_and_a_shear_are_refused(matrix):
    with pytest.raises(GeometryError, match="proper rotation"):
        RigidTransform(rotation=matrix, translation_mm=np.zeros(3))


def test_infinity_is_refused_and_the_arrays_are_read_only():
    with pytest.raises(GeometryError, match="finite"):
        RigidTransform(rotation=np.eye(3), translation_mm=np.array([np.inf, 0, 0]))
    with pytest.raises(ValueError, match="read-only"):
        RigidTransform.identity().rotation[0, 0] = 2


def test_what_was_given_can_be_changed_afterwards_without_changing_the_transform():
    given = np.zeros(3)
    moved = RigidTransform(rotation=np.eye(3), translation_mm=given)
    given[0] = 5
    assert moved.translation_mm.tolist() == [0, 0, 0]
