"""Fields of fibres have the volume of their solid; lesions are in, at the margin, or out by hand-worked distances."""

from dataclasses import replace

import numpy as np
import pytest

from npcpit_imaging.errors import RegistrationError
from npcpit_imaging.registration.field import (
    IrradiatedField,
    classify,
    diffuser_mask,
    irradiated_field,
    lit,
    propagate_field,
    signed_distance_mm,
)
from npcpit_imaging.study.lesion import FieldPosition
from npcpit_imaging.study.treatment import Diffuser, DiffuserKind
from npcpit_imaging.volume.geometry import Geometry
from npcpit_imaging.volume.volume import Mask

GRID = Geometry(shape_kji=(80, 80, 80), origin_mm=(-39.5, -39.5, -39.5), spacing_mm=(1.0, 1.0, 1.0))
OBLIQUE = (2 / 3, -1 / 3, 2 / 3)


def cylinder(**change):
    values = {"tip_mm": (0.0, 0.0, 15.0), "axis": (0.0, 0.0, 1.0), "length_mm": 30.0, "radius_mm": 10.0}
    return Diffuser(kind=DiffuserKind.CYLINDRICAL, **{**values, **change})


def cone(**change):
    values = {"tip_mm": (0.0, 0.0, -20.0), "axis": (0.0, 0.0, 1.0), "length_mm": 30.0, "radius_mm": 15.0}
    return Diffuser(kind=DiffuserKind.FRONTAL, **{**values, **change})


def box_mask(low, high, geometry=GRID):
    points = geometry.to_mm(np.indices(geometry.shape_kji).transpose(1, 2, 3, 0))
    return Mask(voxels=np.all((points >= low) & (points <= high), axis=-1), geometry=geometry, label="T01")


@pytest.mark.parametrize("axis", [(0.0, 0.0, 1.0), OBLIQUE], ids=["axial", "oblique"])
def test_a_cylindrical_diffuser_lights_pi_r2_l(axis):
    tip = tuple(15 * value for value in axis)
    field = diffuser_mask(cylinder(axis=axis, tip_mm=tip), GRID)
    assert field.volume_ml == pytest.approx(np.pi * 10**2 * 30 / 1000, rel=0.02)
    centre = GRID.to_mm(np.argwhere(field.voxels).mean(axis=0))
    assert centre == pytest.approx((0, 0, 0), abs=0.2)


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_frontal_diffuser_lights_a_truncated_cone(start):
    field = diffuser_mask(cone(start_radius_mm=start), GRID)
    assert field.volume_ml == pytest.approx(np.pi * 30 / 3 * (15**2 + 15 * start + start**2) / 1000, rel=0.02)


def test_light_runs_back_from_a_cylindrical_tip_and_forward_from_a_frontal_one():
    behind, ahead = (0.0, 0.0, -0.5), (0.0, 0.0, 0.5)
    tip = {"tip_mm": (0.0, 0.0, 0.0)}
    assert lit(cylinder(**tip), [behind, ahead]).tolist() == [True, False]
    assert lit(cone(**tip), [behind, ahead]).tolist() == [False, True]


def test_a_cone_is_as_wide_as_its_depth_says():
    """Half-way down a cone of 15 mm the radius is 7.5 mm."""
    assert lit(cone(), [(7.4, 0, -5), (7.6, 0, -5), (14.9, 0, 10), (0, 0, 10.1)]).tolist() == [True, False, True, False]


def test_cycles_are_united_and_a_mask_may_lie_on_another_grid():
    coarse = Geometry(shape_kji=(40, 40, 40), origin_mm=(-39.0, -39.0, -39.0), spacing_mm=(2.0, 2.0, 2.0))
    drawn = box_mask((20, -5, -5), (30, 5, 5), coarse)
    alone = irradiated_field(GRID, diffusers=[cylinder()]).mask.volume_ml
    both = irradiated_field(GRID, diffusers=[cylinder()], masks=[drawn]).mask
    assert both.volume_ml == pytest.approx(alone + drawn.volume_ml, rel=0.02)
    twice = irradiated_field(GRID, diffusers=[cylinder(), cylinder()]).mask
    assert twice.volume_ml == alone


@pytest.mark.parametrize(
    ("point", "expected", "distance"),
    [
        ((0.0, 0.0, 0.0), FieldPosition.IN, -10.0),
        ((8.0, 0.0, 0.0), FieldPosition.IN, -2.0),
        ((13.0, 0.0, 0.0), FieldPosition.MARGIN, 3.0),
        ((0.0, 0.0, 18.0), FieldPosition.MARGIN, 3.0),
        ((16.0, 0.0, 0.0), FieldPosition.OUT, 6.0),
        ((200.0, 0.0, 0.0), FieldPosition.OUT, 190.0),
    ],
)
def test_a_point_is_in_at_the_margin_or_out(point, expected, distance):
    field = irradiated_field(GRID, diffusers=[cylinder()], margin_mm=4.0)
    relation = classify(field, point)
    assert relation.position is expected
    assert relation.nearest_mm == pytest.approx(distance, abs=0.8)
    assert relation.margin_mm == 4.0


@pytest.mark.parametrize(
    ("low", "high", "expected", "fraction"),
    [
        ((-5, -5, -5), (5, 5, 5), FieldPosition.IN, 1.0),
        ((0, -20, -10), (19, 20, 10), FieldPosition.MARGIN, None),
        ((12, -3, -3), (20, 3, 3), FieldPosition.MARGIN, 0.0),
        ((16, -3, -3), (24, 3, 3), FieldPosition.OUT, 0.0),
    ],
    ids=["within", "a fifth within", "touches the margin", "beyond"],
)
def test_a_lesion_mask_is_in_at_the_margin_or_out(low, high, expected, fraction):
    relation = classify(irradiated_field(GRID, diffusers=[cylinder()], margin_mm=4.0), box_mask(low, high))
    assert relation.position is expected
    if fraction is not None:
        assert relation.fraction_in == fraction
    else:
        assert relation.fraction_in == pytest.approx(np.pi * 10**2 / 2 / (20 * 40), rel=0.1)


def test_dawsons_fractions_can_be_asked_for():
    field = irradiated_field(GRID, diffusers=[cylinder()])
    lesion = box_mask((-5, -3, -3), (12, 3, 3))
    assert classify(field, lesion).position is FieldPosition.IN
    assert classify(field, lesion, in_fraction=0.95, out_fraction=0.2).position is FieldPosition.MARGIN


def test_distance_of_a_mask_that_touches_the_grids_edge_is_not_negative_outside():
    everything = Mask(voxels=np.ones((4, 4, 4), bool), geometry=GRID.crop((0, 0, 0), (4, 4, 4)))
    corner = np.array(GRID.origin_mm)
    distance = signed_distance_mm(everything, np.array([corner, corner - [10.0, 0, 0]]))
    assert distance[0] <= 0
    assert distance[1] == pytest.approx(9.5, abs=0.1)


def test_a_propagated_field_moves_with_the_head_and_its_margin_grows(aligned, follow_up, baseline, phantom):
    planned = irradiated_field(baseline.geometry, diffusers=[cylinder()], margin_mm=3.0)
    carried = propagate_field(planned, follow_up.geometry, aligned)
    assert carried.margin_mm == pytest.approx(5.0)  # 3 and the plan's 4 mm at right angles
    recurrent, new = phantom.motion.inverse().map([[2.0, 3.0, 4.0], [40.0, 0.0, 0.0]])
    assert classify(carried, recurrent).position is FieldPosition.IN
    assert classify(carried, new).position is FieldPosition.OUT


def test_a_doubtful_registration_widens_the_margin(aligned, follow_up, baseline, phantom):
    planned = irradiated_field(baseline.geometry, diffusers=[cylinder()])
    off = replace(aligned, reverse=phantom.rigid(shift=(0, 0, 9)), transform=phantom.rigid(), starts=aligned.starts[:1])
    assert propagate_field(planned, follow_up.geometry, off).margin_mm == pytest.approx(9.0)


def test_a_field_outside_the_image_is_refused():
    with pytest.raises(RegistrationError, match="empty field on this image"):
        irradiated_field(GRID, diffusers=[cylinder(tip_mm=(500.0, 0.0, 0.0))])
    with pytest.raises(RegistrationError, match="margin of 0 mm or more"):
        IrradiatedField(mask=box_mask((0, 0, 0), (5, 5, 5)), margin_mm=-1.0)


def test_an_empty_lesion_is_refused():
    field = irradiated_field(GRID, diffusers=[cylinder()])
    with pytest.raises(RegistrationError, match="'T01': expected voxels"):
        classify(field, box_mask((90, 90, 90), (91, 91, 91)))
    with pytest.raises(RegistrationError, match="expected a point"):
        classify(field, (1.0, 2.0))
