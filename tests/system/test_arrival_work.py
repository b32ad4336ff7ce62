"""Arrival drives work: what DCMTK sends is registered and proposed by itself, once it has settled."""

import importlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.store.lesions import every_proposal_of
from npcpit_imaging.store.runs import runs

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
cohort = importlib.import_module("cohort_images")

NPCPIT = (sys.executable, "-u", "-c", "from npcpit_imaging.cli import main; main()")
PATIENCE_S = 180


@pytest.fixture
def folder(tmp_path):
    """A study that settles after a second and knows the lesions of one subject and the prompts of its baseline."""
    folder = tmp_path / "study"
    init_study(folder)
    cohort.write_tables(folder, [cohort.make_subject(0, visits=2)], visits=1)
    site = folder / "configs" / "site.toml"
    text, count = re.subn(r"settle_s *= *[0-9.]+", "settle_s = 1.0", site.read_text())
    assert count == 1
    site.write_text(text)
    return folder


def test_two_visits_sent_by_storescu_are_registered_and_proposed_without_another_command(folder, tmp_path, storescu):
    process = subprocess.Popen(
        [*NPCPIT, "receive", folder, "--port", "0", "--process"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        line = process.stdout.readline()
        port = re.search(r"port (\d+)", line).group(1)
        for visit in range(2):
            cohort.write_visit(cohort.make_subject(0, visits=2), visit, tmp_path / str(visit))
            send = [storescu, "-aec", "NPCPIT", "127.0.0.1", port, "+sd", "+r", tmp_path / str(visit)]
            subprocess.run(send, check=True, capture_output=True)
        wait_for(folder, {"followup": 5, "baseline": 4}, process)
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    with open_study(folder) as study, study.database.session() as session:
        (registered,) = [row.reason for row in runs(session) if row.case_name == "SYN-0000/FU1/registration"]
        proposals = [(each.timepoint, each.lesion.lesion_id) for each in every_proposal_of(session, "SYN-0000")]
    assert sorted(proposals) == [("BASELINE", "T01"), ("BASELINE", "T02"), ("FU1", "T01"), ("FU1", "T02")]
    assert re.match("registration (accept|warn)", registered), registered
    assert re.search(r"done +SYN-0000/BASELINE/T01/CT: CT: [0-9.]+ mm", out), out
    assert "Invented" not in out and "INVENTED" not in out
    assert "Traceback" not in out


def wait_for(folder, counts, process):
    """Wait until each pipeline has recorded so many cases."""
    deadline = time.monotonic() + PATIENCE_S
    found = {}
    with open_study(folder) as study:
        while time.monotonic() < deadline and process.poll() is None:
            with study.database.session() as session:
                recorded = {(row.pipeline, row.case_name) for row in runs(session)}
            found = {name: sum(pipeline == name for pipeline, _ in recorded) for name in counts}
            if all(found[name] >= count for name, count in counts.items()):
                return
            time.sleep(0.2)
    pytest.fail(f"expected {json.dumps(counts)} recorded cases, found {found}; the receiver: {process.poll()}")
