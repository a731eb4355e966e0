"""Tables that can be made again from what is written once: positions, sleeves, cash and closed trades."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table

from trade_pipeline.ledger.columns import at, map_, metadata, money, word

positions = Table(
    "positions",
    metadata,
    word("account", primary_key=True),
    word("symbol", primary_key=True),
    money("amount"),
    money("cost_quote"),
    money("realised_quote"),
    money("fees_quote"),
    money("realised_total_quote"),
    money("fees_total_quote"),
    at("opened_at", nullable=True),
    at("updated_at"),
    map_("state"),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
)

sleeves = Table(
    "sleeves",
    metadata,
    word("account", primary_key=True),
    word("symbol", primary_key=True),
    word("strategy", primary_key=True),
    money("amount"),
)

cash = Table(
    "cash",
    metadata,
    word("account", primary_key=True),
    word("asset", primary_key=True),
    money("amount"),
)

closed_trades = Table(
    "closed_trades",
    metadata,
    word("account", primary_key=True),
    word("symbol", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    at("opened_at"),
    at("closed_at"),
    money("amount"),
    money("entry_price"),
    money("exit_price"),
    money("profit_quote"),
    money("fees_quote"),
    word("exit_reason"),
    word("strategy"),
    Index(None, "account", "closed_at"),
)
