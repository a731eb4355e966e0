"""Tables beside the trading: locks, the equity curve, events, breakers, conflicts, exits' memory, verdicts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, ForeignKey, Index, Integer, Table

from trade_pipeline.ledger.columns import at, key, map_, metadata, money, word

locks = Table(
    "locks",
    metadata,
    key(),
    word("account"),
    word("strategy"),
    word("symbol"),
    word("reason"),
    at("locked_at"),
    at("until", nullable=True),
    at("unlocked_at", nullable=True),
    Index(None, "account", "symbol"),
)

lock_ends = Table(
    "lock_ends",
    metadata,
    Column("lock_id", BigInteger, ForeignKey(locks.c.id), primary_key=True, autoincrement=False),
    at(),
)
"""When a lock was lifted. Written with `locks.unlocked_at`, and never changed."""

equity = Table(
    "equity",
    metadata,
    word("account", primary_key=True),
    Column("at", DateTime(timezone=True), primary_key=True),
    money("equity_quote"),
    money("cash_quote"),
    money("positions_quote"),
    money("realised_quote"),
    money("unrealised_quote"),
    money("fees_quote"),
    money("peak_quote"),
)

events = Table(
    "events",
    metadata,
    key(),
    at(),
    word("kind"),
    word("severity"),
    word("account"),
    word("symbol", nullable=True),
    word("decision_id", nullable=True),
    word("client_order_id", nullable=True),
    map_("detail"),
    Index(None, "account", "at"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    word("process", primary_key=True),
    at(),
    map_("detail"),
)

breakers = Table(
    "breakers",
    metadata,
    word("account", primary_key=True),
    word("scope", primary_key=True),
    word("state"),
    word("dimension"),
    word("reason"),
    at("opened_at", nullable=True),
    at("changed_at"),
    Column("stage", Integer, nullable=False),
    map_("detail"),
)

conflicts = Table(
    "conflicts",
    metadata,
    key(),
    word("conflict_id"),
    word("account"),
    word("subject"),
    word("kind"),
    money("ledger_amount", nullable=True),
    money("exchange_amount", nullable=True),
    word("strategy"),
    word("outcome"),
    at(),
    map_("detail"),
    Index(None, "account", "at"),
    Index(None, "conflict_id", "id"),
)

exit_states = Table(
    "exit_states",
    metadata,
    word("account", primary_key=True),
    word("symbol", primary_key=True),
    at("opened_at"),
    money("highest", nullable=True),
    Column("trailing_active", Boolean, nullable=False),
    word("protection"),
    at("switched_at", nullable=True),
    Column("stages_done", Integer, nullable=False),
    map_("detail"),
    at("updated_at"),
)

guard_verdicts = Table(
    "guard_verdicts",
    metadata,
    key(),
    word("decision_id"),
    word("symbol"),
    word("guard"),
    Column("passed", Boolean, nullable=False),
    word("value"),
    word("limit"),
    word("reason"),
    at(),
    Index(None, "decision_id"),
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("day", Date, primary_key=True),
    word("component", primary_key=True),
    word("error", primary_key=True),
    word("action", primary_key=True),
    Column("recovered", Boolean, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
