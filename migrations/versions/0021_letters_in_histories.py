"""A participant's history says that a letter was linked, and unlinked.

Revision ID: 0021
Follows: 0020
"""

import sqlalchemy as sa
from alembic import op

from migrations.run import MigrationRefused

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BEFORE = "'not_taken', 'redated', 'entered_wrongly'"
AFTER = f"{BEFORE}, 'linked', 'unlinked'"
NAME = "ck_participant_event_kind"
FIRST = "'milestone', 'state', 'left', 'arm', 'offered', 'taken_over'"


def _allow(old: str, new: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f(NAME), "participant_event", type_="check")
        op.create_check_constraint(op.f(NAME), "participant_event", f"kind IN ({FIRST}, {new})")
        return
    # SQLite cannot change a constraint: the table is made anew, with its triggers as they were.
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'participant_event'")
    ).all()
    made = next(sql for kind, sql in found if kind == "table")
    again = made.replace(f"{old})", f"{new})", 1)
    if again == made:
        raise MigrationRefused("participant_event is not as revision 0015 made it.")
    op.execute(again.replace("participant_event", "participant_event_0021", 1))
    op.execute("INSERT INTO participant_event_0021 SELECT * FROM participant_event")
    op.execute("DROP TABLE participant_event")
    op.execute("ALTER TABLE participant_event_0021 RENAME TO participant_event")
    for kind, sql in found:
        if kind != "table" and sql is not None:
            op.execute(sql)


def upgrade() -> None:
    _allow(BEFORE, AFTER)


def downgrade() -> None:
    told = sa.text("SELECT 1 FROM participant_event WHERE kind IN ('linked', 'unlinked') LIMIT 1")
    if op.get_bind().execute(told).first() is not None:
        raise MigrationRefused(
            "Histories of participants say that a letter was linked, which must be kept. "
            "Restore a back-up into a new database instead."
        )
    _allow(AFTER, BEFORE)
