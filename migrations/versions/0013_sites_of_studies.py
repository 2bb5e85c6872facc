"""How far each hospital is with a study: dates, annexes, documents, signatures.

Studies that are there become studies with existing data, whose road has the states of before.

Revision ID: 0013
Follows: 0012
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from migrations.keep import check_empty
from migrations.kept_0013 import free_again, triggers
from migrations.run import MigrationRefused

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STATES_BEFORE = "'invited', 'feasibility', 'approved', 'open', 'on_hold', 'closed'"
STATES = (
    "'invited', 'declined', 'feasibility', 'local_review', 'vgo_signed', 'contract_signed', "
    "'approved', 'initiated', 'open', 'on_hold', 'closed_to_accrual', 'follow_up_done', 'closed'"
)
PART = "id, study, institution, state, since, contact, note_code"
STEP = 'id, participation_id, number, state, at, recorded_at, "by", note_code'

NEW_TABLES = (
    "site_version",
    "study_version",
    "site_annex",
    "site_condition",
    "site_plan",
    "site_milestone",
    "committee_decision",
    "study_event",
    "study_feasibility",
    "signature",
    "study_document",
    "document_body",
)


def upgrade() -> None:
    _set_aside()
    _participation(
        STATES,
        20,
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("answer_due", sa.Date(), nullable=True),
        sa.Column("interest", sa.Boolean(), nullable=True),
        sa.Column(
            "investigator", sa.String(length=200), server_default=sa.text("''"), nullable=False
        ),
        sa.Column("gcp_until", sa.Date(), nullable=True),
        sa.Column("insurance_until", sa.Date(), nullable=True),
        sa.Column("expected_per_year", sa.Integer(), nullable=True),
        sa.Column("feasibility_run", sa.String(length=36), nullable=True),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("archive_until", sa.Date(), nullable=True),
    )
    _participation_step(
        20,
        sa.Column("corrects", sa.Integer(), nullable=True),
        sa.Column("void", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    _put_back()
    op.create_index("ix_participation_study_state", "participation", ["study", "state", "since"])
    op.create_index("ix_participation_since", "participation", ["since"])
    op.add_column("network", sa.Column("pathways", sa.Text(), server_default="{}", nullable=False))
    op.add_column(
        "study", sa.Column("kind", sa.String(length=10), server_default="data", nullable=False)
    )
    op.add_column(
        "study", sa.Column("asks_data", sa.Boolean(), server_default=sa.true(), nullable=False)
    )
    op.add_column("study", sa.Column("phase", sa.String(length=10), nullable=True))
    op.add_column("study", sa.Column("design", sa.String(length=20), nullable=True))
    op.add_column("study", sa.Column("identifiers", sa.Text(), server_default="{}", nullable=False))
    _of_the_study()
    _of_the_site()
    for line in triggers(op.get_bind().dialect.name):
        op.execute(line)
    _remember_the_open(op.get_bind())


def downgrade() -> None:
    bind = op.get_bind()
    for table in NEW_TABLES:
        if table != "study_event":
            check_empty(bind, table)
    for table in ("participation", "participation_step"):
        question = f"SELECT 1 FROM {table} WHERE state NOT IN ({STATES_BEFORE})"  # noqa: S608
        _check_none(bind, question)
    _check_none(bind, "SELECT 1 FROM participation_step WHERE corrects IS NOT NULL")
    _check_none(bind, "SELECT 1 FROM study WHERE kind <> 'data'")
    _check_none(bind, "SELECT 1 FROM study_event WHERE kind NOT IN ('opened', 'ended')")
    for line in free_again(bind.dialect.name):
        op.execute(line)
    for table in NEW_TABLES:
        op.drop_table(table)
    for column in ("identifiers", "design", "phase", "asks_data", "kind"):
        op.drop_column("study", column)
    op.drop_column("network", "pathways")
    _set_aside()
    _participation(STATES_BEFORE, 12)
    _participation_step(12)
    _put_back()


def _remember_the_open(bind: sa.Connection) -> None:
    """A study that is open or closed was opened by somebody; it stays so when it is worked out."""
    found = bind.execute(
        sa.text("SELECT slug, state, created_at FROM study WHERE state <> 'draft'")
    ).all()
    for slug, state, at in found:
        for number, kind in enumerate(("opened", "ended")[: 1 + (state == "closed")], start=1):
            bind.execute(
                sa.text(
                    'INSERT INTO study_event (id, study, number, kind, at, recorded_at, "by")'
                    " VALUES (:id, :study, :number, :kind, :at, :at, 'migration')"
                ),
                {"id": str(uuid4()), "study": slug, "number": number, "kind": kind, "at": at},
            )


def _check_none(bind: sa.Connection, question: str) -> None:
    if bind.execute(sa.text(f"{question} LIMIT 1")).first() is not None:
        raise MigrationRefused(
            "Hospitals stand in states that the version before does not know. "
            "Restore a back-up into a new database instead."
        )


# A CHECK cannot be changed in SQLite, so both tables are made anew, the same way on PostgreSQL.
# The child goes first and comes back last, so that no foreign key dangles in between.


def _set_aside() -> None:
    op.execute(f"CREATE TABLE kept_part AS SELECT {PART} FROM participation")  # noqa: S608
    op.execute(f"CREATE TABLE kept_step AS SELECT {STEP} FROM participation_step")  # noqa: S608
    op.drop_table("participation_step")
    op.drop_index(op.f("ix_participation_institution"), table_name="participation")
    op.drop_table("participation")


def _put_back() -> None:
    op.execute(f"INSERT INTO participation ({PART}) SELECT {PART} FROM kept_part")  # noqa: S608
    op.execute(
        f"INSERT INTO participation_step ({STEP}) SELECT {STEP} FROM kept_step"  # noqa: S608
    )
    op.drop_table("kept_step")
    op.drop_table("kept_part")


def _participation(states: str, width: int, *more: sa.Column) -> None:
    op.create_table(
        "participation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=width), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("contact", sa.String(length=200), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        *more,
        sa.CheckConstraint(f"state IN ({states})", name=op.f("ck_participation_state")),
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


def _participation_step(width: int, *more: sa.Column) -> None:
    op.create_table(
        "participation_step",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=width), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        *more,
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


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    target = other.split(".")[0]
    return sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_{table}_{column}_{target}"))


def _of_the_study() -> None:
    op.create_table(
        "document_body",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_document_body")),
    )
    op.create_table(
        "study_document",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_by", sa.String(length=64), nullable=False),
        _reference("study_document", "study", "study.slug"),
        _reference("study_document", "institution", "institution.slug"),
        _reference("study_document", "sha256", "document_body.sha256"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_document")),
        sa.UniqueConstraint(
            "study", "institution", "kind", "version", name=op.f("uq_study_document_study")
        ),
    )
    op.create_index(op.f("ix_study_document_study"), "study_document", ["study"], unique=False)
    op.create_table(
        "signature",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("institution", sa.String(length=63), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("signed_by", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        _reference("signature", "institution", "institution.slug"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
        sa.UniqueConstraint(
            "about", "sha256", "institution", "signed_by", name=op.f("uq_signature_about")
        ),
    )
    op.create_index(op.f("ix_signature_about"), "signature", ["about"], unique=False)
    op.create_index(op.f("ix_signature_institution"), "signature", ["institution"], unique=False)
    op.create_table(
        "study_version",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("in_force_from", sa.Date(), nullable=False),
        sa.Column("adopt_by", sa.Date(), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        _reference("study_version", "study", "study.slug"),
        _reference("study_version", "document_id", "study_document.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_version")),
        sa.UniqueConstraint("study", "kind", "version", name=op.f("uq_study_version_study")),
    )
    op.create_index(op.f("ix_study_version_study"), "study_version", ["study"], unique=False)
    op.create_table(
        "committee_decision",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(length=12), nullable=False),
        sa.Column("reference", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        _reference("committee_decision", "study", "study.slug"),
        _reference("committee_decision", "document_id", "study_document.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_committee_decision")),
        sa.UniqueConstraint("study", "number", name=op.f("uq_committee_decision_study")),
    )
    op.create_table(
        "study_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        _reference("study_event", "study", "study.slug"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_study_event")),
        sa.UniqueConstraint("study", "number", name=op.f("uq_study_event_study")),
    )
    op.create_table(
        "study_feasibility",
        sa.Column("study", sa.String(length=63), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=True),
        sa.Column("words_nl", sa.Text(), nullable=False),
        sa.Column("words_en", sa.Text(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("released_by", sa.String(length=64), nullable=True),
        _reference("study_feasibility", "study", "study.slug"),
        sa.PrimaryKeyConstraint("study", "run_id", name=op.f("pk_study_feasibility")),
    )


def _of_the_site() -> None:
    op.create_table(
        "site_plan",
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("planned", sa.Date(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        _reference("site_plan", "participation_id", "participation.id"),
        sa.PrimaryKeyConstraint("participation_id", "step", name=op.f("pk_site_plan")),
    )
    op.create_table(
        "site_milestone",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("note_code", sa.String(length=40), nullable=True),
        _reference("site_milestone", "participation_id", "participation.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_milestone")),
        sa.UniqueConstraint(
            "participation_id", "number", name=op.f("uq_site_milestone_participation_id")
        ),
    )
    op.create_table(
        "site_annex",
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("department", sa.String(length=20), nullable=False),
        sa.Column("requested", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("received", sa.Date(), nullable=True),
        sa.Column("outcome", sa.String(length=6), nullable=True),
        sa.Column("document_id", sa.String(length=36), nullable=True),
        _reference("site_annex", "participation_id", "participation.id"),
        _reference("site_annex", "document_id", "study_document.id"),
        sa.PrimaryKeyConstraint("participation_id", "department", name=op.f("pk_site_annex")),
    )
    op.create_table(
        "site_condition",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.Column("met", sa.Date(), nullable=True),
        sa.Column("met_by", sa.String(length=64), nullable=True),
        _reference("site_condition", "participation_id", "participation.id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_condition")),
        sa.UniqueConstraint(
            "participation_id",
            "source",
            "number",
            name=op.f("uq_site_condition_participation_id"),
        ),
    )
    op.create_table(
        "site_version",
        sa.Column("participation_id", sa.String(length=36), nullable=False),
        sa.Column("version_id", sa.String(length=36), nullable=False),
        sa.Column("in_use_since", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        _reference("site_version", "participation_id", "participation.id"),
        _reference("site_version", "version_id", "study_version.id"),
        sa.PrimaryKeyConstraint("participation_id", "version_id", name=op.f("pk_site_version")),
    )
