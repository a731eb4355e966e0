"""The projections positions, sleeves, closed trades and cash: kept up fill by fill, rebuilt from the events alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, func, select

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart, lock_account
from trade_pipeline.ledger.cash import rebuild_cash
from trade_pipeline.ledger.folding import book_into_positions
from trade_pipeline.ledger.order_fills import refresh_all_filled
from trade_pipeline.ledger.records import ClosedTrade
from trade_pipeline.ledger.tables import closed_trades, fills, flows, orders, positions, sleeves
from trade_pipeline.schemas.trading import Position


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

    def sleeves_of(self, account: str, symbols: Sequence[str]) -> dict[str, dict[str, Decimal]]:
        """`sleeves` of many symbols; one without sleeves has an empty dict."""
        query = select(sleeves).where(sleeves.c.account == account, sleeves.c.symbol.in_(symbols))
        found: dict[str, dict[str, Decimal]] = {symbol: {} for symbol in symbols}
        with self._database.reading() as connection:
            for row in connection.execute(query.order_by(sleeves.c.symbol, sleeves.c.strategy)):
                found[row.symbol][row.strategy] = row.amount
        return found

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


def symbols_of(connection: Connection, account: str) -> set[str]:
    """Every symbol that may have a position."""
    symbols = set(connection.scalars(select(fills.c.symbol).where(fills.c.account == account).distinct()))
    symbols |= set(connection.scalars(select(positions.c.symbol).where(positions.c.account == account)))
    adopted = select(flows.c.symbol).where(flows.c.account == account, flows.c.symbol.is_not(None))
    return symbols | {symbol for symbol in connection.scalars(adopted) if symbol}


def rebuild_account(connection: Connection, account: str, now: datetime) -> None:
    """The account's projections made again, in the caller's transaction."""
    lock_account(connection, account)
    symbols = symbols_of(connection, account)
    book_into_positions(connection, account, symbols, now, from_start=symbols)
    rebuild_cash(connection, account)
    known = connection.execute(select(orders).where(orders.c.account == account)).all()
    refresh_all_filled(connection, [rows.order_from(row) for row in known], now)
