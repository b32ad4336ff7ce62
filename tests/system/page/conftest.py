"""The reading page as readers use it: Debian's Chromium on the real server with the sample study.

The study is made once (received over the network, registered), the baseline is read once through the API. Tests that
change a draft only share one server and one page a module, and begin with everything undone; the others have a copy of
the study and a server of their own on a free port of this machine.
"""

import fcntl
import json
import os
import re
import shutil
import socket
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from npcpit_imaging.app.demo import SUBJECT
from npcpit_imaging.app.demo_reading import make_reading_demo
from npcpit_imaging.app.study import open_study
from npcpit_imaging.server.application import create_app
from npcpit_imaging.server.page import DIST

SAMPLE = Path(__file__).parents[3] / "sample_dicom"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader")
"""No graphics card, and WebGL imitated in software where the page wants it."""

READY_MS = 1000 * int(os.environ.get("NPCPIT_PATIENCE_S", "120"))
"""Patience with a busy machine; a test waits for what it needs, never for a time."""

Truth = dict[str, Any]
Rgb = NDArray[np.int16]


@pytest.fixture(scope="session")
def truth() -> Truth:
    return tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A prepared study and its accounts' passwords."""

    folder: Path
    passwords: dict[str, str]


class Caller:
    """A person at the API: arranges what a test is not about."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.password = password
        self.http = httpx.Client(base_url=f"{url}api/", timeout=120)
        session = self.http.post("session", json={"username": name, "password": password})
        session.raise_for_status()
        self.revisions: dict[str, int] = {}
        self.series: dict[str, str] = {}
        self.http.headers["X-CSRF-Token"] = session.json()["csrf"]

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def read(self, visit: str) -> Any:
        return self.get(f"reads/{SUBJECT}/{visit}")

    def change(self, visit: str, **change: object) -> Any:
        """Change a draft; the newest revision is remembered, so that this costs one request."""
        path = f"reads/{SUBJECT}/{visit}/changes"
        body = {"revision": self.revisions.get(visit) or self.read(visit)["revision"], "change": change}
        answer = self.http.post(path, json=body)
        if answer.status_code == 409:  # the page changed it in between
            answer = self.http.post(path, json={**body, "revision": self.read(visit)["revision"]})
        assert answer.is_success, answer.text
        read = answer.json()["read"]
        self.revisions[visit] = read["revision"]
        return read

    def undo_all(self, visit: str) -> None:
        """Take back every change of a draft."""
        read = self.read(visit)
        while read["can_undo"]:
            read = self.post(f"reads/{SUBJECT}/{visit}/undo", {"revision": read["revision"]})["read"]
        self.revisions[visit] = read["revision"]

    def lesion(self, visit: str, name: str) -> Any:
        return next(each for each in self.read(visit)["lesions"] if each["lesion"] == name)

    def sign(self, visit: str) -> Any:
        body = {"revision": self.read(visit)["revision"], "password": self.password, "meaning": "read"}
        return self.post(f"reads/{SUBJECT}/{visit}/sign", body)

    def ct(self, visit: str) -> str:
        if visit not in self.series:
            (point,) = [each for each in self.read(visit)["timepoints"] if each["name"] == visit]
            self.series[visit] = next(each["uid"] for each in point["series"] if each["role"] == "diagnostic")
        return self.series[visit]

    def measure(self, visit: str, lesion: str, truth: Truth, *, scale: float = 1.0) -> None:
        """Draw a lesion's true axes, longer by a factor, as the reader's own calipers, and confirm them."""
        lines = truth["reader"][visit][lesion]
        for axis, name in (("long", "long_axis_mm"), ("short", "short_axis_mm")):
            start, end = (np.array(each) for each in lines[name])
            middle = (start + end) / 2
            line = [(middle + scale * (each - middle)).tolist() for each in (start, end)]
            self.change(visit, kind="caliper", lesion=lesion, series_uid=self.ct(visit), axis=axis, line_mm=line)
        self.change(visit, kind="confirm", lesion=lesion, accept="caliper")

    def read_whole(self, visit: str, truth: Truth, *, scale: float = 1.0) -> Any:
        """Measure every target that is there, call the others absent, and sign."""
        for entry in self.read(visit)["lesions"]:
            if entry["lesion"] in truth["reader"][visit]:
                self.measure(visit, entry["lesion"], truth, scale=scale)
            else:
                self.change(visit, kind="state", lesion=entry["lesion"], state="absent")
        return self.sign(visit)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running server."""

    url: str
    folder: Path
    passwords: dict[str, str]
    callers: list[Caller] = field(default_factory=list)

    def caller(self, name: str) -> Caller:
        self.callers.append(Caller(self.url, name, self.passwords[name]))
        return self.callers[-1]


@contextmanager
def served(
    demo: Demo,
    folder: Path,
    *,
    host: str = "127.0.0.1",
    arrange: Callable[[Path, str], None] = lambda folder, url: None,
) -> Iterator[Site]:
    """Serve a copy of a study from a thread of this process; `arrange` changes the copy before."""
    shutil.copytree(demo.folder, folder)
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        url = f"http://{host}:{listening.getsockname()[1]}/"
        arrange(folder, url)
        study = stack.enter_context(open_study(folder))
        # Idle connections stay: a machine that stands still for seconds would close one just as a test asks by it.
        config = uvicorn.Config(
            create_app(study), log_level="critical", access_log=False, ws="none", timeout_keep_alive=3600
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.02)
            site = Site(url=url, folder=folder, passwords=demo.passwords)
            yield site
            for caller in site.callers:
                caller.http.close()
        finally:
            server.should_exit = True
            thread.join(timeout=60)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], dict[str, str]]) -> Demo:
    """Make a study once for all of pytest's workers."""
    base = factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, passwords = root / f"page-{name}", root / f"page-{name}.json"
    with (root / f"page-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not passwords.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            passwords.write_text(json.dumps(make(folder)), encoding="utf-8")
    return Demo(folder=folder, passwords=json.loads(passwords.read_text(encoding="utf-8")))


def needed(folder: Path) -> Path:
    """The sample study without what no test of the page looks at: of the last visit only its CT is read."""

    def left_out(at: str, names: list[str]) -> set[str]:
        return set(names) - {"CT"} if Path(at).name == "FU2" else set()

    shutil.copytree(SAMPLE, folder, ignore=left_out)
    return folder


@pytest.fixture(scope="session")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The sample study as it arrives, nothing read; `NPCPIT_READING_DEMO` may name one made before, to save time."""
    if not (DIST / "index.html").is_file():
        pytest.fail("the reading page is not built: run .venv/bin/python npcpit_imaging/server/web/build_page.py")

    def make(folder: Path) -> dict[str, str]:
        if made := os.environ.get("NPCPIT_READING_DEMO"):
            shutil.copytree(made, folder)
        with tempfile.TemporaryDirectory() as scratch:
            lines = make_reading_demo(folder, needed(Path(scratch) / "sample"), say=lambda line: None)
        for modality in ("ct", "mr"):
            settings = folder / "configs" / "imaging" / f"{modality}.toml"
            pinned = '\n[segmentation]\nmethod = "calibrated"\n'  # another process need not import torch
            settings.write_text(settings.read_text(encoding="utf-8") + pinned, encoding="utf-8")
        return {name: password for name, _, password in (line.split() for line in lines[1:])}

    return made_once(tmp_path_factory, "unread", make)


@pytest.fixture(scope="session")
def followed(unread: Demo, truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Reader 1 has signed the baseline, drawn on the true axes."""

    def make(folder: Path) -> dict[str, str]:
        with served(unread, folder) as site:
            site.caller("reader1").read_whole("BASELINE", truth)
        return unread.passwords

    return made_once(tmp_path_factory, "followed", make)


@pytest.fixture
def new_site(unread: Demo, tmp_path: Path) -> Iterator[Site]:
    with served(unread, tmp_path / "study") as site:
        yield site


@pytest.fixture
def site(followed: Demo, tmp_path: Path) -> Iterator[Site]:
    with served(followed, tmp_path / "study") as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("chromium is not installed (Debian package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Hand:
    """A reader's hand and eyes on the page."""

    def __init__(self, page: Page, shots: Path) -> None:
        self.page = page
        self.shots = shots
        self.draw = ""  # "webgl": keep WebGL though it is imitated

    def sign_in(self, site: Site, name: str) -> None:
        self.page.goto(f"{site.url}?draw={self.draw}" if self.draw else site.url)
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", site.passwords[name])
        self.page.click("button[type=submit]")
        self.page.wait_for_selector("nav a")

    def open(self, site: Site, name: str, visit: str) -> None:
        self.sign_in(site, name)
        self.page.click(f"tr[data-item='{SUBJECT} {visit}'] a")
        self.page.wait_for_selector("[data-pane=right][data-loaded=all]", timeout=READY_MS)
        self.page.wait_for_selector("tr.chosen[data-lesion]")
        self.settle()

    def again(self) -> None:
        """Reload the page and wait for its images."""
        self.page.reload()
        self.page.wait_for_selector("[data-pane=right][data-loaded=all]")
        self.page.wait_for_selector("tr.chosen[data-lesion]")
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is under way and both sides have been drawn: two frames after the last change."""
        self.page.wait_for_selector("html:not([data-busy=true])", state="attached")
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.wait_for_selector("html:not([data-busy=true])", state="attached")

    def saved(self, revision: int) -> None:
        """Wait until the server has a change after this revision."""
        self.until(lambda: self.revision > revision and self.page.get_attribute(".reading", "data-saving") == "saved")
        self.settle()

    def until(self, met: Callable[[], bool]) -> None:
        """Wait from outside the page: its content security policy lets nobody evaluate text within it."""
        ends = time.monotonic() + READY_MS / 1000
        while not met():
            assert time.monotonic() < ends, f"not met in {READY_MS / 1000:.0f} s"
            self.page.wait_for_timeout(50)

    @property
    def revision(self) -> int:
        return int(self.page.get_attribute(".reading", "data-revision") or 0)

    def key(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)
        self.settle()

    def focus_mm(self, side: str) -> NDArray[np.float64]:
        said = self.page.get_attribute(f"[data-pane={side}]", "data-focus") or ""
        return np.array([float(each) for each in said.split(",")])

    def placing(self, side: str, geometry: Any) -> Callable[[Any], tuple[float, float]]:
        """From a world point to where it lies on the screen, by where the page now says its columns and rows lie."""
        said = self.page.get_attribute(f"[data-pane={side}]", "data-placing") or ""
        xa, xb, x0, ya, yb, y0 = (float(each) for each in said.split(","))
        box = self.page.locator(f"[data-pane={side}]").bounding_box()
        assert box is not None

        def place(point_mm: Any) -> tuple[float, float]:
            offset = np.array(point_mm) - np.array(geometry["origin_mm"])
            column, row, _ = (np.array(geometry["direction"]).T @ offset) / np.array(geometry["spacing_mm"])
            return box["x"] + xa * column + xb * row + x0, box["y"] + ya * column + yb * row + y0

        return place

    def on_screen(self, side: str, point_mm: Any, geometry: Any) -> tuple[float, float]:
        return self.placing(side, geometry)(point_mm)

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point, move through the others, let go at the last."""
        mouse = self.page.mouse
        mouse.move(*points[0])
        self.settle()
        mouse.down()
        for point in points[1:]:
            mouse.move(*point, steps=6)
        mouse.up()

    def wheel(self, down: float, side: str = "right", *, held: str | None = None) -> None:
        """Turn the wheel over a side, with a key held or not, and wait until that side has moved."""
        box = self.page.locator(f"[data-pane={side}]").bounding_box()
        assert box is not None
        before = self.focus_mm(side)
        self.page.mouse.move(box["x"] + 200, box["y"] + 300)
        if held is not None:
            self.page.keyboard.down(held)
        self.page.mouse.wheel(0, down)
        if held is not None:
            self.page.keyboard.up(held)
        self.until(lambda: not np.array_equal(self.focus_mm(side), before))
        self.settle()

    def to_slice_of(self, point_mm: Any) -> None:
        """Page to the slice of the right side in which a point lies."""
        for _ in range(200):
            away = float(point_mm[2]) - self.focus_mm("right")[2]
            if abs(away) <= self.slice_mm / 2 + 0.1:
                return
            self.key("PageUp" if away > 0 else "PageDown")
        raise AssertionError(f"no slice at {point_mm}")

    def choose_tool(self, key: str, says: str) -> None:
        """Press a tool's key until the line below the image says what it is."""
        for _ in range(6):
            self.key(key)
            if says in self.page.inner_text("[data-side=right] .bottom-right"):
                return
        raise AssertionError(f"{key} never said {says}")

    @property
    def slice_mm(self) -> float:
        said = self.page.inner_text("[data-side=right] .top-right")
        found = re.search(r"([0-9.]+) mm slices", said)
        assert found, said
        return float(found.group(1))

    def shot(self, name: str) -> Rgb:
        """A picture of the page, kept for people to look at."""
        path = self.shots / f"{name}.png"
        self.page.screenshot(path=path)
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB")).astype(np.int16)

    def around(self, picture: Rgb, place: tuple[float, float], half: int) -> Rgb:
        x, y = (round(each) for each in place)
        return picture[y - half : y + half, x - half : x + half]


NewHand = Callable[[], Hand]


@contextmanager
def hands(chromium: Browser, config: pytest.Config) -> Iterator[tuple[NewHand, list[str]]]:
    """Make hands, each with a browser session of its own; also what their pages have thrown."""
    kept = Path(config.rootpath) / ".page-shots"
    kept.mkdir(exist_ok=True)
    contexts = []
    errors: list[str] = []

    def make() -> Hand:
        context = chromium.new_context(viewport={"width": 1600, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(READY_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return Hand(page, kept)

    yield make, errors
    for context in contexts:
        context.close()


@pytest.fixture
def new_hand(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[NewHand]:
    """Hands for one test; a page that throws fails it."""
    with hands(chromium, request.config) as (make, errors):
        yield make
    assert errors == []


@pytest.fixture
def hand_without_webgl(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Hand]:
    """A hand in a browser that has no 3D interface at all."""
    browser = chromium.browser_type.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-3d-apis", "--disable-gpu"]
    )
    try:
        with hands(browser, request.config) as (make, errors):
            yield make()
        assert errors == []
    finally:
        browser.close()


@pytest.fixture
def hand(new_hand: NewHand) -> Hand:
    return new_hand()


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Reader 1 before the follow-up: the page, the server, and the same person at the API."""

    hand: Hand
    site: Site
    reader: Caller
    geometry: Any
    errors: list[str]

    def place(self, point_mm: Any) -> tuple[float, float]:
        """Where a point of the follow-up's CT lies on the screen."""
        return self.hand.on_screen("right", point_mm, self.geometry)


@pytest.fixture(scope="module")
def draw() -> str:
    """What draws the images: the page's own choice, which is the processor where there is no graphics card."""
    return ""


@pytest.fixture(scope="module")
def opened(
    followed: Demo,
    chromium: Browser,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    draw: str,
) -> Iterator[Reading]:
    """One server and one page for the tests of a module."""
    folder = tmp_path_factory.mktemp("page") / "study"
    with served(followed, folder) as site, hands(chromium, request.config) as (make, errors):
        hand, reader = make(), site.caller("reader1")
        hand.draw = draw
        hand.open(site, "reader1", "FU1")
        geometry = reader.get(f"series/{reader.ct('FU1')}")
        yield Reading(hand=hand, site=site, reader=reader, geometry=geometry, errors=errors)


@pytest.fixture
def reading(opened: Reading) -> Iterator[Reading]:
    """The follow-up as it is opened for the first time: everything that another test did is taken back."""
    opened.reader.undo_all("FU1")
    opened.hand.again()
    yield opened
    thrown = list(opened.errors)
    opened.errors.clear()
    assert thrown == []
