"""What the hub keeps of a private match between hospitals.

Revision ID: 0025
Follows: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "private_match",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("context", sa.String(length=36), nullable=True),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("hidden", sa.String(length=40), nullable=True),
        sa.Column("as_of", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'open', 'done', 'refused')",
            name=op.f("ck_private_match_state_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('done', 'refused')) = (finished_at IS NOT NULL)",
            name=op.f("ck_private_match_final_has_end"),
        ),
        sa.CheckConstraint(
            "state <> 'open' OR (context IS NOT NULL AND plan IS NOT NULL"
            " AND deadline IS NOT NULL)",
            name=op.f("ck_private_match_open_has_plan"),
        ),
        sa.CheckConstraint(
            "(state = 'done') = ((count IS NULL) <> (hidden IS NULL))",
            name=op.f("ck_private_match_done_has_answer"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_private_match_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_private_match")),
        sa.UniqueConstraint("context", name=op.f("uq_private_match_context")),
    )
    op.create_index("ix_private_match_study", "private_match", ["study", "asked_at"])
    op.create_table(
        "private_match_lease",
        sa.Column("match_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["match_id"],
            ["private_match.id"],
            name=op.f("fk_private_match_lease_match_id_private_match"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_private_match_lease")),
    )
    op.create_table(
        "private_match_reply",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("match_id", sa.String(length=36), nullable=False),
        sa.Column("context", sa.String(length=36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["match_id"],
            ["private_match.id"],
            name=op.f("fk_private_match_reply_match_id_private_match"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_private_match_reply")),
        sa.UniqueConstraint(
            "match_id", "context", "step", "site", name="uq_private_match_reply_once"
        ),
    )


def downgrade() -> None:
    op.drop_table("private_match_reply")
    op.drop_table("private_match_lease")
    op.drop_table("private_match")
