"""A synthetic cohort from DICOM to results: one worker, two workers, and a Dask cluster; the same outputs each way.

Run ``python benchmarks/cohort.py`` (60 subjects x 5 visits) or with ``--subjects 6 --visits 3``. Every way begins with
the same DICOM files and the same study secret, in a study of its own; exit code 1 when a canonical output differs or a
case failed. The Dask cluster is a scheduler and two workers in processes of their own on 127.0.0.1, .2 and .3.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cohort_images import make_subject, visit_name, write_tables, write_visit

NPCPIT = [sys.executable, "-c", "from npcpit_imaging.cli import main; main()"]
PARALLEL = ("baseline", "followup", "respond", "radiomics", "deliver")
CANONICAL = ("measurements.csv", "features.csv", "responses_*.csv", "results/tables/*.csv")
"""What must be the same whichever way it ran."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
START_S = 60.0
SECRET = "11" * 32  # of a study without patients


def make_images(folder: Path, *, subjects: int, visits: int) -> None:
    """Write every subject's every visit."""
    for number in range(subjects):
        subject = make_subject(number, visits=visits)
        for visit in range(visits):
            write_visit(subject, visit, folder / subject.code / visit_name(visit))


def make_study(study: Path, *, subjects: int, visits: int) -> None:
    """A study that knows its subjects, with the secret that every way shares."""
    npcpit("init", study)
    key = study / "vault" / "key"
    key.write_text(SECRET)
    key.chmod(0o600)
    write_tables(study, [make_subject(number, visits=visits) for number in range(subjects)], visits=visits)


def npcpit(*arguments: object) -> str:
    """Run the command line as a person does; a failure ends the benchmark with its words."""
    done = subprocess.run(
        [*NPCPIT, *map(str, arguments)], capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD}
    )
    if done.returncode != 0:
        sys.exit(
            f"npcpit {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr}"
        )
    return done.stdout


def run_way(study: Path, images: Path, options: tuple[str, ...]) -> dict[str, float]:
    """Take the cohort from DICOM to results; seconds per step."""
    seconds: dict[str, float] = {}
    for name, arguments in _steps(study, images, options):
        began = time.perf_counter()
        npcpit(*arguments)
        seconds[name] = time.perf_counter() - began
        print(f"{' '.join(options)}: {name} {seconds[name]:.1f} s", file=sys.stderr)
    return seconds


def _steps(study: Path, images: Path, options: tuple[str, ...]) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield "import", ("import", study, images)
    yield "receive", ("run", "receive", study)
    for pipeline in PARALLEL:
        if pipeline == "respond":
            yield "read", ("read", study, study / "tables" / "reads.csv")
        yield pipeline, ("run", pipeline, study, *options)


def canonical(study: Path) -> dict[str, str]:
    """Digest of every output that must not depend on the way."""
    found = sorted(path for pattern in CANONICAL for path in (study / "deliver").glob(pattern))
    return {path.relative_to(study).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@contextlib.contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """A scheduler and two workers, each a process at an address of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    commands = [["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-show"]]
    one = ["--nthreads", "1", "--nworkers", "1", "--local-directory", str(folder)]
    commands += [["worker", address, "--host", host, *one] for host in ("127.0.0.2", "127.0.0.3")]
    processes = []
    try:
        for command in commands:
            processes.append(_start([sys.executable, "-m", "dask", *command, "--no-dashboard"], folder))
        _wait_for_workers(address, 2)
        yield address
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _start(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **ONE_THREAD}, start_new_session=True
        )


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + START_S
    while True:
        try:
            with Client(address, timeout=2, set_as_default=False) as client:
                client.wait_for_workers(count, timeout=START_S)
                return
        except OSError:
            if time.monotonic() > deadline:
                raise


def main() -> int:
    """Run every way and compare."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--subjects", type=int, default=60)
    arguments.add_argument("--visits", type=int, default=5)
    arguments.add_argument("--ways", nargs="+", default=["1", "2", "dask"], choices=["1", "2", "dask"])
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="npcpit-cohort-") as made:
        folder = Path(made)
        make_images(folder / "images", subjects=chosen.subjects, visits=chosen.visits)
        found = {way: _measure(folder, way, chosen.subjects, chosen.visits) for way in chosen.ways}
    seconds = {way: each[0] for way, each in found.items()}
    outputs = {way: each[1] for way, each in found.items()}
    first = outputs[chosen.ways[0]]
    different = sorted(
        {name for each in outputs.values() for name in {*first, *each} if first.get(name) != each.get(name)}
    )
    _show(seconds, outputs, different, chosen)
    return 1 if different or not first else 0


def _measure(folder: Path, way: str, subjects: int, visits: int) -> tuple[dict[str, float], dict[str, str]]:
    study = folder / f"study-{way}"
    make_study(study, subjects=subjects, visits=visits)
    with contextlib.ExitStack() as life:
        options: tuple[str, ...] = ("--workers", way)
        if way == "dask":
            options = ("--cluster", life.enter_context(dask_cluster(folder)))
        seconds = run_way(study, folder / "images", options)
    digests = canonical(study)
    whole = hashlib.sha256("".join(digests[name] for name in sorted(digests)).encode()).hexdigest()
    print(f"{way}: {len(digests)} canonical outputs, together {whole[:16]}", file=sys.stderr)
    shutil.rmtree(study)
    return seconds, digests


def _show(
    seconds: dict[str, dict[str, float]],
    outputs: dict[str, dict[str, str]],
    different: list[str],
    chosen: argparse.Namespace,
) -> None:
    ways = list(seconds)
    print(
        f"{chosen.subjects} subjects x {chosen.visits} visits; wall seconds; efficiency = t(one worker) / (t x workers)"
    )
    print(f"{'step':12}" + "".join(f"{way:>12}" for way in ways))
    for step in next(iter(seconds.values())):
        print(f"{step:12}" + "".join(f"{seconds[way][step]:12.1f}" for way in ways))
    parallel = {way: sum(seconds[way][step] for step in PARALLEL) for way in ways}
    print(f"{'all':12}" + "".join(f"{sum(seconds[way].values()):12.1f}" for way in ways))
    print(f"{'pipelines':12}" + "".join(f"{parallel[way]:12.1f}" for way in ways))
    efficiency = {way: parallel["1"] / parallel[way] / (1 if way == "1" else 2) for way in ways if "1" in ways}
    if efficiency:
        print(f"{'efficiency':12}" + "".join(f"{efficiency[way]:12.2f}" for way in ways))
    print(f"canonical outputs: {len(outputs[ways[0]])}; different: {', '.join(different) or 'none'}")
    if chosen.json:
        print(
            json.dumps(
                {"subjects": chosen.subjects, "visits": chosen.visits, "seconds": seconds, "efficiency": efficiency}
                | {"outputs": outputs[ways[0]], "different": different}
            )
        )


if __name__ == "__main__":
    sys.exit(main())
