"""The real exchange's rules as the engine's: grids, minimums and fees."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trade_pipeline.exchange.engine.settlement import Fees
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.server.answers import ORDER_TYPES
from trade_pipeline.schemas.trading import MarketRules

DECIMALS_MAX = 8
"""Of price and amount together: balances have as many, and every notional is exact in them."""


def spec_of(rules: MarketRules) -> SymbolSpec | None:
    """The symbol as the engine takes it, None where its prices are finer than a balance.

    An amount grid that is finer than the engine's is made coarser: what is sent then fits both.
    """
    price_decimals, tick_units = _grid(rules.price_tick)
    amount_decimals, step_units = _grid(rules.amount_step)
    if price_decimals > DECIMALS_MAX:
        return None
    if price_decimals + amount_decimals > DECIMALS_MAX:
        amount_decimals, step_units = DECIMALS_MAX - price_decimals, 1
    known = tuple(name for name in ORDER_TYPES if name in rules.order_types)
    return SymbolSpec(
        rules.symbol,
        price_decimals,
        amount_decimals,
        notional_min=rules.notional_min,
        tick_units=tick_units,
        step_units=step_units,
        amount_min=rules.amount_min,
        order_types=known,
    )


def fees_of(rules: Iterable[MarketRules]) -> Fees:
    """The highest rates of these symbols for both sides: the engine has one pair for all."""
    every = list(rules)
    return Fees(
        max((rule.maker_fee_rate for rule in every), default=Decimal(0)),
        max((rule.taker_fee_rate for rule in every), default=Decimal(0)),
    )


def _grid(step: Decimal) -> tuple[int, int]:
    """Decimals of the grid, and how many units of the last one a step is: 0.05 is (2, 5), 10 is (0, 10)."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    return decimals, int(step.scaleb(decimals))
