"""The store on SQLite and on a real PostgreSQL, which is started for the tests as an unprivileged user."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from npcpit_imaging.store.database import Database

START_S = 60.0


@pytest.fixture(scope="session")
def postgresql(postgresql_programs: Path) -> Iterator[str]:
    """URL of a running server's first database, without its name; it listens on a Unix socket in its own folder."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="npcpit-pg-"))
    user = _unprivileged()
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    run = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    initdb = [postgresql_programs / "initdb", "-D", folder / "data", "-U", "test", "-A", "trust", "-E", "UTF8", "-N"]
    subprocess.run(initdb, check=True, **run)
    settings = ["listen_addresses=", "fsync=off", f"unix_socket_directories={folder}"]
    server = [postgresql_programs / "postgres", "-D", folder / "data", *(each for s in settings for each in ("-c", s))]
    process = subprocess.Popen(server, **run)
    try:
        url = f"postgresql+psycopg://test@/{{}}?host={folder}"
        _wait(url.format("postgres"), process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; anybody else may run it as himself."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    engine = create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OperationalError), engine.connect():
            return
        time.sleep(0.05)
    pytest.fail("PostgreSQL does not answer")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh store."""
    url = "sqlite:///study.sqlite"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        name = f"study_{uuid.uuid4().hex}"
        engine = create_engine(server.format("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        url = server.format(name)
    opened = Database(url, folder=tmp_path)
    yield opened
    opened.close()
