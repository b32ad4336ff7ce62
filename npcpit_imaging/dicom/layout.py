"""Where the elements of a header lie: slices of one series have theirs at the same places, so one walk serves many."""

from collections.abc import Mapping, Sequence
from operator import itemgetter

Span = tuple[int, int]
"""First byte and the byte after the last."""

AT_ONCE = 8
"""Layouts that are remembered: positions and times of a series are written in a few lengths."""


class Layout:
    """The elements of one header that was walked over, and every byte that the walk looked at.

    A walk is decided by the tags, VRs and lengths it meets, those of items within sequences among them. Another header
    with the same bytes at the same places is therefore walked the same way, whatever its values are.

    Args:
        start: Where the data set begins.
        spans: Where the tags, VRs and lengths lie that the walk read, the pixels' last.
        elements: Tag to VR, first and last byte of its value.
        content: The bytes of the header that was walked.
    """

    def __init__(
        self, *, start: int, spans: Sequence[Span], elements: Mapping[int, tuple[bytes, int, int]], content: bytes
    ) -> None:
        self.start, self.elements, self.offset = start, elements, spans[-1][0]
        self._end = spans[-1][1]
        self._last = content[self.offset : self._end]
        self._read = itemgetter(*(slice(*span) for span in spans), slice(0, 0))  # at least two: always a tuple
        self._told = self._read(content)

    def fits(self, start: int, content: bytes) -> bool:
        """Tell whether a header's elements lie at the same places."""
        return (
            self.start == start
            and content[self.offset : self._end] == self._last  # nearly always tells; the rest is the proof
            and self._read(content) == self._told
        )
