"""How fast a batch of cases goes and how long it will take, in words."""

import time
from collections.abc import Callable

from npcpit_imaging.flow.run import Outcome, Status

Tell = Callable[[float, str], None]
"""Told the fraction that is over and how it goes."""


class Pace:
    """Counts outcomes, and tells the rate and the time left.

    Args:
        total: How many cases there are.
        tell: Told the fraction that is over and how it goes.
        clock: Seconds that only grow.
    """

    def __init__(self, *, total: int, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._tell, self._clock = total, tell, clock
        self._started = clock()
        self._counts = dict.fromkeys(Status, 0)

    def outcome(self, outcome: Outcome) -> None:
        """Count one outcome and tell."""
        self._counts[outcome.status] += 1
        over = sum(self._counts.values())
        self._tell(over / self._total, self._text(over))

    def _text(self, over: int) -> str:
        counts = ", ".join(f"{count} {status.value}" for status, count in self._counts.items() if count)
        worked = over - self._counts[Status.SKIPPED]
        elapsed_s = self._clock() - self._started
        if not worked or elapsed_s <= 0:
            return f"{over} of {self._total} ({counts})"
        left_s = (self._total - over) * elapsed_s / worked
        return f"{over} of {self._total} ({counts}), {worked / elapsed_s:.2g} cases/s, {_duration(left_s)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
