"""Answers have the fields and JSON types of the recorded ones.

What the recordings lack or leave empty is from the public documentation: filters of exchangeInfo, `stopPrice` of
orders that have one (conditional), order lists.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from trade_pipeline_tests.exchange.servers import Running
from trade_pipeline_tests.shared import shared_path

EXCEPTIONS: dict[str, set[str]] = {
    # Only iceberg orders carry it, which this exchange does not offer.
    "cancel_open_orders_response": {"icebergQty"},
}


def _shape(value: Any) -> Any:
    """Type names in place of values; a list is the shape of its first element."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _differences(recorded: Any, answered: Any, at: str, allowed: set[str]) -> list[str]:
    """Fields that are missing, additional or of another type. An empty recorded list says nothing of its elements."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        found = [f"{at}.{name} is missing" for name in recorded.keys() - answered.keys() - allowed]
        found += [f"{at}.{name} is not in the record" for name in answered.keys() - recorded.keys() - allowed]
        for name in recorded.keys() & answered.keys():
            found += _differences(recorded[name], answered[name], f"{at}.{name}", allowed)
        return found
    if isinstance(recorded, list) and isinstance(answered, list):
        return _differences(recorded[0], answered[0], f"{at}[0]", allowed) if recorded and answered else []
    return [] if recorded == answered else [f"{at}: {recorded} in the record, {answered} here"]


def _assert_like_recorded(name: str, answer: Any) -> None:
    recorded = json.loads((shared_path("data/exchange_answers/binance") / f"{name}.json").read_text())
    assert _differences(_shape(recorded), _shape(answer), name, EXCEPTIONS.get(name, set())) == []


@pytest.mark.parametrize(
    ("name", "path", "params"),
    [
        ("ping_response", "ping", {}),
        ("server_time_response", "time", {}),
        ("exchange_info_response", "exchangeInfo", {}),
        ("klines_response", "klines", {"symbol": "BTCUSDT", "interval": "1m"}),
        ("depth_response", "depth", {"symbol": "BTCUSDT"}),
        ("trades_response", "trades", {"symbol": "BTCUSDT"}),
        ("avg_price_response", "avgPrice", {"symbol": "BTCUSDT"}),
        ("book_ticker_response", "ticker/bookTicker", {"symbol": "BTCUSDT"}),
        ("ticker_price_response", "ticker/price", {"symbol": "BTCUSDT"}),
        ("ticker_24hr_response", "ticker/24hr", {"symbol": "BTCUSDT"}),
    ],
)
def test_a_public_answer_has_the_recorded_shape(server: Running, name: str, path: str, params: dict[str, str]) -> None:
    _assert_like_recorded(name, server.get(path, **params))


def test_klines_have_the_recorded_number_of_columns(server: Running) -> None:
    recorded = json.loads((shared_path("data/exchange_answers/binance") / "klines_response.json").read_text())
    row = server.get("klines", symbol="BTCUSDT", interval="1m", limit=1)[0]
    assert [type(cell) for cell in row] == [type(cell) for cell in recorded[0]]


def test_private_answers_have_the_recorded_shape(server: Running, binance: Any) -> None:
    price = float(server.get("ticker/price", symbol="ETHUSDT")["price"])
    base = {"symbol": "ETHUSDT", "quantity": "0.1"}
    bought = binance.private_post_order(base | {"side": "BUY", "type": "MARKET"})
    _assert_like_recorded("new_order_full_response", _untouched(server, bought))
    limit = base | {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": f"{price * 0.8:.2f}"}
    open_order = binance.private_post_order(limit)
    _assert_like_recorded("account_response", _signed(binance, "GET", "account", {}))
    _assert_like_recorded("account_trades_response", _signed(binance, "GET", "myTrades", {"symbol": "ETHUSDT"}))
    named = {"symbol": "ETHUSDT", "orderId": open_order["orderId"]}
    _assert_like_recorded("order_response", _signed(binance, "GET", "order", named))
    _assert_like_recorded("open_orders_response", _signed(binance, "GET", "openOrders", {"symbol": "ETHUSDT"}))
    _assert_like_recorded("all_orders_response", _signed(binance, "GET", "allOrders", {"symbol": "ETHUSDT"}))
    _assert_like_recorded("cancel_order_response", _signed(binance, "DELETE", "order", named))


def test_cancelling_everything_answers_orders_and_lists_in_the_recorded_shape(server: Running, binance: Any) -> None:
    price = float(server.get("ticker/price", symbol="SOLUSDT")["price"])
    binance.private_post_order({"symbol": "SOLUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"})
    binance.private_post_order(
        {"symbol": "SOLUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1",
         "price": f"{price * 0.8:.2f}"}
    )  # fmt: skip
    oco = {
        "symbol": "SOLUSDT", "side": "SELL", "quantity": "0.9", "aboveType": "LIMIT_MAKER",
        "abovePrice": f"{price * 1.2:.2f}", "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": f"{price * 0.9:.2f}",
        "belowPrice": f"{price * 0.89:.2f}", "belowTimeInForce": "GTC",
    }  # fmt: skip
    placed = binance.private_post_orderlist_oco(oco)
    assert {report["type"] for report in placed["orderReports"]} == {"LIMIT_MAKER", "STOP_LOSS_LIMIT"}
    answer = _signed(binance, "DELETE", "openOrders", {"symbol": "SOLUSDT"})
    recorded = json.loads(
        (shared_path("data/exchange_answers/binance") / "cancel_open_orders_response.json").read_text()
    )
    allowed = EXCEPTIONS["cancel_open_orders_response"]
    assert _differences(_shape(recorded[0]), _shape(answer[0]), "order", allowed) == []
    assert _differences(_shape(recorded[2]), _shape(answer[1]), "list", allowed) == []


def test_exchange_info_carries_every_filter_that_the_engine_enforces(server: Running) -> None:
    kinds = {one["filterType"] for one in server.get("exchangeInfo")["symbols"][0]["filters"]}
    assert kinds >= {
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "PERCENT_PRICE_BY_SIDE", "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
    }  # fmt: skip


def _signed(binance: Any, method: str, path: str, params: dict[str, Any]) -> Any:
    """The answer as it came over the wire: ccxt turns numbers into strings here."""
    signed = binance.sign(path, "private", method, params)
    import httpx

    return httpx.request(method, signed["url"], headers=signed["headers"], content=signed["body"]).json()


def _untouched(server: Running, order: dict[str, Any]) -> Any:
    """A new order's answer with the numbers that ccxt made strings."""
    numbers = ("orderId", "orderListId", "transactTime", "workingTime")
    fills = [fill | {"tradeId": int(fill["tradeId"])} for fill in order["fills"]]
    return order | {name: int(order[name]) for name in numbers} | {"fills": fills}
