"""What patients report themselves, sealed for their hospital.

Revision ID: 0023
Follows: 0022
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLES = ("prom_wording", "prom_draft", "prom_own", "prom_sealed", "prom_ask")


def upgrade() -> None:
    op.create_table(
        "prom_ask",
        *_about(),
        sa.Column("opens", sa.String(length=10), nullable=False),
        sa.Column("closes", sa.String(length=10), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        _subject("prom_ask"),
        sa.PrimaryKeyConstraint("subject_id", "instrument", "timepoint", name=op.f("pk_prom_ask")),
    )
    op.create_table(
        "prom_sealed",
        sa.Column("id", sa.String(length=36), nullable=False),
        *_about(),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "(sealed IS NULL) = (taken_at IS NOT NULL)",
            name=op.f("ck_prom_sealed_kept_until_taken"),
        ),
        _subject("prom_sealed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prom_sealed")),
    )
    op.create_index("ix_prom_sealed_subject", "prom_sealed", ["subject_id"])
    op.create_index(
        "ix_prom_sealed_waiting",
        "prom_sealed",
        ["sealed_at"],
        sqlite_where=sa.text("taken_at IS NULL"),
        postgresql_where=sa.text("taken_at IS NULL"),
    )
    op.create_table(
        "prom_own",
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("letter", sa.String(length=6), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        _subject("prom_own"),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_prom_own")),
    )
    op.create_table(
        "prom_draft",
        *_about(),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _subject("prom_draft"),
        sa.PrimaryKeyConstraint(
            "subject_id", "instrument", "timepoint", name=op.f("pk_prom_draft")
        ),
    )
    op.create_table(
        "prom_wording",
        sa.Column("instrument", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instrument", "language", name=op.f("pk_prom_wording")),
    )
    op.add_column(
        "consent_snapshot",
        sa.Column("carries", sa.Integer(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    # What a patient sent and no hospital has yet must not get lost; the rest can be told again.
    check_empty(op.get_bind(), "prom_sealed")
    op.drop_column("consent_snapshot", "carries")
    for table in TABLES:
        op.drop_table(table)


def _about() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("instrument", sa.String(length=20), nullable=False),
        sa.Column("timepoint", sa.String(length=8), nullable=False),
    )


def _subject(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["subject_id"],
        ["consent_subject.id"],
        name=op.f(f"fk_{table}_subject_id_consent_subject"),
    )
