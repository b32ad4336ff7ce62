"""The reading page under software rendering: two 512x512x120 CTs ready, scroll, line to mask, size of the first load.

The study is synthetic: the sample's two head CTs resampled to 512x512x120, stored again and registered by the pipeline.
Chromium runs without a graphics card, as on many a hospital PC, on the machine that also serves: the page then draws
by the processor; ``--webgl`` keeps WebGL, which Chromium then imitates. The server is started anew before the
measurement, so that "ready" holds the server's own opening of the files; its segmenters are loaded by then, as those
of `npcpit serve` are soon after its start.

Run ``python benchmarks/page.py``; with ``--folder DIR`` the study is made there once and kept (copied for each run).
"""

import argparse
import gzip
import json
import shutil
import socket
import statistics
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import uvicorn
from playwright.sync_api import Page, sync_playwright
from scipy import ndimage

from npcpit_imaging.app.demo import SUBJECT
from npcpit_imaging.app.demo_reading import make_reading_demo
from npcpit_imaging.app.study import open_study
from npcpit_imaging.app.warming import warm_segmenters
from npcpit_imaging.server.application import create_app
from npcpit_imaging.server.page import DIST

SAMPLE = Path(__file__).parent.parent / "sample_dicom"
FLAGS = ("--no-sandbox", "--disable-gpu")
SIZE = (120, 512, 512)
GOALS = {"ready_s": 5.0, "scroll_p50_ms": 100.0, "prompt_p95_ms": 1000.0, "first_load_mb": 1.5}


def make_sample(folder: Path) -> None:
    """Copy the sample with its diagnostic CTs on 512x512x120 grids over the same extent; MR and PET are left out."""
    for visit in ("BASELINE", "FU1"):
        slices = [pydicom.dcmread(path) for path in sorted((SAMPLE / visit / "CT").glob("*.dcm"))]
        slices.sort(key=lambda each: float(each.ImagePositionPatient[2]))
        volume = np.stack([each.pixel_array for each in slices]).astype(np.float32)
        finer = ndimage.zoom(volume, [new / old for new, old in zip(SIZE, volume.shape, strict=True)], order=1)
        _write(folder / visit / "CT", slices, finer.round().astype(slices[0].pixel_array.dtype), volume.shape)
    shutil.copy(SAMPLE / "truth.toml", folder / "truth.toml")


def _write(folder: Path, slices: list[pydicom.FileDataset], voxels: np.ndarray, old: tuple[int, ...]) -> None:
    folder.mkdir(parents=True)
    first = slices[0]
    corner, last = (np.array(each.ImagePositionPatient, float) for each in (first, slices[-1]))
    pixel_mm = float(first.PixelSpacing[0]) * (old[2] - 1) / (SIZE[2] - 1)
    step = (last - corner) / (SIZE[0] - 1)
    for k, plane in enumerate(voxels):
        each = first.copy()
        each.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        each.Rows, each.Columns, each.PixelSpacing = SIZE[1], SIZE[2], [pixel_mm, pixel_mm]
        each.SliceThickness = f"{np.linalg.norm(step):.6g}"
        each.ImagePositionPatient = [f"{value:.6f}"[:16] for value in corner + k * step]
        each.InstanceNumber = k + 1
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        each.PixelData = plane.tobytes()
        each.save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a study from a thread."""
    with open_study(folder) as study, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(study), log_level="critical", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            warm_segmenters(study).join()
            while not server.started:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


def sign_baseline(url: str, password: str, truth: dict[str, Any]) -> None:
    """Measure every lesion of the baseline by a line on its true axis, and sign: the follow-up opens."""
    with httpx.Client(base_url=f"{url}api/", timeout=300) as http:
        session = http.post("session", json={"username": "reader1", "password": password}).raise_for_status().json()
        http.headers["X-CSRF-Token"] = session["csrf"]
        read = http.get(f"reads/{SUBJECT}/BASELINE").raise_for_status().json()
        uid = read["timepoints"][0]["series"][0]["uid"]
        for entry in read["lesions"]:
            lesion = truth["lesion"][entry["lesion"]]["at"]["BASELINE"]
            line = {"kind": "line", "points_mm": lesion["longest_axis_mm"]}
            for change in (
                {"kind": "prompt", "lesion": entry["lesion"], "series_uid": uid, "prompts": [line]},
                {"kind": "confirm", "lesion": entry["lesion"], "accept": "proposal"},
            ):
                body = {"revision": read["revision"], "change": change}
                answer = http.post(f"reads/{SUBJECT}/BASELINE/changes", json=body).raise_for_status()
                read = answer.json()["read"]
        body = {"revision": read["revision"], "password": password, "meaning": "read"}
        http.post(f"reads/{SUBJECT}/BASELINE/sign", json=body).raise_for_status()


def prepare(folder: Path) -> None:
    """Make the study, with its baseline read; an earlier one in the folder is taken as it is."""
    if folder.is_dir():
        return
    with tempfile.TemporaryDirectory() as scratch:
        sample = Path(scratch) / "sample"
        make_sample(sample)
        password = new_password_of(make_reading_demo(folder, sample, say=lambda line: None))
        truth = tomllib.loads((SAMPLE / "truth.toml").read_text(encoding="utf-8"))
        with serving(folder) as url:
            sign_baseline(url, password, truth)


def new_password_of(lines: list[str]) -> str:
    """Reader 1's password among the lines that the demo prints."""
    return next(line.split()[2] for line in lines if line.split()[0] == "reader1")


def measure(page: Page, url: str, password: str, *, turns: int, prompts: int) -> dict[str, float]:
    """Time the page as a reader meets it."""
    page.set_default_timeout(60_000)
    page.goto(url)
    page.fill("input[name=username]", "reader1")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    found = opened(page)
    page.click("button[aria-label='Back to the worklist']")
    found["ready_again_s"] = opened(page)["ready_s"]
    scrolls = page.evaluate(SCROLL, turns)
    waits = [_prompt(page, n) for n in range(prompts)]
    return found | {
        "scroll_p50_ms": statistics.median(scrolls),
        "scroll_p95_ms": float(np.percentile(scrolls, 95)),
        "prompt_p50_ms": statistics.median(waits),
        "prompt_p95_ms": float(np.percentile(waits, 95)),
    }


def opened(page: Page) -> dict[str, float]:
    """Open the follow-up from the worklist: first images on both sides, then every slice of both."""
    link = f"tr[data-item='{SUBJECT} FU1'] a"
    page.wait_for_selector(link)
    started = time.perf_counter()
    page.click(link)
    for side in ("left", "right"):
        page.wait_for_selector(f"[data-pane={side}][data-focus]")
    shown_s = time.perf_counter() - started
    for side in ("left", "right"):
        page.wait_for_selector(f"[data-pane={side}][data-loaded=all]")
    ready_s = time.perf_counter() - started
    page.wait_for_selector("tr.chosen[data-lesion]")
    page.wait_for_selector(IDLE, state="attached")
    return {"first_images_s": shown_s, "ready_s": ready_s}


IDLE = "html:not([data-busy=true])"
"""The page says itself whether something is under way."""

SCROLL = """async (turns) => {
  const pane = document.querySelector('[data-pane=right]'), other = document.querySelector('[data-pane=left]');
  const box = pane.getBoundingClientRect(), frame = () => new Promise(done => requestAnimationFrame(done)), found = [];
  for (let n = 0; n < turns; n++) {
    const [a, b] = [pane.dataset.focus, other.dataset.focus], start = performance.now();
    const deltaY = n < turns / 2 ? 100 : -100;
    const at = { clientX: box.left + 100, clientY: box.top + 100, deltaY, bubbles: true, cancelable: true };
    pane.dispatchEvent(new WheelEvent('wheel', at));
    while (pane.dataset.focus === a || other.dataset.focus === b) await frame();
    await frame();
    found.push(performance.now() - start);
  }
  return found;
}"""
"""One wheel step until both sides have moved and a frame has been drawn after it."""


def _prompt(page: Page, n: int) -> float:
    """Time from letting go of a line to the frame that shows the mask, in ms."""
    page.click("tr[data-lesion=T01]")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.wait_for_selector(IDLE, state="attached")
    box = page.locator("[data-pane=right]").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2 - 20 + n % 5, box["y"] + box["height"] / 2 - 5 + n % 3
    revision = page.get_attribute(".reading", "data-revision")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 36, y + 8, steps=5)
    started = time.perf_counter()
    page.mouse.up()
    page.wait_for_selector(f".reading:not([data-revision='{revision}'])")
    page.wait_for_selector(IDLE, state="attached")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    took_ms = 1000 * (time.perf_counter() - started)
    # Taken back, so that every line begins on the same image: an end of what was proposed would be dragged instead.
    revision = page.get_attribute(".reading", "data-revision")
    page.keyboard.press("Control+z")
    page.wait_for_selector(f".reading:not([data-revision='{revision}'])")
    return took_ms


def first_load_mb() -> float:
    """Everything of the page, gzipped."""
    files = [path for path in DIST.rglob("*") if path.suffix in (".html", ".js", ".css", ".wasm")]
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in files) / 1e6


def run(kept: Path, *, turns: int, prompts: int, webgl: bool) -> dict[str, float]:
    """Serve a copy of the study from a fresh server, and measure."""
    prepare(kept)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch) / "study"
        shutil.copytree(kept, folder)
        password = new_password_of(make_reading_demo(folder, SAMPLE, say=lambda line: None))
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        with serving(folder) as url:
            found = measure(page, url + ("?draw=webgl" if webgl else ""), password, turns=turns, prompts=prompts)
            browser.close()
    return found | {"first_load_mb": first_load_mb()}


def main() -> None:
    """Measure and print a table; with --json also one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--turns", type=int, default=40, help="wheel steps")
    parser.add_argument("--prompts", type=int, default=20, help="line prompts")
    parser.add_argument("--webgl", action="store_true", help="keep WebGL where the browser imitates it")
    parser.add_argument("--folder", type=Path, help="keep the prepared study here")
    parser.add_argument("--prepare", action="store_true", help="only make the study in --folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept = options.folder or Path(scratch) / "kept"
        if options.prepare:
            prepare(kept)
            return
        found = run(kept, turns=options.turns, prompts=options.prompts, webgl=options.webgl)
    for name, value in found.items():
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"   goal <= {goal:g}: {'met' if value <= goal else 'MISSED'}"
        print(f"{name:16}{value:10.2f}{verdict}")
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
