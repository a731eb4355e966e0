"""What the breaker measures: equity, closed trades, books, the exchange's answers, the machine."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import psutil

from trade_pipeline.ledger.records import ClosedTrade, EquityPoint
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.settings.breaker import BreakerSettings

HOUR = timedelta(hours=1)
POINTS_MIN = 10
"""A standard deviation of fewer changes says nothing."""


def equity_measures(
    points: Sequence[EquityPoint],
    peak: Decimal | None,
    settings: BreakerSettings,
    now: datetime,
    forgiven_at: datetime | None = None,
) -> dict[str, Decimal]:
    """drawdown, daily_loss, volatility, exposure from the equity curve, oldest point first; TRADING rule 10.

    After a reset at `forgiven_at` what was lost before it no longer counts: peak and day begin anew.
    """
    if not points:
        return {}
    newest = points[-1]
    found: dict[str, Decimal] = {}
    began = day_start(now, settings.trading_day_start_hour)
    if forgiven_at is not None:
        since = [point.equity_quote for point in points if point.at >= forgiven_at]
        peak, began = max(since, default=newest.equity_quote), max(began, forgiven_at)
    if peak is not None and peak > 0:
        found["drawdown"] = max((peak - newest.equity_quote) / peak, Decimal(0))
    today = [point for point in points if point.at >= began]
    if today and today[0].equity_quote > 0:
        first = today[0].equity_quote
        found["daily_loss"] = max((first - newest.equity_quote) / first, Decimal(0))
    if newest.equity_quote > 0:
        found["exposure"] = newest.positions_quote / newest.equity_quote
    changes = _changes([point for point in points if point.at >= now - HOUR])
    if len(changes) >= POINTS_MIN:
        found["volatility"] = Decimal(str(statistics.pstdev(changes)))
    return found


def day_start(now: datetime, hour: int) -> datetime:
    """When the trading day of `now` began, UTC."""
    start = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return start if start <= now else start - timedelta(days=1)


def trade_measures(trades: Sequence[ClosedTrade], settings: BreakerSettings) -> dict[str, Decimal]:
    """losing_streak and win_rate of closed trades, oldest first."""
    found = {"losing_streak": Decimal(_streak(trades))}
    last = trades[-settings.win_rate_trades :]
    if len(last) == settings.win_rate_trades:
        found["win_rate"] = Decimal(sum(trade.profit_quote > 0 for trade in last)) / len(last)
    return found


def symbol_measures(trades: Sequence[ClosedTrade], tops: Mapping[str, BookTop]) -> dict[str, dict[str, Decimal]]:
    """By symbol: losing_streak, and the spread of what is quoted."""
    found: dict[str, dict[str, Decimal]] = {}
    for symbol in sorted({trade.symbol for trade in trades}):
        streak = _streak([trade for trade in trades if trade.symbol == symbol])
        found.setdefault(symbol, {})["losing_streak"] = Decimal(streak)
    for symbol, top in sorted(tops.items()):
        if top.bid > 0:
            found.setdefault(symbol, {})["spread"] = top.ask / top.bid - 1
    return found


def machine_measures() -> dict[str, Decimal]:
    """memory in use and load per processor, as shares."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return {
        "memory": Decimal(str(psutil.virtual_memory().percent)) / 100,
        "cpu": Decimal(str(round(load, 4))),
    }


def _streak(trades: Sequence[ClosedTrade]) -> int:
    """How many of the newest trades in a row have lost."""
    count = 0
    for trade in reversed(trades):
        if trade.profit_quote >= 0:
            break
        count += 1
    return count


def _changes(points: Sequence[EquityPoint]) -> list[float]:
    return [
        float(later.equity_quote / earlier.equity_quote - 1)
        for earlier, later in pairwise(points)
        if earlier.equity_quote > 0
    ]
