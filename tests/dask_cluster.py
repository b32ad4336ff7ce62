"""A real Dask cluster on loopback: a scheduler and workers, each a process of its own at an address of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from distributed import Client

START_S = 60.0


@dataclass
class DaskCluster:
    """Starts and stops the processes of a cluster."""

    folder: Path
    port: int
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def start_scheduler(self) -> None:
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-show")
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        pytest.fail(f"the scheduler did not start: {self.log('scheduler')}")

    def start_worker(self, host: str) -> None:
        """A worker process that its nanny starts again when it dies, as Dask does by default."""
        one = ("--nthreads", "1", "--nworkers", "1", "--local-directory", str(self.folder))
        self._start(host, "--host", host, *one, command=("worker", self.address))

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=START_S)

    def kill(self, name: str) -> None:
        """Kill a process and what it has started."""
        process = self.processes[name]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> None:
        for name in reversed(self.processes):
            self.kill(name)

    def _start(self, name: str, *arguments: str, command: tuple[str, ...] = ("scheduler",)) -> None:
        dask = [sys.executable, "-m", "dask", *command, *arguments, "--no-dashboard"]
        tests = Path(__file__).parent
        here = [str(tests / "flow"), str(tests.parent), str(tests.parent / "benchmarks")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(here), "PYTHONWARNINGS": "ignore"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                dask, stdout=log, stderr=log, env=environment, start_new_session=True
            )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
