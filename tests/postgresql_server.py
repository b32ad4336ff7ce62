"""A real PostgreSQL server for tests, run as an unprivileged user; it listens on a Unix socket in its own folder."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

START_S = 60.0
SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=60")


class PostgresqlServer:
    """One server in a folder of its own.

    Args:
        programs: Folder of PostgreSQL's programs.
    """

    def __init__(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="npcpit-pg-"))
        self._programs = programs
        user = _unprivileged()
        if user is not None:
            os.chown(self.folder, pwd.getpwnam(user).pw_uid, -1)
        self._run = {"user": user, "cwd": self.folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        options = ("-U", "test", "-A", "trust", "-E", "UTF8", "-N")
        subprocess.run([programs / "initdb", "-D", self.folder / "data", *options], check=True, **self._run)

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = (*SETTINGS, f"unix_socket_directories={self.folder}")
        arguments = [each for setting in settings for each in ("-c", setting)]
        command = [self._programs / "postgres", "-D", self.folder / "data", *arguments]
        self.process = subprocess.Popen(command, **self._run)
        engine = create_engine(self.url("postgres"), poolclass=NullPool)
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OperationalError), engine.connect():
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL does not answer")

    def url(self, database: str) -> str:
        """URL of a database of this server."""
        return f"postgresql+psycopg://test@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"study_{uuid.uuid4().hex}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return self.url(name)

    def die(self) -> None:
        """End at once, as on a power cut: no checkpoint, every connection cut."""
        self.process.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
        self.process.wait(timeout=30)

    def remove(self) -> None:
        """Stop it and remove its folder."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; anybody else may run it as himself."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
