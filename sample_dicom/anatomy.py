"""The head from above the orbits to the hyoid, painted back to front in the anatomical frame.

Anatomical frame: mm, x to the left, y to posterior, z to superior, origin in the middle of the nasopharynx. Proportions
are those of an adult; the shapes are ours. Each entry paints one shape with one tissue over what lies below.
"""

from collections.abc import Iterator

from skeleton import jaws, skull, spine
from soft_tissue import face_muscles, glands, neck_muscles, skin_and_fat, surface, vessels
from strokes import Stroke, both
from viscera import brain, mouth_and_throat, nose, orbit


def head() -> Iterator[Stroke]:
    """Yield every stroke of the head, back to front."""
    yield from skin_and_fat()
    yield from both(face_muscles())
    yield from neck_muscles()
    yield from both(glands())
    yield from surface()
    yield from skull()
    yield from brain()
    yield from both(orbit())
    yield from spine()
    yield from jaws()
    yield from mouth_and_throat()
    yield from nose()
    yield from both(vessels())
