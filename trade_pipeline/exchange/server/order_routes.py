"""Answers of the endpoints that place and cancel orders."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from trade_pipeline.exchange.engine import lists, rejections
from trade_pipeline.exchange.engine.orders import ALGO_TYPES, CancelRestriction, NewOrder, Order, OrderList
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.server import answers
from trade_pipeline.exchange.server.answers import Json
from trade_pipeline.exchange.server.context import Call
from trade_pipeline.exchange.server.params import Params
from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce

_FULL_BY_DEFAULT = frozenset({OrderType.MARKET, OrderType.LIMIT})


class _Answer(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class _Mode(StrEnum):
    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


def place(call: Call) -> Json:
    spec = call.spec()
    request = _request(call.params, spec)
    kind = _answer_kind(call.params, request.type)
    call.step(spec)
    order = call.world.engine.place(request, call.now_ms)
    call.headers.update(call.context.weights.count_order(call.now_ms))
    return answers.new_order(order, call.world.engine.state.trades_of(order.id), call.now_ms, kind)


def test(call: Call) -> Json:
    spec = call.spec()
    call.step(spec)
    call.world.engine.validate(_request(call.params, spec))
    return {}


def cancel(call: Call) -> Json:
    spec = call.spec()
    order_id, client_id = _which(call.params, "orderId", "origClientOrderId")
    call.step(spec)
    order = call.world.engine.cancel(
        spec.symbol, call.now_ms, order_id=order_id, client_id=client_id, only_in=_restriction(call)
    )
    if order.list_id > 0:
        return _list_report(call, call.world.engine.state.lists[order.list_id])
    return _canceled(call, order)


def cancel_all(call: Call) -> list[Json]:
    spec = call.spec()
    call.step(spec)
    orders = call.world.engine.cancel_all(spec.symbol, call.now_ms)
    state = call.world.engine.state
    singles = [_canceled(call, order) for order in orders if order.list_id < 0]
    list_ids = sorted({order.list_id for order in orders if order.list_id > 0})
    return singles + [_list_report(call, state.lists[list_id]) for list_id in list_ids]


def cancel_replace(call: Call) -> Json:
    spec = call.spec()
    refusal = Rejected(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
    mode = call.params.choice("cancelReplaceMode", _Mode, refusal)
    request = _request(call.params, spec)
    order_id, client_id = _which(call.params, "cancelOrderId", "cancelOrigClientOrderId")
    call.step(spec)
    done = lists.cancel_replace(
        call.world.engine,
        request,
        call.now_ms,
        stop_on_failure=mode is _Mode.STOP_ON_FAILURE,
        order_id=order_id,
        client_id=client_id,
        only_in=_restriction(call),
    )
    call.headers.update(call.context.weights.count_order(call.now_ms))
    body: Json = {
        "cancelResult": "SUCCESS" if isinstance(done.canceled, Order) else "FAILURE",
        "newOrderResult": _outcome(done.placed),
        "cancelResponse": _half(done.canceled, lambda order: _canceled(call, order)),
        "newOrderResponse": _half(done.placed, lambda order: _new(call, order, request.type)),
    }
    if done.failures == 0:
        return body
    both = not isinstance(done.canceled, Order)
    if both:
        raise Rejected(-2022, "Order cancel-replace failed.", data=body)
    raise Rejected(-2021, "Order cancel-replace partially failed.", status=409, data=body)


def place_legacy_oco(call: Call) -> Json:
    """POST /order/oco: a limit maker and a stop around the market."""
    spec, params = call.spec(), call.params
    side = _side(params)
    amount, price, stop = params.decimal("quantity"), params.decimal("price"), params.decimal("stopPrice")
    for name, value in (("quantity", amount), ("price", price), ("stopPrice", stop)):
        if value is None:
            raise rejections.missing(name)
    stop_limit = params.decimal("stopLimitPrice")
    limit_leg = NewOrder(
        spec.symbol, side, OrderType.LIMIT_MAKER, amount=amount, price=price,
        client_order_id=params.client_id("limitClientOrderId"),
    )  # fmt: skip
    stop_leg = NewOrder(
        spec.symbol, side, OrderType.STOP_LOSS if stop_limit is None else OrderType.STOP_LOSS_LIMIT, amount=amount,
        price=stop_limit, stop_price=stop, time_in_force=_time_in_force(params, "stopLimitTimeInForce"),
        client_order_id=params.client_id("stopClientOrderId"),
    )  # fmt: skip
    above, below = (limit_leg, stop_leg) if side is Side.SELL else (stop_leg, limit_leg)
    return _place_oco(call, spec, above, below)


def place_oco(call: Call) -> Json:
    """POST /orderList/oco: a leg above the market and one below."""
    spec, params = call.spec(), call.params
    side, amount = _side(params), params.decimal("quantity")
    if amount is None:
        raise rejections.missing("quantity")
    above, below = (
        NewOrder(
            spec.symbol,
            side,
            params.choice(f"{place}Type", OrderType, Rejected(-1116, "Invalid orderType.")),
            amount=amount,
            price=params.decimal(f"{place}Price"),
            stop_price=params.decimal(f"{place}StopPrice"),
            time_in_force=_time_in_force(params, f"{place}TimeInForce"),
            client_order_id=params.client_id(f"{place}ClientOrderId"),
        )
        for place in ("above", "below")
    )
    return _place_oco(call, spec, above, below)


def cancel_list(call: Call) -> Json:
    spec = call.spec()
    call.step(spec)
    state = call.world.engine.state
    list_id, client_id = _which(call.params, "orderListId", "listClientOrderId")
    found = state.lists.get(list_id) if list_id is not None else state.list_by_client_id(client_id or "")
    done = lists.cancel_list(call.world.engine, found, call.now_ms)
    return _list_report(call, done)


def _place_oco(call: Call, spec: SymbolSpec, above: NewOrder, below: NewOrder) -> Json:
    call.step(spec)
    client_id = call.params.client_id("listClientOrderId")
    order_list, first, second = lists.place_oco(call.world.engine, above, below, client_id, call.now_ms)
    call.headers.update(call.context.weights.count_order(call.now_ms, 2))
    state = call.world.engine.state
    reports = [answers.new_order(order, [], call.now_ms, "RESULT") for order in (first, second)]
    return answers.order_list_info(state, order_list, call.now_ms, reports)


def _list_report(call: Call, order_list: OrderList) -> Json:
    state = call.world.engine.state
    reports = [_canceled(call, state.orders[order_id]) for order_id in order_list.order_ids]
    return answers.order_list_info(state, order_list, call.now_ms, reports)


def _canceled(call: Call, order: Order) -> Json:
    cancel_id = call.params.client_id("newClientOrderId") or call.params.client_id("cancelNewClientOrderId")
    return answers.canceled_order(order, call.now_ms, cancel_id or f"x-sim-cancel-{order.id}")


def _new(call: Call, order: Order, kind: OrderType) -> Json:
    trades = call.world.engine.state.trades_of(order.id)
    return answers.new_order(order, trades, call.now_ms, _answer_kind(call.params, kind))


def _outcome(half: Order | Rejected | None) -> str:
    if half is None:
        return "NOT_ATTEMPTED"
    return "SUCCESS" if isinstance(half, Order) else "FAILURE"


def _half(half: Order | Rejected | None, answer: Callable[[Order], Json]) -> Json | None:
    if half is None:
        return None
    return answer(half) if isinstance(half, Order) else {"code": half.code, "msg": half.text}


def _request(params: Params, spec: SymbolSpec) -> NewOrder:
    kind = params.choice("type", OrderType, Rejected(-1116, "Invalid orderType."))
    if params.text("icebergQty") is not None:
        raise rejections.new_order_rejected("Iceberg orders are not supported for this symbol.")
    if params.text("trailingDelta") is not None and kind in ALGO_TYPES:
        raise rejections.new_order_rejected("Trailing stop orders are not supported for this symbol.")
    return NewOrder(
        symbol=spec.symbol,
        side=_side(params),
        type=kind,
        amount=params.decimal("quantity"),
        quote_amount=params.decimal("quoteOrderQty"),
        price=params.decimal("price"),
        stop_price=params.decimal("stopPrice"),
        time_in_force=_time_in_force(params, "timeInForce"),
        client_order_id=params.client_id("newClientOrderId"),
    )


def _side(params: Params) -> Side:
    return params.choice("side", Side, Rejected(-1117, "Invalid side."))


def _time_in_force(params: Params, name: str) -> TimeInForce | None:
    if params.text(name) is None:
        return None
    return params.choice(name, TimeInForce, Rejected(-1115, "Invalid timeInForce."))


def _answer_kind(params: Params, kind: OrderType) -> str:
    if params.text("newOrderRespType") is None:
        return "FULL" if kind in _FULL_BY_DEFAULT else "ACK"
    refusal = Rejected(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    return params.choice("newOrderRespType", _Answer, refusal).value


def _restriction(call: Call) -> CancelRestriction | None:
    if call.params.text("cancelRestrictions") is None:
        return None
    refusal = Rejected(-1145, "Invalid cancelRestrictions.")
    return call.params.choice("cancelRestrictions", CancelRestriction, refusal)


def _which(params: Params, id_name: str, client_name: str) -> tuple[int | None, str | None]:
    """The two ways to name an order; at least one must be there."""
    number, client_id = params.integer(id_name), params.client_id(client_name)
    if number is None and client_id is None:
        text = f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!"
        raise Rejected(-1102, text)
    return number, client_id
