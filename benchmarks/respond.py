"""How long the response engine takes: subjects x time points x lesions from a CSV, one process (issue: 60 s, 2 GiB).

Run ``python benchmarks/respond.py`` (10,000 x 8 x 5) or with ``--subjects 1000``; exit code 1 when a limit is passed.
"""

import argparse
import csv
import random
import resource
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from npcpit_imaging.app.respond import respond
from npcpit_imaging.config.protocol import Protocol

LIMIT_S, LIMIT_GIB = 60.0, 2.0
COLUMNS = (
    *("subject", "timepoint", "date", "reader", "lesion", "role", "organ", "nodal", "irradiated", "state"),
    *("longest_diameter_mm", "short_axis_mm", "field", "endoscopy", "comment"),
)
LESIONS = (
    ("T1", "target", "nasopharynx", "no", "yes"),
    ("T2", "target", "neck", "yes", "no"),
    ("T3", "target", "liver", "no", "no"),
    ("O1", "non-target", "bone", "no", "no"),
    ("O2", "non-target", "nasopharynx", "no", "yes"),
)


def write_table(path: Path, *, subjects: int, timepoints: int, seed: int) -> int:
    """Write a table of seeded random courses and give the number of its rows."""
    chance = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number in range(subjects):
            sizes = {lesion[0]: chance.uniform(15, 60) for lesion in LESIONS}
            for visit in range(timepoints):
                name = "BASELINE" if visit == 0 else f"FU{visit}"
                day = (date(2026, 1, 1) + timedelta(days=42 * visit)).isoformat()
                for lesion, role, organ, nodal, irradiated in LESIONS:
                    sizes[lesion] *= chance.uniform(0.8, 1.15) if visit else 1
                    state, longest, short = found(role, nodal, sizes[lesion], chance, first=visit == 0)
                    row = (f"S{number:05}", name, day, "R1", lesion, role, organ, nodal, irradiated, state)
                    table.writerow((*row, longest, short, "", "", ""))
    return subjects * timepoints * len(LESIONS)


def found(role: str, nodal: str, size: float, chance: random.Random, *, first: bool) -> tuple[str, str, str]:
    """Draw a state and its diameters."""
    if role == "non-target":
        return ("present" if first else chance.choice(("present", "present", "absent", "not_assessed"))), "", ""
    if not first and chance.random() < 0.05:
        return chance.choice(("absent", "too_small", "not_assessed")), "", ""
    text = f"{size:.1f}"
    return ("measured", "", text) if nodal == "yes" else ("measured", text, "")


def main() -> int:
    """Time one run and compare it with the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--timepoints", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "MEASUREMENTS.csv"
        rows = write_table(path, subjects=options.subjects, timepoints=options.timepoints, seed=options.seed)
        begin = time.perf_counter()
        report = respond(path, protocol=Protocol(irecist=True))
        report.write_csv(Path(folder) / "answers")
        seconds = time.perf_counter() - begin
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{rows} rows, {len(report.timepoints)} responses, {len(report.faults)} faults: {seconds:.1f} s, {gib:.2f} GiB"
    )
    return int(seconds > LIMIT_S or gib > LIMIT_GIB or not report.ok)


if __name__ == "__main__":
    sys.exit(main())
