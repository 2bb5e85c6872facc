"""Parties, facts, proofs, marks, signed heads, witnesses, drafts of texts, and what may be erased.

Rows that are there keep their meaning: everything was said by the patient ("self"), without proof.
A hospital that checks proofs counts nobody on such a yes: the patient is asked again.

Revision ID: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty
from migrations.kept_0008 import APPEND_ONLY, AS_BEFORE, KEPT

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_alarm",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_by", sa.String(length=64), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_alarm")),
    )
    op.create_table(
        "consent_erasure",
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("leaf", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ground", sa.String(length=40), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_consent_erasure_network_network")
        ),
        sa.PrimaryKeyConstraint("network", "leaf", name=op.f("pk_consent_erasure")),
    )
    op.create_table(
        "consent_site_message",
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_site_message_site_institution")
        ),
        sa.PrimaryKeyConstraint("site", "seq", name=op.f("pk_consent_site_message")),
    )
    op.create_table(
        "consent_tree_head",
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("size", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_consent_tree_head_network_network")
        ),
        sa.PrimaryKeyConstraint("network", "size", "at", name=op.f("pk_consent_tree_head")),
    )
    op.create_table(
        "consent_witness",
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_witness_site_institution")
        ),
        sa.PrimaryKeyConstraint("site", "seq", name=op.f("pk_consent_witness")),
    )
    op.create_table(
        "consent_draft",
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_draft_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("subject_id", "party", "study", name=op.f("pk_consent_draft")),
    )
    op.create_table(
        "consent_fact",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('age_class', 'representative', 'death', 'contact_stop', 'closed')",
            name=op.f("ck_consent_fact_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_fact_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_fact")),
    )
    op.create_index(
        "ix_consent_fact_subject",
        "consent_fact",
        ["subject_id", "kind", "recorded_at"],
        unique=False,
    )
    op.create_table(
        "consent_link",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("link", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("linked_at", sa.BigInteger(), nullable=False),
        sa.Column("unlinked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_link_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_link")),
        sa.UniqueConstraint("link", "subject_id", name=op.f("uq_consent_link_link")),
    )
    op.create_index(op.f("ix_consent_link_link"), "consent_link", ["link"], unique=False)
    op.create_index(
        op.f("ix_consent_link_subject_id"), "consent_link", ["subject_id"], unique=False
    )
    op.create_table(
        "consent_link_code",
        sa.Column("lookup", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_link_code_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("lookup", name=op.f("pk_consent_link_code")),
    )
    op.create_index(
        op.f("ix_consent_link_code_subject_id"), "consent_link_code", ["subject_id"], unique=False
    )
    op.create_table(
        "consent_party",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_party_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_party")),
    )
    op.create_index(
        "ix_consent_party_subject",
        "consent_party",
        ["subject_id", "party", "recorded_at"],
        unique=False,
    )
    op.create_table(
        "consent_passkey",
        sa.Column("credential_id", sa.String(length=400), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("enrolled", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_passkey_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_consent_passkey")),
    )
    op.create_index(
        op.f("ix_consent_passkey_subject_id"), "consent_passkey", ["subject_id"], unique=False
    )
    op.create_table(
        "consent_destroy_order",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subject_id", sa.String(length=36), nullable=False),
        sa.Column("receipt_id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.Column("grace_until", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["receipt_id"],
            ["consent_receipt.id"],
            name=op.f("fk_consent_destroy_order_receipt_id_consent_receipt"),
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["consent_subject.id"],
            name=op.f("fk_consent_destroy_order_subject_id_consent_subject"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_destroy_order")),
    )
    op.create_index(
        op.f("ix_consent_destroy_order_subject_id"),
        "consent_destroy_order",
        ["subject_id"],
        unique=False,
    )
    op.create_table(
        "consent_text_draft",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("change_class", sa.String(length=12), nullable=False),
        sa.Column("widened", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("ethics_reference", sa.String(length=100), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("approvals", sa.Text(), nullable=False),
        sa.Column("published", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_consent_text_draft_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_text_draft")),
    )
    op.create_index(
        op.f("ix_consent_text_draft_study"), "consent_text_draft", ["study"], unique=False
    )
    op.create_table(
        "consent_use",
        sa.Column("site", sa.String(length=63), nullable=False),
        sa.Column("query_id", sa.String(length=64), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("band", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["site"], ["institution.slug"], name=op.f("fk_consent_use_site_institution")
        ),
        sa.ForeignKeyConstraint(["study"], ["study.slug"], name=op.f("fk_consent_use_study_study")),
        sa.PrimaryKeyConstraint("site", "query_id", name=op.f("pk_consent_use")),
    )
    op.create_table(
        "consent_text_end",
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=63), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["text_version"],
            ["consent_text.id"],
            name=op.f("fk_consent_text_end_text_version_consent_text"),
        ),
        sa.PrimaryKeyConstraint("text_version", "item", name=op.f("pk_consent_text_end")),
    )
    op.create_table(
        "consent_mark",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("leaf", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('confirmed', 'suspended', 'resumed', 'invalidated')",
            name=op.f("ck_consent_mark_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["consent_event.id"], name=op.f("fk_consent_mark_event_id_consent_event")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_mark")),
        sa.UniqueConstraint("network", "leaf", name="uq_consent_mark_leaf"),
    )
    op.create_index(op.f("ix_consent_mark_event_id"), "consent_mark", ["event_id"], unique=False)
    op.add_column(
        "account_session",
        sa.Column("level", sa.String(length=40), server_default="letter", nullable=False),
    )
    op.add_column(
        "account_session",
        sa.Column("party", sa.String(length=40), server_default="self", nullable=False),
    )
    op.add_column("consent_ack", sa.Column("unproven", sa.String(length=20), nullable=True))
    op.add_column(
        "consent_event",
        sa.Column("party", sa.String(length=40), server_default="self", nullable=False),
    )
    op.add_column("consent_event", sa.Column("proof", sa.Text(), nullable=True))
    op.add_column(
        "consent_invitation",
        sa.Column("party", sa.String(length=40), server_default="self", nullable=False),
    )
    op.add_column(
        "consent_invitation",
        sa.Column("role", sa.String(length=20), server_default="self", nullable=False),
    )
    op.add_column(
        "consent_invitation", sa.Column("second_verifier", sa.String(length=200), nullable=True)
    )
    op.add_column(
        "consent_receipt",
        sa.Column("party", sa.String(length=40), server_default="self", nullable=False),
    )
    op.add_column(
        "consent_snapshot", sa.Column("facts", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "consent_text", sa.Column("widened", sa.Text(), server_default="[]", nullable=False)
    )
    op.add_column(
        "consent_text", sa.Column("changes", sa.Text(), server_default="{}", nullable=False)
    )
    op.add_column("network", sa.Column("consent", sa.Text(), server_default="{}", nullable=False))
    op.add_column("study", sa.Column("consent", sa.Text(), server_default="{}", nullable=False))
    for line in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(line)


def downgrade() -> None:
    for table in KEPT:
        check_empty(op.get_bind(), table)
    for line in AS_BEFORE[op.get_bind().dialect.name]:
        op.execute(line)
    op.drop_column("study", "consent")
    op.drop_column("network", "consent")
    op.drop_column("consent_text", "changes")
    op.drop_column("consent_text", "widened")
    op.drop_column("consent_snapshot", "facts")
    op.drop_column("consent_receipt", "party")
    op.drop_column("consent_invitation", "second_verifier")
    op.drop_column("consent_invitation", "role")
    op.drop_column("consent_invitation", "party")
    op.drop_column("consent_event", "proof")
    op.drop_column("consent_event", "party")
    op.drop_column("consent_ack", "unproven")
    op.drop_column("account_session", "party")
    op.drop_column("account_session", "level")
    op.drop_index(op.f("ix_consent_mark_event_id"), table_name="consent_mark")
    op.drop_table("consent_mark")
    op.drop_table("consent_text_end")
    op.drop_table("consent_use")
    op.drop_index(op.f("ix_consent_text_draft_study"), table_name="consent_text_draft")
    op.drop_table("consent_text_draft")
    op.drop_index(op.f("ix_consent_destroy_order_subject_id"), table_name="consent_destroy_order")
    op.drop_table("consent_destroy_order")
    op.drop_index(op.f("ix_consent_passkey_subject_id"), table_name="consent_passkey")
    op.drop_table("consent_passkey")
    op.drop_index("ix_consent_party_subject", table_name="consent_party")
    op.drop_table("consent_party")
    op.drop_index(op.f("ix_consent_link_code_subject_id"), table_name="consent_link_code")
    op.drop_table("consent_link_code")
    op.drop_index(op.f("ix_consent_link_subject_id"), table_name="consent_link")
    op.drop_index(op.f("ix_consent_link_link"), table_name="consent_link")
    op.drop_table("consent_link")
    op.drop_index("ix_consent_fact_subject", table_name="consent_fact")
    op.drop_table("consent_fact")
    op.drop_table("consent_draft")
    op.drop_table("consent_witness")
    op.drop_table("consent_tree_head")
    op.drop_table("consent_site_message")
    op.drop_table("consent_erasure")
    op.drop_table("consent_alarm")
