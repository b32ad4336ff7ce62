"""Listen for DICOM until somebody stops it, say what arrived, and hand on the subjects that can be worked on."""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from npcpit_imaging.app.receiving import Listener
from npcpit_imaging.app.study import Study
from npcpit_imaging.errors import StoreError
from npcpit_imaging.store.images import IMAGE_MODALITIES, OPEN_STATES, series_of

LOG = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often a receiver looks whether series have settled."""


class Work(Protocol):
    """What is done with subjects whose series have settled."""

    def take(self, subject: str) -> None:
        """Begin with a subject, now or when there is time."""


def receive(
    study: Study,
    *,
    port: int | None,
    seconds: float | None,
    say: Callable[[str], None],
    work: Work | None = None,
) -> None:
    """Listen until Ctrl-C or for some seconds, and say what arrived.

    Args:
        study: The study.
        port: Listen here instead of where site.toml says; 0 takes a free one.
        seconds: Stop after this long.
        say: Told each line.
        work: Given each subject whose series have all settled and whose visits are assembled.
    """
    until = None if seconds is None else time.monotonic() + seconds
    due = _without_visit(study)
    with Listener(study, port=port) as listener:
        say(f"{study.site.receiver.ae_title} listens on {study.site.receiver.host} port {listener.port}; Ctrl-C stops")
        try:
            while until is None or time.monotonic() < until:
                time.sleep(LOOK_S)
                _settle(study, listener, say, work, due)
        except KeyboardInterrupt:
            say("stopping")
    assembled = listener.assemble()  # only now has everything that arrived been taken
    counts = (
        ", ".join(f"{count} {name}" for name, count in sorted(listener.outcomes.items()) if count) or "nothing arrived"
    )
    say(counts)
    for subject, visits in assembled.items():
        say(f"{subject}: {', '.join(visits)}")


def _without_visit(study: Study) -> set[str]:
    """Settled series that have no visit: whoever received them was ended before it could assemble one."""
    with study.database.session() as session:
        found = series_of(session)
    return {
        each.uid
        for each in found
        if each.timepoint is None and each.modality in IMAGE_MODALITIES and each.state not in OPEN_STATES
    }


def _settle(study: Study, listener: Listener, say: Callable[[str], None], work: Work | None, due: set[str]) -> None:
    """Say what has settled; `due` keeps the series whose subjects could not be handed on, for the next look."""
    settled = listener.settle()
    for uid, state in settled.items():
        say(f"series {uid}: {state}")
    due |= settled.keys()
    try:
        ready = _ready(study, listener, due)
    except StoreError as error:
        if settled:
            LOG.error("visits cannot be assembled for now: %s", error)
        return
    due.clear()
    if work is not None:
        for subject in sorted(ready):
            work.take(subject)


def _ready(study: Study, listener: Listener, due: set[str]) -> set[str]:
    """Subjects of these series that have no open one; their visits are assembled."""
    if not due:
        return set()
    with study.database.session() as session:
        found = series_of(session)
    ready = {each.subject for each in found if each.uid in due}
    ready -= {each.subject for each in found if each.state in OPEN_STATES}
    if ready:
        listener.assemble(sorted(ready))
    return ready
