"""Of a series: how it was taken and of what body, and what de-identification noticed in its objects."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply this revision."""
    # Added in place: a batch would make the table anew, which SQLite refuses while instances point to its rows.
    op.add_column("series", sa.Column("circumstances", sa.JSON(), nullable=True))
    op.add_column("series", sa.Column("arrival_findings", sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("series", "arrival_findings")
    op.drop_column("series", "circumstances")
