"""Answers as the exchanges document them, for one order of ours, and where each of them is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side
from trade_pipeline_tests.venues.recorded_transport import Failure

OWN = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SINCE_MS = 1_700_000_000_000
"""When the order of the answers was made; `recorded_transport.NOW_MS` is a little later."""
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
    """Path, and the field that carries our id."""


BINANCE_ORDER = {
    "symbol": "BTCUSDT", "orderId": 7, "orderListId": -1, "clientOrderId": OWN, "price": "100.50000000",
    "origQty": "0.50000000", "executedQty": "0.20000000", "cummulativeQuoteQty": "20.10000000",
    "status": "PARTIALLY_FILLED", "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "stopPrice": "0.0",
    "time": SINCE_MS, "updateTime": SINCE_MS, "isWorking": True,
}  # fmt: skip
KRAKEN_ORDER = {
    "cl_ord_id": OWN, "status": "open", "opentm": 1700000000.1, "vol": "0.5", "vol_exec": "0.2", "cost": "20.1",
    "fee": "0.02", "price": "100.5", "oflags": "fciq", "userref": None,
    "descr": {
        "pair": "XBTUSDT", "type": "buy", "ordertype": "limit", "price": "100.5",
        "order": "buy 0.50000000 XBTUSDT @ limit 100.5",
    },
}  # fmt: skip
BYBIT_ORDER = {
    "orderId": "7", "orderLinkId": OWN, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "price": "100.5",
    "qty": "0.5", "cumExecQty": "0.2", "cumExecValue": "20.1", "leavesQty": "0.3", "orderStatus": "PartiallyFilled",
    "timeInForce": "GTC", "createdTime": str(SINCE_MS), "updatedTime": str(SINCE_MS),
}  # fmt: skip
OKX_ORDER = {
    "instId": "BTC-USDT", "instType": "SPOT", "ordId": "7", "clOrdId": OWN, "px": "100.5", "sz": "0.5",
    "accFillSz": "0.2", "avgPx": "100.5", "state": "partially_filled", "ordType": "limit", "side": "buy",
    "cTime": str(SINCE_MS), "uTime": str(SINCE_MS), "tgtCcy": "", "fee": "0", "feeCcy": "BTC",
}  # fmt: skip
COINBASE_ORDER = {
    "order_id": "7", "client_order_id": OWN, "product_id": "BTC-USDT", "side": "BUY", "status": "OPEN",
    "order_configuration": {"limit_limit_gtc": {"base_size": "0.5", "limit_price": "100.5", "post_only": False}},
    "filled_size": "0.2", "average_filled_price": "100.5", "created_time": "2023-11-14T22:13:20Z",
    "order_type": "LIMIT", "time_in_force": "GOOD_UNTIL_CANCELLED",
}  # fmt: skip
KUCOIN_ORDER = {
    "id": "7", "clientOid": OWN, "symbol": "BTC-USDT", "opType": "DEAL", "type": "limit", "side": "buy",
    "price": "100.5", "size": "0.5", "dealSize": "0.2", "dealFunds": "20.1", "fee": "0.02", "feeCurrency": "USDT",
    "isActive": True, "cancelExist": False, "createdAt": SINCE_MS, "stop": "", "timeInForce": "GTC",
}  # fmt: skip

_KUCOIN_NONE = {"code": "400100", "msg": "order not exist."}
_OKX_NONE = {"code": "51603", "data": [], "msg": "Order does not exist"}
BYBIT_EMPTY = {"retCode": 0, "retMsg": "OK", "result": {"list": [], "category": "spot", "nextPageCursor": ""}}

EXCHANGES = {
    "binance": Documented(
        "/api/v3/order", "newClientOrderId", BINANCE_ORDER,
        {"/api/v3/order": BINANCE_ORDER},
        {"/api/v3/order": Failure(400, '{"code":-2013,"msg":"Order does not exist."}')},
        ("/api/v3/order", "origClientOrderId"),
    ),
    "kraken": Documented(
        "/0/private/AddOrder", "cl_ord_id",
        {"error": [], "result": {"txid": ["OABC-7"], "descr": {"order": "buy 0.5 XBTUSDT @ limit 100.5"}}},
        {"/OpenOrders": {"error": [], "result": {"open": {"7": KRAKEN_ORDER}}}},
        {"/OpenOrders": {"error": [], "result": {"open": {}}},
         "/ClosedOrders": {"error": [], "result": {"closed": {}, "count": 0}}},
        ("/0/private/CancelOrder", "cl_ord_id"),
    ),
    "bybit": Documented(
        "/v5/order/create", "orderLinkId",
        {"retCode": 0, "retMsg": "OK", "result": {"orderId": "7", "orderLinkId": OWN}},
        {"/order/realtime": {"retCode": 0, "result": {"category": "spot", "list": [BYBIT_ORDER]}}},
        {"/order/realtime": BYBIT_EMPTY, "/order/history": BYBIT_EMPTY},
        ("/v5/order/cancel", "orderLinkId"),
    ),
    "okx": Documented(
        "/api/v5/trade/batch-orders", "clOrdId",
        {"code": "0", "data": [{"ordId": "7", "clOrdId": OWN, "sCode": "0", "sMsg": ""}], "msg": ""},
        {"/trade/order": {"code": "0", "data": [OKX_ORDER], "msg": ""}},
        {"/trade/order": _OKX_NONE},
        ("/api/v5/trade/cancel-order", "clOrdId"),
    ),
    "coinbase": Documented(
        "/api/v3/brokerage/orders", "client_order_id",
        {"success": True, "success_response": {"order_id": "7", "client_order_id": OWN, "product_id": "BTC-USDT"}},
        {"/historical/batch": {"orders": [COINBASE_ORDER], "has_next": False, "cursor": ""}},
        {"/historical/batch": {"orders": [{**COINBASE_ORDER, "client_order_id": "f" * 32}], "has_next": False}},
        ("/api/v3/brokerage/orders/batch_cancel", ""),
    ),
    "kucoin": Documented(
        "/api/v1/orders", "clientOid", {"code": "200000", "data": {"orderId": "7"}},
        {f"/client-order/{OWN}": {"code": "200000", "data": KUCOIN_ORDER}},
        {f"/client-order/{OWN}": _KUCOIN_NONE,
         "/api/v1/orders": {"code": "200000", "data": {"currentPage": 1, "items": []}}},
        (f"/api/v1/order/client-order/{OWN}", ""),
    ),
    "mexc": Documented(
        "/api/v3/order", "newClientOrderId", {"symbol": "BTCUSDT", "orderId": "7", "transactTime": SINCE_MS},
        {"/api/v3/order": {**BINANCE_ORDER, "orderId": "7"}},
        {"/api/v3/order": Failure(400, '{"code":-2013,"msg":"Order does not exist."}')},
        ("/api/v3/order", "origClientOrderId"),
    ),
}  # fmt: skip


def request(kind: OrderType = OrderType.LIMIT, **more: Any) -> OrderRequest:
    """An order of 0.5 BTC with our id."""
    priced = {"price": Decimal("100.50")} if kind in {OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT} else {}
    return OrderRequest(OWN, BTC, more.pop("side", Side.BUY), kind, Decimal("0.50"), **{**priced, **more})


def cancelled(exchange: str) -> Any:
    """The answer to a cancel that was taken."""
    done: dict[str, Any] = {
        "error": [], "result": {"count": 1, "orderId": "7", "orderLinkId": OWN}, "retCode": 0, "code": "0",
        "data": [{"ordId": "7", "clOrdId": OWN, "sCode": "0"}],
    }  # fmt: skip
    if exchange == "kucoin":
        done = {"code": "200000", "data": {"cancelledOrderId": "7", "clientOid": OWN}}
    if exchange in ("binance", "mexc"):
        done = {**BINANCE_ORDER, "status": "CANCELED", "clientOrderId": "another", "origClientOrderId": OWN}
    if exchange == "coinbase":
        done = {"results": [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "7"}]}
    return done
