"""Open a study's database: SQLite in WAL mode by default, brought to the newest schema by Alembic."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError
from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from npcpit_imaging.errors import MissingPartError, StorageFullError, StoreError

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another one on SQLite."""

POSTGRESQL_DRIVER = "postgresql+psycopg"
"""Psycopg 3; a URL that names no driver means this one, not SQLAlchemy's older default."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A study's database, at the newest schema.

    Args:
        url: SQLAlchemy URL.
        folder: What a relative SQLite path is relative to.

    Raises:
        StoreError: The database cannot be opened or migrated.
        MissingPartError: Its driver is not installed.
    """

    def __init__(self, url: str, *, folder: Path) -> None:
        self.engine = _engine(url, folder)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        try:
            self._migrate()
        except BaseException:  # nobody gets this object, so nobody could close its connections
            self.engine.dispose()
            raise

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back when anything raises.

        Raises:
            StoreError: The database refused.
            StorageFullError: It has no room left.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except SQLAlchemyError as error:
            if _is_full(error):
                raise StorageFullError("database: the disk is full; nothing of this change was kept") from error
            raise StoreError(f"database: {type(error).__name__}: {_first_line(error)}") from error

    @property
    def is_sqlite(self) -> bool:
        """Whether the record is a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def _migrate(self) -> None:
        try:
            with self.engine.begin() as connection:
                upgrade(connection)
        except SQLAlchemyError as error:
            raise StoreError(f"database: cannot be opened or migrated: {_first_line(error)}") from error
        except CommandError as error:
            text = "database: expected a schema that this version knows, found one of a newer version; update npcpit"
            raise StoreError(text) from error


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the schema behind `connection` to a revision."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _engine(url: str, folder: Path) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername=POSTGRESQL_DRIVER)
        if parsed.get_backend_name() != "sqlite":
            # a server that was restarted is found again
            return create_engine(parsed, pool_pre_ping=True, json_deserializer=read_json)
    except ArgumentError as error:  # it may quote the URL, and that the password
        raise StoreError("database: expected a SQLAlchemy URL such as sqlite:///npcpit.sqlite") from error
    except ImportError as error:
        raise MissingPartError(
            f"database: no driver for {parsed.drivername}; for PostgreSQL: pip install 'npcpit-imaging[postgresql]'"
        ) from error
    if parsed.database and parsed.database != ":memory:":
        parsed = parsed.set(database=str(folder / parsed.database))
    engine = create_engine(parsed, json_deserializer=read_json)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def read_json(text: str | bytes) -> object:
    """Read a JSON column; half of a surrogate pair, which Python's writer lets through, by Python's own reader.

    Example:
        >>> read_json('{"volume_ml": 1.5}')
        {'volume_ml': 1.5}
    """
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


def _prepare_sqlite(connection: object, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]  # DBAPI connections have no common type
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _is_full(error: SQLAlchemyError) -> bool:
    """SQLite's and PostgreSQL's own words for a full disk (SQLITE_FULL; SQLSTATE 53100)."""
    original = getattr(error, "orig", None)
    return "disk is full" in str(original) or getattr(original, "sqlstate", "") == "53100"


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]
