"""From booked rows to the entries that `fold` adds up: which trades are ours, and what each did to a position."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Connection, DateTime, Select, TableValuedAlias, Text, and_, cast, column, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

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

_TIMES = ARRAY(DateTime(timezone=True))
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
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


Since = Mapping[str, datetime | None]
"""Symbol -> the time from which on its entries are wanted; None: all of them."""


def entries_of(connection: Connection, account: str, since: Since) -> dict[str, list[Entry]]:
    """Everything that changed the symbols' positions at or after `since`, by symbol in the order of the keys."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for part in (_trades, _fees, _adoptions):
        for symbol, entry in part(connection, account, since):
            found[symbol].append(entry)
    return {symbol: sorted(entries, key=lambda entry: entry.key) for symbol, entries in found.items()}


def symbols_and_times(pairs: Sequence[tuple[str, datetime | None]]) -> TableValuedAlias:
    """Pairs as a table `wanted` with the columns symbol and time, to join with: each symbol has a time of its own."""
    symbols, times = [symbol for symbol, _ in pairs], [time for _, time in pairs]
    return (
        func.unnest(cast(literal(symbols, ARRAY(Text)), ARRAY(Text)), cast(literal(times, _TIMES), _TIMES))
        .table_valued(column("symbol", Text), column("time", DateTime(timezone=True)), name="wanted")
        .render_derived()
    )


def _wanted(since: Since) -> TableValuedAlias:
    return symbols_and_times([(symbol, time or _BEGINNING) for symbol, time in since.items()])


def _trades(connection: Connection, account: str, since: Since) -> Iterator[tuple[str, Entry]]:
    wanted = _wanted(since)
    query = managed_fills().join(wanted, and_(wanted.c.symbol == fills.c.symbol, fills.c.at >= wanted.c.time))
    for row in connection.execute(query.where(fills.c.account == account)):
        base, _ = base_and_quote(row.symbol)
        yield (
            row.symbol,
            Entry(
                kind="fill",
                key=(row.at, row.symbol, len(row.trade_id), row.trade_id),
                signed_amount=row.amount if row.side == Side.BUY else -row.amount,
                price=row.price,
                fee_base=row.fee if row.fee_asset == base else ZERO,
                fee_quote=row.fee_quote or ZERO,
                shares=rows.amounts_from_json(row.sleeves),
                strategy=row.strategy,
                reason=row.reason or row.role,
            ),
        )


def _fees(connection: Connection, account: str, since: Since) -> Iterator[tuple[str, Entry]]:
    """Fees of our other trades that were paid in a symbol's base asset."""
    wanted = _wanted(since)
    traded = [func.split_part(fills.c.symbol, "/", part) for part in (1, 2)]
    paying = [func.split_part(wanted.c.symbol, "/", part) for part in (1, 2)]
    query = (
        managed_fills()
        .add_columns(wanted.c.symbol.label("paying"))
        .join(wanted, and_(fills.c.fee_asset == paying[0], traded[1] == paying[1], fills.c.at >= wanted.c.time))
        .where(fills.c.account == account, fills.c.fee > 0, traded[0] != fills.c.fee_asset)
    )
    for row in connection.execute(query):
        yield (
            row.paying,
            Entry(
                kind="fee",
                key=(row.at, row.symbol, len(row.trade_id), row.trade_id),
                signed_amount=-row.fee,
                fee_quote=row.fee_quote or ZERO,
            ),
        )


def _adoptions(connection: Connection, account: str, since: Since) -> Iterator[tuple[str, Entry]]:
    wanted = _wanted(since)
    query = select(flows).join(wanted, and_(wanted.c.symbol == flows.c.symbol, flows.c.at >= wanted.c.time))
    for row in connection.execute(query.where(flows.c.account == account, flows.c.kind.in_(UNMOVING))):
        price = row.price or Decimal(0)
        yield (
            row.symbol,
            Entry(
                kind="adopt" if row.amount > 0 else "release",
                key=(row.at, row.symbol, 0, row.reference),
                signed_amount=row.amount,
                price=price,
                fee_quote=ZERO if row.amount > 0 else price * -row.amount,
                shares={row.strategy: Decimal(1)} if row.strategy else {},
                strategy=row.strategy or "adopted",
            ),
        )
