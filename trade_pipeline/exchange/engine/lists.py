"""Requests that concern two orders at once: OCO and cancel-replace."""

from __future__ import annotations

from dataclasses import dataclass

from trade_pipeline.exchange.engine import filters, rejections, settlement
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import STOP_TYPES, CancelRestriction, NewOrder, Order, OrderList
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.schemas.trading import OrderType, Side


def place_oco(
    engine: Engine, above: NewOrder, below: NewOrder, client_list_id: str | None, now_ms: int
) -> tuple[OrderList, Order, Order]:
    """Place two orders of which the first to act ends the other; what they lock is locked once. Raises Rejected."""
    _check_relation(engine, above, below)
    spec, _ = engine.validate(above)
    engine.validate(below)
    state = engine.state
    known = state.list_by_client_id(client_list_id) if client_list_id else None
    if known is not None and known.status == "EXECUTING":
        raise rejections.duplicate_order()
    filters.check_counts(spec, [above.type, below.type], state.open_orders(spec.symbol))
    list_id = state.next_list_id()
    first = engine.new_order(below, now_ms, list_id=list_id)
    second = engine.new_order(above, now_ms, list_id=list_id)
    second.id = first.id + 1
    if above.client_order_id is None:
        second.client_order_id = f"x-sim-{second.id}"
    owner = max((first, second), key=settlement.lock_needed)
    if settlement.lock_needed(owner) > state.balances.free(settlement.lock_asset(spec, owner)):
        raise rejections.insufficient_balance()
    settlement.relock(state, spec, owner)
    order_list = OrderList(
        id=list_id,
        client_list_id=client_list_id or f"x-sim-list-{list_id}",
        symbol=spec.symbol,
        order_ids=(first.id, second.id),
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    state.touch_list(order_list)
    state.touch(first)
    state.touch(second)
    return order_list, first, second


def cancel_list(engine: Engine, order_list: OrderList | None, now_ms: int) -> OrderList:
    """Cancel both legs. Raises Rejected -2011 when the list is unknown or done."""
    if order_list is None or order_list.status != "EXECUTING":
        raise rejections.unknown_order()
    for order_id in order_list.order_ids:
        if engine.state.orders[order_id].is_open:
            engine.cancel(order_list.symbol, now_ms, order_id=order_id)
            break
    return order_list


@dataclass(frozen=True, slots=True)
class Replacement:
    """Outcome of a cancel-replace: each half is an order, a refusal, or None when it was not attempted."""

    canceled: Order | Rejected
    placed: Order | Rejected | None

    @property
    def failures(self) -> int:
        return sum(not isinstance(half, Order) for half in (self.canceled, self.placed))


def cancel_replace(
    engine: Engine,
    request: NewOrder,
    now_ms: int,
    *,
    stop_on_failure: bool,
    order_id: int | None = None,
    client_id: str | None = None,
    only_in: CancelRestriction | None = None,
) -> Replacement:
    """Cancel one order and place another. With `stop_on_failure` a refused cancel places nothing.

    Fields and filters of the new order are checked before the cancel, as the exchange documents; its balance is
    checked after it, because the cancel frees what the new order needs.
    """
    spec = engine.spec(request.symbol)
    old = engine.find(request.symbol, order_id=order_id, client_id=client_id)
    cursor = engine.state.cursors.get(request.symbol)
    if cursor is not None:
        filters.check_order(spec, request, spec.price(cursor.step.average))
    canceled: Order | Rejected
    try:
        canceled = engine.cancel(request.symbol, now_ms, order_id=old.id if old else -1, only_in=only_in)
    except Rejected as refusal:
        canceled = refusal
        if stop_on_failure:
            return Replacement(canceled, None)
    try:
        return Replacement(canceled, engine.place(request, now_ms))
    except Rejected as refusal:
        return Replacement(canceled, refusal)


def _check_relation(engine: Engine, above: NewOrder, below: NewOrder) -> None:
    cursor = engine.state.cursors.get(above.symbol)
    if cursor is None:
        raise rejections.market_closed()
    for order, text in ((above, "above"), (below, "below")):
        if order.type in {OrderType.LIMIT, OrderType.MARKET}:
            raise Rejected(-1158, "Order type not supported in OCO.")
        _check_place(order, text)
    if OrderType.LIMIT_MAKER in {above.type} & {below.type}:
        raise Rejected(-1168, "At least one OCO order must be contingent.")
    spec = engine.spec(above.symbol)
    last = spec.price(cursor.step.price)
    upper, lower = above.stop_price or above.price, below.stop_price or below.price
    if upper is None or lower is None or not lower < last < upper:
        raise rejections.wrong_price_relation()


def _check_place(order: NewOrder, place: str) -> None:
    """Which leg may stand on which side of the market."""
    buying = order.side is Side.BUY
    if order.type is OrderType.LIMIT_MAKER and (place == "above") == buying:
        code, text = (-1165, "A limit order in a buy OCO must be below.") if buying else (
            -1166, "A limit order in a sell OCO must be above.")  # fmt: skip
        raise Rejected(code, text)
    if order.type in STOP_TYPES and (place == "above") != buying:
        code, text = (-1196, "A stop loss order in a buy OCO must be above.") if buying else (
            -1197, "A stop loss order in a sell OCO must be below.")  # fmt: skip
        raise Rejected(code, text)
    if order.type in {OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT} and (place == "above") == buying:
        code, text = (-1198, "A take profit order in a buy OCO must be below.") if buying else (
            -1199, "A take profit order in a sell OCO must be above.")  # fmt: skip
        raise Rejected(code, text)
