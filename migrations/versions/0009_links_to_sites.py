"""Which organisation of a vantage6 server is which hospital's, and whether each can be reached.

Revision ID: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "site_link",
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("engine", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.CheckConstraint(
            "state IN ('up', 'down', 'unknown')", name=op.f("ck_site_link_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_site_link_institution_institution"),
        ),
        sa.PrimaryKeyConstraint("institution", name=op.f("pk_site_link")),
    )
    op.create_table(
        "vantage6_site",
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("collaboration", sa.Integer(), nullable=False),
        sa.Column("organization", sa.Integer(), nullable=False),
        sa.Column("node", sa.Integer(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "key_sha256 IS NULL OR length(key_sha256) = 64",
            name=op.f("ck_vantage6_site_key_is_sha256"),
        ),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_vantage6_site_institution_institution"),
        ),
        sa.PrimaryKeyConstraint("institution", name=op.f("pk_vantage6_site")),
    )


def downgrade() -> None:
    op.drop_table("vantage6_site")
    op.drop_table("site_link")
