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
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.add_column(sa.Column("circumstances", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("arrival_findings", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.alter_column("arrival_findings", existing_type=sa.JSON(), server_default=None)


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.drop_column("arrival_findings")
        batch_op.drop_column("circumstances")
