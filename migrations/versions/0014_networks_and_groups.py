"""Subnetworks, agreements, disciplines, expertise and what a group decided.

Rows that are there keep their meaning: a network asks on as it did (it needs no agreement until it
says so), a seat in a group begins when its network did, and its person becomes one of their own.

Revision ID: 0014
Follows: 0013
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SCOPES = "scope_kind IN ('network', 'site', 'study')"
SCOPES_AND_GROUPS = "scope_kind IN ('network', 'site', 'study', 'group')"
#: How seeds wrote a discipline before -> its code now.
CODES = {
    "oncologisch chirurg": "surgical_oncology",
    "internist-oncoloog": "medical_oncology",
    "verpleegkundig specialist": "nurse_specialist",
    "radiotherapeut-oncoloog": "radiotherapy",
    "patiëntvertegenwoordiger": "patient",
    "radioloog": "radiology",
    "patholoog": "pathology",
    "longarts": "pulmonology",
    "uroloog": "urology",
    "gynaecoloog": "gynaecology",
    "KNO-arts": "ent",
    "dermatoloog": "dermatology",
    "internist-hematoloog": "haematology",
    "neuroloog": "neurology",
    "MDL-arts": "gastroenterology",
    "internist-endocrinoloog": "endocrinology",
    "nucleair geneeskundige": "nuclear_medicine",
    "klinisch geneticus": "clinical_genetics",
    "genetisch consulent": "genetic_counselling",
}


def upgrade() -> None:
    op.create_table(
        "professional",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("invented", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_professional")),
    )
    op.create_index(op.f("ix_professional_name"), "professional", ["name"], unique=False)
    op.create_table(
        "subnetwork",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_nl", sa.String(length=200), nullable=False),
        sa.Column("region_en", sa.String(length=200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_subnetwork_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnetwork")),
        sa.UniqueConstraint("network", "slug", name=op.f("uq_subnetwork_network")),
    )
    op.create_table(
        "subnetwork_member",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("subnetwork_id", sa.String(length=36), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("role IN ('lead', 'member')", name=op.f("ck_subnetwork_member_role")),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_subnetwork_member_institution_institution"),
        ),
        sa.ForeignKeyConstraint(
            ["subnetwork_id"],
            ["subnetwork.id"],
            name=op.f("fk_subnetwork_member_subnetwork_id_subnetwork"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subnetwork_member")),
        sa.UniqueConstraint(
            "subnetwork_id", "institution", "since", name=op.f("uq_subnetwork_member_subnetwork_id")
        ),
    )
    op.create_index(
        op.f("ix_subnetwork_member_institution"), "subnetwork_member", ["institution"], unique=False
    )
    op.create_table(
        "office",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("professional", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=True),
        sa.Column("institution", sa.String(length=63), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind <> 'board' OR institution IS NOT NULL", name=op.f("ck_office_board_of_somebody")
        ),
        sa.CheckConstraint(
            "kind IN ('board', 'client_council', 'gp_circle')", name=op.f("ck_office_kind")
        ),
        sa.ForeignKeyConstraint(
            ["institution"], ["institution.slug"], name=op.f("fk_office_institution_institution")
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_office_network_network")
        ),
        sa.ForeignKeyConstraint(
            ["professional"], ["professional.id"], name=op.f("fk_office_professional_professional")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_office")),
        sa.UniqueConstraint(
            "kind", "professional", "network", "institution", "since", name=op.f("uq_office_kind")
        ),
    )
    op.create_index(op.f("ix_office_institution"), "office", ["institution"], unique=False)
    op.create_index(op.f("ix_office_network"), "office", ["network"], unique=False)
    op.create_table(
        "agreement",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("title_nl", sa.String(length=200), nullable=False),
        sa.Column("title_en", sa.String(length=200), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.CheckConstraint(
            "kind IN ('cooperation', 'queries', 'processing')", name=op.f("ck_agreement_kind")
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_agreement_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
        sa.UniqueConstraint("network", "kind", "version", name=op.f("uq_agreement_network")),
    )
    op.create_table(
        "agreement_signature",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("agreement_id", sa.String(length=36), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("signatory", sa.String(length=200), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["agreement_id"],
            ["agreement.id"],
            name=op.f("fk_agreement_signature_agreement_id_agreement"),
        ),
        sa.ForeignKeyConstraint(
            ["institution"],
            ["institution.slug"],
            name=op.f("fk_agreement_signature_institution_institution"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_signature")),
        sa.UniqueConstraint(
            "agreement_id",
            "institution",
            "signed_at",
            name=op.f("uq_agreement_signature_agreement_id"),
        ),
    )
    op.create_index(
        op.f("ix_agreement_signature_institution"),
        "agreement_signature",
        ["institution"],
        unique=False,
    )
    op.create_table(
        "expertise",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("tumour", sa.String(length=100), nullable=False),
        sa.Column("treatment", sa.String(length=20), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.CheckConstraint(
            "treatment IN ('surgery', 'radiotherapy', 'systemic', 'stem_cell', 'aftercare', "
            "'hyperthermia', 'nuclear', 'prehabilitation')",
            name=op.f("ck_expertise_treatment"),
        ),
        sa.ForeignKeyConstraint(
            ["institution"], ["institution.slug"], name=op.f("fk_expertise_institution_institution")
        ),
        sa.ForeignKeyConstraint(
            ["network"], ["network.slug"], name=op.f("fk_expertise_network_network")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expertise")),
        sa.UniqueConstraint(
            "network",
            "institution",
            "tumour",
            "treatment",
            "since",
            name=op.f("uq_expertise_network"),
        ),
    )
    op.create_index(op.f("ix_expertise_institution"), "expertise", ["institution"], unique=False)
    op.create_table(
        "group_meeting",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("held_on", sa.BigInteger(), nullable=False),
        sa.Column("agenda", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("frozen_at", sa.BigInteger(), nullable=True),
        sa.Column("frozen_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"], ["working_group.id"], name=op.f("fk_group_meeting_group_id_working_group")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_meeting")),
        sa.UniqueConstraint("group_id", "held_on", name=op.f("uq_group_meeting_group_id")),
    )
    op.create_table(
        "group_decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("links", sa.Text(), nullable=False),
        sa.Column("replaces", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["working_group.id"],
            name=op.f("fk_group_decision_group_id_working_group"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_decision")),
        sa.UniqueConstraint("group_id", "number", name=op.f("uq_group_decision_group_id")),
    )

    empty = {"server_default": "[]", "nullable": False}
    op.add_column("network", sa.Column("needs", sa.Text(), **empty))
    op.add_column("institution", sa.Column("contact", sa.String(length=200), nullable=True))
    op.add_column("institution", sa.Column("latitude", sa.Float(), nullable=True))
    op.add_column("institution", sa.Column("longitude", sa.Float(), nullable=True))
    op.add_column("working_group", sa.Column("tumours", sa.Text(), **empty))
    op.add_column("working_group", sa.Column("expected", sa.Text(), **empty))
    op.add_column("working_group", sa.Column("since", sa.BigInteger(), nullable=True))
    op.add_column("working_group", sa.Column("until", sa.BigInteger(), nullable=True))
    _people_of_their_own()
    _scopes(SCOPES, SCOPES_AND_GROUPS, 63, 127)


def _people_of_their_own() -> None:
    name = "fk_working_group_member_professional_professional"
    with op.batch_alter_table("working_group_member") as seat:
        seat.add_column(sa.Column("professional", sa.String(length=36), nullable=True))
        seat.add_column(sa.Column("since", sa.BigInteger(), nullable=True))
        seat.add_column(sa.Column("until", sa.BigInteger(), nullable=True))
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT m.id, m.name, m.invented, m.discipline, (SELECT min(since) FROM membership"
            " WHERE membership.network = g.network) FROM working_group_member m"
            " JOIN working_group g ON g.id = m.group_id"
        )
    ).all()
    people: dict[tuple[str, bool], str] = {}
    for seat_id, shown, invented, discipline, since in rows:
        person = (shown, bool(invented))
        if person not in people:
            people[person] = str(uuid4())
            connection.execute(
                sa.text("INSERT INTO professional (id, name, invented) VALUES (:id, :name, :made)"),
                {"id": people[person], "name": shown, "made": bool(invented)},
            )
        connection.execute(
            sa.text(
                "UPDATE working_group_member SET professional = :person, since = :since,"
                " discipline = :discipline WHERE id = :id"
            ),
            {
                "person": people[person],
                "since": since or 0,
                "discipline": CODES.get(discipline, discipline),
                "id": seat_id,
            },
        )
    with op.batch_alter_table("working_group_member") as seat:
        seat.alter_column("professional", existing_type=sa.String(length=36), nullable=False)
        seat.alter_column("since", existing_type=sa.BigInteger(), nullable=False)
        seat.create_foreign_key(op.f(name), "professional", ["professional"], ["id"])
        seat.drop_column("name")
        seat.drop_column("invented")
    op.create_index(
        op.f("ix_working_group_member_professional"), "working_group_member", ["professional"]
    )


def _scopes(before: str, after: str, length: int, longer: int) -> None:
    """Change the check of account_role; SQLite copies the table, which needs to know it whole."""
    account_role = sa.Table(
        "account_role",
        sa.MetaData(),
        sa.Column("id", sa.String(length=36), primary_key=True),
        sa.Column("account_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("scope_kind", sa.String(length=10), nullable=False),
        sa.Column("scope_id", sa.String(length=length), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("granted_by", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "(scope_kind = 'network') = (scope_id = '')", name=op.f("ck_account_role_scope_id")
        ),
        sa.CheckConstraint(before, name=op.f("ck_account_role_scope_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_role_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_role")),
        sa.UniqueConstraint(
            "account_id",
            "role",
            "scope_kind",
            "scope_id",
            name=op.f("uq_account_role_account_id"),
        ),
        sa.Index(op.f("ix_account_role_account_id"), "account_id"),
    )
    with op.batch_alter_table("account_role", copy_from=account_role) as role:
        role.drop_constraint(op.f("ck_account_role_scope_kind"), type_="check")
        role.create_check_constraint(op.f("ck_account_role_scope_kind"), sa.text(after))
        role.alter_column(
            "scope_id",
            existing_type=sa.String(length=length),
            type_=sa.String(length=longer),
            existing_nullable=False,
        )


def downgrade() -> None:
    # What people signed and decided is not thrown away by a step back.
    check_empty(op.get_bind(), "agreement_signature")
    check_empty(op.get_bind(), "group_decision")
    op.execute("DELETE FROM account_role WHERE scope_kind = 'group'")
    _scopes(SCOPES_AND_GROUPS, SCOPES, 127, 63)
    op.drop_index(op.f("ix_working_group_member_professional"), "working_group_member")
    with op.batch_alter_table("working_group_member") as seat:
        seat.add_column(sa.Column("name", sa.String(length=200), nullable=True))
        seat.add_column(sa.Column("invented", sa.Boolean(), nullable=True))
    op.execute(
        "UPDATE working_group_member SET"
        " name = (SELECT name FROM professional p WHERE p.id = working_group_member.professional),"
        " invented = (SELECT invented FROM professional p"
        " WHERE p.id = working_group_member.professional)"
    )
    with op.batch_alter_table("working_group_member") as seat:
        seat.alter_column("name", existing_type=sa.String(length=200), nullable=False)
        seat.alter_column("invented", existing_type=sa.Boolean(), nullable=False)
        seat.drop_constraint(
            op.f("fk_working_group_member_professional_professional"), type_="foreignkey"
        )
        for column in ("professional", "since", "until"):
            seat.drop_column(column)
    for table, columns in (
        ("working_group", ("tumours", "expected", "since", "until")),
        ("institution", ("contact", "latitude", "longitude")),
        ("network", ("needs",)),
    ):
        for column in columns:
            op.drop_column(table, column)
    for table in (
        "group_decision",
        "group_meeting",
        "expertise",
        "agreement_signature",
        "agreement",
        "office",
        "subnetwork_member",
        "subnetwork",
        "professional",
    ):
        op.drop_table(table)
