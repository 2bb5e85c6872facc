"""Who decided that data of a study may be used without asking, why, and until when.

Revision ID: 0011
Follows: 0010
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_route",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("ground", sa.String(length=1), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_consent_route_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_route")),
    )
    op.create_index(op.f("ix_consent_route_study"), "consent_route", ["study"], unique=False)


def downgrade() -> None:
    check_empty(op.get_bind(), "consent_route")
    op.drop_index(op.f("ix_consent_route_study"), table_name="consent_route")
    op.drop_table("consent_route")
