"""What an order request must and must not carry, by type, as the exchange's public documentation lists it."""

from __future__ import annotations

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.orders import ALGO_TYPES, NewOrder
from trade_pipeline.schemas.trading import OrderType, TimeInForce

_WITH_PRICE = frozenset(
    {OrderType.LIMIT, OrderType.LIMIT_MAKER, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
)
_WITH_TIME_IN_FORCE = _WITH_PRICE - {OrderType.LIMIT_MAKER}


def check_fields(order: NewOrder) -> None:
    """Raise Rejected when a mandatory field is missing or a forbidden one is there."""
    _check_amount(order)
    _require(order.type in _WITH_PRICE, order.price is not None, "price")
    _require(order.type in ALGO_TYPES, order.stop_price is not None, "stopPrice")
    if order.type in _WITH_TIME_IN_FORCE:
        if order.time_in_force is None:
            raise rejections.missing("timeInForce")
    elif order.time_in_force is not None:
        raise rejections.not_required("timeInForce")


def resting_time_in_force(order: NewOrder) -> TimeInForce:
    """Orders that take none are reported as GTC, as Binance does for MARKET."""
    return order.time_in_force or TimeInForce.GTC


def _check_amount(order: NewOrder) -> None:
    if order.type is OrderType.MARKET:
        if order.amount is None and order.quote_amount is None:
            text = "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
            raise rejections.Rejected(-1102, text)
        if order.amount is not None and order.quote_amount is not None:
            raise rejections.not_required("quoteOrderQty")
    else:
        if order.quote_amount is not None:
            raise rejections.not_required("quoteOrderQty")
        if order.amount is None:
            raise rejections.missing("quantity")
    for name, value in (
        ("quantity", order.amount),
        ("quoteOrderQty", order.quote_amount),
        ("price", order.price),
        ("stopPrice", order.stop_price),
    ):
        if value is not None and value <= 0:
            raise rejections.Rejected(-1013, f"Invalid {name}.")


def _require(needed: bool, present: bool, name: str) -> None:
    if needed and not present:
        raise rejections.missing(name)
    if present and not needed:
        raise rejections.not_required(name)
