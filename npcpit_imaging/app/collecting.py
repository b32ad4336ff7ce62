"""How often Python looks for cyclic garbage while a verb goes over a large study."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS_BETWEEN = 100_000
"""Containers made, less those freed, between two looks at the youngest; Python's own 700 is for small programs."""

LOOKS_BETWEEN = 50
"""Looks at the youngest objects between two looks at older ones."""


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for cycles rarely: rows and cells have none, and walking them again and again is a quarter of the time.

    Example:
        >>> with collecting_rarely():
        ...     gc.get_threshold()
        (100000, 50, 50)
    """
    before = gc.get_threshold()
    gc.set_threshold(OBJECTS_BETWEEN, LOOKS_BETWEEN, LOOKS_BETWEEN)
    try:
        yield
    finally:
        gc.set_threshold(*before)
