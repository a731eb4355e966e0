"""The protective orders as they are sent. Pure."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.execution.rounding import on_step
from trade_pipeline.schemas.trading import MarketRules, OrderRequest, OrderType, Side
from trade_pipeline.settings.exits import ExitSettings


def stop_request(
    symbol: str, amount: Decimal, stop: Decimal, client_id: str, rules: MarketRules, exits: ExitSettings
) -> OrderRequest:
    """TRADING 15: STOP_LOSS where the symbol offers it, else STOP_LOSS_LIMIT with an offset."""
    plain = OrderType.STOP_LOSS in rules.order_types
    limit = on_step(stop * (1 - exits.stop_limit_offset_ratio), rules.price_tick)
    return OrderRequest(
        client_order_id=client_id,
        symbol=symbol,
        side=Side.SELL,
        type=OrderType.STOP_LOSS if plain else OrderType.STOP_LOSS_LIMIT,
        amount=amount,
        price=None if plain else limit,
        stop_price=stop,
    )


def profit_request(
    symbol: str, amount: Decimal, target: Decimal, client_id: str, rules: MarketRules, exits: ExitSettings
) -> OrderRequest:
    """A take-profit that sells when the target is traded; its limit gives way as far as a stop's would."""
    plain = OrderType.TAKE_PROFIT in rules.order_types
    limit = on_step(target * (1 - exits.stop_limit_offset_ratio), rules.price_tick)
    return OrderRequest(
        client_order_id=client_id,
        symbol=symbol,
        side=Side.SELL,
        type=OrderType.TAKE_PROFIT if plain else OrderType.TAKE_PROFIT_LIMIT,
        amount=amount,
        price=None if plain else limit,
        stop_price=on_step(target, rules.price_tick, up=True),
    )
