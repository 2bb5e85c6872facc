"""For how far a cancer a study is, and what came out of studies.

Revision ID: 0019
Follows: 0018
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("study", sa.Column("stages", sa.Text(), server_default="[]", nullable=False))
    op.create_table(
        "study_result",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title_nl", sa.String(length=200), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("text_nl", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("doi", sa.String(length=200), nullable=True),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=63), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_study_result_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_result")),
        sa.UniqueConstraint("study", "number", name=op.f("uq_study_result_study")),
    )


def downgrade() -> None:
    check_empty(op.get_bind(), "study_result")
    op.drop_table("study_result")
    op.drop_column("study", "stages")
