"""The ready-built OHIF viewer opens the study through our DICOMweb and our sign-in, in Debian's Chromium."""

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from starlette.responses import FileResponse, Response

from npcpit_imaging.store.images import study_uid_of
from tests.conftest import find_program
from tests.server.conftest import RADII_MM, SHAPE, Served, person, serving, sphere

VERSION = "3.13.2"
"""Of `@ohif/app`: test only, nothing of it is shipped."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "npcpit-tests"
FLAGS = ("--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader")
READY_MS = 120_000
LAST = SHAPE[0] - 1
ALIKE = 0.8
"""Correlation of a shown slice with ours; between two different slices without the ball it is 0."""

CONFIG = """
window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, maxNumberOfWebWorkers: 1,
  defaultDataSourceName: 'npcpit', investigationalUseDialog: { option: 'never' },
  dataSources: [{
    namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'npcpit',
    configuration: {
      friendlyName: 'npcpit', name: 'npcpit', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web', wadoUriRoot: '/dicom-web',
      qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
      supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true,
    },
  }],
};
"""
"""What docs/serve.md gives to sites."""


@pytest.fixture(scope="session")
def viewer() -> Path:
    """The viewer's files, fetched once by npm into a cache."""
    folder = CACHE / f"ohif-{VERSION}"
    if not (folder / "package" / "dist" / "index.html").is_file():
        _fetch(find_program("npm", "npm"), folder)
    return folder / "package" / "dist"


def _fetch(npm: str, folder: Path) -> None:
    unpacking = folder.with_suffix(".part")
    shutil.rmtree(unpacking, ignore_errors=True)
    unpacking.mkdir(parents=True)
    command = [npm, "pack", f"@ohif/app@{VERSION}", "--silent"]
    done = subprocess.run(command, cwd=unpacking, capture_output=True, text=True, check=False)
    if done.returncode:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip  # as for any peer that is missing
        refuse(f"npm cannot fetch @ohif/app {VERSION}")
    with tarfile.open(unpacking / done.stdout.split()[-1]) as packed:
        packed.extractall(unpacking, filter="data")
    unpacking.rename(folder)


class WithViewer:
    """The viewer's files beside our server, one origin: what a site's reverse proxy does."""

    def __init__(self, app: Any, dist: Path) -> None:
        self.app, self.dist = app, dist

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = str(scope.get("path", "/"))
        if scope["type"] != "http" or path.startswith(("/api", "/dicom-web")):
            await self.app(scope, receive, send)
            return
        file = self.dist / path.lstrip("/")
        answer: Response = FileResponse(file if path != "/" and file.is_file() else self.dist / "index.html")
        if path == "/app-config.js":
            answer = Response(CONFIG, media_type="text/javascript")
        await answer(scope, receive, send)


@pytest.fixture
def served(folder: Path, viewer: Path) -> Iterator[Served]:
    with serving(folder, around=lambda app: WithViewer(app, viewer)) as running:
        yield running


@pytest.mark.slow
def test_ohif_lists_the_studies_and_shows_the_images(served: Served, tmp_path: Path):
    """A researcher, signed in here, sees our very slices in OHIF's viewport: each is known by its noise."""
    chromium = find_program("chromium", "chromium")
    with served.study.database.session() as session:
        study_uid = study_uid_of(session, served.series["BASELINE"])
    with person(served, "researcher") as signed_in, sync_playwright() as playwright:
        cookie = {"name": "npcpit_session", "value": signed_in.cookies["npcpit_session"], "url": served.url}
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        stranger = browser.new_context().request.get(f"{served.url}/dicom-web/studies")
        assert stranger.status == 401, "without signing in there is nothing to see"
        context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        refused: list[str] = []
        page.on("response", lambda each: refused.append(f"{each.status} {each.url}") if each.status >= 400 else None)
        page.goto(served.url)
        page.get_by_text("NPC-0001").first.wait_for(timeout=READY_MS)
        page.screenshot(path=tmp_path / "ohif-studies.png")
        page.goto(f"{served.url}/viewer?StudyInstanceUIDs={study_uid}")
        canvas = page.locator("canvas.cornerstone-canvas").first
        canvas.wait_for(timeout=READY_MS)
        page.get_by_text("Skip all").click(timeout=READY_MS)
        first = _shown(page, canvas, lambda k: k is not None)
        canvas.hover()
        page.mouse.wheel(0, 100)
        later = _shown(page, canvas, lambda k: k is not None and k != first)
        page.screenshot(path=tmp_path / "ohif-viewer.png")
        browser.close()
    assert first in {0, LAST} and abs(later - first) == 1, "one notch of the wheel is one slice"
    assert [each for each in refused if "/dicom-web" in each] == []


def _shown(page: Any, canvas: Any, wanted: Callable[[int | None], bool]) -> int:
    """The slice of ours that the viewport shows, once it is a wanted one."""
    k = None
    for _ in range(READY_MS // 500):
        k = _slice_in(np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("L")))
        if k is not None and wanted(k):
            return k
        page.wait_for_timeout(500)
    pytest.fail(f"the viewport never showed the wanted slice; found {k}")


def _slice_in(picture: np.ndarray) -> int | None:
    """Which slice a viewport shows: each is known by its own noise; None where it is like none of them."""
    size = min(picture.shape)
    top, left = ((whole - size) // 2 for whole in picture.shape)
    square = Image.fromarray(picture[top : top + size, left : left + size])
    planes = sphere(RADII_MM["BASELINE"])
    small = np.asarray(square.resize(planes[0].shape[::-1], Image.Resampling.BOX), float)
    alike = [float(np.corrcoef(small.ravel(), plane.ravel())[0, 1]) for plane in planes]
    return int(np.argmax(alike)) if np.nanmax(alike) > ALIKE else None
