"""What a round that is not released tells, so that nobody is told it by other parameters.

A round that was approved before keeps back its questions by their exact heart only, until its
release.

Revision ID: 0026
Follows: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run_embargo", sa.Column("about", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("run_embargo", "about")
