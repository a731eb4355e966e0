"""What the breaker measures: equity, closed trades, books, the exchange's answers, the machine."""

from __future__ import annotations

import math
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import psutil

from trade_pipeline.execution.breaker.history import (
    MINUTE,
    Change,
    changes_of_holdings,
    realised_volatility,
    volatility_surge,
)
from trade_pipeline.execution.returns import change_ratio
from trade_pipeline.ledger.records import ClosedTrade, EquityPoint
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.settings.breaker import BreakerSettings

HOUR = timedelta(hours=1)
PLACES = Decimal("0.000000000001")
"""Chained shares are cut here, so that 5 % is not 4.999... %."""


def equity_measures(
    points: Sequence[EquityPoint],
    settings: BreakerSettings,
    now: datetime,
    forgiven_at: datetime | None = None,
    highest_level: Decimal = Decimal(1),
) -> dict[str, Decimal]:
    """drawdown, daily_loss, volatility, volatility_surge, exposure from the equity curve; TRADING rule 10.

    `points` oldest first, from before the trading day's start; the last is now. Flows count in none of them. What was
    before `forgiven_at` is left out; `highest_level` is the largest share of its peak that the equity had since then.
    """
    if not points:
        return {}
    newest = points[-1]
    found: dict[str, Decimal] = {}
    if newest.peak_quote > 0 and highest_level > 0:
        level = newest.equity_quote / newest.peak_quote
        found["drawdown"] = max(1 - level / max(highest_level, level), Decimal(0)).quantize(PLACES)
    since = [point for point in points if forgiven_at is None or point.at >= forgiven_at]
    today = _from(day_start(now, settings.trading_day_start_hour), since)
    if today:
        left = math.prod((1 + change_ratio(before, after) for before, after in pairwise(today)), start=Decimal(1))
        found["daily_loss"] = max(1 - left, Decimal(0)).quantize(PLACES)
    if newest.equity_quote > 0:
        found["exposure"] = newest.positions_quote / newest.equity_quote
    changes = [
        Change(after.at, (after.at - before.at) / MINUTE, float(change_ratio(before, after)))
        for before, after in pairwise(since)
        if after.at > before.at >= now - HOUR
    ]
    if (volatility := realised_volatility(changes)) is not None:
        found["volatility"] = Decimal(str(volatility))
    if (surge := volatility_surge(changes_of_holdings(since), now, settings)) is not None:
        found["volatility_surge"] = surge
    return found


def _from(began: datetime, points: Sequence[EquityPoint]) -> Sequence[EquityPoint]:
    """The points since a moment, and the last one before it, from which the first change counts."""
    return points[max(bisect_right(points, began, key=lambda point: point.at) - 1, 0) :]


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


def symbol_measures(
    trades: Sequence[ClosedTrade], tops: Mapping[str, BookTop], books: Mapping[str, Mapping[str, Decimal]]
) -> dict[str, dict[str, Decimal]]:
    """By symbol: losing_streak, the spread of what is quoted now, and `books`: what is unusual about it."""
    found: dict[str, dict[str, Decimal]] = {symbol: dict(measures) for symbol, measures in sorted(books.items())}
    for symbol in sorted({trade.symbol for trade in trades}):
        streak = _streak([trade for trade in trades if trade.symbol == symbol])
        found.setdefault(symbol, {})["losing_streak"] = Decimal(streak)
    for symbol, top in sorted(tops.items()):
        if top.bid > 0 and top.ask > 0:
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
