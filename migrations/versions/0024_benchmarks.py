"""Benchmarks: reference figures with source and date.

Revision ID: 0024
Follows: 0023
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "benchmark_file",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("link", sa.String(length=300), nullable=False),
        sa.Column("published", sa.Date(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("imported_by", sa.String(length=64), nullable=False),
        sa.Column("imported_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_benchmark_file_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_file")),
    )
    op.create_index("uq_benchmark_file_once", "benchmark_file", ["network", "sha256"], unique=True)
    op.create_table(
        "benchmark_row",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("indicator", sa.String(length=60), nullable=False),
        sa.Column("region", sa.String(length=120), nullable=False),
        sa.Column("first", sa.String(length=7), nullable=False),
        sa.Column("last", sa.String(length=7), nullable=False),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("observed", sa.Integer(), nullable=True),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.CheckConstraint("n IS NULL OR n >= 0", name=op.f("ck_benchmark_row_n_counts")),
        sa.CheckConstraint(
            "observed IS NULL OR (n IS NOT NULL AND observed <= n)",
            name=op.f("ck_benchmark_row_observed"),
        ),
        sa.CheckConstraint("first <= last", name=op.f("ck_benchmark_row_period")),
        sa.ForeignKeyConstraint(
            ["file_id"], ["benchmark_file.id"], name=op.f("fk_benchmark_row_file_id_benchmark_file")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmark_row")),
    )
    op.create_index(op.f("ix_benchmark_row_file_id"), "benchmark_row", ["file_id"])
    op.create_index("ix_benchmark_row_indicator", "benchmark_row", ["indicator", "last"])
    op.create_table(
        "benchmark_withdrawal",
        sa.Column("file_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"],
            ["benchmark_file.id"],
            name=op.f("fk_benchmark_withdrawal_file_id_benchmark_file"),
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_benchmark_withdrawal")),
    )


def downgrade() -> None:
    check_empty(op.get_bind(), "benchmark_file")
    for table in ("benchmark_withdrawal", "benchmark_row", "benchmark_file"):
        op.drop_table(table)
