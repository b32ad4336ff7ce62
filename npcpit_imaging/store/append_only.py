"""Tables whose rows are never changed: the database itself refuses an update or a delete."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

APPEND_ONLY_TABLES = ("read", "assessment")
"""A signed read is superseded with a reason, never edited."""

SERVER_TABLES = ("audit", "draft_step", "draft_mask", "signature", "key_image", "adjudication")
"""What was done, drawn, signed and decided stays as it was written."""


def make_append_only(connection: Connection, tables: Sequence[str] = APPEND_ONLY_TABLES) -> None:
    """Make the database refuse updates and deletes of some tables' rows (SQLite and PostgreSQL)."""
    statements = _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE
    for table in tables:
        for statement in statements:
            connection.execute(text(statement.format(table=table)))


_SQLITE = (
    """CREATE TRIGGER {table}_no_update BEFORE UPDATE ON "{table}"
       BEGIN SELECT RAISE(ABORT, '{table}: append-only; supersede it instead'); END""",
    """CREATE TRIGGER {table}_no_delete BEFORE DELETE ON "{table}"
       BEGIN SELECT RAISE(ABORT, '{table}: append-only; supersede it instead'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION {table}_refuse() RETURNS trigger AS $$
       BEGIN RAISE EXCEPTION '{table}: append-only; supersede it instead'; END $$ LANGUAGE plpgsql""",
    """CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "{table}"
       FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()""",
)
