"""What the exchanges document of an account: trades of the order of `dialects`, balances, refusals. Data only."""

from __future__ import annotations

from typing import Any

from trade_pipeline_tests.venues.dialects import OWN, SINCE_MS
from trade_pipeline_tests.venues.recorded_transport import NOW_MS, Failure

FILL_MS = SINCE_MS + 5_000
"""The order of 0.5 at 100.5 was filled with 0.2, for a fee of 0.02 USDT, as its maker."""

TRADES: dict[str, tuple[str, Any]] = {
    "binance": ("/api/v3/myTrades", [{
        "symbol": "BTCUSDT", "id": 28, "orderId": 7, "price": "100.5", "qty": "0.2", "quoteQty": "20.1",
        "commission": "0.02", "commissionAsset": "USDT", "time": FILL_MS, "isBuyer": True, "isMaker": True,
    }]),
    "kraken": ("/TradesHistory", {"error": [], "result": {"count": 1, "trades": {"THVRQM-33VKH-UCI7BS": {
        "ordertxid": "7", "postxid": "TKH2SE", "pair": "XBTUSDT", "time": FILL_MS / 1000, "type": "buy",
        "ordertype": "limit", "price": "100.5", "cost": "20.1", "fee": "0.02", "vol": "0.2", "margin": "0.0",
        "misc": "", "maker": True,
    }}}}),
    "bybit": ("/execution/list", {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": [{
        "symbol": "BTCUSDT", "orderId": "7", "orderLinkId": OWN, "side": "Buy", "execFee": "0.02",
        "feeCurrency": "USDT", "execId": "2100000000007764263", "execPrice": "100.5", "execQty": "0.2",
        "execType": "Trade", "execValue": "20.1", "execTime": str(FILL_MS), "isMaker": True, "feeRate": "0.001",
    }]}}),
    "okx": ("/trade/fills-history", {"code": "0", "msg": "", "data": [{
        "instType": "SPOT", "instId": "BTC-USDT", "tradeId": "123", "ordId": "7", "clOrdId": OWN, "billId": "1111",
        "fillPx": "100.5", "fillSz": "0.2", "side": "buy", "execType": "M", "feeCcy": "USDT", "fee": "-0.02",
        "ts": str(FILL_MS),
    }]}),
    "coinbase": ("/historical/fills", {"cursor": "", "fills": [{
        "entry_id": "22222-2222222-22222222", "trade_id": "1111-11111-111111", "order_id": "7",
        "trade_time": "2023-11-14T22:13:25.000Z", "trade_type": "FILL", "price": "100.5", "size": "0.2",
        "commission": "0.02", "product_id": "BTC-USDT", "size_in_quote": False, "liquidity_indicator": "MAKER",
        "side": "BUY",
    }]}),
    "kucoin": ("/api/v1/fills", {"code": "200000", "data": {"currentPage": 1, "pageSize": 500, "items": [{
        "symbol": "BTC-USDT", "tradeId": "5c35c02709e4f67d5266954e", "orderId": "7", "counterOrderId": "8",
        "side": "buy", "liquidity": "maker", "forceTaker": False, "price": "100.5", "size": "0.2", "funds": "20.1",
        "fee": "0.02", "feeRate": "0.001", "feeCurrency": "USDT", "stop": "", "type": "limit", "createdAt": FILL_MS,
        "tradeType": "TRADE",
    }]}}),
    "mexc": ("/api/v3/myTrades", [{
        "symbol": "BTCUSDT", "id": "fad2af9e942049b6adbda1a271f990c6", "orderId": "7", "price": "100.5", "qty": "0.2",
        "quoteQty": "20.1", "commission": "0.02", "commissionAsset": "USDT", "time": FILL_MS, "isBuyer": True,
        "isMaker": True, "isSelfTrade": False,
    }]),
}  # fmt: skip

BALANCES: dict[str, tuple[str, Any]] = {
    "binance": ("/api/v3/account", {"accountType": "SPOT", "balances": [
        {"asset": "BTC", "free": "0.3", "locked": "0.2"}, {"asset": "USDT", "free": "1000.1", "locked": "0"}]}),
    "kraken": ("/BalanceEx", {"error": [], "result": {
        "XXBT": {"balance": "0.5", "hold_trade": "0.2"}, "USDT": {"balance": "1000.1", "hold_trade": "0.0"}}}),
    "bybit": ("/wallet-balance", {"retCode": 0, "time": SINCE_MS, "result": {"list": [{
        "accountType": "UNIFIED", "coin": [
            {"coin": "BTC", "walletBalance": "0.5", "locked": "0.2", "availableToWithdraw": "", "borrowAmount": "0",
             "accruedInterest": "0", "totalOrderIM": "0", "totalPositionIM": "0"},
            {"coin": "USDT", "walletBalance": "1000.1", "locked": "0", "availableToWithdraw": "",
             "borrowAmount": "0.0", "accruedInterest": "0", "totalOrderIM": "0", "totalPositionIM": "0"}]}]}}),
    "okx": ("/account/balance", {"code": "0", "msg": "", "data": [{"uTime": str(SINCE_MS), "details": [
        {"ccy": "BTC", "eq": "0.5", "cashBal": "0.5", "availEq": "", "availBal": "0.3", "frozenBal": "0.2"},
        {"ccy": "USDT", "eq": "1000.1", "cashBal": "1000.1", "availEq": "", "availBal": "1000.1",
         "frozenBal": "0"}]}]}),
    "coinbase": ("/brokerage/accounts", {"has_next": False, "cursor": "", "accounts": [
        {"currency": "BTC", "type": "ACCOUNT_TYPE_CRYPTO", "available_balance": {"value": "0.3", "currency": "BTC"},
         "hold": {"value": "0.2", "currency": "BTC"}},
        {"currency": "USDT", "type": "ACCOUNT_TYPE_CRYPTO",
         "available_balance": {"value": "1000.1", "currency": "USDT"}, "hold": {"value": "0", "currency": "USDT"}}]}),
    "kucoin": ("/api/v1/accounts", {"code": "200000", "data": [
        {"id": "1", "currency": "BTC", "type": "trade", "balance": "0.5", "available": "0.3", "holds": "0.2"},
        {"id": "2", "currency": "USDT", "type": "trade", "balance": "1000.1", "available": "1000.1", "holds": "0"}]}),
    "mexc": ("/api/v3/account", {"accountType": "SPOT", "balances": [
        {"asset": "BTC", "free": "0.3", "locked": "0.2"}, {"asset": "USDT", "free": "1000.1", "locked": "0"}]}),
}  # fmt: skip

TIMES: dict[str, tuple[str, Any]] = {
    "binance": ("/api/v3/time", {"serverTime": NOW_MS}),
    "kraken": ("/public/Time", {"error": [], "result": {"unixtime": NOW_MS // 1000}}),
    "bybit": ("/market/time", {"retCode": 0, "result": {}, "time": NOW_MS}),
    "okx": ("/public/time", {"code": "0", "data": [{"ts": str(NOW_MS)}]}),
    "coinbase": ("/v2/time", {"data": {"iso": "2023-11-14T22:15:00Z", "epoch": NOW_MS // 1000}}),
    "kucoin": ("/timestamp", {"code": "200000", "data": NOW_MS}),
    "mexc": ("/api/v3/time", {"serverTime": NOW_MS}),
}

_OKX_FAILED = {"code": "1", "msg": "All operations failed"}


def _okx(code: str) -> Any:
    return {**_OKX_FAILED, "data": [{"ordId": "", "clOrdId": OWN, "sCode": code, "sMsg": "said"}]}


def _coinbase(error: str, preview: str = "") -> Any:
    response = {"error": error, "message": "said", "error_details": "", "preview_failure_reason": preview}
    return {"success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "", "error_response": response}


REFUSALS: dict[str, dict[str, Any]] = {
    "binance": {
        "funds": Failure(400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'),
        "minimum": Failure(400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'),
        "key": Failure(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'),
        "clock": Failure(400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'),
        "busy": Failure(429, '{"code":-1003,"msg":"Too many requests."}'),
        "lost": Failure(400, '{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
        "unheard": Failure(400, '{"code":-9999,"msg":"Something new."}'),
        "duplicate": Failure(400, '{"code":-2010,"msg":"Duplicate order sent."}'),
    },
    "kraken": {
        "funds": {"error": ["EOrder:Insufficient funds"]},
        "minimum": {"error": ["EOrder:Order minimum not met"]},
        "key": {"error": ["EAPI:Invalid key"]},
        "clock": {"error": ["EAPI:Invalid nonce"]},
        "busy": {"error": ["EOrder:Rate limit exceeded"]},
        "lost": {"error": ["EService:Unavailable"]},
        "unheard": {"error": ["EOrder:Something new"]},
    },
    "bybit": {
        "funds": {"retCode": 170131, "retMsg": "Balance insufficient", "result": {}},
        "minimum": {"retCode": 170140, "retMsg": "Order value exceeded lower limit", "result": {}},
        "key": {"retCode": 10003, "retMsg": "API key is invalid.", "result": {}},
        "clock": {"retCode": 10002, "retMsg": "invalid request, please check your timestamp", "result": {}},
        "busy": {"retCode": 10006, "retMsg": "Too many visits!", "result": {}},
        "lost": {"retCode": 170146, "retMsg": "Order creation timeout.", "result": {}},
        "unheard": {"retCode": 179999, "retMsg": "Something new.", "result": {}},
        "duplicate": {"retCode": 170141, "retMsg": "Duplicate clientOrderId.", "result": {}},
    },
    "okx": {
        "funds": _okx("51008"),
        "minimum": _okx("51020"),
        "key": Failure(401, '{"msg":"Invalid Sign","code":"50113"}'),
        "clock": Failure(401, '{"msg":"Timestamp request expired","code":"50102"}'),
        "busy": Failure(429, '{"msg":"Too Many Requests","code":"50011"}'),
        "lost": {"code": "50004", "msg": "Endpoint request timeout", "data": []},
        "unheard": _okx("59999"),
        "duplicate": _okx("51016"),
    },
    "coinbase": {
        "funds": _coinbase("INSUFFICIENT_FUND"),
        "minimum": _coinbase("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL"),
        "key": Failure(401, '{"error":"unauthorized","message":"said"}'),
        "busy": Failure(429, '{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}'),
        "lost": _coinbase("UNKNOWN_FAILURE_REASON"),
        "unheard": _coinbase("SOMETHING_NEW"),
    },
    "kucoin": {
        "funds": {"code": "200004", "msg": "Balance insufficient!"},
        "minimum": {"code": "400100", "msg": "Order size below the minimum requirement."},
        "key": {"code": "400003", "msg": "KC-API-KEY not exists"},
        "clock": {"code": "400002", "msg": "KC-API-TIMESTAMP Invalid"},
        "busy": Failure(429, '{"code":"429000","msg":"Too Many Requests"}'),
        "lost": {"code": "500000", "msg": "Internal Server Error"},
        "unheard": {"code": "999999", "msg": "Something new"},
        "duplicate": {"code": "126044", "msg": "clientOid duplicate"},
    },
    "mexc": {
        "funds": Failure(400, '{"code":30004,"msg":"Insufficient position"}'),
        "minimum": Failure(400, '{"code":30002,"msg":"The minimum transaction volume cannot be less than 5USDT"}'),
        "key": Failure(400, '{"code":10072,"msg":"Api key info invalid"}'),
        "clock": Failure(400, '{"code":700003,"msg":"Timestamp for this request is outside of the recvWindow."}'),
        "busy": Failure(429, '{"code":429,"msg":"Too Many Requests"}'),
        "lost": Failure(500, '{"code":500,"msg":"Internal error"}'),
        "unheard": Failure(400, '{"code":99999,"msg":"Something new"}'),
    },
}
"""Answers to an order that was not taken, or of which nobody can say whether it was."""

_UNKNOWN_ORDER = Failure(400, '{"code":-2011,"msg":"Unknown order sent."}')
GONE: dict[str, Any] = {
    "binance": _UNKNOWN_ORDER,
    "kraken": {"error": ["EOrder:Unknown order"]},
    "bybit": {"retCode": 170213, "retMsg": "Order does not exist.", "result": {}},
    "okx": _okx("51400"),
    "coinbase": {"results": [{"success": False, "failure_reason": "UNKNOWN_CANCEL_ORDER", "order_id": "7"}]},
    "kucoin": {"code": "400100", "msg": "order_not_exist_or_not_allow_to_cancel"},
    "mexc": _UNKNOWN_ORDER,
}
"""Answers to a cancel of an order that does not rest any more."""
