"""Lists of orders, resting stops and endings as seven exchanges tell them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import ClockSkew, MalformedAnswer
from trade_pipeline.schemas.trading import OrderState, OrderType, Side
from trade_pipeline_tests.venues.dialects import (
    BTC,
    BYBIT_EMPTY,
    COINBASE_ORDER,
    EXCHANGES,
    KRAKEN_ORDER,
    KUCOIN_ORDER,
    OWN,
    SINCE_MS,
    request,
)
from trade_pipeline_tests.venues.test_unified_trading import opened

MADE = datetime.fromtimestamp(SINCE_MS / 1000, UTC)
EACH = pytest.mark.parametrize("exchange", EXCHANGES)


def one_of(exchange: str) -> Any:
    return next(iter(EXCHANGES[exchange].look_up.values()))


def lists(exchange: str) -> dict[str, Any]:
    """Every list of orders that the exchange has: ours is in one of them."""
    nothing = {"code": "0", "data": [], "msg": ""}
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "binance": lambda: {"/allOrders": [one_of(exchange)]},
        "kraken": lambda: {
            **EXCHANGES[exchange].look_up,
            "/ClosedOrders": {"error": [], "result": {"closed": {}, "count": 0}},
        },
        "bybit": lambda: {**EXCHANGES[exchange].look_up, "/order/history": BYBIT_EMPTY},
        "okx": lambda: {"/orders-pending": one_of(exchange), "/orders-history": nothing},
        "coinbase": lambda: EXCHANGES[exchange].look_up,
        "kucoin": lambda: {"/api/v1/orders": {"code": "200000", "data": {"items": [KUCOIN_ORDER]}}},
        "mexc": lambda: {"/allOrders": [one_of(exchange)]},
    }
    return made[exchange]()


@EACH
def test_the_list_of_all_orders_has_ours_once(exchange: str) -> None:
    venue, _ = opened(exchange, lists(exchange))
    (order,) = venue.orders(BTC, MADE - timedelta(minutes=1))
    assert (order.client_order_id, order.order_id, order.filled) == (OWN, "7", Decimal("0.2"))
    assert venue.orders(BTC, MADE + timedelta(minutes=1)) == []


ENDED: dict[str, dict[str, Any]] = {
    "binance": {"status": "CANCELED"},
    "kraken": {"status": "canceled"},
    "bybit": {"orderStatus": "PartiallyFilledCanceled"},
    "okx": {"state": "canceled"},
    "coinbase": {"status": "CANCELLED"},
    "kucoin": {"isActive": False, "cancelExist": True},
    "mexc": {"status": "PARTIALLY_CANCELED"},
}
FINISHED: dict[str, dict[str, Any]] = {
    "binance": {"status": "FILLED"},
    "kraken": {"status": "closed"},
    "bybit": {"orderStatus": "Filled"},
    "okx": {"state": "filled"},
    "coinbase": {"status": "FILLED"},
    "kucoin": {"isActive": False},
    "mexc": {"status": "FILLED"},
}
FILLED_FIELD = {
    "binance": "executedQty", "kraken": "vol_exec", "bybit": "cumExecQty", "okx": "accFillSz",
    "coinbase": "filled_size", "kucoin": "dealSize", "mexc": "executedQty",
}  # fmt: skip


def changed(raw: Any, changes: dict[str, Any]) -> Any:
    """`raw` with these fields of the order within it."""
    if isinstance(raw, list):
        return [changed(item, changes) for item in raw]
    if not isinstance(raw, dict):
        return raw
    inner = {key: changed(value, changes) for key, value in raw.items()}
    return {**inner, **changes} if changes.keys() <= raw.keys() else inner


@EACH
def test_an_order_that_was_cancelled_keeps_what_was_filled(exchange: str) -> None:
    ((path, raw),) = EXCHANGES[exchange].look_up.items()
    venue, _ = opened(exchange, {path: changed(raw, ENDED[exchange])})
    order = venue.order(BTC, OWN)
    assert (order.state, order.filled) == (OrderState.CANCELED, Decimal("0.2"))


@EACH
def test_finished_counts_as_filled_only_with_the_whole_amount(exchange: str) -> None:
    """RELIABILITY 28: "closed" is also said of an order that was cancelled."""
    ((path, raw),) = EXCHANGES[exchange].look_up.items()
    partly, whole = FINISHED[exchange], {**FINISHED[exchange], FILLED_FIELD[exchange]: "0.5"}
    venue, _ = opened(exchange, {path: changed(raw, partly)})
    assert venue.order(BTC, OWN).state is OrderState.CANCELED
    venue, _ = opened(exchange, {path: changed(raw, whole)})
    assert venue.order(BTC, OWN).state is OrderState.FILLED
    venue, _ = opened(exchange, {path: changed(raw, {FILLED_FIELD[exchange]: "0.7"})})
    with pytest.raises(MalformedAnswer, match="not within the order's"):
        venue.order(BTC, OWN)


def test_a_stop_that_rests_on_kraken_is_read_as_one_by_a_process_that_did_not_send_it() -> None:
    described = {
        "pair": "XBTUSDT", "type": "sell", "ordertype": "stop-loss", "price": "90.0", "price2": "0",
        "order": "sell 0.50000000 XBTUSDT @ stop loss 90.0",
    }  # fmt: skip
    stop = {**KRAKEN_ORDER, "vol_exec": "0", "cost": "0", "price": "0", "descr": described}
    venue, _ = opened("kraken", {"/OpenOrders": {"error": [], "result": {"open": {"7": stop}}}})
    (order,) = venue.open_orders()
    assert (order.type, order.side, order.state) == (OrderType.STOP_LOSS, Side.SELL, OrderState.OPEN)
    assert (order.stop_price, order.price, order.amount) == (Decimal(90), None, Decimal("0.5"))


def test_a_stop_that_rests_on_coinbase_has_its_trigger_and_its_limit() -> None:
    sizes = {"base_size": "0.5", "limit_price": "89", "stop_price": "90", "stop_direction": "STOP_DIRECTION_STOP_DOWN"}
    stop = {
        **COINBASE_ORDER, "side": "SELL", "order_type": "STOP_LIMIT", "filled_size": "0",
        "average_filled_price": "0", "order_configuration": {"stop_limit_stop_limit_gtc": sizes},
    }  # fmt: skip
    venue, _ = opened("coinbase", {"/historical/batch": {"orders": [stop], "has_next": False, "cursor": ""}})
    (order,) = venue.open_orders()
    assert (order.type, order.side, order.state) == (OrderType.STOP_LOSS_LIMIT, Side.SELL, OrderState.OPEN)
    assert (order.stop_price, order.price) == (Decimal(90), Decimal(89))


@pytest.mark.parametrize(
    ("exchange", "kind"), [("kraken", OrderType.STOP_LOSS), ("coinbase", OrderType.STOP_LOSS_LIMIT)]
)
def test_a_stop_is_sent_once_and_stands_as_what_was_sent(exchange: str, kind: OrderType) -> None:
    known = EXCHANGES[exchange]
    answers = known.empty if exchange == "kraken" else {"/historical/batch": {"orders": [], "has_next": False}}
    venue, transport = opened(exchange, {**answers, f"POST {known.create}": known.accepted})
    stop = venue.create(request(kind, side=Side.SELL, stop_price=Decimal("101.5")))
    assert (stop.type, stop.stop_price, stop.state) == (kind, Decimal("101.5"), OrderState.OPEN)
    assert len([sent for sent in transport.sent if sent.path == known.create]) == 1


def test_a_stop_that_has_rested_for_long_is_found_and_cancelled() -> None:
    """Coinbase lists orders of every status by time; what rests has to be found however old it is."""

    def listed(fields: dict[str, Any]) -> Any:
        return {"orders": [COINBASE_ORDER] if fields.get("order_status") == "OPEN" else [], "has_next": False}

    done = {"results": [{"success": True, "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON", "order_id": "7"}]}
    venue, transport = opened("coinbase", {"/historical/batch": listed, "/orders/batch_cancel": done})
    assert venue.order(BTC, OWN).order_id == "7"
    venue.cancel(BTC, OWN)
    (sent,) = [sent for sent in transport.sent if sent.method == "POST"]
    assert sent.fields["order_ids"] == ["7"]


@pytest.mark.parametrize("refused", [False, True])
def test_krakens_bound_travels_with_the_order_and_is_made_anew_after_a_wrong_clock(refused: bool) -> None:
    known = EXCHANGES["kraken"]
    elapsed = {"error": ["EService:Deadline elapsed"]}
    venue, transport = opened("kraken", {**known.look_up, known.create: elapsed if refused else known.accepted})
    if refused:
        with pytest.raises(ClockSkew, match=BTC):
            venue.create(request())
    else:
        venue.create(request())
    sent = [item.fields for item in transport.sent if item.path == known.create]
    assert len(sent) == (3 if refused else 1)
    assert {fields["cl_ord_id"] for fields in sent} == {OWN}
    # Five seconds from now on; once its clock is known (whole seconds), half a second later.
    assert sent[0]["deadline"] == "2023-11-14T22:15:05.000Z"
    assert sent[-1]["deadline"] == ("2023-11-14T22:15:05.500Z" if refused else "2023-11-14T22:15:05.000Z")
