"""Tables of consent: texts, subjects, invitations, choices, the log, receipts, snapshots.

Revision ID: 0003
Follows: 0002
"""

# ruff: noqa: E501 - statements stay on one line, as the database gets them

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What consent/append_only.py said when this revision was made; a revision never changes.
APPEND_ONLY = {
    "sqlite": [
        "CREATE TRIGGER consent_event_no_update BEFORE UPDATE ON consent_event BEGIN SELECT RAISE(ABORT, 'consent_event is append-only'); END",
        "CREATE TRIGGER consent_event_no_delete BEFORE DELETE ON consent_event BEGIN SELECT RAISE(ABORT, 'consent_event is append-only'); END",
        "CREATE TRIGGER consent_event_no_replace BEFORE INSERT ON consent_event WHEN EXISTS (SELECT 1 FROM consent_event WHERE id = NEW.id OR (network = NEW.network AND leaf = NEW.leaf)) BEGIN SELECT RAISE(ABORT, 'consent_event is append-only'); END",
        "CREATE TRIGGER log_leaf_no_update BEFORE UPDATE ON log_leaf BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END",
        "CREATE TRIGGER log_leaf_no_delete BEFORE DELETE ON log_leaf BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END",
        "CREATE TRIGGER log_leaf_no_replace BEFORE INSERT ON log_leaf WHEN EXISTS (SELECT 1 FROM log_leaf WHERE network = NEW.network AND number = NEW.number) BEGIN SELECT RAISE(ABORT, 'log_leaf is append-only'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION consent_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_event is append-only'; END $$",
        "CREATE TRIGGER consent_event_no_change BEFORE UPDATE OR DELETE ON consent_event FOR EACH ROW EXECUTE FUNCTION consent_event_append_only()",
        "CREATE TRIGGER consent_event_no_truncate BEFORE TRUNCATE ON consent_event FOR EACH STATEMENT EXECUTE FUNCTION consent_event_append_only()",
        "CREATE FUNCTION log_leaf_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'log_leaf is append-only'; END $$",
        "CREATE TRIGGER log_leaf_no_change BEFORE UPDATE OR DELETE ON log_leaf FOR EACH ROW EXECUTE FUNCTION log_leaf_append_only()",
        "CREATE TRIGGER log_leaf_no_truncate BEFORE TRUNCATE ON log_leaf FOR EACH STATEMENT EXECUTE FUNCTION log_leaf_append_only()",
    ],
}
FREE_AGAIN = {
    "sqlite": [
        "DROP TRIGGER IF EXISTS log_leaf_no_update",
        "DROP TRIGGER IF EXISTS log_leaf_no_delete",
        "DROP TRIGGER IF EXISTS log_leaf_no_replace",
        "DROP TRIGGER IF EXISTS consent_event_no_update",
        "DROP TRIGGER IF EXISTS consent_event_no_delete",
        "DROP TRIGGER IF EXISTS consent_event_no_replace",
    ],
    "postgresql": [
        "DROP TRIGGER IF EXISTS log_leaf_no_truncate ON log_leaf",
        "DROP TRIGGER IF EXISTS log_leaf_no_change ON log_leaf",
        "DROP FUNCTION IF EXISTS log_leaf_append_only()",
        "DROP TRIGGER IF EXISTS consent_event_no_truncate ON consent_event",
        "DROP TRIGGER IF EXISTS consent_event_no_change ON consent_event",
        "DROP FUNCTION IF EXISTS consent_event_append_only()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "consent_ack",
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_ack_site_institution")
        ),
        sa.PrimaryKeyConstraint("site", "seq", name=op.f("pk_consent_ack")),
    )
    op.create_table(
        "consent_snapshot",
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("log_size", sa.Integer(), nullable=False),
        sa.Column("log_root", sa.String(length=64), nullable=False),
        sa.Column("columns_sha256", sa.String(length=64), nullable=False),
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_consent_snapshot_network_network")
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_snapshot_site_institution")
        ),
        sa.PrimaryKeyConstraint("site", "seq", name=op.f("pk_consent_snapshot")),
    )
    op.create_table(
        "consent_subject",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("handle", sa.String(length=27), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_consent_subject_network_network")
        ),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_subject_site_institution")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_subject")),
        sa.UniqueConstraint("site", "handle", name=op.f("uq_consent_subject_site")),
    )
    op.create_table(
        "log_head",
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("frontier", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_log_head_network_network")
        ),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_log_head")),
    )
    op.create_table(
        "log_leaf",
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_log_leaf_network_network")
        ),
        sa.PrimaryKeyConstraint("network", "number", name=op.f("pk_log_leaf")),
    )
    op.create_table(
        "consent_invitation",
        sa.Column("code_id", sa.String(length=6), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("verifier", sa.String(length=200), nullable=False),
        sa.Column("studies", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.Column("first_used_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("replaced_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("failed >= 0", name=op.f("ck_consent_invitation_failed_counts")),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_invitation_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("code_id", name=op.f("pk_consent_invitation")),
    )
    op.create_index(
        op.f("ix_consent_invitation_subject_id"), "consent_invitation", ["subject_id"], unique=False
    )
    op.create_table(
        "consent_receipt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("act", sa.String(length=10), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("form_key", sa.String(length=64), nullable=False),
        sa.Column("form_sha256", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("first_leaf", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("tree_size", sa.Integer(), nullable=False),
        sa.Column("tree_root", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_consent_receipt_network_network")
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_receipt_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_receipt")),
        sa.UniqueConstraint("subject_id", "form_key", name=op.f("uq_consent_receipt_subject_id")),
    )
    op.create_index(
        op.f("ix_consent_receipt_subject_id"), "consent_receipt", ["subject_id"], unique=False
    )
    op.create_table(
        "consent_text",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("change_class", sa.String(length=12), nullable=False),
        sa.Column("ethics_reference", sa.String(length=100), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "change_class IN ('first', 'editorial', 'clarifying', 'wider', 'narrower', 'urgent')",
            name=op.f("ck_consent_text_change_class"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_consent_text_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_text")),
        sa.UniqueConstraint("study", "number", name=op.f("uq_consent_text_study")),
    )
    op.create_table(
        "consent_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("item", sa.String(length=63), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("category", sa.String(length=63), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_role", sa.String(length=20), nullable=False),
        sa.Column("login_level", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("corrects", sa.String(length=36), nullable=True),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('granted', 'refused', 'deferred', 'withdrawn', 'objected')",
            name=op.f("ck_consent_event_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["corrects"], ["consent_event.id"], name=op.f("fk_consent_event_corrects_consent_event")
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id"],
            ["consent_receipt.id"],
            name=op.f("fk_consent_event_receipt_id_consent_receipt"),
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_event_subject_id_consent_subject"),
        ),
        sa.ForeignKeyConstraint(
            ["text_version"],
            ["consent_text.id"],
            name=op.f("fk_consent_event_text_version_consent_text"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_event")),
        sa.UniqueConstraint("network", "leaf", name="uq_consent_event_leaf"),
    )
    op.create_index(
        op.f("ix_consent_event_receipt_id"), "consent_event", ["receipt_id"], unique=False
    )
    op.create_index(
        "ix_consent_event_subject", "consent_event", ["subject_id", "leaf"], unique=False
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    check_empty(op.get_bind(), "consent_event")
    for statement in FREE_AGAIN[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_table("consent_event")
    op.drop_table("consent_text")
    op.drop_table("consent_receipt")
    op.drop_table("consent_invitation")
    op.drop_table("log_leaf")
    op.drop_table("log_head")
    op.drop_table("consent_subject")
    op.drop_table("consent_snapshot")
    op.drop_table("consent_ack")
