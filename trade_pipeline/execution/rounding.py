"""Amounts and prices on the exchange's grid (RELIABILITY invariant 16). Exact Decimal arithmetic."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trade_pipeline.schemas.trading import MarketRules, Side


def on_step(value: Decimal, step: Decimal, *, up: bool = False) -> Decimal:
    """The multiple of `step` at or below `value`, or at or above it with `up`. A step of 0 changes nothing."""
    if step <= 0:
        return value
    steps = (value / step).to_integral_value(rounding=ROUND_CEILING if up else ROUND_FLOOR)
    return steps * step


def amount_down(amount: Decimal, rules: MarketRules) -> Decimal:
    """Amounts always round down: never more than is there."""
    return on_step(amount, rules.amount_step)


def limit_price(price: Decimal, side: Side, rules: MarketRules) -> Decimal:
    """Buy limits round down, sell limits up: the rounding never costs more than was decided."""
    return on_step(price, rules.price_tick, up=side == Side.SELL)


def is_dust(amount: Decimal, price: Decimal, rules: MarketRules) -> bool:
    """Too small to be ordered at `price`: residue, not retried (RELIABILITY statement 16)."""
    rounded = amount_down(amount, rules)
    return rounded <= 0 or rounded < rules.amount_min or rounded * price < rules.notional_min
