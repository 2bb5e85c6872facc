"""The database keeps what groups decided, what was signed and what was counted.

A signature that stands is one per agreement and institution, so that a withdrawal ends it.

Revision ID: 0020
Follows: 0019
"""

import sqlalchemy as sa
from alembic import op

from migrations.kept_0020 import free_again, triggers

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# Two at once could sign the same agreement. The first of them goes on counting; the others count
# for no moment at all, so that what was in force on any day stays as it was.
TWICE = (
    "UPDATE agreement_signature SET withdrawn_at = signed_at, withdrawn_by = 'migration'"
    " WHERE withdrawn_at IS NULL AND EXISTS (SELECT 1 FROM agreement_signature AS other"
    " WHERE other.agreement_id = agreement_signature.agreement_id"
    " AND other.institution = agreement_signature.institution"
    " AND other.withdrawn_at IS NULL AND other.signed_at < agreement_signature.signed_at)"
)
STANDS = sa.text("withdrawn_at IS NULL")


def upgrade() -> None:
    op.execute(TWICE)
    op.create_index(
        "ix_agreement_signature_standing",
        "agreement_signature",
        ["agreement_id", "institution"],
        unique=True,
        sqlite_where=STANDS,
        postgresql_where=STANDS,
    )
    for line in triggers(op.get_bind().dialect.name):
        op.execute(line)


def downgrade() -> None:
    for line in free_again(op.get_bind().dialect.name):
        op.execute(line)
    op.drop_index("ix_agreement_signature_standing", table_name="agreement_signature")
