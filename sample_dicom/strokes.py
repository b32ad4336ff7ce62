"""One stroke of the brush, and the small tools the painters of the head share."""

from collections.abc import Iterator
from dataclasses import dataclass

from shapes import Shape, grown, mirrored, slab

FAR = 400.0
"""A distance in mm beyond every scan."""


@dataclass(frozen=True, kw_only=True)
class Stroke:
    """One shape painted with one tissue.

    Args:
        shape: Where.
        tissue: Name of the tissue.
        cover: Share that is painted, 1 for opaque.
        pattern: Name of a texture whose positive part alone is painted, or empty.
    """

    shape: Shape
    tissue: str
    cover: float = 1.0
    pattern: str = ""


def both(strokes: Iterator[Stroke]) -> Iterator[Stroke]:
    """Yield every stroke and its mirror image."""
    for stroke in strokes:
        yield stroke
        yield Stroke(shape=mirrored(stroke.shape), tissue=stroke.tissue, cover=stroke.cover, pattern=stroke.pattern)


def paint(tissue: str, shape: Shape, cover: float = 1.0, pattern: str = "") -> Stroke:
    """Return a stroke."""
    return Stroke(shape=shape, tissue=tissue, cover=cover, pattern=pattern)


def pair(shape: Shape) -> tuple[Shape, Shape]:
    """Return a shape and its mirror image."""
    return shape, mirrored(shape)


def above(z: float) -> Shape:
    """Return everything above a height."""
    return slab((-FAR, -FAR, z), (FAR, FAR, FAR))


def bone(shape: Shape, cortex_mm: float) -> Iterator[Stroke]:
    """Yield cortical bone of a thickness around marrow."""
    yield paint("cortical", shape)
    yield paint("marrow", grown(shape, -cortex_mm))
