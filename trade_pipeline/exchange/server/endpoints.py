"""The table of endpoints: method and path to security, weight and answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trade_pipeline.exchange.server import account_routes, order_routes, public_routes
from trade_pipeline.exchange.server.context import Call

Weight = int | Callable[[dict[str, str]], int]
Answer = Callable[[Call], object]


@dataclass(frozen=True, slots=True)
class Endpoint:
    answer: Answer
    weight: Weight
    signed: bool = False

    def cost(self, values: dict[str, str]) -> int:
        return self.weight if isinstance(self.weight, int) else self.weight(values)


def _by_symbol(one: int, all_symbols: int) -> Callable[[dict[str, str]], int]:
    return lambda values: one if "symbol" in values else all_symbols


def _depth(values: dict[str, str]) -> int:
    limit = int(values["limit"]) if values.get("limit", "").isdigit() else 100
    return next(weight for upto, weight in ((100, 5), (500, 25), (1000, 50), (10**18, 250)) if limit <= upto)


def _day(values: dict[str, str]) -> int:
    if "symbol" in values:
        return 2
    if "symbols" in values:
        count = values["symbols"].count(",") + 1
        return 2 if count <= 20 else 40 if count <= 100 else 80
    return 80


def _my_trades(values: dict[str, str]) -> int:
    return 5 if "orderId" in values else 20


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/api/v3/ping"): Endpoint(public_routes.ping, 1),
    ("GET", "/api/v3/time"): Endpoint(public_routes.server_time, 1),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(public_routes.exchange_info, 20),
    ("GET", "/api/v3/klines"): Endpoint(public_routes.klines, 2),
    ("GET", "/api/v3/uiKlines"): Endpoint(public_routes.klines, 2),
    ("GET", "/api/v3/depth"): Endpoint(public_routes.depth, _depth),
    ("GET", "/api/v3/trades"): Endpoint(public_routes.trades, 25),
    ("GET", "/api/v3/aggTrades"): Endpoint(public_routes.agg_trades, 4),
    ("GET", "/api/v3/avgPrice"): Endpoint(public_routes.average_price, 2),
    ("GET", "/api/v3/ticker/price"): Endpoint(public_routes.ticker_price, _by_symbol(2, 4)),
    ("GET", "/api/v3/ticker/bookTicker"): Endpoint(public_routes.book_ticker, _by_symbol(2, 4)),
    ("GET", "/api/v3/ticker/24hr"): Endpoint(public_routes.ticker_24hr, _day),
    ("POST", "/api/v3/order"): Endpoint(order_routes.place, 1, signed=True),
    ("POST", "/api/v3/order/test"): Endpoint(order_routes.test, 1, signed=True),
    ("GET", "/api/v3/order"): Endpoint(account_routes.query_order, 4, signed=True),
    ("DELETE", "/api/v3/order"): Endpoint(order_routes.cancel, 1, signed=True),
    ("POST", "/api/v3/order/cancelReplace"): Endpoint(order_routes.cancel_replace, 1, signed=True),
    ("GET", "/api/v3/openOrders"): Endpoint(account_routes.open_orders, _by_symbol(6, 80), signed=True),
    ("DELETE", "/api/v3/openOrders"): Endpoint(order_routes.cancel_all, 1, signed=True),
    ("GET", "/api/v3/allOrders"): Endpoint(account_routes.all_orders, 20, signed=True),
    ("GET", "/api/v3/myTrades"): Endpoint(account_routes.my_trades, _my_trades, signed=True),
    ("GET", "/api/v3/account"): Endpoint(account_routes.account, 20, signed=True),
    ("POST", "/api/v3/order/oco"): Endpoint(order_routes.place_legacy_oco, 1, signed=True),
    ("POST", "/api/v3/orderList/oco"): Endpoint(order_routes.place_oco, 1, signed=True),
    ("GET", "/api/v3/orderList"): Endpoint(account_routes.query_list, 4, signed=True),
    ("DELETE", "/api/v3/orderList"): Endpoint(order_routes.cancel_list, 1, signed=True),
    ("GET", "/api/v3/allOrderList"): Endpoint(account_routes.all_lists, 20, signed=True),
    ("GET", "/api/v3/openOrderList"): Endpoint(account_routes.open_lists, 6, signed=True),
    # A ccxt client with a key asks for margin pairs when it loads markets, unless told not to: there are none.
    ("GET", "/sapi/v1/margin/allPairs"): Endpoint(public_routes.no_pairs, 1),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): Endpoint(public_routes.no_pairs, 10),
    ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(account_routes.key_permissions, 1, signed=True),
    ("GET", "/api/v3/rateLimit/order"): Endpoint(account_routes.order_counts, 40, signed=True),
}
"""Weights as the exchange's public documentation lists them."""
