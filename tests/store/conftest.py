"""The store on SQLite and on a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from npcpit_imaging.store.database import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh store."""
    sqlite = request.param == "sqlite"
    url = "sqlite:///study.sqlite" if sqlite else request.getfixturevalue("postgresql").new_database()
    opened = Database(url, folder=tmp_path)
    yield opened
    opened.close()
