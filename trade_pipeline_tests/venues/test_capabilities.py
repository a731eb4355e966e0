"""Each line of the table of exchanges, held against ccxt's own classes: what leaves, and what is read. No network."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from trade_pipeline.errors import MalformedAnswer, OrderNotFound, OrderRefused, OutcomeUnknown, SettingsError
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, TimeInForce
from trade_pipeline.venues.capabilities import CAPABILITIES, capabilities_of
from trade_pipeline.venues.client_ids import cancel, codes_in, create, create_arguments, find, same_id
from trade_pipeline_tests.venues.recorded_transport import NAMES, Failure, recorded

OWN = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SINCE_MS = 1_700_000_000_000
BTC = "BTC/USDT"


@dataclass(frozen=True)
class Documented:
    """Where an order goes, which field carries our id there, and answers as the exchange documents them."""

    create: str
    field: str
    accepted: Any
    look_up: dict[str, Any]
    """Answers of the look-ups to a partly filled order of ours, by path, in the order in which they are asked."""
    empty: dict[str, Any]
    """And where the exchange does not know it."""
    cancel: tuple[str, str]


_BINANCE_ORDER = {
    "symbol": "BTCUSDT", "orderId": 7, "orderListId": -1, "clientOrderId": OWN, "price": "100.50000000",
    "origQty": "0.50000000", "executedQty": "0.20000000", "cummulativeQuoteQty": "20.10000000",
    "status": "PARTIALLY_FILLED", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "stopPrice": "0.0",
    "time": SINCE_MS, "updateTime": SINCE_MS, "isWorking": True,
}  # fmt: skip
_KRAKEN_ORDER = {
    "cl_ord_id": OWN, "status": "open", "opentm": 1700000000.1, "vol": "0.5", "vol_exec": "0.2", "cost": "20.1",
    "fee": "0.02", "price": "100.5", "oflags": "fciq", "userref": None,
    "descr": {
        "pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "price": "100.5",
        "order": "buy 0.50000000 XBTUSDT @ limit 100.5",
    },
}  # fmt: skip
_BYBIT_ORDER = {
    "orderId": "7", "orderLinkId": OWN, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "100.5",
    "qty": "0.5", "cumExecQty": "0.2", "cumExecValue": "20.1", "leavesQty": "0.3", "orderStatus": "PartiallyFilled",
    "timeInForce": "GTC", "createdTime": str(SINCE_MS), "updatedTime": str(SINCE_MS),
}  # fmt: skip
_OKX_ORDER = {
    "instId": "BTC-USDT", "instType": "SPOT", "ordId": "7", "clOrdId": OWN, "px": "100.5", "sz": "0.5",
    "accFillSz": "0.2", "avgPx": "100.5", "state": "partially_filled", "ordType": "limit", "side": "buy",
    "cTime": str(SINCE_MS), "uTime": str(SINCE_MS), "tgtCcy": "", "fee": "0", "feeCcy": "BTC",
}  # fmt: skip
_COINBASE_ORDER = {
    "order_id": "7", "client_order_id": OWN, "product_id": "BTC-USDT", "side": "BUY", "status": "OPEN",
    "order_configuration": {"limit_limit_gtc": {"base_size": "0.5", "limit_price": "100.5", "post_only": False}},
    "filled_size": "0.2", "average_filled_price": "100.5", "created_time": "2023-11-14T22:13:20Z",
    "order_type": "LIMIT", "time_in_force": "GOOD_UNTIL_CANCELLED",
}  # fmt: skip
_KUCOIN_ORDER = {
    "id": "7", "clientOid": OWN, "symbol": "BTC-USDT", "opType": "DEAL", "type": "limit", "side": "buy",
    "price": "100.5", "size": "0.5", "dealSize": "0.2", "dealFunds": "20.1", "fee": "0.02", "feeCurrency": "USDT",
    "isActive": True, "cancelExist": False, "createdAt": SINCE_MS, "stop": "", "timeInForce": "GTC",
}  # fmt: skip

_KUCOIN_NONE = {"code": "400100", "msg": "order not exist."}
_OKX_NONE = {"code": "51603", "data": [], "msg": "Order does not exist"}
_BYBIT_EMPTY = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "category": "spot", "nextPageCursor": ""}}

EXCHANGES = {
    "binance": Documented(
        "/api/v3/order", "newClientOrderId", _BINANCE_ORDER,
        {"/api/v3/order": _BINANCE_ORDER},
        {"/api/v3/order": Failure(400, '{"code":-2013,"msg":"Order does not exist."}')},
        ("/api/v3/order", "origClientOrderId"),
    ),
    "kraken": Documented(
        "/0/private/AddOrder", "cl_ord_id",
        {"error": [], "result": {"txid": ["OABC-7"], "descr": {"order": "buy 0.5 XBTUSDT @ limit 100.5"}}},
        {"/OpenOrders": {"error": [], "result": {"open": {"7": _KRAKEN_ORDER}}}},
        {"/OpenOrders": {"error": [], "result": {"open": {}}},
         "/ClosedOrders": {"error": [], "result": {"closed": {}, "count": 0}}},
        ("/0/private/CancelOrder", "cl_ord_id"),
    ),
    "bybit": Documented(
        "/v5/order/create", "orderLinkId",
        {"retCode": 0, "retMsg": "OK", "result": {"orderId": "7", "orderLinkId": OWN}},
        {"/order/realtime": {"retCode": 0, "result": {"category": "spot", "list": [_BYBIT_ORDER]}}},
        {"/order/realtime": _BYBIT_EMPTY, "/order/history": _BYBIT_EMPTY},
        ("/v5/order/cancel", "orderLinkId"),
    ),
    "okx": Documented(
        "/api/v5/trade/batch-orders", "clOrdId",
        {"code": "0", "data": [{"ordId": "7", "clOrdId": OWN, "sCode": "0", "sMsg": ""}], "msg": ""},
        {"/trade/order": {"code": "0", "data": [_OKX_ORDER], "msg": ""}},
        {"/trade/order": _OKX_NONE, "/trade/order-algo": _OKX_NONE},
        ("/api/v5/trade/cancel-order", "clOrdId"),
    ),
    "coinbase": Documented(
        "/api/v3/brokerage/orders", "client_order_id",
        {"success": True, "success_response": {"order_id": "7", "client_order_id": OWN, "product_id": "BTC-USDT"}},
        {"/historical/batch": {"orders": [_COINBASE_ORDER], "has_next": False, "cursor": ""}},
        {"/historical/batch": {"orders": [{**_COINBASE_ORDER, "client_order_id": "f" * 32}], "has_next": False}},
        ("/api/v3/brokerage/orders/batch_cancel", ""),
    ),
    "kucoin": Documented(
        "/api/v1/orders", "clientOid", {"code": "200000", "data": {"orderId": "7"}},
        {f"/client-order/{OWN}": {"code": "200000", "data": _KUCOIN_ORDER}},
        {f"/client-order/{OWN}": _KUCOIN_NONE, "/stop-order/queryOrderByClientOid": _KUCOIN_NONE,
         "/api/v1/orders": {"code": "200000", "data": {"currentPage": 1, "items": []}}},
        (f"/api/v1/order/client-order/{OWN}", ""),
    ),
    "mexc": Documented(
        "/api/v3/order", "newClientOrderId", {"symbol": "BTCUSDT", "orderId": "7", "transactTime": SINCE_MS},
        {"/api/v3/order": {**_BINANCE_ORDER, "orderId": "7"}},
        {"/api/v3/order": Failure(400, '{"code":-2013,"msg":"Order does not exist."}')},
        ("/api/v3/order", "origClientOrderId"),
    ),
}  # fmt: skip


def _request(kind: OrderType = OrderType.LIMIT, **more: Any) -> OrderRequest:
    priced = {"price": Decimal("100.50")} if kind in {OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT} else {}
    return OrderRequest(OWN, BTC, more.pop("side", Side.BUY), kind, Decimal("0.50"), **{**priced, **more})


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_leaves_with_our_id_in_the_exchanges_own_field(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, _request(time_in_force=TimeInForce.GTC)))
    (sent,) = transport.sent
    assert (sent.method, sent.path, sent.fields[known.field]) == ("POST", known.create, OWN)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_market_order_leaves_with_an_amount_of_base_and_no_price(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, _request(OrderType.MARKET, side=Side.SELL)))
    fields = transport.sent[0].fields
    fields = fields.get("order_configuration", {}).get("market_market_ioc", fields)
    assert not {"price", "px", "funds", "quoteOrderQty", "quote_size"} & set(fields)
    amount = next(fields[name] for name in ("quantity", "volume", "qty", "sz", "size", "base_size") if name in fields)
    assert Decimal(amount) == Decimal("0.5")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_is_found_by_our_id_with_its_partial_fill_exact(exchange: str) -> None:
    known = EXCHANGES[exchange]
    client, transport = recorded(exchange, known.look_up)
    found = find(client, capabilities_of(exchange), BTC, OWN, SINCE_MS)
    assert (found["id"], found["status"], found["side"]) == ("7", "open", "buy")
    assert (Decimal(found["filled"]), Decimal(found["amount"])) == (Decimal("0.2"), Decimal("0.5"))
    assert [sent.method for sent in transport.sent] == ["POST" if exchange == "kraken" else "GET"]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_order_counts_as_not_found_after_every_look_up(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, known.empty)
    with pytest.raises(OrderNotFound, match="BTC/USDT"):
        find(client, line, BTC, OWN, SINCE_MS)
    assert len(transport.sent) == len(line.look_ups)
    for sent, look_up in zip(transport.sent, line.look_ups, strict=True):
        assert look_up.parameter is None or OWN in {*sent.fields.values(), sent.path.rsplit("/", 1)[-1]}


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_a_failed_look_up_never_counts_as_not_found(exchange: str, failure: Failure) -> None:
    client, _ = recorded(exchange, dict.fromkeys(EXCHANGES[exchange].empty, failure))
    with pytest.raises(ccxt.BaseError) as raised:
        find(client, capabilities_of(exchange), BTC, OWN, SINCE_MS)
    assert not isinstance(raised.value, ccxt.OrderNotFound)


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("failure", [Failure(0), Failure(502, "<html>Bad Gateway</html>"), Failure(403, "denied")])
def test_a_failed_order_is_sent_once_by_ccxt(exchange: str, failure: Failure) -> None:
    known = EXCHANGES[exchange]
    client, transport = recorded(exchange, {known.create: failure})
    with pytest.raises(ccxt.BaseError):
        client.create_order(*create_arguments(capabilities_of(exchange), _request()))
    assert len(transport.sent) == 1


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_cancel_leaves_with_our_id_or_with_the_exchanges_after_a_look_up(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    path, field = known.cancel
    done: dict[str, Any] = {
        "error": [], "result": {"count": 1, "orderId": "7", "orderLinkId": OWN}, "retCode": 0, "code": "0",
        "data": [{"ordId": "7", "clOrdId": OWN, "sCode": "0"}],
    }  # fmt: skip
    if exchange == "kucoin":
        done = {"code": "200000", "data": {"cancelledOrderId": "7", "clientOid": OWN}}
    if path == "/api/v3/order":
        done = {**_BINANCE_ORDER, "status": "CANCELED", "clientOrderId": "another", "origClientOrderId": OWN}
    if exchange == "coinbase":
        done = {"results": [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "7"}]}
    answers = {path: done} if line.cancel_parameter else {**known.look_up, path: done}
    client, transport = recorded(exchange, answers)
    cancel(client, line, BTC, OWN, SINCE_MS)
    sent = transport.sent[-1]
    assert sent.path == path
    if line.cancel_parameter is None:
        assert sent.fields["order_ids"] == ["7"]
    elif field:
        assert sent.fields[field] == OWN


STOPS = {
    "binance": ("/api/v3/order", {"type": "STOP_LOSS", "stopPrice": "90", "newClientOrderId": OWN}),
    "kraken": ("/0/private/AddOrder", {"ordertype": "stop-loss", "price": "90", "cl_ord_id": OWN}),
    "bybit": ("/v5/order/create", {"orderFilter": "StopOrder", "triggerPrice": "90", "orderLinkId": OWN}),
    "okx": ("/api/v5/trade/order-algo", {"slTriggerPx": "90", "slOrdPx": "-1", "algoClOrdId": OWN, "tdMode": "cash"}),
    "kucoin": ("/api/v1/stop-order", {"stop": "loss", "stopPrice": "90", "clientOid": OWN}),
}


@pytest.mark.parametrize("exchange", STOPS)
def test_a_plain_stop_leaves_with_its_trigger(exchange: str) -> None:
    path, fields = STOPS[exchange]
    line = capabilities_of(exchange)
    client, transport = recorded(exchange, {path: EXCHANGES[exchange].accepted})
    client.create_order(*create_arguments(line, _request(OrderType.STOP_LOSS, side=Side.SELL, stop_price=Decimal(90))))
    (sent,) = transport.sent
    assert line.plain_stop
    assert sent.path == path
    assert {name: sent.fields.get(name) for name in fields} == fields


def test_a_stop_on_coinbase_has_a_limit_and_triggers_on_the_way_down() -> None:
    line = capabilities_of("coinbase")
    client, transport = recorded("coinbase", {"/orders": EXCHANGES["coinbase"].accepted})
    stop = _request(OrderType.STOP_LOSS_LIMIT, side=Side.SELL, stop_price=Decimal(102))
    client.create_order(*create_arguments(line, stop))
    written = transport.sent[0].fields["order_configuration"]["stop_limit_stop_limit_gtc"]
    assert (written["stop_price"], written["stop_direction"]) == ("102", "STOP_DIRECTION_STOP_DOWN")


def test_a_trigger_that_ccxt_drops_is_refused_here_because_the_order_would_go_out_at_once() -> None:
    client, transport = recorded("mexc", {"/api/v3/order": EXCHANGES["mexc"].accepted})
    client.create_order(BTC, "market", "sell", "0.5", None, {"stopLossPrice": "90"})
    assert transport.sent[0].fields["type"] == "MARKET"
    assert "stopPrice" not in transport.sent[0].fields
    stop = _request(OrderType.STOP_LOSS, side=Side.SELL, stop_price=Decimal(90))
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
    client, transport = recorded("bybit", {"/order/realtime": _BYBIT_EMPTY})
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
    create(client, capabilities_of(exchange), _request())
    assert len(transport.asked_by_ccxt) == questions
    create(client, capabilities_of(exchange), _request())
    assert len(transport.asked_by_ccxt) == questions


def test_bybits_bound_travels_in_a_header() -> None:
    client, transport = recorded("bybit", {"/order/create": EXCHANGES["bybit"].accepted})
    create(client, capabilities_of("bybit"), _request())
    assert transport.sent[0].headers["X-BAPI-RECV-WINDOW"] == "5000"


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


DUPLICATES = {
    "binance": Failure(400, '{"code":-2010,"msg":"Duplicate order sent."}'),
    "bybit": {"retCode": 170141, "retMsg": "Duplicate clientOrderId.", "result": {}},
    "okx": {"code": "1", "data": [{"clOrdId": OWN, "sCode": "51016", "sMsg": "Client order ID already exists."}]},
    "kucoin": {"code": "126044", "msg": "clientOid duplicate"},
}


@pytest.mark.parametrize("exchange", DUPLICATES)
def test_ccxt_has_no_class_for_a_duplicate_id_but_the_code_is_in_the_text(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, _ = recorded(exchange, {known.create: DUPLICATES[exchange]})
    with pytest.raises(ccxt.ExchangeError) as raised:
        client.create_order(*create_arguments(line, _request()))
    assert not isinstance(raised.value, ccxt.DuplicateOrderId)
    assert codes_in(str(raised.value)) & line.duplicate_codes


@pytest.mark.parametrize("exchange", ["binance", "mexc"])
def test_a_bound_is_signed_into_the_request(exchange: str) -> None:
    known, line = EXCHANGES[exchange], capabilities_of(exchange)
    client, transport = recorded(exchange, {known.create: known.accepted})
    client.create_order(*create_arguments(line, _request()))
    assert int(transport.sent[0].fields["recvWindow"]) == 1000 * (line.acceptance_bound_s or 0)
    assert "timestamp" in transport.sent[0].fields


def test_without_a_bound_a_lost_order_is_waited_for_ten_minutes() -> None:
    waits = {name: line.acceptance_wait_s for name, line in CAPABILITIES.items()}
    assert {name for name, wait_s in waits.items() if wait_s >= 600} == {"kraken", "okx", "coinbase", "kucoin"}
    assert waits["binance"] < 10


def test_an_answer_with_another_id_or_two_orders_with_ours_is_no_find() -> None:
    other = {**_BINANCE_ORDER, "clientOrderId": "f" * 32}
    client, _ = recorded("binance", {"/api/v3/order": other})
    with pytest.raises(MalformedAnswer, match="another client id"):
        find(client, capabilities_of("binance"), BTC, OWN, SINCE_MS)
    twice = {"orders": [_COINBASE_ORDER, {**_COINBASE_ORDER, "order_id": "8"}], "has_next": False}
    client, _ = recorded("coinbase", {"/historical/batch": twice})
    with pytest.raises(MalformedAnswer, match="two orders"):
        find(client, capabilities_of("coinbase"), BTC, OWN, SINCE_MS)


def test_an_answer_that_ccxt_cannot_read_is_typed_and_an_order_then_unknown() -> None:
    line = capabilities_of("kraken")
    odd = {"error": [], "result": {"txid": ["7"], "descr": {"order": "?"}}}
    client, transport = recorded("kraken", {"/AddOrder": odd})
    with pytest.raises(OutcomeUnknown, match="BTC/USDT"):
        create(client, line, _request())
    assert len(transport.sent) == 1
    broken = {"error": [], "result": {"open": {"7": {**_KRAKEN_ORDER, "descr": {"order": "?"}}}}}
    client, _ = recorded("kraken", {"/OpenOrders": broken})
    with pytest.raises(MalformedAnswer, match="BTC/USDT"):
        find(client, line, BTC, OWN, SINCE_MS)


def test_our_id_is_known_again_when_the_exchange_writes_it_as_a_uuid() -> None:
    assert same_id("0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9", OWN)
    assert not same_id(None, OWN)
    assert not same_id("f" * 32, OWN)


def test_every_exchange_of_the_table_is_tested_and_another_is_refused() -> None:
    assert set(CAPABILITIES) == set(EXCHANGES) == set(NAMES)
    with pytest.raises(SettingsError, match="nothing is known"):
        capabilities_of("bitstamp")
