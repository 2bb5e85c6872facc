"""What hospitals say about their data before anybody asks: coverage per hospital and study.

Revision ID: 0007
Follows: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_coverage",
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("codebook_sha256", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_site_coverage_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_site_coverage_study_study")
        ),
        sa.PrimaryKeyConstraint("institution", "study", name=op.f("pk_site_coverage")),
    )


def downgrade() -> None:
    op.drop_table("site_coverage")
