"""A region's surface: marching cubes, its area and volume, its convex hull and the boxes around it (IBSI 1, 3.1)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes

from npcpit_imaging.errors import RadiomicsError

ISO_LEVEL = 0.5
"""Where the surface lies between a voxel inside (1) and one outside (0)."""

BOX_FACES = 48
"""How many faces of the convex hull, the largest first, a side of the smallest box is tried on."""

_PAIR_ROWS = 512

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A closed triangle mesh.

    Args:
        vertices_mm: `(V, 3)` positions along k, j, i.
        faces: `(F, 3)` vertex numbers.
    """

    vertices_mm: Floats
    faces: NDArray[np.int32]

    @cached_property
    def area_mm2(self) -> float:
        """Sum of the triangles' areas (3.1.3)."""
        a, b, c = self._corners
        return float(np.sum(np.sqrt(np.sum(np.cross(b - a, c - a) ** 2, axis=1))) / 2.0)

    @cached_property
    def volume_mm3(self) -> float:
        """Absolute sum of the signed tetrahedra to the origin (3.1.1)."""
        a, b, c = self._corners
        return float(abs(np.einsum("ij,ij->", a, np.cross(b, c))) / 6.0)

    @cached_property
    def hull(self) -> ConvexHull:
        """Convex hull of the vertices.

        Raises:
            RadiomicsError: The vertices lie in a plane.
        """
        try:
            return ConvexHull(self.vertices_mm)
        except QhullError as error:
            raise RadiomicsError("mesh: expected a solid surface, found a flat one") from error

    @cached_property
    def hull_points_mm(self) -> Floats:
        """Corners `(H, 3)` of the convex hull."""
        points: Floats = self.vertices_mm[self.hull.vertices]
        return points

    @property
    def _corners(self) -> tuple[Floats, Floats, Floats]:
        a, b, c = (self.vertices_mm[self.faces[:, corner]] for corner in range(3))
        return a, b, c


def surface(mask: Bools, spacing_kji_mm: tuple[float, float, float]) -> Mesh:
    """Return the surface of a `(K, J, I)` mask with at least one voxel."""
    padded = np.pad(mask, 1).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(padded, level=ISO_LEVEL, allow_degenerate=False)
    return Mesh(vertices_mm=vertices.astype(np.float64) * np.array(spacing_kji_mm), faces=faces)


def longest_distance_mm(points_mm: Floats) -> float:
    """Return the largest distance between any two of `(N, 3)` points."""
    rows = range(0, len(points_mm), _PAIR_ROWS)
    return float(max(cdist(points_mm[row : row + _PAIR_ROWS], points_mm[row:]).max() for row in rows))


def smallest_box_mm(mesh: Mesh, axes: Floats) -> Floats:
    """Return the sides `(3,)` of the smallest box found around a mesh.

    A smallest box has an edge along an edge of the hull and mostly a side on one of its faces (O'Rourke 1985). Boxes
    on the `BOX_FACES` largest faces, and on the planes of `axes`, are tried, each turned by rotating calipers; the
    true smallest box is at most this large. IBSI does not standardise this feature.

    Args:
        mesh: The surface.
        axes: `(A, 3)` further plane normals to try, such as the principal axes.
    """
    normals = np.concatenate([_large_normals(mesh), axes, np.eye(3)])
    sides = [_box_on(mesh.hull_points_mm, normal) for normal in normals]
    return min(sides, key=lambda side: float(np.prod(side)))


def _large_normals(mesh: Mesh) -> Floats:
    corners = mesh.vertices_mm[mesh.hull.simplices]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    keys, group = np.unique(np.round(mesh.hull.equations[:, :3], 4), axis=0, return_inverse=True)
    largest = np.argsort(-np.bincount(group.ravel(), weights=areas))[:BOX_FACES]
    normals: Floats = keys[largest] / np.linalg.norm(keys[largest], axis=1, keepdims=True)
    return normals


def _box_on(points_mm: Floats, normal: Floats) -> Floats:
    u, v = np.linalg.svd(normal[None, :])[2][1:]
    flat = points_mm @ np.stack([u, v], axis=1)
    outline = flat[ConvexHull(flat).vertices]
    edges = np.diff(outline, axis=0, append=outline[:1])
    angle = np.arctan2(edges[:, 1], edges[:, 0])
    along = np.stack([np.cos(angle), np.sin(angle)])
    across = np.stack([-np.sin(angle), np.cos(angle)])
    width, height = np.ptp(outline @ along, axis=0), np.ptp(outline @ across, axis=0)
    best = int(np.argmin(width * height))
    return np.array([width[best], height[best], np.ptp(points_mm @ normal)])
