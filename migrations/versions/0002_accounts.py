"""Tables of the registry: accounts, roles, sessions, tokens, heartbeat and the audit log.

Revision ID: 0002
Follows: 0001
"""

# ruff: noqa: E501 - statements stay on one line, as the database gets them

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = {
    "sqlite": [
        "CREATE TRIGGER audit_line_no_update BEFORE UPDATE ON audit_line BEGIN SELECT RAISE(ABORT, 'audit_line is append-only'); END",
        "CREATE TRIGGER audit_line_no_delete BEFORE DELETE ON audit_line BEGIN SELECT RAISE(ABORT, 'audit_line is append-only'); END",
        "CREATE TRIGGER audit_line_no_replace BEFORE INSERT ON audit_line WHEN EXISTS (SELECT 1 FROM audit_line WHERE seq = NEW.seq OR hash = NEW.hash) BEGIN SELECT RAISE(ABORT, 'audit_line is append-only'); END",
    ],
    "postgresql": [
        "CREATE FUNCTION audit_line_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_line is append-only'; END $$",
        "CREATE TRIGGER audit_line_no_change BEFORE UPDATE OR DELETE ON audit_line FOR EACH ROW EXECUTE FUNCTION audit_line_append_only()",
        "CREATE TRIGGER audit_line_no_truncate BEFORE TRUNCATE ON audit_line FOR EACH STATEMENT EXECUTE FUNCTION audit_line_append_only()",
    ],
}
FREE_AGAIN = {
    "sqlite": [
        "DROP TRIGGER IF EXISTS audit_line_no_update",
        "DROP TRIGGER IF EXISTS audit_line_no_delete",
        "DROP TRIGGER IF EXISTS audit_line_no_replace",
    ],
    "postgresql": [
        "DROP TRIGGER IF EXISTS audit_line_no_truncate ON audit_line",
        "DROP TRIGGER IF EXISTS audit_line_no_change ON audit_line",
        "DROP FUNCTION IF EXISTS audit_line_append_only()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("totp_secret", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('active', 'suspended')", name=op.f("ck_account_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "account_attempt",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_account_attempt")),
    )
    op.create_table(
        "audit_line",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.String(length=500), nullable=False),
        sa.Column("event_code", sa.String(length=1), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_line")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_line_hash")),
    )
    op.create_index(op.f("ix_audit_line_about"), "audit_line", ["about"], unique=False)
    op.create_index(op.f("ix_audit_line_action"), "audit_line", ["action"], unique=False)
    op.create_index(op.f("ix_audit_line_actor_id"), "audit_line", ["actor_id"], unique=False)
    op.create_index(op.f("ix_audit_line_at"), "audit_line", ["at"], unique=False)
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "account_role",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("scope_kind", sa.String(length=10), nullable=False),
        sa.Column("scope_id", sa.String(length=63), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("granted_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "(scope_kind = 'network') = (scope_id = '')", name=op.f("ck_account_role_scope_id")
        ),
        sa.CheckConstraint(
            "scope_kind IN ('network', 'site', 'study')", name=op.f("ck_account_role_scope_kind")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_role_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_role")),
        sa.UniqueConstraint(
            "account_id", "role", "scope_kind", "scope_id", name=op.f("uq_account_role_account_id")
        ),
    )
    op.create_index(
        op.f("ix_account_role_account_id"), "account_role", ["account_id"], unique=False
    )
    op.create_table(
        "account_session",
        sa.Column("id_sha256", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=True),
        sa.Column("subject_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("proved_at", sa.BigInteger(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (subject_id IS NULL)",
            name=op.f("ck_account_session_one_person"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_session_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id_sha256", name=op.f("pk_account_session")),
    )
    op.create_index(
        op.f("ix_account_session_account_id"), "account_session", ["account_id"], unique=False
    )
    op.create_index(
        "ix_account_session_last_seen", "account_session", ["last_seen_at"], unique=False
    )
    op.create_index(
        op.f("ix_account_session_subject_id"), "account_session", ["subject_id"], unique=False
    )
    op.create_table(
        "account_totp_used",
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("counter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_totp_used_account_id_account")
        ),
        sa.PrimaryKeyConstraint("account_id", "counter", name=op.f("pk_account_totp_used")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=100), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_api_token_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_token_sha256")),
    )
    op.create_index(op.f("ix_api_token_account_id"), "api_token", ["account_id"], unique=False)
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    check_empty(op.get_bind(), "audit_line")
    for statement in FREE_AGAIN[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_table("api_token")
    op.drop_table("account_totp_used")
    op.drop_table("account_session")
    op.drop_table("account_role")
    op.drop_table("heartbeat")
    op.drop_table("audit_line")
    op.drop_table("account_attempt")
    op.drop_table("account")
