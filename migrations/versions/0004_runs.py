"""Tables of runs: questions, their progress, each site's part and signed bytes.

Revision ID: 0004
Follows: 0003
"""

# ruff: noqa: E501 - statements stay on one line, as the database gets them

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("codebook", sa.Text(), nullable=False),
        sa.Column("query_sha256", sa.String(length=64), nullable=False),
        sa.Column("question_sha256", sa.String(length=64), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("submitted_by", sa.String(length=64), nullable=False),
        sa.Column("submitted_by_name", sa.String(length=200), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_by_name", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("context", sa.String(length=36), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("roster", sa.Text(), nullable=True),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("min_snapshots", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'complete', 'expired', 'failed', 'insufficient', 'partial', 'refused')) = (finished_at IS NOT NULL)",
            name=op.f("ck_run_final_has_end"),
        ),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'complete', 'expired', 'failed', 'insufficient', 'partial', 'refused')) = (outcome IS NOT NULL)",
            name=op.f("ck_run_final_has_outcome"),
        ),
        sa.CheckConstraint(
            "state <> 'open' OR (context IS NOT NULL AND roster IS NOT NULL AND opened_at IS NOT NULL AND deadline IS NOT NULL)",
            name=op.f("ck_run_open_has_roster"),
        ),
        sa.CheckConstraint(
            "state IN ('approved', 'cancelled', 'complete', 'expired', 'failed', 'insufficient', 'open', 'partial', 'refused', 'submitted')",
            name=op.f("ck_run_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("context", name=op.f("uq_run_context")),
    )
    op.create_index("ix_run_question", "run", ["study", "question_sha256"], unique=False)
    op.create_index("ix_run_state", "run", ["state", "submitted_at"], unique=False)
    op.create_index(op.f("ix_run_submitted_by"), "run", ["submitted_by"], unique=False)
    op.create_table(
        "run_progress",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(lease_owner IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_run_progress_lease_has_owner_and_end"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_run_progress_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_progress")),
    )
    op.create_table(
        "run_reply",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("context", sa.String(length=36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("step >= 0", name=op.f("ck_run_reply_step_counts")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_run_reply_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_reply")),
        sa.UniqueConstraint("run_id", "context", "step", "site", name="uq_run_reply_once"),
    )
    op.create_table(
        "run_site",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=True),
        sa.Column("message_expires", sa.BigInteger(), nullable=True),
        sa.Column("next_send_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "state IN ('answered', 'asked', 'refused', 'silent', 'waiting')",
            name=op.f("ck_run_site_state_known"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_run_site_attempts_count")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_run_site_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "site", name=op.f("pk_run_site")),
    )


def downgrade() -> None:
    op.drop_table("run_site")
    op.drop_table("run_reply")
    op.drop_table("run_progress")
    op.drop_table("run")
