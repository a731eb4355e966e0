"""The ledger's tables. Definitions only: the migrations under `migrations/` create them, a test holds both together.

Here what was decided, sent and filled; in `projection_tables.py` what follows from it; in `note_tables.py` what is
noted beside it.
Append-only tables refuse UPDATE and DELETE by a trigger; the others are projections of them (orders' state,
positions, sleeves, cash, closed trades, when a lock was lifted) or tools of the moment (leases, heartbeats).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from trade_pipeline.ledger.chain_tables import chain, chain_head
from trade_pipeline.ledger.columns import SCHEMA, at, key, map_, metadata, money, word
from trade_pipeline.ledger.note_tables import (
    breakers,
    conflicts,
    equity,
    events,
    exit_states,
    guard_verdicts,
    heartbeats,
    lock_ends,
    locks,
    recoveries,
)
from trade_pipeline.ledger.projection_tables import cash, closed_trades, positions, sleeves
from trade_pipeline.schemas.trading import LIVE_STATES

_LIVE = text("state IN ({})".format(", ".join(f"'{state}'" for state in sorted(LIVE_STATES))))

account_snapshots = Table(
    "account_snapshots",
    metadata,
    word("snapshot_id", primary_key=True),
    word("account"),
    at(),
    word("quote_asset"),
    money("quote_free"),
    money("quote_total"),
    money("equity_quote"),
    money("peak_equity_quote"),
    map_("positions"),
    map_("open_entries"),
    map_("marks"),
)

decisions = Table(
    "decisions",
    metadata,
    word("decision_id", primary_key=True),
    word("account"),
    word("mode"),
    at("as_of"),
    at("decided_at"),
    word("run_id"),
    word("partition"),
    word("settings_hash"),
    word("code_version"),
    Column("snapshot_id", Text, ForeignKey(account_snapshots.c.snapshot_id), nullable=False),
    map_("inputs"),
    at("expires_at"),
    map_("detail"),
    Index(None, "account", "as_of"),
)

targets = Table(
    "targets",
    metadata,
    Column("decision_id", Text, ForeignKey(decisions.c.decision_id), primary_key=True),
    word("symbol", primary_key=True),
    word("kind"),
    money("quantity", nullable=True),
    money("price", nullable=True),
    money("stop_distance", nullable=True),
    Column("score", Double),
    Column("weight", Double),
    word("strategy"),
    map_("sleeves"),
    at("expires_at"),
    word("reason"),
)

outcomes = Table(
    "outcomes",
    metadata,
    key(),
    word("decision_id"),
    word("stage"),
    word("outcome"),
    at(),
    map_("detail"),
    Index(None, "decision_id"),
)

claims = Table(
    "claims",
    metadata,
    word("decision_id", primary_key=True),
    word("job", primary_key=True),
    word("run_id"),
    at("claimed_at"),
)

leases = Table(
    "leases",
    metadata,
    word("account", primary_key=True),
    word("holder"),
    Column("token", BigInteger, nullable=False),
    at("expires_at"),
    at("exit_wanted_until", nullable=True),
)

intents = Table(
    "intents",
    metadata,
    word("intent_id", primary_key=True),
    word("account"),
    word("decision_id", nullable=True),
    word("symbol"),
    word("role"),
    word("side"),
    money("amount"),
    word("strategy"),
    map_("sleeves"),
    word("reason"),
    money("decision_price", nullable=True),
    money("stop_distance", nullable=True),
    at("created_at"),
    at("expires_at", nullable=True),
    Index(None, "account", "symbol", "role", "created_at"),
)

orders = Table(
    "orders",
    metadata,
    word("client_order_id", primary_key=True),
    Column("intent_id", Text, ForeignKey(intents.c.intent_id), nullable=False),
    Column("attempt", Integer, nullable=False),
    word("account"),
    word("symbol"),
    word("role"),
    word("side"),
    word("type"),
    money("amount"),
    money("price", nullable=True),
    money("stop_price", nullable=True),
    word("time_in_force", nullable=True),
    word("state"),
    word("venue_order_id", nullable=True),
    money("filled"),
    money("quote_filled"),
    at("planned_at"),
    at("sent_at", nullable=True),
    at("acknowledged_at", nullable=True),
    at("updated_at"),
    word("last_evidence"),
    CheckConstraint("amount > 0", name="amount_positive"),
    UniqueConstraint("intent_id", "attempt"),
    UniqueConstraint("account", "symbol", "venue_order_id"),
    Index("uq_orders_live_role", "account", "symbol", "role", unique=True, postgresql_where=_LIVE),
    Index("uq_orders_live_intent", "intent_id", unique=True, postgresql_where=_LIVE),
    Index(None, "account", "planned_at"),
)

order_events = Table(
    "order_events",
    metadata,
    key(),
    Column("client_order_id", Text, ForeignKey(orders.c.client_order_id), nullable=False),
    at(),
    word("state"),
    word("evidence"),
    word("venue_order_id", nullable=True),
    Index(None, "client_order_id", "id"),
)

fills = Table(
    "fills",
    metadata,
    word("account", primary_key=True),
    word("symbol", primary_key=True),
    word("trade_id", primary_key=True),
    word("venue_order_id"),
    word("side"),
    money("price"),
    money("amount"),
    money("fee"),
    word("fee_asset"),
    money("fee_quote", nullable=True),
    at(),
    Column("is_maker", Boolean, nullable=False),
    at("booked_at"),
    Index(None, "account", "symbol", "venue_order_id"),
    Index(None, "account", "fee_asset"),
    Index(None, "account", "at"),
)

flows = Table(
    "flows",
    metadata,
    key(),
    word("account"),
    word("kind"),
    word("asset"),
    money("amount"),
    at(),
    word("reference"),
    word("symbol", nullable=True),
    money("price", nullable=True),
    word("strategy", nullable=True),
    UniqueConstraint("account", "kind", "asset", "reference"),
)

APPEND_ONLY = (
    account_snapshots,
    decisions,
    targets,
    outcomes,
    claims,
    intents,
    order_events,
    fills,
    flows,
    equity,
    events,
    conflicts,
    guard_verdicts,
    lock_ends,
    chain,
)
"""Tables whose rows never change and never go."""

__all__ = [
    "APPEND_ONLY",
    "SCHEMA",
    "account_snapshots",
    "breakers",
    "cash",
    "chain",
    "chain_head",
    "claims",
    "closed_trades",
    "conflicts",
    "decisions",
    "equity",
    "events",
    "exit_states",
    "fills",
    "flows",
    "guard_verdicts",
    "heartbeats",
    "intents",
    "leases",
    "lock_ends",
    "locks",
    "metadata",
    "order_events",
    "orders",
    "outcomes",
    "positions",
    "recoveries",
    "sleeves",
    "targets",
]
