"""Answers of the endpoints that read the account: orders, lists, trades, balances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.orders import OrderList
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.server import answers
from trade_pipeline.exchange.server.answers import Json, dec
from trade_pipeline.exchange.server.context import Call
from trade_pipeline.exchange.server.weights import ORDER_LIMIT_10S, ORDER_LIMIT_DAY

Row = TypeVar("Row")


def query_order(call: Call) -> Json:
    spec = call.spec()
    order_id, client_id = call.params.integer("orderId"), call.params.client_id("origClientOrderId")
    if order_id is None and client_id is None:
        raise Rejected(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    call.step(spec)
    order = call.world.engine.find(spec.symbol, order_id=order_id, client_id=client_id)
    if order is None:
        raise rejections.no_such_order()
    return answers.order_info(order)


def open_orders(call: Call) -> list[Json]:
    spec = call.optional_spec()
    state = call.world.engine.state
    if spec is not None:
        call.step(spec)
        return [answers.order_info(order) for order in state.open_orders(spec.symbol)]
    call.world.advance_all(call.now_ms)
    return [answers.order_info(order) for order in sorted(state.all_open_orders(), key=lambda order: order.id)]


def all_orders(call: Call) -> list[Json]:
    spec = call.spec()
    call.step(spec)
    orders = [order for order in call.world.engine.state.orders.values() if order.symbol == spec.symbol]
    return [
        answers.order_info(order)
        for order in _page(call, orders, "orderId", lambda order: order.id, lambda order: order.created_ms)
    ]


def my_trades(call: Call) -> list[Json]:
    spec = call.spec()
    call.step(spec)
    order_id = call.params.integer("orderId")
    state = call.world.engine.state
    trades = call.world.engine.trades(spec.symbol) if order_id is None else [
        trade for trade in state.trades_of(order_id) if trade.symbol == spec.symbol]  # fmt: skip
    page = _page(call, trades, "fromId", lambda trade: trade.id, lambda trade: trade.at_ms)
    return [answers.trade_info(trade) for trade in page]


def account(call: Call) -> Json:
    call.world.advance_all(call.now_ms)
    state, fees = call.world.engine.state, call.world.engine.fees
    hide_zero = call.params.text("omitZeroBalances") == "true"
    assets = set(state.balances.assets())
    for symbol in call.world.market.listed(call.now_ms):
        assets |= set(symbol.split("/"))
    balances = [
        {"asset": asset, "free": dec(state.balances.free(asset)), "locked": dec(state.balances.locked(asset))}
        for asset in sorted(assets)
        if not hide_zero or state.balances.free(asset) or state.balances.locked(asset)
    ]
    newest = max((order.updated_ms for order in state.orders.values()), default=0)
    return {
        "makerCommission": int(fees.maker_rate * 10_000),
        "takerCommission": int(fees.taker_rate * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": dec(fees.maker_rate),
            "taker": dec(fees.taker_rate),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": newest,
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": 1,
    }


def key_permissions(call: Call) -> Json:
    """What the key may do, as the exchange's endpoint for a key's restrictions says it."""
    return {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": False,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableSpotAndMarginTrading": True,
        **call.context.key_permissions,
    }


def query_list(call: Call) -> Json:
    list_id, client_id = call.params.integer("orderListId"), call.params.client_id("origClientOrderId")
    if list_id is None and client_id is None:
        raise Rejected(-1102, "Param 'origClientOrderId' or 'orderListId' must be sent, but both were empty/null!")
    call.world.advance_all(call.now_ms)
    state = call.world.engine.state
    found = state.lists.get(list_id) if list_id is not None else state.list_by_client_id(client_id or "")
    if found is None:
        raise Rejected(-2018, "Order list does not exist.")
    return answers.order_list_info(state, found, call.now_ms)


def open_lists(call: Call) -> list[Json]:
    return [_list(call, found) for found in _lists(call) if found.status == "EXECUTING"]


def all_lists(call: Call) -> list[Json]:
    page = _page(call, _lists(call), "fromId", lambda found: found.id, lambda found: found.created_ms)
    return [_list(call, found) for found in page]


def order_counts(call: Call) -> list[Json]:
    ten, day = call.context.weights.order_counts(call.now_ms)
    return [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDER_LIMIT_10S, "count": ten},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDER_LIMIT_DAY, "count": day},
    ]


def _lists(call: Call) -> list[OrderList]:
    call.world.advance_all(call.now_ms)
    return list(call.world.engine.state.lists.values())


def _list(call: Call, found: OrderList) -> Json:
    return answers.order_list_info(call.world.engine.state, found, call.now_ms)


def _page(
    call: Call, rows: list[Row], id_name: str, id_of: Callable[[Row], int], time_of: Callable[[Row], int]
) -> list[Row]:
    """From an id or a time on: the oldest `limit` rows; with neither, the newest ones. Oldest first."""
    limit = call.params.limit(500, 1000)
    first_id, start, end = (call.params.integer(name) for name in (id_name, "startTime", "endTime"))
    from_order = id_name == "fromId" and call.params.text("orderId") is not None
    if first_id is not None and not from_order:
        return [row for row in rows if id_of(row) >= first_id][:limit]
    kept = [
        row
        for row in rows
        if (start is None or time_of(row) >= start)
        and (end is None or time_of(row) <= end)
        and (first_id is None or id_of(row) >= first_id)
    ]
    return kept[:limit] if start is not None or first_id is not None else kept[-limit:]
