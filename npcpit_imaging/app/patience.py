"""Try again what a lost peer interrupted: exponential backoff, and less patience once it was in vain."""

import time
from collections.abc import Callable
from typing import TypeVar

from npcpit_imaging.config.pacs import PacsSite
from npcpit_imaging.errors import PeerLostError

T = TypeVar("T")


class Patience:
    """How long a PACS that is lost is waited for.

    Once all retries were in vain, each further call gets one try, until one succeeds: a work list of a thousand rows
    must not wait a thousand times for an archive that is down.

    Args:
        pacs: Retries and backoff.
        sleep: Waits some seconds.
    """

    def __init__(self, pacs: PacsSite, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._pacs = pacs
        self._sleep = sleep
        self._in_vain = False

    def call(self, work: Callable[[], T]) -> T:
        """Do some work, again when the peer is lost.

        Raises:
            PeerLostError: All retries were in vain.
        """
        tries = 0
        while True:
            try:
                done = work()
            except PeerLostError:
                if not self.wait(tries):
                    raise
                tries += 1
            else:
                self.succeeded()
                return done

    def wait(self, tries: int) -> bool:
        """Wait before another try; False when there have been enough.

        Args:
            tries: How many retries were in vain so far.
        """
        if self._in_vain or tries >= self._pacs.retries:
            self._in_vain = True
            return False
        self._sleep(min(self._pacs.backoff_s * 2**tries, self._pacs.max_backoff_s))
        return True

    def succeeded(self) -> None:
        """The peer is there again."""
        self._in_vain = False
