"""The rules that an order must pass before it reaches the book: Binance's symbol filters, in its order."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.orders import ALGO_TYPES, MARKET_TYPES, NewOrder, Order
from trade_pipeline.exchange.engine.symbols import (
    MAX_NUM_ALGO_ORDERS,
    MAX_NUM_ORDERS,
    PRICE_MULTIPLIER_DOWN,
    PRICE_MULTIPLIER_UP,
    SymbolSpec,
)
from trade_pipeline.schemas.trading import OrderType


def check_order(spec: SymbolSpec, order: NewOrder, average: Decimal) -> None:
    """Raise Rejected unless prices, amount and notional pass the symbol's filters.

    `average` is the volume-weighted price of the last minutes; MARKET orders are valued at it. A plain stop is
    valued at its stop price, a stop with a limit at its limit.
    """
    for name, price in (("price", order.price), ("stopPrice", order.stop_price)):
        if price is not None:
            _check_price(spec, name, price)
    if order.price is not None:
        _check_percent_price(order.price, average)
    if order.amount is not None:
        _check_amount(spec, order)
        _check_notional(spec, order.amount * _value_price(order, average), is_market=order.type is OrderType.MARKET)
    if order.quote_amount is not None:
        _check_precision("quoteOrderQty", order.quote_amount, 8)
        _check_notional(spec, order.quote_amount, is_market=True)


def check_counts(spec: SymbolSpec, adding: Iterable[OrderType], open_orders: Iterable[Order]) -> None:
    """Raise Rejected when the account would have too many open orders, or too many with a trigger, on the symbol."""
    types = [order.type for order in open_orders] + list(adding)
    if len(types) > MAX_NUM_ORDERS:
        raise rejections.filter_failure("MAX_NUM_ORDERS")
    if sum(kind in ALGO_TYPES for kind in types) > MAX_NUM_ALGO_ORDERS:
        raise rejections.filter_failure("MAX_NUM_ALGO_ORDERS")


def describe(spec: SymbolSpec) -> list[dict[str, object]]:
    """The `filters` of the symbol in exchangeInfo."""
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": f"{spec.tick:.8f}",
            "maxPrice": f"{spec.price_max:.8f}",
            "tickSize": f"{spec.tick:.8f}",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": f"{spec.least:.8f}",
            "maxQty": f"{spec.amount_max:.8f}",
            "stepSize": f"{spec.step:.8f}",
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": f"{spec.market_amount_max:.8f}",
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": str(PRICE_MULTIPLIER_UP),
            "bidMultiplierDown": str(PRICE_MULTIPLIER_DOWN),
            "askMultiplierUp": str(PRICE_MULTIPLIER_UP),
            "askMultiplierDown": str(PRICE_MULTIPLIER_DOWN),
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": f"{spec.notional_min:.8f}",
            "applyMinToMarket": True,
            "maxNotional": f"{spec.notional_max:.8f}",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MAX_NUM_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MAX_NUM_ALGO_ORDERS},
    ]


def _check_price(spec: SymbolSpec, name: str, price: Decimal) -> None:
    _check_precision(name, price, 8)
    if not spec.tick <= price <= spec.price_max or price % spec.tick:
        raise rejections.filter_failure("PRICE_FILTER")


def _check_percent_price(price: Decimal, average: Decimal) -> None:
    if average and not average * PRICE_MULTIPLIER_DOWN <= price <= average * PRICE_MULTIPLIER_UP:
        raise rejections.filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_amount(spec: SymbolSpec, order: NewOrder) -> None:
    amount = order.amount
    assert amount is not None
    _check_precision("quantity", amount, 8)
    if not spec.least <= amount <= spec.amount_max or amount % spec.step:
        raise rejections.filter_failure("LOT_SIZE")
    if order.type in MARKET_TYPES and amount > spec.market_amount_max:
        raise rejections.filter_failure("MARKET_LOT_SIZE")


def _check_notional(spec: SymbolSpec, notional: Decimal, *, is_market: bool) -> None:
    if notional < spec.notional_min or (not is_market and notional > spec.notional_max):
        raise rejections.filter_failure("NOTIONAL")


def _check_precision(name: str, value: Decimal, decimals: int) -> None:
    if -int(value.normalize().as_tuple().exponent) > decimals:
        raise rejections.too_precise(name)


def _value_price(order: NewOrder, average: Decimal) -> Decimal:
    return order.price or order.stop_price or average
