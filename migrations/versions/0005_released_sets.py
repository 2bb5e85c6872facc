"""What later answers must keep a distance from: the sets behind each released answer.

Revision ID: 0005
Follows: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("released_sets", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "released_sets")
