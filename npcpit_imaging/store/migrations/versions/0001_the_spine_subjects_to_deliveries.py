"""The spine: subjects to deliveries."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from npcpit_imaging.store.append_only import make_append_only

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline", sa.String(length=32), nullable=False),
        sa.Column("case_name", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("code_version", sa.String(length=32), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index("ix_run_step", ["pipeline", "case_name"], unique=False)

    op.create_table(
        "subject",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("deidentified", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_subject")),
    )
    op.create_table(
        "delivery",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_delivery_subject")),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_delivery")),
    )
    op.create_table(
        "lesion",
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("lesion_id", sa.String(length=16), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("organ", sa.String(length=64), nullable=False),
        sa.Column("location", sa.String(length=64), nullable=False),
        sa.Column("nodal", sa.Boolean(), nullable=False),
        sa.Column("irradiated", sa.Boolean(), nullable=False),
        sa.Column("prior_rt", sa.Boolean(), nullable=False),
        sa.Column("prior_rt_progression_documented", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_lesion_subject")),
        sa.PrimaryKeyConstraint("tracking_uid", name=op.f("pk_lesion")),
        sa.UniqueConstraint("subject", "lesion_id", name=op.f("uq_lesion_subject_lesion_id")),
    )
    op.create_table(
        "response",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("timepoint", sa.String(length=32), nullable=True),
        sa.Column("lesion_id", sa.String(length=16), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_response_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_response")),
    )
    with op.batch_alter_table("response", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_response_subject"), ["subject"], unique=False)

    op.create_table(
        "timepoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_timepoint_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timepoint")),
        sa.UniqueConstraint("subject", "name", name=op.f("uq_timepoint_subject_name")),
    )
    op.create_table(
        "read",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("timepoint_id", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("signed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["timepoint_id"], ["timepoint.id"], name=op.f("fk_read_timepoint_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_read")),
        sa.UniqueConstraint("timepoint_id", "reader", "version", name=op.f("uq_read_timepoint_id_reader_version")),
    )
    op.create_table(
        "series",
        sa.Column("uid", sa.String(length=64), nullable=False),
        sa.Column("study_uid", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("timepoint_id", sa.Integer(), nullable=True),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("frame_of_reference_uid", sa.String(length=64), nullable=True),
        sa.Column("date", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.code"], name=op.f("fk_series_subject")),
        sa.ForeignKeyConstraint(["timepoint_id"], ["timepoint.id"], name=op.f("fk_series_timepoint_id")),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_series")),
    )
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_series_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_series_study_uid"), ["study_uid"], unique=False)
        batch_op.create_index(batch_op.f("ix_series_subject"), ["subject"], unique=False)

    op.create_table(
        "instance",
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("received_sha256", sa.String(length=64), nullable=False),
        sa.Column("deidentified", sa.Boolean(), nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["series_uid"], ["series.uid"], name=op.f("fk_instance_series_uid")),
        sa.PrimaryKeyConstraint("sop_instance_uid", name=op.f("pk_instance")),
    )
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_instance_series_uid"), ["series_uid"], unique=False)

    op.create_table(
        "proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("timepoint_id", sa.Integer(), nullable=False),
        sa.Column("series_uid", sa.String(length=64), nullable=False),
        sa.Column("mask_path", sa.Text(), nullable=False),
        sa.Column("mask_sha256", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.JSON(), nullable=False),
        sa.Column("segmenter", sa.JSON(), nullable=False),
        sa.Column("measurement", sa.JSON(), nullable=False),
        sa.Column("uptake", sa.JSON(), nullable=True),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["series_uid"], ["series.uid"], name=op.f("fk_proposal_series_uid")),
        sa.ForeignKeyConstraint(["timepoint_id"], ["timepoint.id"], name=op.f("fk_proposal_timepoint_id")),
        sa.ForeignKeyConstraint(["tracking_uid"], ["lesion.tracking_uid"], name=op.f("fk_proposal_tracking_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index("ix_proposal_place", ["tracking_uid", "timepoint_id", "series_uid"], unique=False)

    op.create_table(
        "registration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fixed_series_uid", sa.String(length=64), nullable=False),
        sa.Column("moving_series_uid", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["fixed_series_uid"], ["series.uid"], name=op.f("fk_registration_fixed_series_uid")),
        sa.ForeignKeyConstraint(["moving_series_uid"], ["series.uid"], name=op.f("fk_registration_moving_series_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration")),
    )
    with op.batch_alter_table("registration", schema=None) as batch_op:
        batch_op.create_index("ix_registration_pair", ["fixed_series_uid", "moving_series_uid"], unique=False)

    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("read_id", sa.Integer(), nullable=False),
        sa.Column("tracking_uid", sa.String(length=64), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("longest_diameter_mm", sa.Float(), nullable=True),
        sa.Column("short_axis_mm", sa.Float(), nullable=True),
        sa.Column("accepted", sa.String(length=16), nullable=False),
        sa.Column("reader_caliper", sa.JSON(), nullable=True),
        sa.Column("reader_short_caliper", sa.JSON(), nullable=True),
        sa.Column("field", sa.String(length=8), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_assessment_proposal_id")),
        sa.ForeignKeyConstraint(["read_id"], ["read.id"], name=op.f("fk_assessment_read_id")),
        sa.ForeignKeyConstraint(["tracking_uid"], ["lesion.tracking_uid"], name=op.f("fk_assessment_tracking_uid")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("read_id", "tracking_uid", name=op.f("uq_assessment_read_id_tracking_uid")),
    )
    op.create_table(
        "feature",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("filter", sa.String(length=64), nullable=False),
        sa.Column("settings_sha256", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=96), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["proposal_id"], ["proposal.id"], name=op.f("fk_feature_proposal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature")),
        sa.UniqueConstraint(
            "proposal_id",
            "settings_sha256",
            "filter",
            "tag",
            name=op.f("uq_feature_proposal_id_settings_sha256_filter_tag"),
        ),
    )
    make_append_only(op.get_bind())


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("feature")
    op.drop_table("assessment")
    with op.batch_alter_table("registration", schema=None) as batch_op:
        batch_op.drop_index("ix_registration_pair")

    op.drop_table("registration")
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.drop_index("ix_proposal_place")

    op.drop_table("proposal")
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_instance_series_uid"))

    op.drop_table("instance")
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_series_subject"))
        batch_op.drop_index(batch_op.f("ix_series_study_uid"))
        batch_op.drop_index(batch_op.f("ix_series_state"))

    op.drop_table("series")
    op.drop_table("read")
    op.drop_table("timepoint")
    with op.batch_alter_table("response", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_response_subject"))

    op.drop_table("response")
    op.drop_table("lesion")
    op.drop_table("delivery")
    op.drop_table("subject")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index("ix_run_step")

    op.drop_table("run")
