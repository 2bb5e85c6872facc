"""Results per hospital under protection, stricter terms of a study, and dominance among the terms.

Thresholds that were stored before know no `dominance`: they get its default, so that old hubs keep
asking. A site that has said nothing newer is asked under that default.

Revision ID: 0006
Follows: 0005
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DOMINANCE = {"strict": {"top1": 0.5, "top2": 0.67}, "none": {"top1": 1.0, "top2": 1.0}}
_KEYS = {"site_node": "institution", "run": "id"}


def upgrade() -> None:
    op.add_column("study", sa.Column("delivery", sa.String(6), nullable=True))
    op.add_column("study", sa.Column("result_key", sa.String(43), nullable=True))
    op.add_column("study", sa.Column("benchmark", sa.String(200), nullable=True))
    op.add_column("study", sa.Column("terms", sa.Text(), nullable=True))
    op.add_column("site_node", sa.Column("form_id", sa.String(100), nullable=True))
    op.add_column("run", sa.Column("delivery", sa.String(6), nullable=True))
    _change_terms(add=True)


def downgrade() -> None:
    _change_terms(add=False)
    op.drop_column("run", "delivery")
    op.drop_column("site_node", "form_id")
    for name in ("terms", "benchmark", "result_key", "delivery"):
        op.drop_column("study", name)


def _change_terms(*, add: bool) -> None:
    connection = op.get_bind()
    for name, key in _KEYS.items():
        table = sa.table(name, sa.column(key, sa.String), sa.column("terms", sa.Text))
        rows = connection.execute(
            sa.select(table.c[key], table.c.terms).where(table.c.terms.is_not(None))
        ).all()
        for row_key, text in rows:
            terms: dict[str, Any] = json.loads(text)
            terms.pop("dominance", None)
            if add:
                terms["dominance"] = _DOMINANCE[terms["protection"]]
            connection.execute(
                sa.update(table)
                .where(table.c[key] == row_key)
                .values(terms=json.dumps(terms, sort_keys=True, separators=(",", ":")))
            )
