"""Who read what changed in a text that asks nothing again.

Revision ID: 0012
Follows: 0011
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_text_seen",
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_text_seen_subject_id_consent_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["text_version"],
            ["consent_text.id"],
            name=op.f("fk_consent_text_seen_text_version_consent_text"),
        ),
        sa.PrimaryKeyConstraint(
            "subject_id", "party", "text_version", name=op.f("pk_consent_text_seen")
        ),
    )


def downgrade() -> None:
    check_empty(op.get_bind(), "consent_text_seen")
    op.drop_table("consent_text_seen")
