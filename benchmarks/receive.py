"""Receivers compared: images a second from DCMTK's storescu to ours, to DCMTK's storescp, to pynetdicom and to Orthanc.

```
python benchmarks/receive.py                      # small: about a minute
python benchmarks/receive.py --ct 1000 --pet 300 --runs 5
python benchmarks/receive.py --json               # the last line is the figures as JSON
```
Every measurement starts a fresh server on an empty folder; servers take turns, so that a load on the machine meets all
of them. `nodelay` sets TCP_NODELAY=1 for sender and receiver (DCMTK reads it), `stock` leaves DCMTK's Nagle on.
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


def program(name: str) -> str | None:
    """Return a system program's path, or None when this machine has none."""
    return shutil.which(name, path=PATH_OF_PEERS)


def servers() -> dict[str, Callable[[int, Path], list[str]]]:
    """Return every server this machine can start, by name: (port, folder) to command."""
    this = [sys.executable, str(Path(__file__).resolve()), "--serve"]
    found: dict[str, Callable[[int, Path], list[str]]] = {
        "ours": lambda port, folder: [*this, "ours", str(port), str(folder)],
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
    command: Callable[[int, Path], list[str]], parts: list[Path], load: Load, environment: dict[str, str]
) -> tuple[float, float]:
    """Send one load to a fresh server; return images a second and the server's CPU seconds for 1,000 images."""
    storescu = program("storescu")
    if storescu is None:
        raise SystemExit("storescu is not installed (Debian package dcmtk)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bench-out-") as out:
        server = subprocess.Popen(
            command(port, Path(out)), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
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
            used = cpu_s(server.pid) - before
            if any(codes):
                raise SystemExit(f"storescu failed: {codes} against {server.args!r}")
        finally:
            server.terminate()
            server.wait()
    return load.count / seconds, used * 1000 / load.count


def cpu_s(process: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended (Linux)."""
    time.sleep(0.05)  # a forked child ends a moment after its sender
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def compare(loads: list[Load], runs: int, senders: list[str]) -> list[Rate]:
    """Measure every server with every load and sender, taking turns."""
    figures: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-in-") as made:
        for load in loads:
            parts = make_slices(Path(made) / load.name, load=load)
            for sender in [sender for _ in range(runs) for sender in senders]:
                environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
                if sender == "nodelay":
                    environment["TCP_NODELAY"] = "1"
                for name, command in servers().items():
                    figures.setdefault((name, load.name, sender), []).append(measure(command, parts, load, environment))
            shutil.rmtree(Path(made) / load.name)
    return [summary(*key, figures=found) for key, found in figures.items()]


def summary(server: str, load: str, sender: str, *, figures: list[tuple[float, float]]) -> Rate:
    """Return medians and extremes of one server's runs."""
    rates = [rate for rate, _ in figures]
    return Rate(
        server=server, load=load, sender=sender, images_per_s=statistics.median(rates), slowest_per_s=min(rates),
        fastest_per_s=max(rates), cpu_s_per_1000=statistics.median(cpu for _, cpu in figures),
    )  # fmt: skip


def show(rates: list[Rate]) -> None:
    """Print a table with each server's ratio to ours."""
    heads = f"{'images/s':>9} {'(min':>7} {'max)':>7} {'ours/it':>8} {'CPU s/1000':>11}"
    print(f"{'load':<8} {'sender':<8} {'server':<24} {heads}")
    for rate in sorted(rates, key=lambda rate: (rate.load, rate.sender)):
        ours = next(r for r in rates if (r.server, r.load, r.sender) == ("ours", rate.load, rate.sender))
        print(
            f"{rate.load:<8} {rate.sender:<8} {rate.server:<24} {rate.images_per_s:9.0f} {rate.slowest_per_s:7.0f} "
            f"{rate.fastest_per_s:7.0f} {ours.images_per_s / rate.images_per_s:8.2f} {rate.cpu_s_per_1000:11.2f}"
        )


def serve(kind: str, port: int, folder: Path) -> None:
    """Run one of the Python servers until it is terminated."""
    if kind == "pynetdicom":
        serve_pynetdicom(port, folder)
        return
    from npcpit_imaging.dicom.receiver import Receiver
    from npcpit_imaging.dicom.receiver_settings import ReceiverSettings
    from npcpit_imaging.dicom.spool import Spool

    if kind == "ours-not-synced":
        os.fsync = os.fdatasync = lambda descriptor: None
    settings = ReceiverSettings(port=port, ae_title=AE_TITLE, max_pdu_bytes=MAX_PDU_BYTES)
    with Spool(folder) as spool, Receiver(settings, spool):
        time.sleep(3600)


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
    ]
    rates = compare(loads, arguments.runs, arguments.senders)
    show(rates)
    print(f"medians of {arguments.runs} runs; {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "rates": [asdict(rate) for rate in rates]}))


if __name__ == "__main__":
    main()
