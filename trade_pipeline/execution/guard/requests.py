"""The protective orders as they are sent. Pure."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.execution.rounding import on_step
from trade_pipeline.schemas.trading import MarketRules, OrderRequest, OrderType, Side
from trade_pipeline.settings.exits import ExitSettings


def offers_stops(rules: MarketRules) -> bool:
    """Whether a stop can rest on the exchange for this symbol."""
    return bool({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT} & rules.order_types)


def stop_request(
    symbol: str, amount: Decimal, stop: Decimal, client_id: str, rules: MarketRules, exits: ExitSettings
) -> OrderRequest:
    """TRADING 15: STOP_LOSS where the symbol offers it, else STOP_LOSS_LIMIT with an offset."""
    types = OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT
    return _triggered(types, symbol, amount, stop, client_id, rules, exits)


def profit_request(
    symbol: str, amount: Decimal, target: Decimal, client_id: str, rules: MarketRules, exits: ExitSettings
) -> OrderRequest:
    """A take-profit that sells when the target is traded; its limit gives way as far as a stop's would."""
    types = OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT
    return _triggered(types, symbol, amount, on_step(target, rules.price_tick, up=True), client_id, rules, exits)


def _triggered(
    types: tuple[OrderType, OrderType],
    symbol: str,
    amount: Decimal,
    trigger: Decimal,
    client_id: str,
    rules: MarketRules,
    exits: ExitSettings,
) -> OrderRequest:
    """A sale that waits for its trigger: at the market where that type is offered, else with a limit below it."""
    plain, limited = types
    at_market = plain in rules.order_types
    limit = on_step(trigger * (1 - exits.stop_limit_offset_ratio), rules.price_tick)
    return OrderRequest(
        client_order_id=client_id,
        symbol=symbol,
        side=Side.SELL,
        type=plain if at_market else limited,
        amount=amount,
        price=None if at_market else limit,
        stop_price=trigger,
    )
