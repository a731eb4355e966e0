"""From booked rows to the entries that `fold` adds up: which trades are ours, and what each did to a position."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, Select, and_, func, select

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.fold import ZERO, Entry
from trade_pipeline.ledger.tables import fills, flows, intents, orders
from trade_pipeline.schemas.trading import FlowKind, Side

OURS = and_(
    orders.c.account == fills.c.account,
    orders.c.symbol == fills.c.symbol,
    orders.c.venue_order_id == fills.c.venue_order_id,
)
"""A fill is managed if its order is ours. Joined when read, never stored: an order whose answer was lost may be
recognised after its trades were booked."""

UNMOVING = frozenset({FlowKind.ADOPTION, FlowKind.ADJUSTMENT})
"""Flows that change what is managed and no balance: the coins were in the account already, or have left it."""


def base_and_quote(symbol: str) -> tuple[str, str]:
    base, quote = symbol.split("/")
    return base, quote


def managed_fills() -> Select[tuple[object, ...]]:
    """Our fills with what their intents say."""
    return (
        select(
            fills,
            orders.c.client_order_id,
            orders.c.role,
            intents.c.strategy,
            intents.c.reason,
            intents.c.sleeves,
        )
        .join_from(fills, orders, OURS)
        .join(intents, intents.c.intent_id == orders.c.intent_id)
    )


def entries_of(connection: Connection, account: str, symbol: str, since: datetime | None) -> list[Entry]:
    """Everything that changed the symbol's position at or after `since`, in the order of the keys."""
    found = [*_trades(connection, account, symbol, since), *_fees(connection, account, symbol, since)]
    found += _adoptions(connection, account, symbol, since)
    return sorted(found, key=lambda entry: entry.key)


def _trades(connection: Connection, account: str, symbol: str, since: datetime | None) -> Iterator[Entry]:
    query = managed_fills().where(fills.c.account == account, fills.c.symbol == symbol)
    if since is not None:
        query = query.where(fills.c.at >= since)
    base, _ = base_and_quote(symbol)
    for row in connection.execute(query):
        yield Entry(
            kind="fill",
            key=(row.at, row.symbol, len(row.trade_id), row.trade_id),
            signed_amount=row.amount if row.side == Side.BUY else -row.amount,
            price=row.price,
            fee_base=row.fee if row.fee_asset == base else ZERO,
            fee_quote=row.fee_quote or ZERO,
            shares=rows.amounts_from_json(row.sleeves),
            strategy=row.strategy,
            reason=row.reason or row.role,
        )


def _fees(connection: Connection, account: str, symbol: str, since: datetime | None) -> Iterator[Entry]:
    """Fees of our other trades that were paid in this symbol's base asset."""
    base, quote = base_and_quote(symbol)
    query = managed_fills().where(
        fills.c.account == account,
        fills.c.fee_asset == base,
        fills.c.fee > 0,
        func.split_part(fills.c.symbol, "/", 1) != base,
        func.split_part(fills.c.symbol, "/", 2) == quote,
    )
    if since is not None:
        query = query.where(fills.c.at >= since)
    for row in connection.execute(query):
        yield Entry(
            kind="fee",
            key=(row.at, row.symbol, len(row.trade_id), row.trade_id),
            signed_amount=-row.fee,
            fee_quote=row.fee_quote or ZERO,
        )


def _adoptions(connection: Connection, account: str, symbol: str, since: datetime | None) -> Iterator[Entry]:
    query = select(flows).where(flows.c.account == account, flows.c.symbol == symbol, flows.c.kind.in_(UNMOVING))
    if since is not None:
        query = query.where(flows.c.at >= since)
    for row in connection.execute(query):
        price = row.price or Decimal(0)
        yield Entry(
            kind="adopt" if row.amount > 0 else "release",
            key=(row.at, row.symbol, 0, row.reference),
            signed_amount=row.amount,
            price=price,
            fee_quote=ZERO if row.amount > 0 else price * -row.amount,
            shares={row.strategy: Decimal(1)} if row.strategy else {},
            strategy=row.strategy or "adopted",
        )
