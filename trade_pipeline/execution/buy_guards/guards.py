"""The guards as pure functions of facts; `judge` asks all of them, so that every verdict is on record."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trade_pipeline.ledger.records import GuardVerdict
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.settings.buy_guards import BuyGuardSettings

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards of one purchase may know.

    `features`: what the decision noted of the symbol (idle_ratio, above_average, from_high), as shares. `cost_quote`
    is what all positions and the purchases before this one have cost, `price_quote` what this one costs.
    """

    symbol: str
    features: Mapping[str, float]
    top: BookTop | None
    held: frozenset[str]
    cost_quote: Decimal
    price_quote: Decimal


@dataclass(frozen=True, slots=True)
class Opinion:
    """`value` and `limit` as people read them; a value that is not known passes and says so."""

    passed: bool
    value: str
    limit: str
    reason: str


Guard = Callable[[Facts, BuyGuardSettings], Opinion | None]


def volume(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    return _at_most(facts.features.get("idle_ratio"), settings.idle_ratio_max, "bars without a trade")


def spread(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    top = facts.top
    value = float(top.ask / top.bid - 1) if top is not None and top.bid > 0 else None
    limit = None if settings.spread_ratio_max is None else float(settings.spread_ratio_max)
    return _at_most(value, limit, "spread")


def moving_average(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    above = facts.features.get("above_average")
    return _at_most(None if above is None else -above, settings.below_average_ratio_max, "below the slow average")


def falling_coin(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    fallen = facts.features.get("from_high")
    return _at_most(None if fallen is None else -fallen, settings.fall_ratio_max, "below the channel's high")


def max_positions(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    if settings.positions_max is None:
        return None
    count = len(facts.held | {facts.symbol})
    passed = count <= settings.positions_max
    return Opinion(passed, str(count), str(settings.positions_max), f"{count} symbols would be held")


def budget(facts: Facts, settings: BuyGuardSettings) -> Opinion | None:
    if settings.budget_quote_max is None:
        return None
    total = facts.cost_quote + facts.price_quote
    passed = total <= settings.budget_quote_max
    return Opinion(passed, f"{total:.2f}", f"{settings.budget_quote_max:f}", f"positions would have cost {total:.2f}")


GUARDS: Mapping[str, Guard] = {
    "volume": volume,
    "spread": spread,
    "moving_average": moving_average,
    "falling_coin": falling_coin,
    "max_positions": max_positions,
    "budget": budget,
}


def judge(decision_id: str, facts: Facts, settings: BuyGuardSettings, now: datetime) -> list[GuardVerdict]:
    """Every guard's verdict on one purchase, in the order of GUARDS; one that is switched off gives none."""
    found = []
    for name, guard in GUARDS.items():
        opinion = guard(facts, settings)
        if opinion is not None:
            found.append(
                GuardVerdict(
                    decision_id=decision_id,
                    symbol=facts.symbol,
                    guard=name,
                    passed=opinion.passed,
                    value=opinion.value,
                    limit=opinion.limit,
                    reason=opinion.reason,
                    at=now,
                )
            )
    return found


def _at_most(value: float | None, limit: float | None, what: str) -> Opinion | None:
    """A share against its limit, both told in per cent."""
    if limit is None:
        return None
    if value is None or math.isnan(value):
        return Opinion(True, UNKNOWN, f"{limit:.2%}", f"{what} is not known")
    return Opinion(value <= limit, f"{value:.2%}", f"{limit:.2%}", f"{value:.2%} {what}")
