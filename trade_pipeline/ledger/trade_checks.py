"""What of an exchange's trades cannot be booked: amounts and prices that are none, and a known id with other content.

Whatever is refused is named in an event and in a typed error, and keeps no other trade from being booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Connection, Row, select

from trade_pipeline.errors import BadTrade
from trade_pipeline.ledger.base import write_events
from trade_pipeline.ledger.records import Event
from trade_pipeline.ledger.tables import events
from trade_pipeline.schemas.trading import VenueTrade

DIFFERS = "trade_differs"
"""Kind of the event: the exchange tells a booked trade otherwise than before. What was booked stays."""
REFUSED = "trade_refused"
"""Kind of the event: a trade that cannot be one. It is not booked."""
_REPAIR = "Compare with the exchange's own list of trades; book what is missing as a flow, then unlock the symbol."
_TOLD = ("venue_order_id", "side", "price", "amount", "fee", "fee_asset", "at", "is_maker")
"""Columns of a fill that the exchange tells; the others are ours."""

_told_of_row, _told_of_values = attrgetter(*_TOLD), itemgetter(*_TOLD)

Values = Mapping[str, object]
Wrong = tuple[VenueTrade, str]


def wrong_with(trade: VenueTrade) -> str | None:
    """Why a trade cannot be booked, or None. A negative fee is a rebate; a price of 0 is never used."""
    if trade.symbol.count("/") != 1 or not all(trade.symbol.split("/")):
        return f"{trade.symbol!r} is no symbol"
    for name, value in (("amount", trade.amount), ("price", trade.price)):
        if not value.is_finite() or value <= 0:
            return f"its {name} is {value}"
    return None if trade.fee.is_finite() else f"its fee is {trade.fee}"


def sort_trades(trades: Iterable[VenueTrade]) -> tuple[list[VenueTrade], list[Wrong]]:
    """Trades that can be booked, and the others with the reason."""
    good: list[VenueTrade] = []
    wrong: list[Wrong] = []
    for trade in trades:
        why = wrong_with(trade)
        if why is None:
            good.append(trade)
        else:
            wrong.append((trade, why))
    return good, wrong


def refusal(wrong: Sequence[Wrong], booked: Iterable[object] = ()) -> BadTrade:
    """The error that names trades which were not booked; the first one whole."""
    trade, why = wrong[0]
    others = f", and {len(wrong) - 1} more were refused" if len(wrong) > 1 else ""
    error = BadTrade(
        f"{why}, so it is not booked{others}",
        thing=f"trade {trade.trade_id} of {trade.symbol}",
        value=_told(trade),
        repair=_REPAIR,
    )
    error.symbols = tuple(sorted({trade.symbol for trade, _ in wrong}))
    error.booked = tuple(booked)
    return error


def differences(stored: Row[Any], told: Values) -> dict[str, str]:
    """Column -> what is booked and what is told now, where the two differ."""
    booked = _told_of_row(stored)
    if booked == _told_of_values(told):
        return {}
    pairs = zip(_TOLD, booked, strict=True)
    return {name: f"booked {_text(was)}, told {_text(told[name])}" for name, was in pairs if was != told[name]}


def report_refused(connection: Connection, account: str, wrong: Iterable[Wrong], now: datetime) -> None:
    found: dict[tuple[str, str], dict[str, object]] = {
        (trade.symbol, trade.trade_id): {
            "why": why,
            "venue_order_id": trade.order_id,
            "told": _told(trade),
        }
        for trade, why in wrong
    }
    _report(connection, account, REFUSED, found, now)


def report_differing(
    connection: Connection, account: str, differing: Iterable[tuple[Row[Any], Mapping[str, str], Values]], now: datetime
) -> None:
    found: dict[tuple[str, str], dict[str, object]] = {
        (row.symbol, row.trade_id): {
            "why": "; ".join(f"{name} {words}" for name, words in different.items()),
            "venue_order_id": row.venue_order_id,
            "ledger_amount": row.amount,
            "exchange_amount": told["amount"],
        }
        for row, different, told in differing
    }
    _report(connection, account, DIFFERS, found, now)


def _report(
    connection: Connection, account: str, kind: str, found: Mapping[tuple[str, str], dict[str, object]], now: datetime
) -> None:
    """An event for each trade that was not told in the same words before: an exchange repeats itself."""
    if not found:
        return
    query = select(events.c.symbol, events.c.detail).where(
        events.c.account == account, events.c.kind == kind, events.c.symbol.in_({symbol for symbol, _ in found})
    )
    before = {(row.symbol, row.detail.get("trade_id"), row.detail.get("why")) for row in connection.execute(query)}
    new = [
        Event(now, kind, "error", account, symbol, detail={"trade_id": trade_id} | detail)
        for (symbol, trade_id), detail in found.items()
        if (symbol, trade_id, detail["why"]) not in before
    ]
    write_events(connection, new)


def _told(trade: VenueTrade) -> str:
    return f"{trade.side} {trade.amount} at {trade.price}, fee {trade.fee} {trade.fee_asset}"


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
