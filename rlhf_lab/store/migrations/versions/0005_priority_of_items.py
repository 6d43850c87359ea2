"""How much the ranking of an item would teach: what informative choosing goes by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; items that are there have no priority yet."""
    op.add_column(
        "items", sa.Column("priority", sa.Double(), nullable=False, server_default=sa.text("0"))
    )
    op.create_index(
        "ix_items_version_state_priority", "items", ["version", "state", "priority", "draw"]
    )


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
