"""Run one step over cases on a Dask cluster; a worker that dies costs a retry elsewhere, a poisonous case only itself.

The workers must run this same version and see the study under the same path. A case is attempted by one thread of a
worker at a time, because ITK's number of threads belongs to the whole process.
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress

from distributed import Client, Future
from distributed.comm.registry import backends
from distributed.scheduler import KilledWorker

import npcpit_imaging
from npcpit_imaging.errors import FlowError
from npcpit_imaging.flow.outcome import Case, Outcome, Status, Step, Supply, attempt

CONNECT_TIMEOUT_S = 15.0
"""How long a scheduler may take to answer."""

LOOK_S = 0.5
"""How often we look whether the scheduler is still there."""

AHEAD = 1
"""How many cases wait at the scheduler beyond those at work, so that no worker idles between two."""

WORKER_PATIENCE_S = 60.0
"""How long we wait for a worker when all are gone; a nanny starts one that died again within seconds."""

LOST = ("cancelled", "lost", "pending")
"""States of an ended future whose answer is no more; pending: the scheduler has begun it again by itself."""

ATTEMPTS = 3
"""How often a case is begun whose answers are lost."""

LOST_WORDS = f"its answer was lost with its worker, {ATTEMPTS} times"

LOGGERS = ("distributed", "distributed.client", "distributed.core", "distributed.comm")
"""What they would say of a lost scheduler or worker is said by our own errors and outcomes."""

LOG = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.Lock()


def in_cluster(
    supply: Supply,
    step: Step,
    *,
    address: str,
    one_host: bool = False,
    patience_s: float = WORKER_PATIENCE_S,
) -> Iterator[Outcome]:
    """Yield an outcome per case as they come, in no particular order.

    Args:
        supply: Asked for a case whenever the cluster has room.
        step: Does one case; it is sent to the workers, so a function of a module or an instance of its class.
        address: Of the scheduler, e.g. ``tcp://10.0.0.5:8786``.
        one_host: Every worker must be on this machine (a store on SQLite).
        patience_s: How long we wait for a worker once there is none left.

    Raises:
        FlowError: The scheduler does not answer or was lost, has no worker or none any more, or a worker cannot be
            used, also one that joined later.
    """
    _require_scheme(address)
    with _connected(address) as client:
        if not _workers(client):
            raise FlowError(f"cluster {address}: expected at least one worker, found none")
        work = _Work(client, step, _Usable(client, address, one_host=one_host), patience_s=patience_s)
        while True:
            while work.has_room(address) and (case := supply()) is not None:
                work.begin(case)
            if not work.begun and not work.begin_suspect():
                return
            outcome = work.outcome(address)
            if outcome is not None:
                yield outcome


class _Work:
    """The cases that are at a cluster."""

    def __init__(self, client: Client, step: Step, usable: "_Usable", *, patience_s: float) -> None:
        self._client, self._step = client, step
        self._usable, self._patience_s = usable, patience_s
        self._none_since: float | None = None
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._begun = 0
        self._suspects: list[Case] = []
        self._alone = False
        self.begun: dict[str, tuple[Case, int]] = {}

    def has_room(self, address: str) -> bool:
        """As many cases as there are workers, each of which does one at a time, and one waits; none beside a suspect.

        Raises:
            FlowError: The scheduler was lost, or a worker that joined cannot be used.
        """
        self._require_scheduler(address, after_s=0)
        workers = _workers(self._client)
        self._usable.require(workers)
        if self._alone and self.begun:
            return False
        self._alone = False
        return len(self.begun) < len(workers) + AHEAD

    def begin(self, case: Case, attempts: int = 1) -> None:
        """Hand a case to the scheduler; only the callback's queue keeps its future."""
        self._begun += 1
        key = f"npcpit-{self._begun}-{case.name}"
        self.begun[key] = (case, attempts)
        self._client.submit(_attempt, case, self._step, key=key, pure=False).add_done_callback(self._ended.put)

    def begin_suspect(self) -> bool:
        """Begin a case whose workers died, with nothing beside it: before, it may have been its neighbour's fault."""
        if not self._suspects:
            return False
        self._alone = True
        self.begin(self._suspects.pop(0))
        return True

    def outcome(self, address: str) -> Outcome | None:
        """Wait for the next case to end; None where its answer died with its worker, and it is begun again.

        Raises:
            FlowError: The scheduler was lost, or the answer cannot be read.
        """
        future = self._next(address)
        case, attempts = self.begun[future.key]
        outcome: Outcome | None
        try:
            outcome = _answer(future, case, address)
        except _AnswerLostError as lost:
            self._require_scheduler(address)
            outcome = self._after_loss(case, attempts, lost)
        del self.begun[future.key]
        if outcome is None and case not in self._suspects:
            self.begin(case, attempts + 1)
        return outcome

    def _after_loss(self, case: Case, attempts: int, lost: "_AnswerLostError") -> Outcome | None:
        """None while there is hope: the case is begun again, and in the end alone."""
        if not lost.is_killer and attempts < ATTEMPTS:
            return None
        if self._alone:
            return Outcome(case=case, status=Status.FAILED, reason=f"{lost}; alone too; set aside")
        self._suspects.append(case)
        return None

    def _next(self, address: str) -> Future:
        while True:
            with suppress(queue.Empty):
                return self._ended.get(timeout=LOOK_S)
            self._require_scheduler(address, after_s=0)
            self._require_worker(address)

    def _require_worker(self, address: str) -> None:
        """Wait for a worker only so long: a scheduler without any keeps cases for ever, and says nothing."""
        if _workers(self._client):
            self._none_since = None
            return
        if self._none_since is None:
            self._none_since = time.monotonic()
            LOG.warning("cluster %s: no worker is left; waiting %g s for one", address, self._patience_s)
        if time.monotonic() - self._none_since >= self._patience_s:
            raise FlowError(
                f"cluster {address}: no worker was left for {self._patience_s:g} s with {len(self.begun)} cases begun; "
                "what was done before is recorded, run again for the rest"
            )

    def _require_scheduler(self, address: str, *, after_s: float = LOOK_S) -> None:
        time.sleep(after_s)  # a client notices the end of its connection a moment after its futures are lost
        if self._client.status != "running":
            raise FlowError(
                f"cluster {address}: the scheduler was lost with {len(self.begun)} cases begun; what was done before "
                "is recorded, run again for the rest"
            )


class _AnswerLostError(Exception):
    """A worker died before the answer of its case was fetched.

    Args:
        text: What happened.
        is_killer: Whether it happened as often as the scheduler allows; else the case may have been done.
    """

    def __init__(self, text: str, *, is_killer: bool = False) -> None:
        super().__init__(text)
        self.is_killer = is_killer


def _attempt(case: Case, step: Step) -> Outcome:
    with _ONE_AT_A_TIME:
        return attempt(case, step)


@contextmanager
def _quietly() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    with _quietly():
        try:
            client = Client(address, timeout=CONNECT_TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise FlowError(f"cluster {address}: expected a Dask scheduler, found none that answers") from error
        try:
            yield client
        finally:
            with suppress(Exception):  # a scheduler that is gone cannot be taken leave of
                client.close(timeout=LOOK_S)


def _workers(client: Client) -> dict[str, int]:
    found: dict[str, dict[str, int]] = client.scheduler_info(n_workers=-1).get("workers", {})  # none once it is lost
    return {address: int(worker["nthreads"]) for address, worker in found.items()}


def _require_scheme(address: str) -> None:
    """Refuse a protocol that Dask does not know before a client is made, which could not be closed again."""
    scheme, named, _ = address.partition("://")
    if named and scheme not in backends:
        known = ", ".join(f"{name}://" for name in sorted(backends))
        raise FlowError(f"cluster {address}: expected one of {known}, found {scheme}://")


class _Usable:
    """Asks each worker once who it is, before the next case is begun; also those that join later."""

    def __init__(self, client: Client, address: str, *, one_host: bool) -> None:
        self._client, self._address, self._one_host = client, address, one_host
        self._known: set[str] = set()

    def require(self, workers: Collection[str]) -> None:
        """Refuse a worker of another version, or on another machine where all must be on this one.

        Raises:
            FlowError: There is such a worker.
        """
        new = [worker for worker in workers if worker not in self._known]
        if not new:
            return
        for worker, (version, host) in self._client.run(_who, workers=new, on_error="ignore").items():
            if version != npcpit_imaging.__version__:
                raise FlowError(
                    f"cluster {self._address}: worker {worker} runs version {version}, "
                    f"expected {npcpit_imaging.__version__}"
                )
            if self._one_host and host != socket.gethostname():
                raise FlowError(
                    f"cluster {self._address}: worker {worker} is on another machine, and the study's store is SQLite; "
                    "expected PostgreSQL ([store] url in site.toml)"
                )
            self._known.add(worker)


def _who() -> tuple[str, str]:
    return npcpit_imaging.__version__, socket.gethostname()


def _answer(future: Future, case: Case, address: str) -> Outcome:
    if future.status in LOST:
        raise _AnswerLostError(LOST_WORDS)
    try:
        outcome: Outcome = future.result(timeout=CONNECT_TIMEOUT_S)
    except KilledWorker as error:
        times = error.allowed_failures + 1
        reason = f"its worker ended without an answer, {times} times, perhaps out of memory"
        raise _AnswerLostError(reason, is_killer=True) from error
    except (CancelledError, TimeoutError) as error:
        raise _AnswerLostError(LOST_WORDS) from error
    except Exception as error:
        raise FlowError(f"cluster {address}: case {case.name} cannot be sent or its answer not read") from error
    return outcome
