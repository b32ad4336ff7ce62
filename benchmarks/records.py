"""10,000 subjects' records without pixels: how long status, respond and deliver (tables, SDTM, results) take.

python benchmarks/records.py [--subjects 10000] [--url postgresql://...] [--json]

Each verb runs in a process of its own, so that its peak memory is its own; targets: a minute and 2 GiB each. CPU is
what the process itself worked, which on a busy machine is less than the time it took.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from npcpit_imaging.app.study import Study, init_study, open_study
from npcpit_imaging.store.schema import (
    AssessmentRow,
    Base,
    InstanceRow,
    LesionRow,
    ProposalRow,
    ReadRow,
    SeriesRow,
    SubjectRow,
    TimePointRow,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VISITS = (("BASELINE", -5), ("FU1", 42), ("FU2", 84), ("FU3", 140), ("FU4", 196))
SLICES = 4
"""Objects a series, instead of hundreds: rows, not pixels."""

VERBS = ("status", "respond", "respond again", "deliver tables", "deliver results")
LIMIT_S, LIMIT_GIB = 60.0, 2.0


def rows_of(number: int, draw: np.random.Generator) -> Iterator[tuple[type[Base], dict[str, object]]]:
    """Every row of one subject: 5 visits, a CT each, 2 to 4 lesions with a proposal and a signed read at each."""
    code, start = f"S{number:05d}", date(2023, 1, 9) + timedelta(days=number % 700)
    yield SubjectRow, {"code": code, "deidentified": False, "created": NOW}
    lesions = [
        (f"T{n + 1:02d}", f"1.2.{number}.{n}", float(draw.uniform(12, 60)), float(draw.beta(2, 1.5)))
        for n in range(2 + number % 3)
    ]
    for name, uid, _, _ in lesions:
        yield (
            LesionRow,
            {
                "tracking_uid": uid,
                "subject": code,
                "lesion_id": name,
                "role": "TARGET",
                "organ": f"organ {name}",
                "location": "NASOPHARYNX",
                "nodal": False,
                "irradiated": True,
                "prior_rt": False,
                "prior_rt_progression_documented": None,
            },
        )
    for order, (visit, day) in enumerate(VISITS):
        point, series = number * len(VISITS) + order + 1, f"1.3.{number}.{order}"
        yield TimePointRow, {"id": point, "subject": code, "name": visit, "date": start + timedelta(days=day)}
        yield (
            SeriesRow,
            {
                "uid": series,
                "study_uid": f"1.4.{number}.{order}",
                "subject": code,
                "timepoint_id": point,
                "modality": "CT",
                "description": "",
                "frame_of_reference_uid": None,
                "date": start + timedelta(days=day),
                "state": "complete",
                "state_reason": "",
                "expected": None,
                "findings": [],
                "updated": NOW,
            },
        )
        for k in range(SLICES):
            yield (
                InstanceRow,
                {
                    "sop_instance_uid": f"{series}.{k}",
                    "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                    "series_uid": series,
                    "path": f"{series}/{k}.dcm",
                    "sha256": f"{number:064d}",
                    "received_sha256": f"{k:064d}",
                    "deidentified": False,
                    "received": NOW,
                },
            )
        yield (
            ReadRow,
            {
                "id": point,
                "timepoint_id": point,
                "reader": "R1",
                "version": 1,
                "signed": NOW,
                "reason": "",
                "label": "",
            },
        )
        for n, (_, uid, base, shrink) in enumerate(lesions):
            size = (
                base
                * (1 - shrink * min(1.0, max(day, 0) / 90))
                * (1 + 0.3 * max(0, day - 150) / 100 * (number % 4 == 0))
            )
            gone = size < 4
            key = point * 4 + n
            yield (
                ProposalRow,
                {
                    "id": key,
                    "tracking_uid": uid,
                    "timepoint_id": point,
                    "series_uid": series,
                    "mask_path": "x.nii.gz",
                    "mask_sha256": f"{key:064d}",
                    "prompt": {},
                    "segmenter": {"name": "ellipsoid", "version": "1"},
                    "measurement": {
                        "longest_diameter": None,
                        "short_axis": None,
                        "slice_index_k": None,
                        "slice_position_mm": None,
                        "volume_ml": size**3 * 0.5236 / 1000,
                        "components": 1,
                        "convention": "axial",
                        "findings": [],
                    },
                    "uptake": None,
                    "inputs": {},
                    "key": f"{key:064d}",
                    "created": NOW,
                },
            )
            yield (
                AssessmentRow,
                {
                    "id": key,
                    "read_id": point,
                    "tracking_uid": uid,
                    "proposal_id": None if gone else key,
                    "state": "absent" if gone else "measured",
                    "longest_diameter_mm": None if gone else round(size, 1),
                    "short_axis_mm": None,
                    "accepted": "" if gone else "proposal",
                    "reader_caliper": None,
                    "reader_short_caliper": None,
                    "field": "in",
                    "comment": "",
                    "findings": [],
                },
            )


def make_store(folder: Path, subjects: int, url: str) -> float:
    """Make a study of so many subjects and return how long that took, s."""
    begin = time.perf_counter()
    init_study(folder)
    site = folder / "configs" / "site.toml"
    if url:
        text = site.read_text(encoding="utf-8")
        assert 'url = "sqlite:///npcpit.sqlite"' in text
        site.write_text(text.replace('url = "sqlite:///npcpit.sqlite"', f'url = "{url}"'), encoding="utf-8")
    with open_study(folder) as study:
        fill(study, subjects)
    tables = folder / "tables"
    days = [date(2023, 1, 9) + timedelta(days=number % 700) for number in range(subjects)]
    light = "".join(
        f"S{number:05d},T{n + 1:02d},1,{day}\n" for number, day in enumerate(days) for n in range(2 + number % 3)
    )
    (tables / "treatments.csv").write_text(f"subject,lesion,cycle,date\n{light}", encoding="utf-8")
    courses = "".join(
        f"S{number:05d},{day},{day + timedelta(days=200) if number % 5 == 0 else ''},{day + timedelta(days=300)}\n"
        for number, day in enumerate(days)
    )
    (tables / "subjects.csv").write_text(
        f"subject,treatment_start,death_date,last_contact\n{courses}", encoding="utf-8"
    )
    return time.perf_counter() - begin


def fill(study: Study, subjects: int) -> None:
    """Insert the rows of so many subjects, 500 at a time."""
    draw = np.random.default_rng(1)
    order = (SubjectRow, LesionRow, TimePointRow, SeriesRow, InstanceRow, ReadRow, ProposalRow, AssessmentRow)
    for first in range(0, subjects, 500):
        batch: dict[type[Base], list[dict[str, object]]] = {kind: [] for kind in order}
        for number in range(first, min(first + 500, subjects)):
            for kind, row in rows_of(number, draw):
                batch[kind].append(row)
        with study.database.session() as session:
            for kind in order:
                session.execute(insert(kind), batch[kind])


def run_verb(verb: str, folder: Path) -> None:
    """Run one verb in this process and print seconds and peak memory as JSON."""
    from npcpit_imaging.app.delivery import deliver_tables
    from npcpit_imaging.app.pipelines import all_well, run_pipeline
    from npcpit_imaging.app.results import deliver_results
    from npcpit_imaging.app.survey import survey_study

    begin, began = time.perf_counter(), time.process_time()
    with open_study(folder) as study:
        if verb == "status":
            said = f"{len(survey_study(study).subjects)} subjects"
        elif verb.startswith("respond"):
            outcomes = run_pipeline(study, "respond")
            assert all_well(outcomes), next(each for each in outcomes if each.status == "failed")
            said = f"{len(outcomes)} cases, first {outcomes[0].status}"
        else:
            said = deliver_tables(study) if verb == "deliver tables" else deliver_results(study)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak = usage.ru_maxrss / 1024**2
    print(
        json.dumps(
            {
                "verb": verb,
                "seconds": round(time.perf_counter() - begin, 2),
                "cpu_s": round(time.process_time() - began, 2),
                "peak_gib": round(peak, 3),
                "said": said,
            }
        )
    )


def main() -> None:
    """Make the store, run each verb, print a table and, with --json, one object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--url", default="", help="SQLAlchemy URL of an empty database; SQLite without.")
    parser.add_argument("--folder", type=Path, help="Keep the study here; a temporary folder without.")
    parser.add_argument(
        "--only", choices=VERBS, nargs="+", help="Some verbs on a study that is there already (--folder)."
    )
    parser.add_argument("--run", choices=VERBS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.run:
        run_verb(given.run, given.folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary) / "study"
        made = 0.0 if given.only else make_store(folder, given.subjects, given.url)
        kind = "PostgreSQL" if given.url else "SQLite"
        print(f"{given.subjects} subjects on {kind}, store made in {made:.0f} s, load average {os.getloadavg()[0]:.1f}")
        print(
            f"{'verb':18} {'s':>8} {'CPU s':>8} {'GiB':>7}  within {LIMIT_S:.0f} s and {LIMIT_GIB:.0f} GiB", flush=True
        )
        found = [_measured(verb, folder) for verb in (given.only or VERBS)]
    if given.json:
        print(json.dumps({"subjects": given.subjects, "database": kind, "verbs": found}))


def _measured(verb: str, folder: Path) -> dict[str, Any]:
    row = _in_own_process(verb, folder)
    well = row["seconds"] <= LIMIT_S and row["peak_gib"] <= LIMIT_GIB
    numbers = f"{verb:18} {row['seconds']:8.1f} {row['cpu_s']:8.1f} {row['peak_gib']:7.2f}"
    print(f"{numbers}  {'yes' if well else 'NO':3}  {str(row['said'])[:70]}", flush=True)
    return row


def _in_own_process(verb: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--run", verb, "--folder", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{verb}: {answer.stderr[-2000:]}")
    row: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return row


if __name__ == "__main__":
    main()
