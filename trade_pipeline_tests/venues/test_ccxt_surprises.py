"""Where ccxt's unified calls look right and are not: why the table says what it says. No network."""

from __future__ import annotations

from decimal import Decimal

import ccxt
import pytest

from trade_pipeline.errors import MalformedAnswer, OrderRefused
from trade_pipeline.schemas.trading import OrderType, Side
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline.venues.client_ids import create_arguments, find, same_id
from trade_pipeline_tests.venues.dialects import (
    BINANCE_ORDER,
    BTC,
    BYBIT_EMPTY,
    COINBASE_ORDER,
    EXCHANGES,
    KRAKEN_ORDER,
    OWN,
    SINCE_MS,
    request,
)
from trade_pipeline_tests.venues.recorded_transport import recorded


def test_a_trigger_that_ccxt_drops_is_refused_here_because_the_order_would_go_out_at_once() -> None:
    client, transport = recorded("mexc", {"/api/v3/order": EXCHANGES["mexc"].accepted})
    client.create_order(BTC, "market", "sell", "0.5", None, {"stopLossPrice": "90"})
    assert transport.sent[0].fields["type"] == "MARKET"
    assert "stopPrice" not in transport.sent[0].fields
    stop = request(OrderType.STOP_LOSS, side=Side.SELL, stop_price=Decimal(90))
    with pytest.raises(OrderRefused, match="at once"):
        create_arguments(capabilities_of("mexc"), stop)
    with pytest.raises(OrderRefused, match="limit price only"):
        create_arguments(capabilities_of("coinbase"), stop)


def test_ccxt_drops_coinbases_unified_client_id_and_krakens_trigger_price() -> None:
    client, transport = recorded("coinbase", {"/orders": EXCHANGES["coinbase"].accepted})
    client.create_order(BTC, "limit", "buy", "0.5", "100.5", {"clientOrderId": OWN})
    assert transport.sent[0].fields["client_order_id"] != OWN
    client, transport = recorded("kraken", {"/AddOrder": EXCHANGES["kraken"].accepted})
    client.create_order(BTC, "limit", "sell", "0.5", "89", {"triggerPrice": "90"})
    assert transport.sent[0].fields["ordertype"] == "limit"


def test_fetch_order_of_kraken_and_bybit_asks_for_an_order_called_none() -> None:
    client, transport = recorded("kraken", {"/QueryOrders": {"error": [], "result": {}}})
    with pytest.raises(TypeError):
        client.fetch_order(None, BTC, {"clientOrderId": OWN})
    assert (transport.sent[0].fields["txid"], transport.sent[0].fields["userref"]) == ("None", OWN)
    client, transport = recorded("bybit", {"/order/realtime": BYBIT_EMPTY})
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, BTC, {"orderLinkId": OWN, "acknowledged": True})
    assert transport.sent[0].fields["orderId"] == "None"


def test_a_trigger_price_on_coinbase_would_be_a_stop_above_the_market() -> None:
    client, transport = recorded("coinbase", {"/orders": EXCHANGES["coinbase"].accepted})
    client.create_order(BTC, "limit", "sell", "0.5", "89", {"triggerPrice": "90"})
    written = transport.sent[0].fields["order_configuration"]["stop_limit_stop_limit_gtc"]
    assert written["stop_direction"] == "STOP_DIRECTION_STOP_UP"


def test_a_stop_on_okx_would_be_one_on_margin_without_its_own_id() -> None:
    client, transport = recorded("okx", {"/order-algo": EXCHANGES["okx"].accepted})
    client.create_order(BTC, "market", "sell", "0.5", None, {"stopLossPrice": "90", "clientOrderId": OWN})
    assert transport.sent[0].fields["tdMode"] == "cross"
    assert "algoClOrdId" not in transport.sent[0].fields


@pytest.mark.parametrize(("exchange", "questions"), [("bybit", 2), ("kucoin", 1), ("okx", 0)])
def test_ccxt_asks_for_the_kind_of_account_before_the_first_order(exchange: str, questions: int) -> None:
    known = EXCHANGES[exchange]
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(capabilities_of(exchange), request()))
    assert len(transport.asked_by_ccxt) == questions
    client.create_order(*create_arguments(capabilities_of(exchange), request()))
    assert len(transport.asked_by_ccxt) == questions


@pytest.mark.parametrize(
    ("exchange", "path", "field", "value"),
    [
        ("bybit", "/order/history", "orderStatus", "Filled"),
        ("okx", "/orders-history", "state", "filled"),
        ("coinbase", "/historical/batch", "order_status", "FILLED"),
        ("mexc", "/allOrders", "states", "3"),
    ],
)
def test_closed_orders_of_ccxt_leave_cancelled_ones_out_so_no_look_up_uses_them(
    exchange: str, path: str, field: str, value: str
) -> None:
    empty = [] if exchange == "mexc" else {"retCode": 0, "result": {"list": []}, "code": "0", "data": [], "orders": []}
    client, transport = recorded(exchange, {path: empty})
    client.fetch_closed_orders(BTC)
    assert transport.sent[0].fields[field] == value
    assert "fetch_closed_orders" not in {look_up.method for look_up in capabilities_of(exchange).look_ups}


def test_an_answer_with_another_id_or_two_orders_with_ours_is_no_find() -> None:
    other = {**BINANCE_ORDER, "clientOrderId": "f" * 32}
    client, _ = recorded("binance", {"/api/v3/order": other})
    with pytest.raises(MalformedAnswer, match="another client id"):
        find(client, capabilities_of("binance"), BTC, OWN, SINCE_MS)
    twice = {"orders": [COINBASE_ORDER, {**COINBASE_ORDER, "order_id": "8"}], "has_next": False}
    client, _ = recorded("coinbase", {"/historical/batch": twice})
    with pytest.raises(MalformedAnswer, match="two orders"):
        find(client, capabilities_of("coinbase"), BTC, OWN, SINCE_MS)


def test_an_answer_that_ccxt_cannot_read_is_typed() -> None:
    broken = {"error": [], "result": {"open": {"7": {**KRAKEN_ORDER, "descr": {"order": "?"}}}}}
    client, _ = recorded("kraken", {"/OpenOrders": broken})
    with pytest.raises(MalformedAnswer, match="BTC/USDT"):
        find(client, capabilities_of("kraken"), BTC, OWN, SINCE_MS)


def test_our_id_is_known_again_when_the_exchange_writes_it_as_a_uuid() -> None:
    assert same_id("0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9", OWN)
    assert not same_id(None, OWN)
    assert not same_id("f" * 32, OWN)
