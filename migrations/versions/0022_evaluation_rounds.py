"""Evaluation rounds: plans, runs under embargo, snapshots, notes, actions; groups' indicators.

Revision ID: 0022
Follows: 0021
"""

import sqlalchemy as sa
from alembic import op

from migrations.run import MigrationRefused

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDICATORS = ("indicator_version", "indicator_target")
APPEND_ONLY = ("round_event", "round_note", "round_snapshot", *INDICATORS)


def _guard(table: str) -> tuple[str, ...]:
    if op.get_bind().dialect.name == "postgresql":
        return (
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
        )
    stop = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {stop}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {stop}",
        # INSERT OR REPLACE deletes without firing the trigger above.
        # Names of our own schema only: nothing from outside comes near this text.
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {stop}",
    )


def upgrade() -> None:
    op.create_table(
        "run_embargo",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("heart", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_embargo")),
        sa.UniqueConstraint("round_id", "heart", name="uq_run_embargo_once"),
    )
    op.create_index(op.f("ix_run_embargo_heart"), "run_embargo", ["heart"], unique=False)
    op.create_table(
        "evaluation_round",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("previous", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("plan_sha256", sa.String(length=64), nullable=True),
        sa.Column("freeze_at", sa.BigInteger(), nullable=False),
        sa.Column("release_at", sa.BigInteger(), nullable=False),
        sa.Column("planned_by", sa.String(length=64), nullable=False),
        sa.Column("planned_by_name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decided_by_name", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'round') = (parent IS NULL)", name=op.f("ck_evaluation_round_part_has_parent")
        ),
        sa.CheckConstraint(
            "(state IN ('released', 'closed')) = (released_at IS NOT NULL)",
            name=op.f("ck_evaluation_round_released_has_moment"),
        ),
        sa.CheckConstraint(
            "kind IN ('remeasure', 'round', 'strata')", name=op.f("ck_evaluation_round_kind_known")
        ),
        sa.CheckConstraint(
            "state IN ('approved', 'cancelled', 'closed', 'draft', 'offered', 'ready', "
            "'released', 'running')",
            name=op.f("ck_evaluation_round_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'running', 'ready', 'released', 'closed')"
            " OR (plan_sha256 IS NOT NULL AND decided_by IS NOT NULL)",
            name=op.f("ck_evaluation_round_approved_has_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["working_group.id"],
            name=op.f("fk_evaluation_round_group_id_working_group"),
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_evaluation_round_network_network")
        ),
        sa.ForeignKeyConstraint(
            ["parent"],
            ["evaluation_round.id"],
            name=op.f("fk_evaluation_round_parent_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["previous"],
            ["evaluation_round.id"],
            name=op.f("fk_evaluation_round_previous_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_evaluation_round_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_round")),
        sa.UniqueConstraint("group_id", "number", name="uq_evaluation_round_number"),
    )
    op.create_index(
        op.f("ix_evaluation_round_group_id"), "evaluation_round", ["group_id"], unique=False
    )
    op.create_index(
        op.f("ix_evaluation_round_parent"), "evaluation_round", ["parent"], unique=False
    )
    op.create_index(
        "ix_evaluation_round_state", "evaluation_round", ["state", "freeze_at"], unique=False
    )
    op.create_index(op.f("ix_evaluation_round_study"), "evaluation_round", ["study"], unique=False)
    op.create_table(
        "round_action",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("indicator", sa.String(length=63), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("first", sa.String(length=7), nullable=True),
        sa.Column("last", sa.String(length=7), nullable=True),
        sa.Column("measure_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("remeasured_in", sa.String(length=36), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_by_name", sa.String(length=200), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'measuring' OR remeasured_in IS NOT NULL",
            name=op.f("ck_round_action_measuring_has_round"),
        ),
        sa.CheckConstraint(
            "state IN ('cancelled', 'closed', 'measuring', 'open')",
            name=op.f("ck_round_action_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["remeasured_in"],
            ["evaluation_round.id"],
            name=op.f("fk_round_action_remeasured_in_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_action_round_id_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_round_action_site_institution")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_action")),
    )
    op.create_index(op.f("ix_round_action_round_id"), "round_action", ["round_id"], unique=False)
    op.create_table(
        "round_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_name", sa.String(length=200), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_event_round_id_evaluation_round"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_event")),
        sa.UniqueConstraint("round_id", "number", name="uq_round_event_number"),
    )
    op.create_table(
        "round_note",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("indicator", sa.String(length=63), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("from_site", sa.String(length=63), nullable=True),
        sa.Column("to_site", sa.String(length=63), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("by_name", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "kind IN ('cause', 'help', 'note')", name=op.f("ck_round_note_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["from_site"], ["institution.slug"], name=op.f("fk_round_note_from_site_institution")
        ),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_note_round_id_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["to_site"], ["institution.slug"], name=op.f("fk_round_note_to_site_institution")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_note")),
    )
    op.create_index(op.f("ix_round_note_round_id"), "round_note", ["round_id"], unique=False)
    op.create_table(
        "round_part",
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("letter", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('in', 'left', 'no_data', 'refused', 'silent')",
            name=op.f("ck_round_part_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_part_round_id_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_round_part_site_institution")
        ),
        sa.PrimaryKeyConstraint("round_id", "site", name=op.f("pk_round_part")),
    )
    op.create_table(
        "round_question",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("indicator", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=120), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("sites", sa.Text(), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "state IN ('asked', 'done', 'dropped', 'waiting')",
            name=op.f("ck_round_question_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_question_round_id_evaluation_round"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_round_question_run_id_run"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_question")),
        sa.UniqueConstraint(
            "round_id", "indicator", "role", "generation", name="uq_round_question_once"
        ),
    )
    op.create_index(
        op.f("ix_round_question_round_id"), "round_question", ["round_id"], unique=False
    )
    op.create_table(
        "round_snapshot",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("round_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["round_id"],
            ["evaluation_round.id"],
            name=op.f("fk_round_snapshot_round_id_evaluation_round"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_snapshot")),
        sa.UniqueConstraint("round_id", "number", name="uq_round_snapshot_number"),
    )
    op.add_column("run", sa.Column("round_id", sa.String(length=36), nullable=True))
    op.add_column("run", sa.Column("planned", sa.String(length=36), nullable=True))
    op.add_column(
        "run", sa.Column("embargoed", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_index(op.f("ix_run_planned"), "run", ["planned"], unique=True)
    op.create_index(op.f("ix_run_round_id"), "run", ["round_id"], unique=False)
    hashed = {INDICATORS[0]: [sa.Column("sha256", sa.String(length=64), nullable=False)]}
    for table, what, number in zip(
        INDICATORS, ("definition", "target"), ("version", "number"), strict=True
    ):
        op.create_table(
            table,
            sa.Column("id", sa.String(length=36), nullable=False),
            sa.Column("group_id", sa.String(length=36), nullable=False),
            sa.Column("indicator", sa.String(length=63), nullable=False),
            sa.Column(number, sa.Integer(), nullable=False),
            sa.Column(what, sa.Text(), nullable=False),
            *hashed.get(table, ()),
            sa.Column("why", sa.Text(), nullable=False),
            sa.Column("at", sa.BigInteger(), nullable=False),
            sa.Column("by", sa.String(length=64), nullable=False),
            sa.Column("by_name", sa.String(length=200), nullable=False),
            sa.ForeignKeyConstraint(
                ["group_id"],
                ["working_group.id"],
                name=op.f(f"fk_{table}_group_id_working_group"),
            ),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint("group_id", "indicator", number, name=f"uq_{table}_{number}"),
        )
    for table in APPEND_ONLY:
        for statement in _guard(table):
            op.execute(statement)


def downgrade() -> None:
    kept = sa.text(
        "SELECT 1 FROM round_event UNION SELECT 1 FROM indicator_version "
        "UNION SELECT 1 FROM indicator_target"
    )
    if op.get_bind().execute(kept).first() is not None:
        raise MigrationRefused(
            "There are evaluation rounds or indicators of groups, which must be kept. Restore a "
            "back-up into a new "
            "database instead."
        )
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP TRIGGER {table}_no_change ON {table}")
            op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
            op.execute(f"DROP FUNCTION {table}_append_only()")
    op.drop_index(op.f("ix_run_round_id"), table_name="run")
    op.drop_index(op.f("ix_run_planned"), table_name="run")
    op.drop_column("run", "embargoed")
    op.drop_column("run", "planned")
    op.drop_column("run", "round_id")
    op.drop_table("round_snapshot")
    op.drop_index(op.f("ix_round_question_round_id"), table_name="round_question")
    op.drop_table("round_question")
    op.drop_table("round_part")
    op.drop_index(op.f("ix_round_note_round_id"), table_name="round_note")
    op.drop_table("round_note")
    op.drop_table("round_event")
    op.drop_index(op.f("ix_round_action_round_id"), table_name="round_action")
    op.drop_table("round_action")
    op.drop_index(op.f("ix_evaluation_round_study"), table_name="evaluation_round")
    op.drop_index("ix_evaluation_round_state", table_name="evaluation_round")
    op.drop_index(op.f("ix_evaluation_round_parent"), table_name="evaluation_round")
    op.drop_index(op.f("ix_evaluation_round_group_id"), table_name="evaluation_round")
    op.drop_table("evaluation_round")
    for table in INDICATORS:
        op.drop_table(table)
    op.drop_index(op.f("ix_run_embargo_heart"), table_name="run_embargo")
    op.drop_table("run_embargo")
