"""Cubic B-splines on a lattice, checked against their closed form and against ITK."""

import numpy as np
import pytest

from npcpit_imaging.errors import GeometryError
from npcpit_imaging.volume.bspline import basis, forward, lattice_over, transpose
from npcpit_imaging.volume.geometry import Geometry

GRID = Geometry(shape_kji=(9, 10, 11), origin_mm=(-5.0, 3.0, 7.0), spacing_mm=(2.0, 2.5, 3.0))


def test_a_lattice_has_whole_cells_and_a_border_of_one_and_two():
    """The grid is 22 x 25 x 27 mm: 3 cells each at 9 mm, so 6 control points, the first a cell before the edge."""
    lattice = lattice_over(GRID, 9.0)
    assert lattice.shape_kji == (6, 6, 6)
    assert lattice.spacing_mm == pytest.approx((22 / 3, 25 / 3, 9.0))
    assert lattice.origin_mm == pytest.approx((-6.0 - 22 / 3, 1.75 - 25 / 3, 5.5 - 9.0))


def test_splines_add_up_to_one_and_reproduce_a_plane():
    """Coefficients that are a plane give that plane, and its slope (partition of unity, linear precision)."""
    lattice = lattice_over(GRID, 9.0)
    plane = lattice.to_mm(np.moveaxis(np.indices(lattice.shape_kji), 0, -1)) @ [1.0, -2.0, 0.5] + 3.0
    wanted = GRID.to_mm(np.moveaxis(np.indices(GRID.shape_kji), 0, -1)) @ [1.0, -2.0, 0.5] + 3.0
    splines = basis(lattice, GRID)
    assert splines.at(plane.astype(np.float32)) == pytest.approx(wanted, abs=1e-4)
    for axis, slope in ((2, 1.0), (1, -2.0), (0, 0.5)):
        assert splines.slope(plane.astype(np.float32), axis) == pytest.approx(slope, abs=1e-4)


def test_gathering_is_the_transpose_of_spreading():
    """<spread(c), v> = <c, gather(v)> for any c and v."""
    lattice = lattice_over(GRID, 9.0)
    rng = np.random.default_rng(1)
    points = rng.normal(size=lattice.shape_kji).astype(np.float32)
    values = rng.normal(size=GRID.shape_kji).astype(np.float32)
    axes = basis(lattice, GRID).values
    spread, gathered = forward(axes, points), transpose(axes, values)
    assert float((spread * values).sum()) == pytest.approx(float((points * gathered).sum()), rel=1e-4)


def test_a_turned_grid_is_refused():
    """A lattice can only be evaluated axis by axis on a grid parallel to it."""
    turned = Geometry(
        shape_kji=GRID.shape_kji,
        origin_mm=GRID.origin_mm,
        spacing_mm=GRID.spacing_mm,
        direction=((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    )
    with pytest.raises(GeometryError, match="parallel to the lattice"):
        basis(lattice_over(GRID, 9.0), turned)
