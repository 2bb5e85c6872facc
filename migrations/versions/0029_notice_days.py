"""A hospital says with each consent list how many days after its notice a yes counts there.

Revision ID: 0029
Follows: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent_ack", sa.Column("notice_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("consent_ack", "notice_days")
