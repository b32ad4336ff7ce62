"""What dies in the middle of a run on a real Dask cluster with a real PostgreSQL costs nothing that a rerun cannot do.

Six lesions are proposed by the shipped baseline pipeline. Its first two cases run through; the others stand still in
the workers until a file says go: whatever dies, dies while exactly two are recorded, on any machine.
"""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npcpit_imaging.app.importing import import_folder
from npcpit_imaging.app.pipelines import RunBy, all_well, run_pipeline
from npcpit_imaging.app.study import init_study, open_study
from npcpit_imaging.errors import FlowError, NpcpitError
from npcpit_imaging.flow.run import ALREADY_DONE
from npcpit_imaging.store.database import Database
from npcpit_imaging.store.lesions import every_proposal_of
from npcpit_imaging.store.runs import runs

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
cohort = importlib.import_module("cohort_images")
dask_cluster = importlib.import_module("dask_cluster")
postgresql_server = importlib.import_module("postgresql_server")

SUBJECTS = 3
CASES = 2 * SUBJECTS
GATED = """

_run = run


def run(study, case):
    import time

    deadline = time.monotonic() + 120
    while not case.name.startswith("SYN-0000/") and not (study.folder / "go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
    return _run(study, case)
"""


class Silent:
    """A progress bar that shows nothing."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return lambda: None

    def __exit__(self, *_):
        return None


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number in range(SUBJECTS):
        cohort.write_visit(cohort.make_subject(number, visits=1), 0, folder / str(number))
    return folder


@pytest.fixture(scope="module")
def server(postgresql_programs):
    """A PostgreSQL of our own, because one test kills it."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgresql)")
    made = postgresql_server.PostgresqlServer(postgresql_programs)
    try:
        made.start()
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def filled(images, tmp_path_factory):
    """A study folder with its objects, on SQLite; each test takes a copy to a PostgreSQL database of its own."""
    folder = tmp_path_factory.mktemp("filled") / "study"
    init_study(folder)
    cohort.write_tables(folder, [cohort.make_subject(number, visits=1) for number in range(SUBJECTS)], visits=1)
    pipeline = folder / "pipelines" / "baseline.py"
    (folder / "pipelines" / "gated.py").write_text(pipeline.read_text() + GATED)
    with open_study(folder) as study:
        import_folder(study, images, progress=Silent)
        assert all_well(run_pipeline(study, "baseline"))
        reference = measured(study)
    (folder / "npcpit.sqlite").unlink()
    shutil.rmtree(folder / "objects")
    shutil.rmtree(folder / "derived")
    (folder / "objects").mkdir()
    (folder / "derived").mkdir()
    return folder, reference


@pytest.fixture
def folder(filled, server, images, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(filled[0], folder, ignore=shutil.ignore_patterns("identity.sqlite*"))
    site = folder / "configs" / "site.toml"
    site.write_text(site.read_text().replace("sqlite:///npcpit.sqlite", server.new_database()))
    with open_study(folder) as study:
        import_folder(study, images, progress=Silent)
    return folder


@pytest.fixture
def cluster(tmp_path):
    made = dask_cluster.DaskCluster(folder=tmp_path, port=dask_cluster.free_port())
    try:
        begin(made)
        yield made
    finally:
        made.stop()


def begin(made):
    made.start_scheduler()
    for host in ("127.0.0.2", "127.0.0.3"):
        made.start_worker(host)
    made.wait_for_workers(2)


def measured(study):
    """Every proposal's lesion and size, and how often it stands there."""
    found = {}
    with study.database.session() as session:
        for number in range(SUBJECTS):
            for each in every_proposal_of(session, f"SYN-{number:04}"):
                key = (each.subject, each.lesion.lesion_id)
                found.setdefault(key, []).append(each.measurement.longest_diameter_mm)
    return found


def run_and_kill(folder, cluster, kill):
    """Run, kill something at the second outcome, let the others go; returns the outcomes, or the error."""
    told = []

    def on_outcome(outcome):
        told.append(outcome)
        if len(told) == 2:
            kill()
            (folder / "go").touch()

    with open_study(folder) as study:
        try:
            return run_pipeline(study, "gated", on_outcome=on_outcome, crew=RunBy(cluster=cluster.address))
        except NpcpitError as error:
            return error


def rerun(folder, cluster):
    """Run again: everything done, and nothing twice."""
    (folder / "go").touch()
    with open_study(folder) as study:
        outcomes = run_pipeline(study, "gated", crew=RunBy(cluster=cluster.address))
        with study.database.session() as session:
            recorded = [row.case_name for row in runs(session) if row.pipeline == "gated" and row.outcome == "done"]
        found = measured(study)
    assert all_well(outcomes), [each.reason for each in outcomes]
    on_ct = [each for each in outcomes if each.case.name.endswith("/CT")]  # there is no PET: those cases are skipped
    assert len(on_ct) == CASES
    assert sorted(recorded) == sorted(each.case.name for each in on_ct), "each case is recorded done once"
    return on_ct, found


def test_a_killed_worker_costs_nothing(folder, cluster, filled):
    outcomes = run_and_kill(folder, cluster, lambda: cluster.kill("127.0.0.2"))
    assert all_well(outcomes)
    _, found = rerun(folder, cluster)
    assert found == filled[1]


@pytest.mark.slow
def test_a_killed_scheduler_ends_the_run_and_a_rerun_does_the_rest(folder, cluster, filled):
    error = run_and_kill(folder, cluster, lambda: cluster.kill("scheduler"))
    assert isinstance(error, FlowError)
    assert "run again for the rest" in str(error)
    cluster.stop()
    begin(cluster)
    outcomes, found = rerun(folder, cluster)
    assert sum(each.reason == ALREADY_DONE for each in outcomes) == 2
    assert found == filled[1]


def test_a_killed_database_ends_the_run_and_a_rerun_does_the_rest(folder, cluster, filled, server):
    result = run_and_kill(folder, cluster, server.die)
    assert isinstance(result, NpcpitError), "an outcome that cannot be recorded must not pass for one"
    server.start()
    outcomes, found = rerun(folder, cluster)
    assert sum(each.reason == ALREADY_DONE for each in outcomes) == 2
    assert found == filled[1]


@pytest.mark.slow
def test_a_killed_run_is_taken_up_where_it_was(folder, cluster, filled):
    """The process that hands out the cases is killed; the workers' last cases may be done but unrecorded."""
    code = "import sys; from npcpit_imaging.cli import main; main()"
    command = [sys.executable, "-c", code, "run", "gated", folder, "--cluster", cluster.address]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until_recorded(folder, 2, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    outcomes, found = rerun(folder, cluster)
    assert sum(each.reason == ALREADY_DONE for each in outcomes) == 2
    assert found == filled[1]


def wait_until_recorded(folder, count, process):
    deadline = time.monotonic() + 120
    with open_study(folder) as study:
        while time.monotonic() < deadline and process.poll() is None:
            with study.database.session() as session:
                if sum(row.pipeline == "gated" for row in runs(session)) >= count:
                    return
            time.sleep(0.1)
    pytest.fail(f"the run ended ({process.poll()}) or did nothing before it could be killed")


def test_workers_on_another_version_of_the_pipeline_are_refused(folder, cluster):
    """What the run began with is what every worker must find."""
    with open_study(folder) as study:
        assert isinstance(study.database, Database)
        path = folder / "pipelines" / "gated.py"

        def edit(_):
            path.write_text(path.read_text() + "\n# edited while it runs\n")

        outcomes = run_pipeline(study, "gated", on_start=edit, crew=RunBy(cluster=cluster.address))
    reasons = {each.reason for each in outcomes}
    assert reasons == {"gated.py: expected the pipeline and configuration that the run began with"}
