"""Receivers compared: images a second from DCMTK's storescu to ours, to DCMTK's storescp, to pynetdicom and to Orthanc.

```
python benchmarks/receive.py                      # small: about a minute
python benchmarks/receive.py --ct 1000 --pet 300 --runs 5
python benchmarks/receive.py --json               # the last line is the figures as JSON
python benchmarks/receive.py --loads "PET x1" --servers ours Orthanc --runs 1 --keep FILE    # a piece of a long run
python benchmarks/receive.py --keep FILE --runs 0 --json                                     # what all pieces found
```
Every measurement starts a fresh server on an empty folder; servers take turns, so that a load on the machine meets all
of them. `nodelay` sets TCP_NODELAY=1 for sender and receiver (DCMTK reads it), `stock` leaves DCMTK's Nagle on.
The clock runs from the start of storescu to its end, when the last object has been acknowledged. The disk is synced
before each measurement and nothing is deleted before the last one: what one server left unwritten, and ext4's search
for inodes that were not deleted a moment ago, are not the next one's to pay.

- `ours`: acknowledged when object and mark are synced; UID and digest are looked up before, so that a duplicate is
  known. After a kill everything is found again by reading the marks: durable, and replayable into the index.
- `ours, in the study`: `npcpit receive` as it is used: de-identified and indexed in SQLite by a thread beside.
  `taken/s` counts until the last object is in the study.
- `ours, not synced`: as `ours`, without its syncs. `ours, bare`: without the index either: no look-up and no digest,
  which serve only to know an object again; storescp has neither. Everything else is the same code.
- `Orthanc`: its default settings: object and SQLite index, synced; `storescp`: files, never synced.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

AE_TITLE = "BENCH"
MAX_PDU_BYTES = 131072
START_TIMEOUT_S = 30.0
PATH_OF_PEERS = "/usr/bin:/usr/sbin:/usr/local/bin"
"""System folders first: pynetdicom installs programs with DCMTK's names into a virtual environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent: how many slices of which size over how many associations."""

    name: str
    count: int
    size: int
    associations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One server's figures for one load."""

    server: str
    load: str
    sender: str
    images_per_s: float
    slowest_per_s: float
    fastest_per_s: float
    cpu_s_per_1000: float
    taken_per_s: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement: images a second acknowledged, and until all were in the study; CPU of the server."""

    images_per_s: float
    taken_per_s: float
    cpu_s_per_1000: float


def program(name: str) -> str | None:
    """Return a system program's path, or None when this machine has none."""
    return shutil.which(name, path=PATH_OF_PEERS)


def servers() -> dict[str, Callable[[int, Path], list[str]]]:
    """Return every server this machine can start, by name: (port, folder) to command."""
    this = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    found: dict[str, Callable[[int, Path], list[str]]] = {
        "ours": lambda port, folder: [*this, "ours", str(port), str(folder)],
        "ours, in the study": lambda port, folder: [*this, "ours-study", str(port), str(folder)],
        "ours, bare": lambda port, folder: [*this, "ours-bare", str(port), str(folder)],
        "ours, not synced": lambda port, folder: [*this, "ours-not-synced", str(port), str(folder)],
        "pynetdicom, raw bytes": lambda port, folder: [*this, "pynetdicom", str(port), str(folder)],
    }
    if storescp := program("storescp"):
        dcmtk = [storescp, "--fork", "-pdu", str(MAX_PDU_BYTES), "-aet", AE_TITLE, "-uf", "+xa"]
        found["storescp --fork"] = lambda port, folder: [*dcmtk, "-od", str(folder), str(port)]
        found["storescp --fork +B"] = lambda port, folder: [*dcmtk, "+B", "-od", str(folder), str(port)]
    if orthanc := program("Orthanc"):
        found["Orthanc"] = lambda port, folder: [orthanc, str(orthanc_settings(port, folder))]
    return found


def orthanc_settings(port: int, folder: Path) -> Path:
    """Write Orthanc's settings: SQLite and synced storage, its defaults."""
    path = folder / "orthanc.json"
    settings = {
        "Name": "bench", "StorageDirectory": str(folder), "IndexDirectory": str(folder), "DicomAet": AE_TITLE,
        "DicomPort": port, "HttpServerEnabled": False, "DicomCheckCalledAet": False, "MaximumPduLength": MAX_PDU_BYTES,
    }  # fmt: skip
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def make_slices(folder: Path, *, load: Load) -> list[Path]:
    """Write the load's slices as Part-10 files, one folder for each association."""
    import numpy as np
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    noise = np.random.default_rng(1).integers(0, 4096, (load.size, load.size), dtype=np.uint16)
    study, series = generate_uid(), generate_uid()
    parts = [folder / str(number) for number in range(load.associations)]
    for part in parts:
        part.mkdir(parents=True)
    for number in range(load.count):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.InstanceNumber = study, series, number + 1
        dataset.PatientID, dataset.Modality = "BENCH", "CT"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = load.size, load.size, 1
        dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelData = np.roll(noise, number).tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(parts[number % load.associations] / f"{number}.dcm", enforce_file_format=True)
    return parts


def free_port() -> int:
    """Return a TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def await_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server answers."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if server.poll() is not None:
            raise SystemExit(f"server ended with code {server.returncode}: {server.args!r}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"server did not start within {START_TIMEOUT_S:g} s: {server.args!r}")


def measure(
    command: Callable[[int, Path], list[str]], parts: list[Path], load: Load, environment: dict[str, str], out: Path
) -> Run:
    """Send one load to a fresh server that writes to `out`, an empty folder."""
    storescu = program("storescu")
    if storescu is None:
        raise SystemExit("storescu is not installed (Debian package dcmtk)")
    port = free_port()
    os.sync()
    server = subprocess.Popen(command(port, out), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_port(port, server)
        before = cpu_s(server.pid)
        start_s = time.perf_counter()
        senders = [
            subprocess.Popen(
                [storescu, "-aec", AE_TITLE, "-R", "+sd", "127.0.0.1", str(port), str(part)], env=environment
            )
            for part in parts
        ]
        codes = [sender.wait() for sender in senders]
        seconds = time.perf_counter() - start_s
        await_taken(out / "study")
        taken_s = time.perf_counter() - start_s
        used = cpu_s(server.pid) - before
        if any(codes):
            raise SystemExit(f"storescu failed: {codes} against {server.args!r}")
    finally:
        server.terminate()
        server.wait()
    return Run(
        images_per_s=load.count / seconds, taken_per_s=load.count / taken_s, cpu_s_per_1000=used * 1000 / load.count
    )


def await_taken(study: Path) -> None:
    """Wait until nothing waits in the spool of a study any more."""
    from npcpit_imaging.dicom.spool_census import spool_census

    while study.is_dir() and spool_census(study / "vault" / "spool").waiting:
        time.sleep(0.01)


def cpu_s(process: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended (Linux)."""
    time.sleep(0.05)  # a forked child ends a moment after its sender
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


Figures = dict[tuple[str, str, str], list[Run]]
"""Measurements by server, load and sender."""


def compare(loads: list[Load], runs: int, senders: list[str], names: list[str], figures: Figures) -> None:
    """Measure servers with every load and sender, taking turns; adds to the figures."""
    with tempfile.TemporaryDirectory(prefix="bench-in-") as made:
        for load in loads:
            parts = make_slices(Path(made) / load.name, load=load)
            for sender in [sender for _ in range(runs) for sender in senders]:
                environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
                if sender == "nodelay":
                    environment["TCP_NODELAY"] = "1"
                for name, command in servers().items():
                    if name in names:
                        out = Path(tempfile.mkdtemp(prefix="out-", dir=made))
                        run = measure(command, parts, load, environment, out)
                        figures.setdefault((name, load.name, sender), []).append(run)


def summary(server: str, load: str, sender: str, *, runs: list[Run]) -> Rate:
    """Return medians and extremes of one server's runs."""
    rates = [run.images_per_s for run in runs]
    return Rate(
        server=server, load=load, sender=sender, images_per_s=statistics.median(rates), slowest_per_s=min(rates),
        fastest_per_s=max(rates), cpu_s_per_1000=statistics.median(run.cpu_s_per_1000 for run in runs),
        taken_per_s=statistics.median(run.taken_per_s for run in runs), runs=len(runs),
    )  # fmt: skip


def kept(path: Path | None) -> Figures:
    """Read what earlier pieces of a long run found."""
    if path is None or not path.exists():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {tuple(row["what"]): [Run(**run) for run in row["runs"]] for row in rows}


def keep(path: Path | None, figures: Figures) -> None:
    """Write all measurements for the next piece."""
    if path is not None:
        rows = [{"what": list(what), "runs": [asdict(run) for run in runs]} for what, runs in figures.items()]
        path.write_text(json.dumps(rows), encoding="utf-8")


def show(rates: list[Rate]) -> None:
    """Print a table with each server's ratio to ours."""
    rates_heads = f"{'images/s':>9} {'(min':>7} {'max)':>7} {'ours/it':>8} {'bare/it':>8}"
    heads = f"{rates_heads} {'taken/s':>8} {'CPU s/1000':>11} {'n':>3}"
    print(f"{'load':<8} {'sender':<8} {'server':<24} {heads}")
    for rate in sorted(rates, key=lambda rate: (rate.load, rate.sender)):
        print(
            f"{rate.load:<8} {rate.sender:<8} {rate.server:<24} {rate.images_per_s:9.0f} {rate.slowest_per_s:7.0f} "
            f"{rate.fastest_per_s:7.0f} {ratio(rates, 'ours', rate):8.2f} {ratio(rates, 'ours, bare', rate):8.2f} "
            f"{rate.taken_per_s:8.0f} {rate.cpu_s_per_1000:11.2f} {rate.runs:3d}"
        )


def ratio(rates: list[Rate], name: str, rate: Rate) -> float:
    """How many times as fast as a server one of ours was with the same load and sender; not a number without it."""
    what = (name, rate.load, rate.sender)
    own = [each.images_per_s for each in rates if (each.server, each.load, each.sender) == what]
    return own[0] / rate.images_per_s if own else float("nan")


def serve(kind: str, port: int, folder: Path) -> None:
    """Run one of the Python servers until it is terminated."""
    if kind == "pynetdicom":
        serve_pynetdicom(port, folder)
        return
    import npcpit_imaging.dicom.spool
    from npcpit_imaging.dicom.receiver import Receiver
    from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
    from npcpit_imaging.dicom.spool import Spool

    if kind == "ours-study":
        serve_study(port, folder / "study")
        return
    if kind in ("ours-not-synced", "ours-bare"):
        os.fsync = os.fdatasync = lambda descriptor: None
    if kind == "ours-bare":
        Spool._known_digest = lambda spool, uid: None
        npcpit_imaging.dicom.spool.hashlib = NoDigests
    settings = ReceiverSettings(port=port, ae_title=AE_TITLE, max_pdu_bytes=MAX_PDU_BYTES)
    with Spool(folder) as spool, Receiver(settings, spool):
        time.sleep(3600)


class NoDigests:
    """Stands for hashlib where the digest is left out."""

    @classmethod
    def sha256(cls, start: bytes) -> "NoDigests":
        """Make one."""
        return cls()

    def update(self, piece: memoryview) -> None:
        """Take no notice of a piece."""

    def hexdigest(self) -> str:
        """Thirty-two zero bytes."""
        return "00" * 32


def serve_study(port: int, folder: Path) -> None:
    """Run `npcpit receive` on a new study: de-identified and indexed."""
    from npcpit_imaging.app.listening import receive
    from npcpit_imaging.app.study import init_study, open_study

    init_study(folder)
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text(encoding="utf-8").replace('"NPCPIT"', f'"{AE_TITLE}"'), encoding="utf-8")
    with open_study(folder) as study:
        receive(study, port=port, seconds=3600, say=lambda line: None)


def serve_pynetdicom(port: int, folder: Path) -> None:
    """Run pynetdicom's SCP as lean as its public interface allows: the bytes as received, no decoding."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt

    def store(event: evt.Event) -> int:
        (folder / f"{event.request.AffectedSOPInstanceUID}.dcm").write_bytes(event.encoded_dataset())
        return 0

    ae = AE(ae_title=AE_TITLE)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.maximum_pdu_size = MAX_PDU_BYTES
    ae.start_server(("127.0.0.1", port), evt_handlers=[(evt.EVT_C_STORE, store)])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ct", type=int, default=200, help="CT slices of 512 x 512")
    parser.add_argument("--pet", type=int, default=200, help="PET slices of 144 x 144")
    parser.add_argument("--runs", type=int, default=2, help="measurements of each server, load and sender")
    parser.add_argument("--senders", nargs="+", choices=["nodelay", "stock"], default=["nodelay"])
    parser.add_argument("--loads", nargs="+", default=["CT x1", "CT x4", "PET x1", "PET x4"], help="names of loads")
    parser.add_argument("--servers", nargs="+", default=list(servers()), choices=list(servers()))
    parser.add_argument("--keep", type=Path, help="a file that gathers the measurements of several calls")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")
    parser.add_argument("--serve", nargs=3, metavar=("KIND", "PORT", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve[0], int(arguments.serve[1]), Path(arguments.serve[2]))
        return
    loads = [
        Load(name="CT x1", count=arguments.ct, size=512, associations=1),
        Load(name="CT x4", count=arguments.ct, size=512, associations=4),
        Load(name="PET x1", count=arguments.pet, size=144, associations=1),
        Load(name="PET x4", count=arguments.pet, size=144, associations=4),
    ]
    figures = kept(arguments.keep)
    chosen = [load for load in loads if load.name in arguments.loads]
    compare(chosen, arguments.runs, arguments.senders, arguments.servers, figures)
    keep(arguments.keep, figures)
    rates = [summary(*what, runs=runs) for what, runs in figures.items()]
    show(rates)
    print(f"medians of n runs; {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    if arguments.json:
        print(json.dumps({"rates": [asdict(rate) for rate in rates]}))


if __name__ == "__main__":
    main()
