"""Who said, when reminded, that a choice is still right; and facts that a hospital corrected.

Revision ID: 0017
Follows: 0016
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

CORRECTION = "consent_fact_correction"
# What consent/append_only.py said when this revision was made; a revision never changes.
STOP = f"BEGIN SELECT RAISE(ABORT, '{CORRECTION} is append-only'); END"
UP = {
    "sqlite": (
        f"CREATE TRIGGER {CORRECTION}_no_update BEFORE UPDATE ON {CORRECTION} {STOP}",
        f"CREATE TRIGGER {CORRECTION}_no_delete BEFORE DELETE ON {CORRECTION} {STOP}",
        f"CREATE TRIGGER {CORRECTION}_no_replace BEFORE INSERT ON {CORRECTION} "  # noqa: S608
        f"WHEN EXISTS (SELECT 1 FROM {CORRECTION} WHERE fact_id = NEW.fact_id) {STOP}",
    ),
    "postgresql": (
        f"CREATE FUNCTION {CORRECTION}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{CORRECTION} is append-only'; END $$",
        f"CREATE FUNCTION {CORRECTION}_kept_whole() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{CORRECTION} is append-only'; END $$",
        f"CREATE TRIGGER {CORRECTION}_no_change BEFORE UPDATE OR DELETE ON {CORRECTION} "
        f"FOR EACH ROW EXECUTE FUNCTION {CORRECTION}_append_only()",
        f"CREATE TRIGGER {CORRECTION}_no_truncate BEFORE TRUNCATE ON {CORRECTION} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {CORRECTION}_kept_whole()",
    ),
}
DOWN = {
    "sqlite": tuple(
        f"DROP TRIGGER IF EXISTS {CORRECTION}_{name}"
        for name in ("no_update", "no_delete", "no_replace")
    ),
    "postgresql": (
        f"DROP TRIGGER IF EXISTS {CORRECTION}_no_truncate ON {CORRECTION}",
        f"DROP TRIGGER IF EXISTS {CORRECTION}_no_change ON {CORRECTION}",
        f"DROP FUNCTION IF EXISTS {CORRECTION}_append_only()",
        f"DROP FUNCTION IF EXISTS {CORRECTION}_kept_whole()",
    ),
}


def upgrade() -> None:
    op.create_table(
        "consent_choice_seen",
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_choice_seen_subject_id_consent_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_consent_choice_seen_study_study")
        ),
        sa.PrimaryKeyConstraint(
            "subject_id", "party", "study", "at", name=op.f("pk_consent_choice_seen")
        ),
    )
    op.create_table(
        CORRECTION,
        sa.Column("fact_id", sa.String(length=36), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fact_id"],
            ["consent_fact.id"],
            name=op.f("fk_consent_fact_correction_fact_id_consent_fact"),
        ),
        sa.PrimaryKeyConstraint("fact_id", name=op.f("pk_consent_fact_correction")),
    )
    for line in UP[op.get_bind().dialect.name]:
        op.execute(line)


def downgrade() -> None:
    for table in (CORRECTION, "consent_choice_seen"):
        check_empty(op.get_bind(), table)
    for line in DOWN[op.get_bind().dialect.name]:
        op.execute(line)
    op.drop_table(CORRECTION)
    op.drop_table("consent_choice_seen")
