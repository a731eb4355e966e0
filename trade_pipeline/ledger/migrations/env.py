"""Alembic's entry: runs in the transaction that `ledger.migrate` opened and locked."""

from __future__ import annotations

from alembic import context

from trade_pipeline.ledger.tables import SCHEMA, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table="schema_revision",
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
