"""What must not be lost or half-saved: two readers at once, a server killed in the middle, a disk that is full."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from npcpit_imaging.app.study import open_study
from npcpit_imaging.server.run import serve
from npcpit_imaging.store.audit import verify_audit
from tests.server.conftest import PASSWORD, SUBJECT, Served, line_mm, person

RUN = """
import sys
from pathlib import Path
from urllib.parse import urlsplit
from npcpit_imaging.app.study import open_study
from npcpit_imaging.server.run import serve
with open_study(Path(sys.argv[1])) as study:
    serve(study, host=None, port=0, say=lambda text: print(text, flush=True))
"""


class Process:
    """The server as its own process, as a person starts it."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", RUN, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "reading page: http" in line, line + self.process.stdout.read()
        self.url = line.split()[2].rstrip("/")

    def kill(self) -> None:
        """As a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Wait for its end."""
        self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def process(folder: Path):
    running = Process(folder)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.close()


def test_the_page_can_be_opened_as_soon_as_it_is_told(folder: Path):
    """Whoever follows the link at once waits for an answer and is never refused, however slow the start is."""
    connected = []

    def follow(url: str) -> None:
        place = urlsplit(url)
        with socket.create_connection((place.hostname, place.port), timeout=30):
            connected.append(url)
        raise KeyboardInterrupt  # before uvicorn was begun

    with open_study(folder) as study, pytest.raises(KeyboardInterrupt):
        serve(study, host=None, port=0, say=lambda text: None, ready=follow)
    assert len(connected) == 1


def series_of_baseline(folder: Path) -> str:
    with open_study(folder) as study, study.database.session() as session:
        query = "SELECT uid FROM series JOIN timepoint ON timepoint.id = timepoint_id WHERE name = 'BASELINE'"
        return str(session.execute(text(query)).scalar_one())


def test_a_server_killed_while_saving_loses_nothing_confirmed_and_shows_nothing_half_saved(
    folder: Path, process: Process
):
    """Strokes are sent without pause; the process is killed among them; what was answered is there, whole."""
    uid = series_of_baseline(folder)
    answered: list[tuple[int, str]] = []

    def draw(client: httpx.Client) -> None:
        revision = client.get(f"/api/reads/{SUBJECT}/BASELINE").json()["revision"]
        for number in range(10_000):
            x = -10.0 + number % 20
            change = {"kind": "edit_mask", "lesion": "T01", "series_uid": uid, "operation": "brush", "radius_mm": 2.0,
                      "points_mm": [[x, 0.5, 15.0]]}  # fmt: skip
            try:
                answer = client.post(
                    f"/api/reads/{SUBJECT}/BASELINE/changes", json={"revision": revision, "change": change}
                )
            except httpx.HTTPError:
                return
            read = answer.json()["read"]
            revision = read["revision"]
            answered.append((revision, next(e["mask"]["digest"] for e in read["lesions"] if e["lesion"] == "T01")))

    with httpx.Client(base_url=process.url, timeout=60) as client:
        csrf = client.post("/api/session", json={"username": "reader1", "password": PASSWORD}).json()["csrf"]
        client.headers["X-CSRF-Token"] = csrf
        drawing = threading.Thread(target=draw, args=(client,))
        drawing.start()
        while len(answered) < 8:
            assert drawing.is_alive()
            time.sleep(0.01)
        process.kill()
        drawing.join(timeout=60)
    again = Process(folder)
    try:
        with httpx.Client(base_url=again.url, timeout=60) as client:
            client.post("/api/session", json={"username": "reader1", "password": PASSWORD})
            read = client.get(f"/api/reads/{SUBJECT}/BASELINE").json()
            entry = next(each for each in read["lesions"] if each["lesion"] == "T01")
            assert read["revision"] >= answered[-1][0], "an answered change is in the database"
            if read["revision"] == answered[-1][0]:
                assert entry["mask"]["digest"] == answered[-1][1]
            mask = client.get(f"/api/masks/{entry['mask']['digest']}")
            assert mask.status_code == 200, "the mask of the last step is whole"
    finally:
        again.kill()
    with open_study(folder) as study, study.database.session() as session:
        assert verify_audit(session).whole
        steps = session.execute(text("SELECT count(*), max(number) FROM draft_step")).one()
        saved = session.execute(text("SELECT count(*) FROM audit WHERE action = 'read.change'")).scalar_one()
    assert steps[0] == steps[1] == saved == read["revision"] - 1, "each change is one step and one row of the trail"


def test_two_readers_and_two_windows_saving_at_once_lose_nothing(served: Served):
    """Two readers save at the same time, one of them in two windows: every answered change is a step of its draft."""
    done: dict[str, list[int]] = {"reader1": [], "reader2": []}
    refused: list[str] = []

    def work(name: str, states: tuple[str, str]) -> None:
        with person(served, name) as client:
            for number in range(12):
                answer = client.try_change("BASELINE", kind="state", lesion="NT01", state=states[number % 2])
                if answer.status_code == 200:
                    done[name].append(answer.json()["read"]["revision"])
                else:
                    refused.append(answer.json()["error"]["code"])

    with person(served, "reader1") as one, person(served, "reader2") as two:
        one.read("BASELINE"), two.read("BASELINE")
    threads = [
        threading.Thread(target=work, args=(name, ("present", "not_assessed")))
        for name in ("reader1", "reader1", "reader2")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert set(refused) <= {"stale-revision"}
    assert sorted(done["reader1"]) == list(range(2, len(done["reader1"]) + 2)), "no revision is given twice"
    assert sorted(done["reader2"]) == list(range(2, 14)), "the other reader's work disturbs nobody"
    with served.study.database.session() as session:
        assert verify_audit(session).whole


def test_on_a_full_disk_nothing_is_half_saved_and_the_reader_is_told(folder: Path):
    """A real file system of 24 MB that is filled up: saving is refused, and works again when there is room."""
    mount = folder.parent / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        subprocess.run(["cp", "-a", str(folder), str(mount / "study")], check=True)
        _fill_and_try(mount)
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def _fill_and_try(mount: Path) -> None:
    running = Process(mount / "study")
    try:
        uid = series_of_baseline(mount / "study")
        with httpx.Client(base_url=running.url, timeout=60) as client:
            csrf = client.post("/api/session", json={"username": "reader1", "password": PASSWORD}).json()["csrf"]
            client.headers["X-CSRF-Token"] = csrf
            url = f"/api/reads/{SUBJECT}/BASELINE"
            revision = client.get(url).json()["revision"]
            line = {
                "kind": "caliper",
                "lesion": "T01",
                "series_uid": uid,
                "axis": "long",
                "line_mm": line_mm("BASELINE"),
            }
            with (mount / "ballast").open("wb", buffering=0) as ballast:
                try:
                    while True:
                        ballast.write(bytes(65536))
                except OSError:
                    pass
            codes = []
            for _ in range(60):
                answer = client.post(f"{url}/changes", json={"revision": revision, "change": line})
                codes.append(answer.status_code)
                if answer.status_code != 200:
                    break
                revision = answer.json()["read"]["revision"]
            assert codes[-1] == 507, codes
            assert answer.json()["error"]["code"] == "storage"
            assert client.get(url).json()["revision"] == revision, "what was refused is not there"
            (mount / "ballast").unlink()
            answer = client.post(f"{url}/changes", json={"revision": revision, "change": line})
            assert answer.status_code == 200, answer.text
    finally:
        running.kill()
    with open_study(mount / "study") as study, study.database.session() as session:
        assert verify_audit(session).whole
