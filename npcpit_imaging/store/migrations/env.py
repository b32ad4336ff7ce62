"""Alembic's entry: runs the migrations on the connection that the caller gives."""

from alembic import context

from npcpit_imaging.store import reading_schema  # noqa: F401  # its tables join the metadata
from npcpit_imaging.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
