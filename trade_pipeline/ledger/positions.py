"""The projections positions, sleeves, closed trades and cash: kept up fill by fill, rebuilt from the events alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart, lock_account, write_event
from trade_pipeline.ledger.cash import rebuild_cash
from trade_pipeline.ledger.entries import entries_of
from trade_pipeline.ledger.fold import Closed, Key, Running, fold, from_json, to_json
from trade_pipeline.ledger.order_rows import change_order
from trade_pipeline.ledger.records import ClosedTrade, Event, Order
from trade_pipeline.ledger.tables import closed_trades, fills, flows, orders, positions, sleeves
from trade_pipeline.schemas.trading import OrderState, Position


class PositionBook(LedgerPart):
    def positions(self, account: str) -> list[Position]:
        """Managed positions that are not 0, by symbol; dust included."""
        query = select(positions).where(positions.c.account == account, positions.c.amount != 0)
        with self._database.reading() as connection:
            return [rows.position_from(row) for row in connection.execute(query.order_by(positions.c.symbol))]

    def position(self, account: str, symbol: str) -> Position | None:
        """None if the symbol was never traded; a position that was closed has amount 0."""
        query = select(positions).where(positions.c.account == account, positions.c.symbol == symbol)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.position_from(row) if row else None

    def sleeves(self, account: str, symbol: str) -> dict[str, Decimal]:
        """strategy -> base amount; adds up to the managed position exactly."""
        query = select(sleeves).where(sleeves.c.account == account, sleeves.c.symbol == symbol)
        with self._database.reading() as connection:
            return {row.strategy: row.amount for row in connection.execute(query.order_by(sleeves.c.strategy))}

    def realised(self, account: str) -> Decimal:
        """Realised profit since the opening, in quote, before fees."""
        return self._total(account, positions.c.realised_total_quote)

    def fees_paid(self, account: str) -> Decimal:
        """Fees of managed trades since the opening, in quote; fees whose worth nobody knows are not in it."""
        return self._total(account, positions.c.fees_total_quote)

    def _total(self, account: str, column: ColumnElement[Decimal]) -> Decimal:
        query = select(func.coalesce(func.sum(column), 0)).where(positions.c.account == account)
        with self._database.reading() as connection:
            return Decimal(str(connection.execute(query).scalar_one()))

    def closed_trades(self, account: str, since: datetime | None = None) -> list[ClosedTrade]:
        """Round trips that closed at or after `since`, oldest first."""
        query = select(closed_trades).where(closed_trades.c.account == account)
        if since is not None:
            query = query.where(closed_trades.c.closed_at >= since)
        query = query.order_by(closed_trades.c.closed_at, closed_trades.c.symbol)
        with self._database.reading() as connection:
            return [rows.closed_trade_from(row) for row in connection.execute(query)]

    def rebuild_positions(self, account: str) -> None:
        """Throw the account's projections away and make them again from fills, flows and order events."""
        with self._database.transaction() as connection:
            rebuild_account(connection, account, self._now())


def rebuild_account(connection: Connection, account: str, now: datetime) -> None:
    """The account's projections made again, in the caller's transaction."""
    lock_account(connection, account)
    symbols = set(connection.scalars(select(fills.c.symbol).where(fills.c.account == account).distinct()))
    symbols |= set(connection.scalars(select(positions.c.symbol).where(positions.c.account == account)))
    adopted = select(flows.c.symbol).where(flows.c.account == account, flows.c.symbol.is_not(None))
    symbols |= {symbol for symbol in connection.scalars(adopted) if symbol}
    book_into_positions(connection, account, symbols, now, from_start=True)
    rebuild_cash(connection, account)
    for row in connection.execute(select(orders).where(orders.c.account == account)):
        refresh_filled(connection, rows.order_from(row), now)


def book_into_positions(
    connection: Connection, account: str, symbols: Iterable[str], now: datetime, *, from_start: bool = False
) -> None:
    """Bring the symbols' positions up to the booked fills. `from_start` ignores what is there."""
    for symbol in sorted(symbols):
        row = connection.execute(
            select(positions.c.state).where(positions.c.account == account, positions.c.symbol == symbol)
        ).one_or_none()
        before = from_json(row.state) if row else Running()
        start = Running() if from_start else before
        since = start.key[0] if start.key else None
        entries = [entry for entry in entries_of(connection, account, symbol, since) if _after(entry.key, start.key)]
        if row is None and all(entry.kind == "fee" for entry in entries):
            continue  # a fee was paid with coins of which none are managed
        state, finished = fold(entries, start)
        if from_start:
            connection.execute(
                delete(closed_trades).where(closed_trades.c.account == account, closed_trades.c.symbol == symbol)
            )
        _store(connection, account, symbol, state, finished, now)
        if state.oversold > before.oversold:
            detail = {"oversold": state.oversold, "before": before.oversold}
            write_event(connection, Event(now, "sold_above_position", "error", account, symbol, detail=detail))


def needs_start(connection: Connection, account: str, symbol: str, first_at: datetime) -> bool:
    """Whether an entry of this time may belong before what was folded already."""
    row = connection.execute(
        select(positions.c.state).where(positions.c.account == account, positions.c.symbol == symbol)
    ).one_or_none()
    key = from_json(row.state).key if row else None
    return key is not None and first_at <= key[0]


def _after(key: Key, last: Key | None) -> bool:
    return last is None or key > last


def _store(
    connection: Connection, account: str, symbol: str, state: Running, finished: list[Closed], now: datetime
) -> None:
    values = {
        "amount": state.amount,
        "cost_quote": state.cost,
        "realised_quote": state.trade_realised,
        "fees_quote": state.trade_fees,
        "realised_total_quote": state.realised_total,
        "fees_total_quote": state.fees_total,
        "opened_at": state.opened_at,
        "updated_at": state.key[0] if state.key else now,
        "state": to_json(state),
    }
    key = {"account": account, "symbol": symbol}
    connection.execute(
        upsert(positions)
        .values(key | values)
        .on_conflict_do_update(index_elements=[positions.c.account, positions.c.symbol], set_=values)
    )
    connection.execute(delete(sleeves).where(sleeves.c.account == account, sleeves.c.symbol == symbol))
    parts = [key | {"strategy": name, "amount": amount} for name, amount in state.sleeves.items()]
    if parts:
        connection.execute(insert(sleeves), parts)
    if finished:
        connection.execute(insert(closed_trades), [key | asdict(closed) for closed in finished])


def refresh_filled(connection: Connection, order: Order, now: datetime) -> Order:
    """An order's quantity from its trades, and the step that it proves."""
    if order.venue_order_id is None:
        return order
    filled, quote_filled = connection.execute(
        select(
            func.coalesce(func.sum(fills.c.amount), 0), func.coalesce(func.sum(fills.c.price * fills.c.amount), 0)
        ).where(
            fills.c.account == order.account,
            fills.c.symbol == order.symbol,
            fills.c.venue_order_id == order.venue_order_id,
        )
    ).one()
    if (filled, quote_filled) == (order.filled, order.quote_filled):
        return order
    if filled > order.request.amount:
        detail = {"amount": order.request.amount, "filled": filled}
        event = Event(now, "overfilled", "error", order.account, order.symbol, None, order.client_order_id, detail)
        write_event(connection, event)
    state = _state_by_fills(order, filled)
    return change_order(
        connection, order, state, f"trades add up to {filled}", now, filled=filled, quote_filled=quote_filled
    )


def _state_by_fills(order: Order, filled: Decimal) -> OrderState:
    """What fills prove: life and, when complete, the end. A cancel under way stays so, an end stays an end."""
    if filled >= order.request.amount and order.state in _MAY_COMPLETE:
        return OrderState.FILLED
    return OrderState.PARTIALLY_FILLED if order.state in _MAY_START else order.state


_MAY_START = frozenset({OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN})
_MAY_COMPLETE = _MAY_START | {OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL}
