"""The ledger's tables. Definitions only: the migrations under `migrations/` create them, a test holds both together.

Append-only tables refuse UPDATE and DELETE by a trigger; the others are projections of them (orders' state,
positions, sleeves, cash, closed trades) or tools of the moment (leases, locks, heartbeats).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from trade_pipeline.schemas.trading import LIVE_STATES

SCHEMA = "ledger"
"""Dagster keeps its tables in `public` of the same database. No schema may have the name of the role that connects:
PostgreSQL would put tables that name no schema, Dagster's, into it."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)

_LIVE = text("state IN ({})".format(", ".join(f"'{state}'" for state in sorted(LIVE_STATES))))


def _key(name: str = "id") -> Column[int]:
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def _money(name: str, *, nullable: bool = False) -> Column[object]:
    # NUMERIC without a scale keeps every digit that it is given.
    return Column(name, Numeric, nullable=nullable)


def _at(name: str = "at", *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _word(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


def _map(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False)


account_snapshots = Table(
    "account_snapshots",
    metadata,
    _word("snapshot_id", primary_key=True),
    _word("account"),
    _at(),
    _word("quote_asset"),
    _money("quote_free"),
    _money("quote_total"),
    _money("equity_quote"),
    _money("peak_equity_quote"),
    _map("positions"),
    _map("open_entries"),
    _map("marks"),
)

decisions = Table(
    "decisions",
    metadata,
    _word("decision_id", primary_key=True),
    _word("account"),
    _word("mode"),
    _at("as_of"),
    _at("decided_at"),
    _word("run_id"),
    _word("partition"),
    _word("settings_hash"),
    _word("code_version"),
    Column("snapshot_id", Text, ForeignKey(account_snapshots.c.snapshot_id), nullable=False),
    _map("inputs"),
    _at("expires_at"),
    _map("detail"),
    Index(None, "account", "as_of"),
)

targets = Table(
    "targets",
    metadata,
    Column("decision_id", Text, ForeignKey(decisions.c.decision_id), primary_key=True),
    _word("symbol", primary_key=True),
    _word("kind"),
    _money("quantity", nullable=True),
    _money("price", nullable=True),
    _money("stop_distance", nullable=True),
    Column("score", Double),
    Column("weight", Double),
    _word("strategy"),
    _map("sleeves"),
    _at("expires_at"),
    _word("reason"),
)

outcomes = Table(
    "outcomes",
    metadata,
    _key(),
    _word("decision_id"),
    _word("stage"),
    _word("outcome"),
    _at(),
    _map("detail"),
    Index(None, "decision_id"),
)

claims = Table(
    "claims",
    metadata,
    _word("decision_id", primary_key=True),
    _word("job", primary_key=True),
    _word("run_id"),
    _at("claimed_at"),
)

leases = Table(
    "leases",
    metadata,
    _word("account", primary_key=True),
    _word("holder"),
    Column("token", BigInteger, nullable=False),
    _at("expires_at"),
    _at("exit_wanted_until", nullable=True),
)

intents = Table(
    "intents",
    metadata,
    _word("intent_id", primary_key=True),
    _word("account"),
    _word("decision_id", nullable=True),
    _word("symbol"),
    _word("role"),
    _word("side"),
    _money("amount"),
    _word("strategy"),
    _map("sleeves"),
    _word("reason"),
    _money("decision_price", nullable=True),
    _money("stop_distance", nullable=True),
    _at("created_at"),
    _at("expires_at", nullable=True),
    Index(None, "account", "symbol", "role", "created_at"),
)

orders = Table(
    "orders",
    metadata,
    _word("client_order_id", primary_key=True),
    Column("intent_id", Text, ForeignKey(intents.c.intent_id), nullable=False),
    Column("attempt", Integer, nullable=False),
    _word("account"),
    _word("symbol"),
    _word("role"),
    _word("side"),
    _word("type"),
    _money("amount"),
    _money("price", nullable=True),
    _money("stop_price", nullable=True),
    _word("time_in_force", nullable=True),
    _word("state"),
    _word("venue_order_id", nullable=True),
    _money("filled"),
    _money("quote_filled"),
    _at("planned_at"),
    _at("sent_at", nullable=True),
    _at("acknowledged_at", nullable=True),
    _at("updated_at"),
    _word("last_evidence"),
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
    _key(),
    Column("client_order_id", Text, ForeignKey(orders.c.client_order_id), nullable=False),
    _at(),
    _word("state"),
    _word("evidence"),
    _word("venue_order_id", nullable=True),
    Index(None, "client_order_id", "id"),
)

fills = Table(
    "fills",
    metadata,
    _word("account", primary_key=True),
    _word("symbol", primary_key=True),
    _word("trade_id", primary_key=True),
    _word("venue_order_id"),
    _word("side"),
    _money("price"),
    _money("amount"),
    _money("fee"),
    _word("fee_asset"),
    _money("fee_quote", nullable=True),
    _at(),
    Column("is_maker", Boolean, nullable=False),
    _at("booked_at"),
    Index(None, "account", "symbol", "venue_order_id"),
    Index(None, "account", "fee_asset"),
    Index(None, "account", "at"),
)

flows = Table(
    "flows",
    metadata,
    _key(),
    _word("account"),
    _word("kind"),
    _word("asset"),
    _money("amount"),
    _at(),
    _word("reference"),
    _word("symbol", nullable=True),
    _money("price", nullable=True),
    UniqueConstraint("account", "kind", "asset", "reference"),
)

positions = Table(
    "positions",
    metadata,
    _word("account", primary_key=True),
    _word("symbol", primary_key=True),
    _money("amount"),
    _money("cost_quote"),
    _money("realised_quote"),
    _money("fees_quote"),
    _money("realised_total_quote"),
    _money("fees_total_quote"),
    _at("opened_at", nullable=True),
    _at("updated_at"),
    _map("state"),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
)

sleeves = Table(
    "sleeves",
    metadata,
    _word("account", primary_key=True),
    _word("symbol", primary_key=True),
    _word("strategy", primary_key=True),
    _money("amount"),
)

cash = Table(
    "cash",
    metadata,
    _word("account", primary_key=True),
    _word("asset", primary_key=True),
    _money("amount"),
)

closed_trades = Table(
    "closed_trades",
    metadata,
    _word("account", primary_key=True),
    _word("symbol", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _at("opened_at"),
    _at("closed_at"),
    _money("amount"),
    _money("entry_price"),
    _money("exit_price"),
    _money("profit_quote"),
    _money("fees_quote"),
    _word("exit_reason"),
    _word("strategy"),
    Index(None, "account", "closed_at"),
)

locks = Table(
    "locks",
    metadata,
    _key(),
    _word("account"),
    _word("strategy"),
    _word("symbol"),
    _word("reason"),
    _at("locked_at"),
    _at("until", nullable=True),
    _at("unlocked_at", nullable=True),
    Index(None, "account", "symbol"),
)

equity = Table(
    "equity",
    metadata,
    _word("account", primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    _money("equity_quote"),
    _money("cash_quote"),
    _money("positions_quote"),
    _money("realised_quote"),
    _money("unrealised_quote"),
    _money("fees_quote"),
    _money("peak_quote"),
)

events = Table(
    "events",
    metadata,
    _key(),
    _at(),
    _word("kind"),
    _word("severity"),
    _word("account"),
    _word("symbol", nullable=True),
    _word("decision_id", nullable=True),
    _word("client_order_id", nullable=True),
    _map("detail"),
    Index(None, "account", "at"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    _word("process", primary_key=True),
    _at(),
    _map("detail"),
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
)
"""Tables whose rows never change and never go."""
