"""Objects that the study could not take: which are worth another try while the receiver runs, and when."""

import time
from collections.abc import Callable

from npcpit_imaging.app.arrivals import BATCH_OBJECTS
from npcpit_imaging.dicom.spool import SpooledObject
from npcpit_imaging.errors import DicomError, NpcpitError

FIRST_PAUSE_S = 5.0
"""How long the first retry waits; the pause doubles while nothing can be taken."""

LONGEST_PAUSE_S = 300.0
"""A database that comes back, or a disk that has room again, is noticed within this time."""


class Retries:
    """Acknowledged objects that wait because the store or the disk refused, not because of what they hold.

    Args:
        clock: Seconds of a clock that never goes back.

    Example:
        >>> Retries().due()
        []
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[str, SpooledObject] = {}
        self._reasons: dict[str, str] = {}
        self._pause_s = FIRST_PAUSE_S
        self._next_s = 0.0

    def refused(self, spooled: SpooledObject, error: NpcpitError) -> tuple[bool, bool]:
        """Remember an object that could not be taken.

        Returns:
            Whether it is new here, and whether its reason is (else it was said before).
        """
        name, reason = spooled.path.name, str(error)
        is_new, is_new_reason = name not in self._reasons, self._reasons.get(name) != reason
        self._reasons[name] = reason
        self._waiting.pop(name, None)
        if not isinstance(error, DicomError):  # the same object would be refused for the same reason for ever
            if not self._waiting:
                self._next_s = self._clock() + self._pause_s
            self._waiting[name] = spooled  # behind the others, which have their turn first
        return is_new, is_new_reason

    def taken(self, spooled: SpooledObject) -> bool:
        """Forget an object; whether it had been refused before."""
        self._pause_s, self._next_s = FIRST_PAUSE_S, 0.0
        self._waiting.pop(spooled.path.name, None)
        return self._reasons.pop(spooled.path.name, None) is not None

    def due(self) -> list[SpooledObject]:
        """The objects to try now: a batch at most, and none until the pause is over."""
        if not self._waiting or self._clock() < self._next_s:
            return []
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._next_s = self._clock() + self._pause_s
        return list(self._waiting.values())[:BATCH_OBJECTS]
