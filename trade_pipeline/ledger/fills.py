"""Reading booked trades, and the balances that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select, true

from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.entries import OURS, symbols_and_times
from trade_pipeline.ledger.records import Fill
from trade_pipeline.ledger.tables import cash, fills, orders

READ_FILL = select(fills, orders.c.client_order_id).outerjoin_from(fills, orders, OURS)
_NEWEST_FIRST = (func.length(fills.c.trade_id).desc(), fills.c.trade_id.desc())


class FillBook(LedgerPart):
    def last_trade_id(self, account: str, symbol: str, before: datetime | None = None) -> str | None:
        """The newest booked trade's id, as a number: where the next read by `from_id` starts after.

        `before`: the newest one that is older.
        """
        query = select(fills.c.trade_id).where(fills.c.account == account, fills.c.symbol == symbol)
        if before is not None:
            query = query.where(fills.c.at < before)
        with self._database.reading() as connection:
            return connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).scalar_one_or_none()

    def last_trade_ids(
        self, account: str, starts: Sequence[tuple[str, datetime | None]]
    ) -> dict[tuple[str, datetime | None], str]:
        """`last_trade_id` of many pairs of symbol and `before`, asked at once; pairs without a trade are left out."""
        wanted = symbols_and_times(starts)
        newest = (
            select(fills.c.trade_id)
            .where(fills.c.account == account, fills.c.symbol == wanted.c.symbol)
            .where(or_(wanted.c.time.is_(None), fills.c.at < wanted.c.time))
            .order_by(*_NEWEST_FIRST)
            .limit(1)
            .lateral("newest")
        )
        query = select(wanted, newest.c.trade_id).join(newest, true())
        with self._database.reading() as connection:
            return {(row.symbol, row.time): row.trade_id for row in connection.execute(query)}

    def fills(
        self, account: str, symbol: str | None = None, client_order_id: str | None = None, limit: int = 1000
    ) -> list[Fill]:
        """Booked trades, newest first, foreign ones included."""
        query = READ_FILL.where(fills.c.account == account)
        if symbol is not None:
            query = query.where(fills.c.symbol == symbol)
        if client_order_id is not None:
            query = query.where(orders.c.client_order_id == client_order_id)
        with self._database.reading() as connection:
            found = connection.execute(query.order_by(fills.c.at.desc(), *_NEWEST_FIRST).limit(limit))
            return [rows.fill_from(row) for row in found]

    def expected_balances(self, account: str) -> dict[str, Decimal]:
        """asset -> free + locked as the exchange should report it. Assets that came to 0 are in it."""
        query = select(cash).where(cash.c.account == account, cash.c.asset != "").order_by(cash.c.asset)
        with self._database.reading() as connection:
            return {row.asset: row.amount for row in connection.execute(query)}
