"""Who judged an evaluation: win rates of two judges are not of one kind."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column; of evaluations that are there nobody knows the judge."""
    op.add_column("metrics", sa.Column("judge", sa.Text(), nullable=True))


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError("migrations only go forward: restore a backup instead")
