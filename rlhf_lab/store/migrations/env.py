"""Run by Alembic; `rlhf_lab.store.schema` hands over a connection that is in a transaction."""

from __future__ import annotations

from alembic import context

from rlhf_lab.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
