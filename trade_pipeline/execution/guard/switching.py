"""Which protective order should rest: the stop, or a take-profit near the target. Pure.

Only one can rest, for each locks the coins (TRADING 14); the other side is watched by the guard. The way back to the
stop is never held back: what the cool-down limits is how often a stop gives way to a take-profit.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import MarketRules, OrderType
from trade_pipeline.settings.exits import SwitchingSettings

PROFIT_TYPES = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


def protection_kind(order: Order) -> Literal["stop", "profit"]:
    """What a protective order protects: from a loss, or a profit."""
    return "profit" if order.request.type in PROFIT_TYPES else "stop"


def wanted_protection(
    settings: SwitchingSettings,
    resting: Literal["stop", "profit"] | None,
    switched_at: datetime | None,
    *,
    stop: Decimal,
    target: Decimal | None,
    last: Decimal | None,
    rules: MarketRules,
    now: datetime,
) -> Literal["stop", "profit"]:
    """What should rest. Where nothing does, it is the stop: so an interrupted switch ends."""
    offered = bool(PROFIT_TYPES & rules.order_types)
    if not settings.enabled or not offered or last is None or target is None or target <= stop or last <= 0:
        return "stop"
    way = (last - stop) / (target - stop)
    if resting == "profit":
        return "stop" if way <= settings.stop_threshold else "profit"
    cooled = switched_at is None or now - switched_at >= timedelta(seconds=settings.cooldown_s)
    switches = resting == "stop" and cooled and settings.profit_threshold <= way < 1
    return "profit" if switches else "stop"
