"""How many orders an exchange allows: as it says itself, and as the table assumes before it was asked."""

from __future__ import annotations

from typing import Any

import pytest

from trade_pipeline.venues.capabilities import CAPABILITIES, OrderLimit
from trade_pipeline.venues.market_rules import read_listing

LEAVES_ROOM = {"kraken", "mexc"}
"""Of which ccxt's class knows no weight for an order, or one that is not certain."""


def listed(*limits: Any) -> Any:
    pair = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "9", "tickSize": "1"},
        {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9", "stepSize": "1"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ]
    fields = {**pair, "status": "TRADING", "isSpotTradingAllowed": True, "filters": filters, "orderTypes": ["LIMIT"]}
    return {"symbols": [fields], "rateLimits": list(limits)}


def test_the_shortest_window_of_orders_is_read_from_the_exchanges_own_list() -> None:
    rows = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    ]
    assert read_listing(listed(*rows)).order_limit == OrderLimit(100, 10.0)


def test_a_longer_window_that_allows_less_is_obeyed_too() -> None:
    rows = [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 180},
    ]
    assert read_listing(listed(*rows)).order_limit == OrderLimit(30.0, 10.0)


@pytest.mark.parametrize(
    "row",
    [
        None,
        "many",
        {},
        {"rateLimitType": "ORDERS"},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 0},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 0, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": -5},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
        {"rateLimitType": "ORDERS", "interval": "FORTNIGHT", "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": ["SECOND"], "intervalNum": 1, "limit": 5},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 1, "limit": "NaN"},
    ],
    ids=str,
)
def test_a_limit_that_cannot_be_read_keeps_nobody_from_trading(row: Any) -> None:
    known = read_listing(listed(row))
    assert known.order_limit is None and "BTC/USDT" in known.rules


@pytest.mark.parametrize("exchange", sorted(set(CAPABILITIES) - LEAVES_ROOM))
def test_no_limit_of_the_table_is_above_what_ccxt_knows_of_the_exchange(exchange: str) -> None:
    import ccxt

    client = getattr(ccxt, exchange)()
    where = {
        "binance": ("private", "post", "order"),
        "bybit": ("private", "post", "v5/order/create"),
        "okx": ("private", "post", "trade/order"),
        "coinbase": ("v3", "private", "post", "brokerage/orders"),
        "kucoin": ("private", "post", "orders"),
    }[exchange]
    weight: Any = client.api
    for part in where:
        weight = weight[part]
    cost = weight["cost"] if isinstance(weight, dict) else weight
    known = CAPABILITIES[exchange].order_limit
    # ccxt spaces requests by its leaky bucket; okx's 60 in 2 s is spaced by it as 27 a second.
    assert known.orders / known.window_s <= 1000 / (client.rateLimit * cost) * 1.11
