"""Who asked to suspend a text for patients, why, and who decided.

Revision ID: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_text_suspension",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("suspends", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_version"],
            ["consent_text.id"],
            name=op.f("fk_consent_text_suspension_text_version_consent_text"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_text_suspension")),
    )
    op.create_index(
        op.f("ix_consent_text_suspension_text_version"),
        "consent_text_suspension",
        ["text_version"],
        unique=False,
    )


def downgrade() -> None:
    check_empty(op.get_bind(), "consent_text_suspension")
    op.drop_index(
        op.f("ix_consent_text_suspension_text_version"), table_name="consent_text_suspension"
    )
    op.drop_table("consent_text_suspension")
