"""Tables of studies: networks, institutions, working groups, studies, participation, sites.

Revision ID: 0001
Follows: nothing
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "institution",
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("city", sa.String(length=100), nullable=False),
        sa.Column("agb", sa.String(length=8), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.CheckConstraint(
            "kind IN ('university', 'top_clinical', 'general', 'radiotherapy')",
            name=op.f("ck_institution_kind"),
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_institution")),
    )
    op.create_table(
        "network",
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_nl", sa.String(length=200), nullable=False),
        sa.Column("region_en", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_network")),
    )
    op.create_table(
        "membership",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_membership_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_membership_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
        sa.UniqueConstraint("network", "institution", "since", name=op.f("uq_membership_network")),
    )
    op.create_index(op.f("ix_membership_institution"), "membership", ["institution"], unique=False)
    op.create_table(
        "site_node",
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("sign_pub", sa.String(length=64), nullable=False),
        sa.Column("box_pub", sa.String(length=64), nullable=False),
        sa.Column("engine", sa.String(length=20), nullable=False),
        sa.Column("terms", sa.Text(), nullable=True),
        sa.Column("policy_sha256", sa.String(length=64), nullable=True),
        sa.Column("software", sa.String(length=80), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["institution"], ["institution.slug"], name=op.f("fk_site_node_institution_institution")
        ),
        sa.PrimaryKeyConstraint("institution", name=op.f("pk_site_node")),
    )
    op.create_index("ix_site_node_engine", "site_node", ["engine"], unique=False)
    op.create_table(
        "working_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name_nl", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_working_group_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_group")),
        sa.UniqueConstraint("network", "slug", name=op.f("uq_working_group_network")),
    )
    op.create_table(
        "study",
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("title_nl", sa.String(length=200), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("question_nl", sa.Text(), nullable=False),
        sa.Column("question_en", sa.Text(), nullable=False),
        sa.Column("purpose_nl", sa.Text(), nullable=False),
        sa.Column("purpose_en", sa.Text(), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=True),
        sa.Column("lead", sa.String(length=63), nullable=True),
        sa.Column("lead_name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("codebook", sa.Text(), nullable=False),
        sa.Column("codebook_id", sa.String(length=80), nullable=False),
        sa.Column("requires", sa.Text(), nullable=False),
        sa.Column("output_by_site", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('draft', 'open', 'closed')", name=op.f("ck_study_state")),
        sa.ForeignKeyConstraint(
            ["group_id"], ["working_group.id"], name=op.f("fk_study_group_id_working_group")
        ),
        sa.ForeignKeyConstraint(
            ["lead"], ["institution.slug"], name=op.f("fk_study_lead_institution")
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_study_network_network")
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_study")),
    )
    op.create_index(op.f("ix_study_network"), "study", ["network"], unique=False)
    op.create_table(
        "working_group_member",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("discipline", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=True),
        sa.Column("invented", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["working_group.id"],
            name=op.f("fk_working_group_member_group_id_working_group"),
        ),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_working_group_member_institution_institution"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_group_member")),
    )
    op.create_index(
        op.f("ix_working_group_member_group_id"), "working_group_member", ["group_id"], unique=False
    )
    op.create_table(
        "participation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.String(length=200), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        sa.CheckConstraint(
            "state IN ('invited', 'feasibility', 'approved', 'open', 'on_hold', 'closed')",
            name=op.f("ck_participation_state"),
        ),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_participation_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["study"], ["study.slug"], name=op.f("fk_participation_study_study")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participation")),
        sa.UniqueConstraint("study", "institution", name=op.f("uq_participation_study")),
    )
    op.create_index(
        op.f("ix_participation_institution"), "participation", ["institution"], unique=False
    )
    op.create_table(
        "participation_step",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["participation_id"],
            ["participation.id"],
            name=op.f("fk_participation_step_participation_id_participation"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participation_step")),
        sa.UniqueConstraint(
            "participation_id", "number", name=op.f("uq_participation_step_participation_id")
        ),
    )


def downgrade() -> None:
    op.drop_table("participation_step")
    op.drop_table("participation")
    op.drop_table("working_group_member")
    op.drop_table("study")
    op.drop_table("working_group")
    op.drop_table("site_node")
    op.drop_table("membership")
    op.drop_table("network")
    op.drop_table("institution")
