"""What is refused before it reaches the book, and with which code."""

from __future__ import annotations

from typing import Any

import pytest

from trade_pipeline.exchange.engine import lists
from trade_pipeline.exchange.engine.orders import CancelRestriction, Order
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline_tests.exchange.builders import BTC, SYMBOL, dec, engine, place, request, step


@pytest.mark.parametrize(
    ("order", "name"),
    [
        ({"kind": "LIMIT", "price": "99.001"}, "PRICE_FILTER"),
        ({"kind": "LIMIT", "price": "99999999"}, "PRICE_FILTER"),
        ({"kind": "LIMIT", "price": "501"}, "PERCENT_PRICE_BY_SIDE"),
        ({"kind": "LIMIT", "price": "19", "amount": 2}, "PERCENT_PRICE_BY_SIDE"),
        ({"kind": "LIMIT", "price": "99", "amount": "1.000001"}, "LOT_SIZE"),
        ({"kind": "LIMIT", "price": "99", "amount": "10000000"}, "LOT_SIZE"),
        ({"kind": "MARKET", "amount": "1000000"}, "MARKET_LOT_SIZE"),
        ({"kind": "LIMIT", "price": "99", "amount": "0.05"}, "NOTIONAL"),
        ({"kind": "MARKET", "amount": "0.04"}, "NOTIONAL"),
        ({"kind": "MARKET", "amount": None, "quote": "4"}, "NOTIONAL"),
        ({"kind": "STOP_LOSS_LIMIT", "stop": 105, "price": 90, "amount": "0.055"}, "NOTIONAL"),
    ],
)
def test_a_filter_refuses_with_its_name(order: dict[str, Any], name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        place(engine(), "buy", order.pop("kind"), order.pop("amount", 1), **order)
    assert (refusal.value.code, refusal.value.text) == (-1013, f"Filter failure: {name}")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"kind": "LIMIT"}, -1102),
        ({"kind": "LIMIT", "price": 99, "tif": None}, -1102),
        ({"kind": "STOP_LOSS"}, -1102),
        ({"kind": "MARKET", "price": 99}, -1106),
        ({"kind": "MARKET", "amount": None}, -1102),
        ({"kind": "MARKET", "amount": 1, "quote": 100}, -1106),
        ({"kind": "LIMIT_MAKER", "price": 99, "tif": "GTC"}, -1106),
        ({"kind": "LIMIT", "price": "99.1234567891"}, -1111),
    ],
)
def test_a_missing_or_superfluous_field_is_refused(order: dict[str, Any], code: int) -> None:
    with pytest.raises(Rejected) as refusal:
        place(engine(), "buy", order.pop("kind"), order.pop("amount", 1), **order)
    assert refusal.value.code == code


def test_more_than_five_stops_on_a_symbol_are_refused() -> None:
    on = engine()
    for _ in range(5):
        place(on, "sell", "STOP_LOSS", 1, stop=90)
    with pytest.raises(Rejected, match="MAX_NUM_ALGO_ORDERS"):
        place(on, "sell", "STOP_LOSS", 1, stop=90)
    assert place(on, "sell", "LIMIT", 1, price=110).status == "NEW"


def test_more_than_two_hundred_open_orders_on_a_symbol_are_refused() -> None:
    on = engine()
    for _ in range(200):
        place(on, "sell", "LIMIT", "0.1", price=110)
    with pytest.raises(Rejected, match="MAX_NUM_ORDERS"):
        place(on, "sell", "LIMIT", "0.1", price=110)


@pytest.mark.parametrize(
    ("side", "kind", "amount", "more"),
    [
        ("buy", "LIMIT", 102, {"price": 99}),
        ("sell", "LIMIT", 51, {"price": 101}),
        ("buy", "MARKET", 150, {}),
        ("buy", "MARKET", None, {"quote": 10_001}),
        ("sell", "STOP_LOSS", 51, {"stop": 90}),
    ],
)
def test_an_order_beyond_the_free_balance_is_refused_and_changes_nothing(
    side: str, kind: str, amount: int | None, more: dict[str, Any]
) -> None:
    on = engine()
    with pytest.raises(Rejected, match="insufficient balance") as refusal:
        place(on, side, kind, amount, **more)
    assert refusal.value.code == -2010
    assert (on.state.balances.free("USDT"), on.state.balances.free("BTC"), len(on.state.orders)) == (
        dec(10_000),
        dec(50),
        0,
    )


def test_a_client_order_id_is_refused_among_open_orders_only() -> None:
    on = engine()
    first = place(on, "buy", "LIMIT", 1, price=99, client_id="mine")
    with pytest.raises(Rejected, match="Duplicate order sent"):
        place(on, "buy", "LIMIT", 1, price=98, client_id="mine")
    on.cancel(SYMBOL, 1600, client_id="mine")
    second = place(on, "buy", "LIMIT", 1, price=98, client_id="mine")
    assert on.find(SYMBOL, client_id="mine") is second
    assert on.find(SYMBOL, order_id=first.id) is first


def test_an_unknown_symbol_is_refused() -> None:
    with pytest.raises(Rejected, match="Invalid symbol"):
        engine().cancel("XXX/USDT", 1, order_id=1)


def test_a_cancel_unlocks_and_a_second_cancel_is_refused() -> None:
    on = engine()
    order = place(on, "buy", "LIMIT", 1, price=99)
    assert on.state.balances.locked("USDT") == dec(99)
    on.cancel(SYMBOL, 1600, order_id=order.id)
    assert (order.status, on.state.balances.locked("USDT")) == ("CANCELED", dec(0))
    with pytest.raises(Rejected) as refusal:
        on.cancel(SYMBOL, 1700, order_id=order.id)
    assert refusal.value.code == -2011


def _oco(on: Any, amount: int = 1) -> tuple[Order, Order]:
    above = request("sell", "LIMIT_MAKER", amount, price=110)
    below = request("sell", "STOP_LOSS", amount, stop=95)
    _, stop, limit = lists.place_oco(on, above, below, "list", 1500)
    return stop, limit


def test_an_oco_locks_its_coins_once() -> None:
    on = engine()
    _oco(on, 50)
    assert (on.state.balances.locked("BTC"), on.state.balances.free("BTC")) == (dec(50), dec(0))


@pytest.mark.parametrize(("price", "filled"), [(94, "stop"), (111, "limit")])
def test_the_leg_that_acts_ends_the_other(price: float, filled: str) -> None:
    on = engine()
    legs = dict(zip(("stop", "limit"), _oco(on), strict=True))
    on.on_step(SYMBOL, step(2000, price, down=price < 100))
    assert legs.pop(filled).status == "FILLED"
    assert legs.popitem()[1].status == "EXPIRED"
    assert (on.state.balances.locked("BTC"), on.state.lists[1].status) == (dec(0), "ALL_DONE")


def test_cancelling_one_leg_cancels_both() -> None:
    on = engine()
    stop, limit = _oco(on)
    on.cancel(SYMBOL, 1600, order_id=limit.id)
    assert (stop.status, limit.status, on.state.balances.locked("BTC")) == ("CANCELED", "CANCELED", dec(0))


@pytest.mark.parametrize(("above", "below"), [(99, 95), (110, 101)])
def test_an_oco_must_stand_around_the_market(above: float, below: float) -> None:
    with pytest.raises(Rejected):
        lists.place_oco(
            engine(), request("sell", "LIMIT_MAKER", price=above), request("sell", "STOP_LOSS", stop=below), None, 1500
        )


def test_cancel_replace_frees_the_coins_that_the_new_order_needs() -> None:
    on = engine()
    stop = place(on, "sell", "STOP_LOSS", 20, stop=95)
    place(on, "sell", "LIMIT", 30, price=120)
    done = lists.cancel_replace(on, request("sell", "MARKET", 20), 1600, stop_on_failure=True, order_id=stop.id)
    assert done.failures == 0
    assert isinstance(done.placed, Order) and done.placed.status == "FILLED"


def test_cancel_replace_stops_when_the_cancel_fails_unless_failure_is_allowed() -> None:
    on = engine()
    stopped = lists.cancel_replace(on, request("sell", "MARKET", 1), 1600, stop_on_failure=True, order_id=7)
    assert stopped.placed is None
    allowed = lists.cancel_replace(on, request("sell", "MARKET", 1), 1600, stop_on_failure=False, order_id=7)
    assert isinstance(allowed.placed, Order)
    assert allowed.failures == 1


def test_an_order_that_was_filled_in_part_is_not_cancelled_as_a_new_one_nor_replaced() -> None:
    on = engine(volume=1)
    part = place(on, "buy", "LIMIT", 90, price=101)
    assert part.status == "PARTIALLY_FILLED"
    with pytest.raises(Rejected) as refusal:
        on.cancel(SYMBOL, 1600, order_id=part.id, only_in=CancelRestriction.ONLY_NEW)
    assert (refusal.value.code, part.is_open) == (-2011, True)
    done = lists.cancel_replace(
        on,
        request("sell", "MARKET", 1),
        1600,
        stop_on_failure=True,
        order_id=part.id,
        only_in=CancelRestriction.ONLY_NEW,
    )
    assert (done.placed, part.is_open) == (None, True)
    on.cancel(SYMBOL, 1600, order_id=part.id, only_in=CancelRestriction.ONLY_PARTIALLY_FILLED)
    assert part.status == "CANCELED"


def test_a_grid_whose_notionals_would_not_fit_eight_decimals_is_a_programmer_error() -> None:
    with pytest.raises(AssertionError):
        type(BTC)("X/Y", 5, 4)
