"""Arrival drives work: a subject whose series have settled is registered and its lesions are proposed.

The work is done by ``npcpit run`` in a process of its own, one subject at a time, so that the receiver's associations
never wait for it and nothing that goes wrong there can end the receiver. What is interrupted is done by the next run.
"""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from npcpit_imaging.app.study import Study
from npcpit_imaging.flow.outcome import ALREADY_DONE

COMMAND = (sys.executable, "-c", "from npcpit_imaging.cli import main; main()")
PIPELINES = ("baseline", "followup")
"""What can be done without a person: proposals from prompts, registrations, proposals carried over."""

LOOK_S = 0.2
"""How often a waiting worker looks whether it shall end."""


class ArrivalWork:
    """Runs the pipelines for subjects, one after the other, in a thread that waits for the process.

    Args:
        study: The study.
        say: Told what became of each case, from that thread.
    """

    def __init__(self, study: Study, *, say: Callable[[str], None]) -> None:
        self._study, self._say = study, say
        self._subjects: queue.Queue[str] = queue.Queue()
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="arrival-work", daemon=True)

    def start(self) -> None:
        """Begin to take subjects."""
        self._thread.start()

    def take(self, subject: str) -> None:
        """Put a subject in line; one that waits already is not put there again."""
        with self._lock:
            if subject not in self._waiting:
                self._waiting.add(subject)
                self._subjects.put(subject)

    def stop(self) -> None:
        """End the work at hand; what it had done is recorded."""
        self._ending.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ending.is_set():
            try:
                subject = self._subjects.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            with self._lock:
                self._waiting.discard(subject)
            for pipeline in self._pipelines():
                if not self._ending.is_set():
                    self._run(pipeline, subject)

    def _pipelines(self) -> Iterator[str]:
        for name in PIPELINES:
            if name != "baseline" or (self._study.tables / "lesions.csv").exists():
                yield name

    def _run(self, pipeline: str, subject: str) -> None:
        arguments = ("run", pipeline, str(self._study.folder), "--subject", subject, "--json")
        with subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None:
                try:
                    out, errors = process.communicate(timeout=LOOK_S)
                    break
                except subprocess.TimeoutExpired:
                    if self._ending.is_set():
                        process.terminate()
                        process.communicate()
                        self._say(f"{pipeline} {subject}: stopped; run it again for the rest")
                        return
            else:
                out, errors = process.communicate()
        self._tell(pipeline, subject, out, errors)

    def _tell(self, pipeline: str, subject: str, out: str, errors: str) -> None:
        """Say each case that something became of; a run that was refused says why on its error stream."""
        try:
            outcomes = json.loads(out)
        except json.JSONDecodeError:
            self._say(f"{pipeline} {subject}: {errors.strip().splitlines()[-1] if errors.strip() else 'ended early'}")
            return
        for each in outcomes:
            if each["reason"] != ALREADY_DONE:
                self._say(f"{each['status']:8} {each['case']}: {each['reason']}")


@contextmanager
def arrival_work(study: Study, *, say: Callable[[str], None]) -> Iterator[ArrivalWork]:
    """Have a worker for the time of a receiver."""
    work = ArrivalWork(study, say=say)
    work.start()
    try:
        yield work
    finally:
        work.stop()
