"""Where retrieved objects go: byte for byte into the durable spool, exactly as the receiver's do."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from npcpit_imaging.dicom.part10 import ObjectHeader
from npcpit_imaging.dicom.quarantine import QuarantineCode
from npcpit_imaging.dicom.receipt import Outcome, Receipt
from npcpit_imaging.dicom.spool import Incoming, Spool
from npcpit_imaging.errors import DicomError


class Inbox:
    """Makes retrieved objects durable and counts them; may be called from many threads.

    Args:
        spool: Where objects are made durable.
        on_object: Called after each object, whatever became of it.
    """

    def __init__(self, spool: Spool, on_object: Callable[[], None] = lambda: None) -> None:
        self._spool = spool
        self._on_object = on_object
        self._lock = threading.Lock()
        self.counts: Counter[Outcome] = Counter()

    def keep(self, header: ObjectHeader, fragments: Iterable[memoryview]) -> Receipt:
        """Keep one object; returns when it is durable.

        Args:
            header: Its names and transfer syntax.
            fragments: The bytes of its data set; what they raise leaves nothing behind.

        Raises:
            DicomError: The disk refuses.
        """
        return self._keep(header, fragments, None)

    def keep_unreadable(self, header: ObjectHeader, fragments: Iterable[memoryview]) -> Receipt:
        """Keep bytes that are no object in the quarantine."""
        return self._keep(header, fragments, QuarantineCode.UNREADABLE)

    def _keep(self, header: ObjectHeader, fragments: Iterable[memoryview], code: QuarantineCode | None) -> Receipt:
        try:
            incoming = self._spool.begin(header)
            _fill(incoming, fragments)
            receipt = incoming.commit() if code is None else incoming.set_aside(code)
        except OSError as error:
            raise DicomError(f"the spool cannot write: {error.strerror}") from error
        self.count(receipt.outcome)
        return receipt

    def count(self, outcome: Outcome) -> None:
        """Count an object, also one that the receiver kept."""
        with self._lock:
            self.counts[outcome] += 1
        self._on_object()


def _fill(incoming: Incoming, fragments: Iterable[memoryview]) -> None:
    try:
        for fragment in fragments:
            incoming.write(fragment)
    except OSError:
        raise  # `write` has removed the temporary file already
    except BaseException:  # also Ctrl-C: a half object must not stay
        incoming.discard()
        raise
