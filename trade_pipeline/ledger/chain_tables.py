"""The chain of hashes; the database writes it, and nobody else."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, LargeBinary, Table, Text, text

from trade_pipeline.ledger.columns import metadata

chain = Table(
    "chain",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("table_name", Text, nullable=False),
    Column("row_key", Text, nullable=False),
    Column("row_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("uq_chain_table_name_row_key", "table_name", "row_key", unique=True),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("number", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("singleton", name="only_one"),
)

CHAINED = {
    "account_snapshots": "r.snapshot_id",
    "decisions": "r.decision_id",
    "outcomes": "r.id::text",
    "claims": "r.decision_id || '|' || r.job",
    "intents": "r.intent_id",
    "orders": "r.client_order_id",
    "order_events": "r.id::text",
    "fills": "r.account || '|' || r.symbol || '|' || r.trade_id",
    "flows": "r.id::text",
    "events": "r.id::text",
    "conflicts": "r.id::text",
    "guard_verdicts": "r.id::text",
    "equity": "r.account || '|' || to_char(r.at AT TIME ZONE 'UTC', 'YYYYMMDD HH24MISS.US')",
    "locks": "r.id::text",
    "lock_ends": "r.lock_id::text",
}
"""Chained table -> a row's key in the chain, as SQL. Targets are hashed with their decision; of orders and locks what
was frozen when they were made. Breakers are compared with their events, which are chained; positions, sleeves, cash and
closed trades are made again. Neither: leases, heartbeats, exits' memory and counts of recoveries (docs/reliability.md
says why)."""

NEVER_REMOVED = ("breakers", "chain_head", "locks")
"""Their rows change, but a trigger refuses that one goes."""

_STRIPPED = (
    "state", "venue_order_id", "filled", "quote_filled", "sent_at", "acknowledged_at", "updated_at", "last_evidence",
)  # fmt: skip
"""Columns of orders that are a projection of their events; of locks it is `unlocked_at`, of `lock_ends`."""
_CONTENT = {
    "locks": "to_jsonb(r) - 'unlocked_at'",
    "orders": "to_jsonb(r) - ARRAY[{}]".format(", ".join(f"'{name}'" for name in _STRIPPED)),
    "decisions": (
        "to_jsonb(r) || jsonb_build_object('targets', (SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY t.symbol),"
        " '[]'::jsonb) FROM ledger.targets t WHERE t.decision_id = r.decision_id))"
    ),
}


def content_of(table: str) -> str:
    """SQL for what of a row `r` is hashed, as jsonb. The triggers' own copy is in their migration; a test compares."""
    return _CONTENT.get(table, "to_jsonb(r)")
