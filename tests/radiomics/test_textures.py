"""Textures of a 4 x 4 image whose matrices are counted by hand (IBSI 1, 3.6 to 3.11)."""

import numpy as np
import pytest

from npcpit_imaging.config.radiomics import Dimension
from npcpit_imaging.radiomics.counts import count_pairs, emphases
from npcpit_imaging.radiomics.glcm import pair_counts, pair_features
from npcpit_imaging.radiomics.gldzm import depth_of, zone_distances
from npcpit_imaging.radiomics.glrlm import runs
from npcpit_imaging.radiomics.glszm import zone_sizes
from npcpit_imaging.radiomics.ngldm import dependence_counts
from npcpit_imaging.radiomics.ngtdm import neighbour_differences, tone_features
from npcpit_imaging.radiomics.texture import GreyLevels, directions

IMAGE = np.array([[1, 2, 2, 3], [1, 2, 3, 3], [4, 2, 4, 1], [4, 1, 2, 3]], np.uint16)[None]
"""IBSI 1, table 3.2a: the example all its texture matrices are shown for."""

BLOCK = GreyLevels(levels=IMAGE, shape=IMAGE > 0, count=4)


def as_table(matrix):
    return {(int(i), int(j)): int(n) for i, j, n in zip(matrix.levels, matrix.sizes, matrix.counts, strict=True)}


def test_there_are_13_directions_in_space_and_4_in_a_slice():
    assert len(directions(Dimension.D3)) == 13
    assert directions(Dimension.D2) == [(0, 0, 1), (0, 1, -1), (0, 1, 0), (0, 1, 1)]
    assert len(directions(Dimension.D3, 2)) == (5**3 - 3**3) // 2


def test_cooccurrences_along_a_row_are_those_of_the_page():
    """IBSI 1, table 3.2: the matrix for m = (1, 0), symmetric."""
    expected = [[0, 3, 0, 2], [3, 2, 3, 2], [0, 3, 2, 0], [2, 2, 0, 0]]
    np.testing.assert_array_equal(pair_counts(BLOCK, (0, 0, 1)), expected)


def test_pair_features_of_two_alternating_levels():
    """A chess board along a row: only (1, 2) and (2, 1), each with probability one half."""
    found = pair_features(np.array([[0.0, 6.0], [6.0, 0.0]]))
    assert found["joint_max"] == 0.5
    assert found["joint_avg"] == 1.5
    assert found["joint_entr"] == 1.0
    assert found["contrast"] == found["dissimilarity"] == found["inv_var"] == 1.0
    assert found["corr"] == -1.0
    assert found["auto_corr"] == 2.0
    assert found["sum_entr"] == 0.0
    assert found["info_corr1"] == -1.0
    assert found["inv_diff_norm"] == pytest.approx(1 / 1.5)


def test_runs_along_rows_columns_and_diagonals_are_those_of_the_page():
    """IBSI 1, table 3.4."""
    assert as_table(runs(IMAGE, (0, 0, 1))) == {(1, 1): 4, (2, 1): 3, (2, 2): 1, (3, 1): 2, (3, 2): 1, (4, 1): 3}
    assert as_table(runs(IMAGE, (0, 1, 0))) == {
        (1, 1): 2,
        (1, 2): 1,
        (2, 1): 2,
        (2, 3): 1,
        (3, 1): 2,
        (3, 2): 1,
        (4, 1): 1,
        (4, 2): 1,
    }
    assert sum(n * size for (_, size), n in as_table(runs(IMAGE, (0, 1, 1))).items()) == 16


def test_runs_end_where_the_region_ends():
    row = np.array([[[1, 1, 0, 1, 1, 1]]], np.uint16)
    assert as_table(runs(row, (0, 0, 1))) == {(1, 2): 1, (1, 3): 1}
    assert as_table(runs(row, (1, 1, -1))) == {(1, 1): 5}


def test_zones_are_those_of_the_page():
    """IBSI 1, table 3.5: sizes of 8-connected zones."""
    expected = {(1, 1): 2, (1, 2): 1, (2, 5): 1, (3, 1): 1, (3, 3): 1, (4, 1): 1, (4, 2): 1}
    assert as_table(zone_sizes(BLOCK)) == expected


def test_zones_touch_across_corners_in_space():
    levels = np.zeros((2, 2, 2), np.uint16)
    levels[0, 0, 0] = levels[1, 1, 1] = 1
    assert as_table(zone_sizes(GreyLevels(levels=levels, shape=levels > 0, count=1))) == {(1, 2): 1}


def test_depth_counts_city_block_steps_from_outside():
    square = np.ones((1, 5, 5), bool)
    assert depth_of(square, Dimension.D2)[0, 2].tolist() == [1, 2, 3, 2, 1]
    assert depth_of(square, Dimension.D3)[0, 2].tolist() == [1, 1, 1, 1, 1]


def test_a_zone_s_distance_is_that_of_its_shallowest_voxel():
    """IBSI 1, table 3.6: of the 4 x 4 image only the inner zone of 4 is not at the border."""
    found = as_table(zone_distances(BLOCK, Dimension.D2))
    assert found == {(1, 1): 3, (2, 1): 1, (3, 1): 2, (4, 1): 1, (4, 2): 1}


def test_distance_is_to_the_shape_and_not_to_a_hole_of_the_intensity_mask():
    levels = np.ones((1, 5, 5), np.uint16)
    levels[0, 2, 1] = 0
    levels[0, 2, 2] = 2
    block = GreyLevels(levels=levels, shape=np.ones((1, 5, 5), bool), count=2)
    assert as_table(zone_distances(block, Dimension.D2)) == {(1, 1): 1, (2, 3): 1}


def test_tone_differences_of_three_in_a_row():
    """Levels 1, 3, 2: neighbours' means 3, 1.5, 3; differences 2, 1.5, 1."""
    levels = np.array([[[1, 3, 2]]], np.uint16)
    found = neighbour_differences(GreyLevels(levels=levels, shape=levels > 0, count=3))
    assert found.counts.tolist() == [1, 1, 1]
    assert found.differences.tolist() == [2.0, 1.0, 1.5]
    features = tone_features(found)
    assert features["coarseness"] == pytest.approx(1 / (4.5 / 3))
    # Mean squared gap over ordered pairs: (1 + 4 + 1) * 2 / 9, over 3 * 2 pairs of kinds, times 4.5 / 3.
    assert features["contrast"] == pytest.approx(12 / 9 / 6 * 1.5)
    assert features["busyness"] == pytest.approx(1.5 / ((1 + 2 + 1) * 2 / 3))


def test_a_lone_voxel_takes_no_part_in_tone_differences():
    levels = np.array([[[1, 0, 2, 2]]], np.uint16)
    found = neighbour_differences(GreyLevels(levels=levels, shape=levels > 0, count=2))
    assert found.counts.tolist() == [0, 2]


def test_dependences_are_those_of_the_page():
    """IBSI 1, table 3.8: coarseness 0, one plus the number of equal neighbours."""
    ones, twos = {(1, 1): 2, (1, 2): 2}, {(2, 2): 1, (2, 3): 3, (2, 4): 1}
    threes, fours = {(3, 1): 1, (3, 3): 3}, {(4, 1): 1, (4, 2): 2}
    assert as_table(dependence_counts(BLOCK, Dimension.D2, 0)) == ones | twos | threes | fours


def test_coarseness_counts_near_grey_levels_and_never_the_outside():
    levels = np.array([[[0, 1, 2, 4]]], np.uint16)
    block = GreyLevels(levels=levels, shape=levels > 0, count=4)
    assert as_table(dependence_counts(block, Dimension.D2, 1)) == {(1, 2): 1, (2, 2): 1, (4, 1): 1}


def test_emphases_of_one_short_and_one_long_run():
    """One run of length 1 of level 1 and one of length 3 of level 2, in 4 voxels."""
    found = emphases(count_pairs(np.array([1, 2]), np.array([1, 3]), 4))
    assert found.small == pytest.approx((1 + 1 / 9) / 2)
    assert found.large == 5.0
    assert found.low == pytest.approx((1 + 1 / 4) / 2)
    assert found.large_high == (1 + 36) / 2
    assert found.percentage == 0.5
    assert found.entropy == 1.0
    assert (found.level_variance, found.size_variance) == (0.25, 1.0)


def test_sparse_and_dense_counting_agree():
    random = np.random.default_rng(0)
    levels, sizes = random.integers(1, 60, 5000), random.integers(1, 300, 5000)
    dense = count_pairs(levels, sizes, 5000)
    far = count_pairs(np.append(levels, 60), np.append(sizes, 10_000_000), 5001)
    np.testing.assert_array_equal(far.counts[:-1], dense.counts)
