"""Patients counted for an idea, and what a working group was called on a past day.

Revision ID: 0027
Follows: 0026
"""

import sqlalchemy as sa
from alembic import op

from migrations.kept_0027 import free_again, triggers

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

COUNTS = (
    ("asked_in", sa.String(length=63)),
    ("cells", sa.Text()),
    ("code", sa.String(length=40)),
)


def upgrade() -> None:
    op.add_column(
        "study",
        sa.Column("counts_ideas", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    for name, kind in COUNTS:
        op.add_column("study_feasibility", sa.Column(name, kind, nullable=True))
    op.add_column(
        "working_group",
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
    )
    op.create_table(
        "working_group_name",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name_nl", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["working_group.id"],
            name=op.f("fk_working_group_name_group_id_working_group"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_group_name")),
        sa.UniqueConstraint("group_id", "number", name=op.f("uq_working_group_name_group_id")),
    )
    for line in triggers(op.get_bind().dialect.name):
        op.execute(line)


def downgrade() -> None:
    for line in free_again(op.get_bind().dialect.name):
        op.execute(line)
    op.drop_table("working_group_name")
    op.drop_column("working_group", "version")
    for name, _kind in reversed(COUNTS):
        op.drop_column("study_feasibility", name)
    op.drop_column("study", "counts_ideas")
