"""What became of lesions between two visits: proposals with figures worked by hand on blocks of voxels."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError, MeasurementError
from npcpit_imaging.measurement.matching import EarlierLesion, MatchKind, match_lesions
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

GRID = Geometry(shape_kji=(6, 40, 60), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 2.0))


def mask(*columns, grid=GRID):
    """Rows 10-19 of slices 2 and 3 between some columns: 20 voxels of 2 mm3 a column."""
    voxels = np.zeros(grid.shape_kji, bool)
    for first, stop in columns:
        voxels[2:4, 10:20, first:stop] = True
    return Mask(voxels=voxels, geometry=grid)


def before(name, *columns, volume_ml=None):
    drawn = mask(*columns)
    return EarlierLesion(lesion_id=name, mask=drawn, volume_ml=drawn.volume_ml if volume_ml is None else volume_ml)


def kinds(proposals):
    return [(each.kind, each.earlier, each.current) for each in proposals]


def test_a_shrunken_lesion_is_the_same_with_its_figures():
    """Ten columns before, four of them now: 4 x 20 x 2 mm3 = 0.16 mL, 40 % of the earlier, all of the current."""
    (found,) = match_lesions([before("T01", (10, 20))], {"T01": mask((12, 16))}, uncertainty_mm=2.0)
    assert (found.kind, found.renamed) == (MatchKind.SAME, False)
    (overlap,) = found.overlaps
    assert overlap.shared_ml == pytest.approx(0.16)
    assert (overlap.of_earlier, overlap.of_current, overlap.gap_mm) == (0.4, 1.0, 0.0)
    assert "share 0.16 mL (40 % of T01, 100 % of T01)" in found.text


def test_a_lesion_grown_tenfold_is_the_same():
    (found,) = match_lesions([before("T01", (10, 13))], {"T01": mask((5, 35))}, uncertainty_mm=0.0)
    assert (found.kind, found.overlaps[0].of_earlier, found.overlaps[0].of_current) == (MatchKind.SAME, 1.0, 0.1)


def test_two_parts_of_one_mask_are_a_split():
    found = match_lesions([before("T01", (10, 30))], {"T01": mask((10, 15), (22, 30))}, uncertainty_mm=2.0)
    assert kinds(found) == [(MatchKind.SPLIT, ("T01",), ("T01.1", "T01.2"))]
    assert [each.of_earlier for each in found[0].overlaps] == [0.25, 0.4]


def test_two_masks_in_one_earlier_lesion_are_a_split():
    current = {"T01": mask((10, 15)), "N01": mask((22, 30))}
    found = match_lesions([before("T01", (10, 30))], current, uncertainty_mm=2.0)
    assert kinds(found) == [(MatchKind.SPLIT, ("T01",), ("T01", "N01"))]


def test_one_mask_over_two_earlier_lesions_is_a_merger():
    earlier = [before("T01", (10, 18)), before("T02", (20, 28))]
    found = match_lesions(earlier, {"T01": mask((10, 28))}, uncertainty_mm=2.0)
    assert kinds(found) == [(MatchKind.MERGED, ("T01", "T02"), ("T01",))]
    assert "T01, T02 seem to be merged into T01" in found[0].text


def test_two_drawings_of_one_mass_count_once():
    """Both lesions were prompted and both drawings found the same mass."""
    earlier = [before("T01", (10, 18)), before("T02", (20, 28))]
    found = match_lesions(earlier, {"T01": mask((10, 27)), "T02": mask((11, 28))}, uncertainty_mm=2.0)
    assert kinds(found) == [(MatchKind.MERGED, ("T01", "T02"), ("T01+T02",))]


def test_what_was_not_there_is_new_and_what_is_not_drawn_is_gone():
    found = match_lesions([before("T01", (10, 20))], {"N01": mask((40, 45))}, uncertainty_mm=3.0)
    assert kinds(found) == [(MatchKind.GONE, ("T01",), ()), (MatchKind.NEW, (), ("N01",))]


@pytest.mark.parametrize(("uncertainty_mm", "expected"), [(4.0, MatchKind.SAME), (2.9, MatchKind.GONE)])
def test_a_small_lesion_beside_itself_is_the_same_within_the_uncertainty(uncertainty_mm, expected):
    """Last column 12, first column 15: 3 mm between voxel centres."""
    found = match_lesions([before("T01", (10, 13))], {"T01": mask((15, 18))}, uncertainty_mm=uncertainty_mm)
    assert found[0].kind is expected
    if expected is MatchKind.SAME:
        assert found[0].overlaps[0].gap_mm == pytest.approx(3.0)
        assert "lie 3.0 mm apart" in found[0].text


def test_a_neighbour_within_the_uncertainty_is_no_split():
    """Each lesion overlaps its own successor; that the other lies 2 mm away makes nothing of it."""
    earlier = [before("T01", (10, 18)), before("T02", (20, 28))]
    found = match_lesions(earlier, {"T01": mask((10, 18)), "T02": mask((20, 28))}, uncertainty_mm=8.0)
    assert kinds(found) == [(MatchKind.SAME, ("T01",), ("T01",)), (MatchKind.SAME, ("T02",), ("T02",))]


def test_names_that_changed_places_are_said():
    earlier = [before("T01", (10, 18)), before("T02", (30, 38))]
    found = match_lesions(earlier, {"T02": mask((10, 18)), "T01": mask((30, 38))}, uncertainty_mm=2.0)
    assert [each.renamed for each in found] == [True, True]


def test_several_and_several_are_unclear():
    earlier = [before("T01", (10, 20)), before("T02", (20, 30))]
    found = match_lesions(earlier, {"T01": mask((10, 14)), "N01": mask((16, 25))}, uncertainty_mm=0.0)
    assert kinds(found) == [(MatchKind.UNCLEAR, ("T01", "T02"), ("T01", "N01"))]


@pytest.mark.parametrize("columns", [((0, 4),), ()])
def test_a_lesion_outside_the_image_is_not_imaged_and_never_gone(columns):
    """Of ten columns four, or none, lie in the follow-up's image."""
    (found,) = match_lesions([before("T01", *columns, volume_ml=0.4)], {}, uncertainty_mm=2.0)
    assert found.kind is MatchKind.NOT_IMAGED
    assert "not assessed, not gone" in found.text


def test_no_lesion_at_all_gives_no_proposal():
    assert match_lesions([], {}, uncertainty_mm=0.0) == ()


def test_what_cannot_be_compared_is_refused():
    other = Geometry(shape_kji=GRID.shape_kji, origin_mm=(5.0, 0.0, 0.0), spacing_mm=GRID.spacing_mm)
    with pytest.raises(GeometryError, match="masks on one grid"):
        match_lesions([before("T01", (10, 20))], {"T01": mask((10, 20), grid=other)}, uncertainty_mm=1.0)
    with pytest.raises(MeasurementError, match="for T01, found an empty one"):
        match_lesions([before("T01", (10, 20))], {"T01": mask()}, uncertainty_mm=1.0)
    with pytest.raises(MeasurementError, match="uncertainty"):
        match_lesions([before("T01", (10, 20))], {"T01": mask((10, 20))}, uncertainty_mm=float("nan"))
