"""Trades and flows: what really happened to the account, booked once and never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import lock_account, write_event
from trade_pipeline.ledger.cash import add_to_cash, balance_changes
from trade_pipeline.ledger.entries import UNMOVING, base_and_quote
from trade_pipeline.ledger.fills import READ_FILL, FillBook
from trade_pipeline.ledger.fold import EXACT
from trade_pipeline.ledger.folding import book_into_positions, book_new_entries, late_symbols
from trade_pipeline.ledger.order_fills import refresh_all_filled
from trade_pipeline.ledger.order_rows import locked_orders
from trade_pipeline.ledger.records import Event, Fill, Flow
from trade_pipeline.ledger.tables import fills, flows, orders
from trade_pipeline.ledger.trade_checks import (
    Values,
    differences,
    refusal,
    report_differing,
    report_refused,
    sort_trades,
)
from trade_pipeline.schemas.trading import AccountReading, FlowKind, OrderState, VenueTrade

Prices = Mapping[str, Decimal]

_OPENED_AT = select(func.min(flows.c.at)).where(flows.c.account == bindparam("account"), flows.c.kind == "opening")


class TradeBook(FillBook):
    def book_trades(
        self,
        account: str,
        trades: Sequence[VenueTrade],
        *,
        prefix: str,
        prices: Prices | None = None,
    ) -> list[Fill]:
        """Book trades that were not booked yet, and return them; any order, any repetition.

        Ours (their venue order id is known) move order, position, sleeves and balances; others move balances only,
        until an order turns out to be theirs. `prices`: fee asset -> price in quote at the fills' time; without one,
        a fee in a third asset keeps fee_quote None and leaves an event. Trades at or before the opening reading are
        in its balances already and are left out. `prefix` tells a foreign trade from one that an unresolved order of
        ours may have made. A known trade that is told otherwise stays as it is booked and leaves an event. Raises
        BadTrade, after all others were booked, for trades without amount or price; LedgerUnavailable.
        """
        if not trades:
            return []
        good, wrong = sort_trades(trades)
        with self._database.transaction() as connection:
            booked = self._book(connection, account, good, prefix, prices or {})
            report_refused(connection, account, wrong, self._now())
        fills_ = [rows.fill_from(row) for row in booked]
        if wrong:
            raise refusal(wrong, fills_)
        return fills_

    def _book(
        self, connection: Connection, account: str, trades: Sequence[VenueTrade], prefix: str, prices: Prices
    ) -> Sequence[Row[Any]]:
        now = self._now()
        lock_account(connection, account)
        opened_at = _opened_at(connection, account)
        values = [
            _fill_values(account, trade, prices, now) for trade in trades if opened_at is None or trade.at > opened_at
        ]
        if not values:
            return []
        new = connection.execute(
            upsert(fills).on_conflict_do_nothing().returning(fills.c.symbol, fills.c.trade_id), values
        ).all()
        keys = {(row.symbol, row.trade_id) for row in new}
        told_again = len(new) != len(values)
        stored = _read(connection, account, {_key(told) for told in values} if told_again else keys)
        if told_again:
            report_differing(connection, account, _differing(stored, values), now)
        if not new:
            return []
        booked = [row for row in stored if (row.symbol, row.trade_id) in keys]
        add_to_cash(connection, account, balance_changes(booked))
        _settle_orders(connection, booked, now)
        _settle_positions(connection, account, booked, now)
        _report(connection, account, booked, prefix, now)
        return booked

    def record_opening(self, account: str, reading: AccountReading) -> bool:
        """The balances that the ledger starts from, once; False if there is an opening already."""
        if self.opened_at(account) is not None:
            return False  # Every reading of an account asks: one question, no lock.
        with self._database.transaction() as connection:
            lock_account(connection, account)
            if _opened_at(connection, account) is not None:
                return False
            values = [
                Flow(account, asset, FlowKind.OPENING, balance.total, reading.at, "opening")
                for asset, balance in sorted(reading.balances.items())
            ]
            # An empty account has an opening too: of nothing, at this time.
            for flow in values or [Flow(account, "", FlowKind.OPENING, Decimal(0), reading.at, "opening")]:
                _add_flow(connection, flow)
            return True

    def opened_at(self, account: str) -> datetime | None:
        """When the account was first read; None before that."""
        with self._database.reading() as connection:
            return _opened_at(connection, account)

    def book_flow(self, flow: Flow) -> bool:
        """A deposit, withdrawal, reward... False if (account, kind, asset, reference) was booked already.

        Adoptions and adjustments need a symbol: `adopt`, `adjust_position`.
        """
        assert flow.kind not in UNMOVING, "use adopt() or adjust_position(): they need a symbol"
        with self._database.transaction() as connection:
            lock_account(connection, flow.account)
            return _add_flow(connection, flow)

    def adopt(self, account: str, symbol: str, amount: Decimal, price: Decimal, at: datetime, reference: str) -> bool:
        """Make `amount` coins that are in the account already a managed position bought at `price` (quote).

        Balances do not change. False if the reference was adopted already.
        """
        base, _ = base_and_quote(symbol)
        flow = Flow(account, base, FlowKind.ADOPTION, amount, at, reference)
        with self._database.transaction() as connection:
            lock_account(connection, account)
            late = late_symbols(connection, account, {symbol: at})
            written = _add_flow(connection, flow, symbol=symbol, price=price)
            if written:
                book_into_positions(connection, account, {symbol}, self._now(), from_start=late)
            return written

    def adjust_position(
        self,
        account: str,
        symbol: str,
        amount: Decimal,
        price: Decimal | None,
        at: datetime,
        reference: str,
        strategy: str | None = None,
    ) -> bool:
        """Change a managed position by `amount` (signed, base) without a trade; balances do not change.

        What is released leaves at `price` (quote), or at its cost where nobody knows one; what is added needs one.
        `strategy` names the sleeve, else the sleeves share. False if the reference was booked already.
        """
        assert amount != 0, "an adjustment changes something"
        assert price is not None or amount < 0, "what is added needs a price"
        base, _ = base_and_quote(symbol)
        flow = Flow(account, base, FlowKind.ADJUSTMENT, amount, at, reference)
        with self._database.transaction() as connection:
            lock_account(connection, account)
            late = late_symbols(connection, account, {symbol: at})
            written = _add_flow(connection, flow, symbol=symbol, price=price, strategy=strategy)
            if written:
                book_into_positions(connection, account, {symbol}, self._now(), from_start=late)
            return written


def _opened_at(connection: Connection, account: str) -> datetime | None:
    return connection.execute(_OPENED_AT, {"account": account}).scalar_one()  # type: ignore[no-any-return]  # min(at)


def _fill_values(account: str, trade: VenueTrade, prices: Mapping[str, Decimal], now: datetime) -> dict[str, object]:
    return {
        "account": account,
        "symbol": trade.symbol,
        "trade_id": trade.trade_id,
        "venue_order_id": trade.order_id,
        "side": str(trade.side),
        "price": trade.price,
        "amount": trade.amount,
        "fee": trade.fee,
        "fee_asset": trade.fee_asset,
        "fee_quote": _fee_in_quote(trade, prices),
        "at": trade.at,
        "is_maker": trade.is_maker,
        "booked_at": now,
    }


def _fee_in_quote(trade: VenueTrade, prices: Mapping[str, Decimal]) -> Decimal | None:
    base, quote = base_and_quote(trade.symbol)
    with localcontext(EXACT):
        if trade.fee == 0 or trade.fee_asset == quote:
            return trade.fee
        price = trade.price if trade.fee_asset == base else prices.get(trade.fee_asset)
        return None if price is None else trade.fee * price


def _add_flow(
    connection: Connection,
    flow: Flow,
    *,
    symbol: str | None = None,
    price: Decimal | None = None,
    strategy: str | None = None,
) -> bool:
    values = {
        "account": flow.account,
        "kind": str(flow.kind),
        "asset": flow.asset,
        "amount": flow.amount,
        "at": flow.at,
        "reference": flow.reference,
        "symbol": symbol,
        "price": price,
        "strategy": strategy,
    }
    written = connection.execute(upsert(flows).values(values).on_conflict_do_nothing().returning(flows.c.id))
    if written.one_or_none() is None:
        return False
    if flow.kind not in UNMOVING:
        add_to_cash(connection, flow.account, {flow.asset: flow.amount})
    return True


def _read(connection: Connection, account: str, keys: set[tuple[str, str]]) -> Sequence[Row[Any]]:
    symbols, trade_ids = {symbol for symbol, _ in keys}, {trade_id for _, trade_id in keys}
    query = READ_FILL.where(
        fills.c.account == account, fills.c.symbol.in_(symbols), fills.c.trade_id.in_(trade_ids)
    ).order_by(fills.c.at, func.length(fills.c.trade_id), fills.c.trade_id)
    return [row for row in connection.execute(query) if (row.symbol, row.trade_id) in keys]


def _differing(found: Sequence[Row[Any]], values: Sequence[Values]) -> list[tuple[Row[Any], Mapping[str, str], Values]]:
    """Trades that are not told as they are booked: as a row, what differs, and as they are told."""
    stored = {(row.symbol, row.trade_id): row for row in found}
    compared = [(stored[_key(told)], differences(stored[_key(told)], told), told) for told in values]
    return [item for item in compared if item[1]]


def _key(told: Values) -> tuple[str, str]:
    return str(told["symbol"]), str(told["trade_id"])


def _settle_orders(connection: Connection, booked: Sequence[Row[Any]], now: datetime) -> None:
    touched = {row.client_order_id for row in booked if row.client_order_id is not None}
    refresh_all_filled(connection, list(locked_orders(connection, touched).values()), now)


def _settle_positions(connection: Connection, account: str, booked: Sequence[Row[Any]], now: datetime) -> None:
    first: dict[str, datetime] = {}
    for row in booked:
        if row.client_order_id is None:
            continue
        base, quote = base_and_quote(row.symbol)
        symbols = {row.symbol} if row.fee_asset in {base, quote} else {row.symbol, f"{row.fee_asset}/{quote}"}
        for symbol in symbols:
            first[symbol] = min(first.get(symbol, row.at), row.at)
    if first:
        book_new_entries(connection, account, first, now)


def _report(connection: Connection, account: str, booked: Sequence[Row[Any]], prefix: str, now: datetime) -> None:
    whose = select(orders.c.symbol).where(
        orders.c.account == account,
        orders.c.venue_order_id.is_(None),
        orders.c.state.in_([str(OrderState.SENT), str(OrderState.UNKNOWN)]),
        orders.c.client_order_id.startswith(prefix, autoescape=True),
    )
    foreign = any(row.client_order_id is None for row in booked)
    unresolved = frozenset(connection.scalars(whose)) if foreign else frozenset[str]()
    for row in booked:
        detail = {"trade_id": row.trade_id, "venue_order_id": row.venue_order_id, "amount": row.amount}
        event = Event(now, "", "info", account, row.symbol, None, row.client_order_id, detail)
        if row.client_order_id is None:
            kind = "trade_unattributed" if row.symbol in unresolved else "foreign_trade"
            write_event(connection, _renamed(event, kind, "warning"))
        if row.fee_quote is None:
            write_event(connection, _renamed(event, "fee_without_price", "info", fee_asset=row.fee_asset, fee=row.fee))


def _renamed(event: Event, kind: str, severity: str, **more: object) -> Event:
    return Event(
        event.at,
        kind,
        severity,
        event.account,
        event.symbol,
        event.decision_id,
        event.client_order_id,
        dict(event.detail) | more,
    )
