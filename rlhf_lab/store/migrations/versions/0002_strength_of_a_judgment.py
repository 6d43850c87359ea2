"""How much better the upper tiers of a ranking are: one optional word per judgment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; judgments made before it have none."""
    # Added in place. Alembic's batch mode copies an SQLite table, which would lose the triggers
    # that make judgments append-only.
    op.add_column("judgments", sa.Column("strength", sa.Text(), nullable=True))


def downgrade() -> None:
    """Refuse: going back would drop what people said."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
