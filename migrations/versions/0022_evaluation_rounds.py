"""Evaluation rounds: indicators, runs under embargo, snapshots, notes and actions.

Revision ID: 0022
Follows: 0021
"""

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""


def downgrade() -> None:
    """Nothing yet."""
