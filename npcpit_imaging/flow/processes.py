"""Run one step over cases in several processes of this machine; a process that dies costs nothing but its own case."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait

from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.outcome import Case, Outcome, Status, Step, Supply, attempt

ATTEMPTS = 2
"""How often a case is begun whose process dies; the first time may be the fault of another (memory)."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
"""Several processes with a thread a core each would only get in each other's way."""

GRACE_S = 5.0
"""How long a process may take to end before it is killed."""


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(supply: Supply, step: Step, *, workers: int) -> Iterator[Outcome]:
    """Yield an outcome per case as they come, in no particular order.

    Args:
        supply: Asked for a case whenever a process is free.
        step: Does one case; it is sent to other processes, so a function of a module or an instance of its class.
        workers: How many processes.

    Raises:
        FlowError: There is no worker, or the step cannot be sent.
    """
    if workers < 1:
        raise FlowError(f"workers: expected at least 1, found {workers}")
    sendable = _sendable(step)
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    try:
        while _hand_out(supply, busy, idle, sendable=sendable, workers=workers):
            for worker in _answering(busy):
                outcome = worker.outcome()
                if outcome is not None:
                    busy.remove(worker)
                    idle.append(worker)
                    yield outcome
    finally:
        for worker in (*busy, *idle):
            worker.end()


def _hand_out(supply: Supply, busy: "list[_Worker]", idle: "list[_Worker]", *, sendable: bytes, workers: int) -> bool:
    """Give cases to processes that are free, or new ones; tell whether any is at work."""
    while len(busy) < workers and (case := supply()) is not None:
        if idle:
            worker = idle.pop()
            worker.take(case)
        else:
            worker = _Worker(step=sendable, case=case)
        busy.append(worker)
    return bool(busy)


def _sendable(step: Step) -> bytes:
    try:
        return pickle.dumps(step)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise FlowError(f"step: expected one that other processes can be given, found {step!r} ({error})") from error


class _Worker:
    """One process and the case it is at."""

    def __init__(self, *, step: bytes, case: Case) -> None:
        self._step = step
        self._begin()
        self.take(case)

    def take(self, case: Case) -> None:
        """Begin a case."""
        self.case, self._attempts = case, 0
        self._hand()

    def outcome(self) -> Outcome | None:
        """What became of the case; None while it is tried again, because its process died."""
        with suppress(EOFError, OSError):
            answer: Outcome = self.connection.recv()
            return answer
        self.end()
        ending = _ending(self._process.exitcode)
        self._begin()
        if self._attempts < ATTEMPTS:
            self._hand()
            return None
        reason = f"its process ended without an answer, {self._attempts} times ({ending})"
        return Outcome(case=self.case, status=Status.FAILED, reason=reason)

    def end(self) -> None:
        """Let the process end, or kill it when it does not."""
        self.connection.close()
        self._process.join(GRACE_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked process would inherit locks that threads hold
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        with _environment(ONE_THREAD):
            self._process.start()
        other.close()
        with suppress(OSError):
            self.connection.send_bytes(self._step)

    def _hand(self) -> None:
        self._attempts += 1
        with suppress(OSError):  # a process that is no more shows when its answer is awaited
            self.connection.send(self.case)


def _answering(crew: list[_Worker]) -> list[_Worker]:
    ready = wait([worker.connection for worker in crew])
    return [worker for worker in crew if worker.connection in ready]


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}" + (", perhaps out of memory" if code == -signal.SIGKILL else "")
    return f"exit code {code}"


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Variables that a new process finds from its first import on; what a person has set stays."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _serve(connection: Connection) -> None:
    """Work on what comes until the other end is closed, be it by kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to every process; the first one decides
    with suppress(EOFError, OSError):
        step: Step = pickle.loads(connection.recv_bytes())  # noqa: S301  # from our own parent process
        while True:
            connection.send(attempt(connection.recv(), step))
