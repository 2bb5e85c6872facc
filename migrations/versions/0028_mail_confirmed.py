"""A mail address counts once the code that was mailed to it was typed.

Who typed an address before is sent a code with the next morning's mail, and gets the daily mail
again once it is typed.

Revision ID: 0028
Follows: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mail_address", sa.Column("confirmed_at", sa.BigInteger(), nullable=True))
    op.add_column("mail_address", sa.Column("code", sa.String(length=6), nullable=True))
    op.add_column("mail_address", sa.Column("code_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "mail_address", sa.Column("tries", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    for name in ("tries", "code_at", "code", "confirmed_at"):
        op.drop_column("mail_address", name)
