"""Which protection should rest: the stop alone, or the stop with a take-profit above it as one order list. Pure.

Spot coins are locked by one order (TRADING 14), so a take-profit may rest only as the other leg of the exchange's own
pair (OCO): the stop is never given up for it. Where the exchange has no pairs the stop rests and the guard watches the
target, as it always does. The way back to the stop alone is never held back: what the cool-down limits is how often
the pair is placed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import MarketRules, OrderType
from trade_pipeline.settings.exits import SwitchingSettings
from trade_pipeline.venues.capabilities import VenueCapabilities

PROFIT_TYPES = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})
Protection = Literal["stop", "profit"]
"""The stop alone, or with a take-profit."""


def takes_profit(order: Order) -> bool:
    """Whether a protective order is the take-profit of a pair; else it is a stop."""
    return order.request.type in PROFIT_TYPES


def protection_of(orders: Iterable[Order]) -> Protection | None:
    """Which protection these live protective orders are."""
    kinds = {takes_profit(order) for order in orders}
    return ("profit" if True in kinds else "stop") if kinds else None


def offers_pairs(capabilities: VenueCapabilities, rules: MarketRules) -> bool:
    return capabilities.oco and bool(PROFIT_TYPES & rules.order_types)


def wanted_protection(
    settings: SwitchingSettings,
    resting: Protection | None,
    switched_at: datetime | None,
    *,
    stop: Decimal,
    target: Decimal | None,
    last: Decimal | None,
    pairs: bool,
    now: datetime,
) -> Protection:
    """What should rest. Where nothing does, it is the stop: so an interrupted switch ends."""
    if not settings.enabled or not pairs or last is None or target is None or target <= stop or last <= 0:
        return "stop"
    way = (last - stop) / (target - stop)
    if resting == "profit":
        return "stop" if way <= settings.stop_threshold else "profit"
    cooled = switched_at is None or now - switched_at >= timedelta(seconds=settings.cooldown_s)
    switches = resting == "stop" and cooled and settings.profit_threshold <= way < 1
    return "profit" if switches else "stop"
