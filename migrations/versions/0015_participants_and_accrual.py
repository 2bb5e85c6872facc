"""Participants by pseudonym, screening counts and recruitment plans.

Revision ID: 0015
Follows: 0014
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Histories: the database itself refuses to change or delete a row.
APPEND_ONLY = ("participant_event", "screening_count", "arm_count", "accrual_plan")
KEPT = (*APPEND_ONLY, "participant_link", "participant")


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
        "accrual_plan",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("shape", sa.String(length=6), nullable=False),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.CheckConstraint("shape IN ('linear', 'staged')", name=op.f("ck_accrual_plan_shape")),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_accrual_plan_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_accrual_plan_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accrual_plan")),
        sa.UniqueConstraint("study", "number", name=op.f("uq_accrual_plan_study")),
    )
    op.create_table(
        "arm_count",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("arm", sa.String(length=20), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution"], ["institution.slug"], name=op.f("fk_arm_count_institution_institution")
        ),
        sa.ForeignKeyConstraint(["study"], ["study.slug"], name=op.f("fk_arm_count_study_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arm_count")),
        sa.UniqueConstraint(
            "study", "institution", "arm", "version", name=op.f("uq_arm_count_study")
        ),
    )
    op.create_table(
        "participant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("pseudonym", sa.String(length=20), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("on_study", sa.BigInteger(), nullable=True),
        sa.Column("credited", sa.String(length=63), nullable=True),
        sa.Column("arm", sa.String(length=20), nullable=True),
        sa.Column("offered_to", sa.String(length=63), nullable=True),
        sa.Column("entered_wrongly", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["credited"], ["institution.slug"], name=op.f("fk_participant_credited_institution")
        ),
        sa.ForeignKeyConstraint(
            ["offered_to"], ["institution.slug"], name=op.f("fk_participant_offered_to_institution")
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_participant_site_institution")
        ),
        sa.ForeignKeyConstraint(["study"], ["study.slug"], name=op.f("fk_participant_study_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint("study", "pseudonym", name=op.f("uq_participant_study")),
    )
    op.create_index("ix_participant_study_site", "participant", ["study", "site"], unique=False)
    op.create_table(
        "screening_count",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_screening_count_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_screening_count_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_screening_count")),
        sa.UniqueConstraint(
            "study", "institution", "month", "version", name=op.f("uq_screening_count_study")
        ),
    )
    op.create_table(
        "study_arm",
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name_nl", sa.String(length=100), nullable=False),
        sa.Column("name_en", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.slug"], name=op.f("fk_study_arm_study_study")),
        sa.PrimaryKeyConstraint("study", "code", name=op.f("pk_study_arm")),
    )
    op.create_table(
        "study_enrolment",
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("prefix", sa.String(length=8), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_study_enrolment_study_study")
        ),
        sa.PrimaryKeyConstraint("study", name=op.f("pk_study_enrolment")),
    )
    op.create_table(
        "participant_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participant_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=63), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("refers", sa.Integer(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('milestone', 'state', 'left', 'arm', 'offered', 'taken_over', "
            "'not_taken', 'redated', 'entered_wrongly')",
            name=op.f("ck_participant_event_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_participant_event_participant_id_participant"),
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_participant_event_site_institution")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant_event")),
        sa.UniqueConstraint(
            "participant_id", "number", name=op.f("uq_participant_event_participant_id")
        ),
    )
    op.create_table(
        "participant_link",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participant_id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_participant_link_participant_id_participant"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_participant_link_study_study")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_participant_link_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant_link")),
        sa.UniqueConstraint("study", "subject_id", name=op.f("uq_participant_link_study")),
    )
    op.create_index(
        op.f("ix_participant_link_participant_id"),
        "participant_link",
        ["participant_id"],
        unique=False,
    )

    for table in APPEND_ONLY:
        for line in _guard(table):
            op.execute(line)


def downgrade() -> None:
    for table in KEPT:
        check_empty(op.get_bind(), table)
    op.drop_table("participant_link")
    op.drop_table("participant_event")
    op.drop_table("study_enrolment")
    op.drop_table("study_arm")
    op.drop_table("screening_count")
    op.drop_table("participant")
    op.drop_table("arm_count")
    op.drop_table("accrual_plan")
    if op.get_bind().dialect.name == "postgresql":
        for table in APPEND_ONLY:
            op.execute(f"DROP FUNCTION IF EXISTS {table}_append_only()")
