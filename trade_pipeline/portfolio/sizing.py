"""How much of a symbol, in exact arithmetic: stop distance, quantity by risk, the exchange's grid, sleeves.

Pure functions of Decimals. Which symbols are sized, and what the account may hold in total, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext

from trade_pipeline.schemas.trading import MarketRules
from trade_pipeline.settings.trading import PortfolioSettings

SCALE = Decimal("1e-18")
"""Smallest unit of a QUANTITY column."""
EXACT = Context(prec=60)
"""Wide enough for a product of two QUANTITY values: nothing is rounded on the way."""
EXIT_NOTIONAL_MARGIN = Decimal("1.01")
"""The entry may fill a little below the decision price; its exit has to pass the filters all the same."""


def exact(value: float) -> Decimal:
    """The decimal number that a float prints as: 0.1 is 0.1, not its binary neighbour."""
    return Decimal(repr(float(value)))


def to_scale(value: Decimal) -> Decimal:
    """Rounded down to what a QUANTITY column holds."""
    return value.quantize(SCALE, rounding=ROUND_FLOOR, context=EXACT)


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`."""
    if step <= 0:
        return value
    with localcontext(EXACT):
        return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    if step <= 0:
        return value
    with localcontext(EXACT):
        return (value / step).to_integral_value(rounding=ROUND_CEILING) * step


def stop_distance(price: Decimal, atr: Decimal, tick: Decimal, settings: PortfolioSettings) -> Decimal:
    """Quote units below the entry at which the stop rests: a multiple of ATR, never nearer than the set share."""
    widest = max(atr * settings.stop_atr_multiple, price * settings.stop_distance_min_ratio)
    return round_up(widest, tick)


def wanted_quantity(
    equity: Decimal, price: Decimal, distance: Decimal, score: Decimal, settings: PortfolioSettings
) -> tuple[Decimal, bool]:
    """Base quantity that loses `risk_per_position` x score of equity at the stop, and whether the weight cap cut it."""
    with localcontext(EXACT):
        by_risk = equity * settings.risk_per_position * score / distance
        by_weight = equity * settings.position_weight_max / price
    return min(by_risk, by_weight), by_weight < by_risk


def on_grid(quantity: Decimal, rules: MarketRules) -> Decimal:
    """Rounded down to the amount step, at most the largest amount."""
    capped = min(quantity, rules.amount_max) if rules.amount_max > 0 else quantity
    return to_scale(round_down(capped, rules.amount_step))


def exit_passes(
    quantity: Decimal, price: Decimal, distance: Decimal, rules: MarketRules, stop_limit_offset_ratio: Decimal
) -> bool:
    """Whether a position bought now could be sold at its stop's limit price, after a fee in base (RELIABILITY 18)."""
    with localcontext(EXACT):
        left = round_down(quantity * (1 - rules.taker_fee_rate), rules.amount_step)
        limit = round_down((price - distance) * (1 - stop_limit_offset_ratio), rules.price_tick)
        enough = left * limit >= rules.notional_min * EXIT_NOTIONAL_MARGIN
    return left > 0 and left >= rules.amount_min and limit > 0 and enough


def split_sleeves(quantity: Decimal, contributions: Mapping[str, Decimal], step: Decimal) -> dict[str, Decimal]:
    """`quantity` by strategy, pro rata to `contributions` on the step's grid; adds up to `quantity` exactly.

    What rounding leaves goes to the largest contribution, the first by name among equals.
    """
    positive = {name: share for name, share in sorted(contributions.items()) if share > 0}
    if not positive or quantity <= 0:
        return {}
    with localcontext(EXACT):
        total = sum(positive.values(), Decimal(0))
        shares = {name: round_down(quantity * share / total, step) for name, share in positive.items()}
        largest = max(positive, key=lambda name: positive[name])
        shares[largest] += quantity - sum(shares.values(), Decimal(0))
    return {name: to_scale(share) for name, share in shares.items() if share > 0}
