"""The reading server: accounts, audit trail, drafts, signatures, assignments, adjudications; who owns a lesion or mask."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from npcpit_imaging.store.append_only import SERVER_TABLES, make_append_only

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

NO_DIGEST = "0" * 64


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "account",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("oidc_subject", sa.Text(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_account")),
        sa.UniqueConstraint("code", name=op.f("uq_account_code")),
        sa.UniqueConstraint("oidc_subject", name=op.f("uq_account_oidc_subject")),
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"], unique=False)
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "machine_token",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_machine_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_machine_token_sha256")),
    )
    op.create_table(
        "adjudication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("adjudicator", sa.String(length=64), nullable=False),
        sa.Column("chosen", sa.String(length=64), nullable=False),
        sa.Column("cause", sa.String(length=48), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("meaning", sa.String(length=32), nullable=False),
        sa.Column("rests_on", sa.JSON(), nullable=False),
        sa.Column("discordance", sa.JSON(), nullable=False),
        sa.Column("signed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["adjudicator"], ["account.username"], name=op.f("fk_adjudication_adjudicator")),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_adjudication_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjudication")),
        sa.UniqueConstraint("subject", "version", name=op.f("uq_adjudication_subject_version")),
    )
    op.create_table(
        "assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("timepoint", sa.String(length=32), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_assignment_subject")),
        sa.ForeignKeyConstraint(["username"], ["account.username"], name=op.f("fk_assignment_username")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
    )
    op.create_index(op.f("ix_assignment_subject"), "assignment", ["subject"], unique=False)
    op.create_index(op.f("ix_assignment_username"), "assignment", ["username"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("id_sha256", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["username"], ["account.username"], name=op.f("fk_login_session_username")),
        sa.PrimaryKeyConstraint("id_sha256", name=op.f("pk_login_session")),
    )
    op.create_index(op.f("ix_login_session_username"), "login_session", ["username"], unique=False)
    op.create_table(
        "draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("timepoint_id", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("ticked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("saved", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["reader"], ["account.username"], name=op.f("fk_draft_reader")),
        sa.ForeignKeyConstraint(["timepoint_id"], ["timepoint.id"], name=op.f("fk_draft_timepoint_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
    )
    op.create_index(
        "ix_draft_open",
        "draft",
        ["timepoint_id", "reader"],
        unique=True,
        sqlite_where=sa.text("closed IS NULL"),
        postgresql_where=sa.text("closed IS NULL"),
    )
    op.create_index(op.f("ix_draft_reader"), "draft", ["reader"], unique=False)
    op.create_table(
        "draft_mask",
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("box", sa.JSON(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_draft_mask_draft_id")),
        sa.ForeignKeyConstraint(["series_uid"], ["series.uid"], name=op.f("fk_draft_mask_series_uid")),
        sa.PrimaryKeyConstraint("draft_id", "digest", name=op.f("pk_draft_mask")),
    )
    op.create_table(
        "draft_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("part", sa.String(length=32), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_draft_step_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft_step")),
        sa.UniqueConstraint("draft_id", "number", name=op.f("uq_draft_step_draft_id_number")),
    )
    op.create_table(
        "key_image",
        sa.Column("read_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("lesion_id", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["read_id"], ["read.id"], name=op.f("fk_key_image_read_id")),
        sa.PrimaryKeyConstraint("read_id", "lesion_id", name=op.f("pk_key_image")),
    )
    op.create_table(
        "signature",
        sa.Column("read_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.Column("meaning", sa.String(length=32), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_signature_draft_id")),
        sa.ForeignKeyConstraint(["read_id"], ["read.id"], name=op.f("fk_signature_read_id")),
        sa.ForeignKeyConstraint(["username"], ["account.username"], name=op.f("fk_signature_username")),
        sa.PrimaryKeyConstraint("read_id", name=op.f("pk_signature")),
    )
    op.create_table(
        "submission",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["sop_instance_uid"], ["instance.sop_instance_uid"], name=op.f("fk_submission_sop_instance_uid")
        ),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_submission")),
    )
    op.create_index(op.f("ix_submission_username"), "submission", ["username"], unique=False)
    op.add_column("assessment", sa.Column("parent_lesion", sa.String(length=16), server_default="", nullable=False))
    op.add_column("assessment", sa.Column("endoscopy", sa.String(length=16), nullable=True))
    op.add_column("assessment", sa.Column("series_uid", sa.String(length=64), nullable=True))
    op.add_column("lesion", sa.Column("owner", sa.String(length=64), server_default="", nullable=False))
    op.add_column("proposal", sa.Column("reader", sa.String(length=64), server_default="", nullable=False))
    op.add_column("read", sa.Column("comment", sa.Text(), server_default="", nullable=False))
    op.add_column("read", sa.Column("tumour_marker", sa.String(length=16), nullable=True))
    op.bulk_insert(
        sa.table("audit_head", sa.column("id"), sa.column("sequence"), sa.column("digest")),
        [{"id": 1, "sequence": 0, "digest": NO_DIGEST}],
    )
    make_append_only(op.get_bind(), SERVER_TABLES)
