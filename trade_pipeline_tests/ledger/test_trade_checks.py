"""Trades that cannot be true, and known ones that are told otherwise: named, and everything else is booked."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import BadTrade
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, Side
from trade_pipeline_tests.fakes import make_trade, make_venue_order
from trade_pipeline_tests.ledger.flow import PREFIX, open_order

D = Decimal


def amount_of(ledger: Ledger) -> Decimal:
    position = ledger.position("main", "BTC/USDT")
    return position.amount if position else D(0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"amount": D(0)}, "its amount is 0"),
        ({"amount": D("-1")}, "its amount is -1"),
        ({"amount": D("NaN")}, "its amount is NaN"),
        ({"amount": D("Infinity")}, "its amount is Infinity"),
        ({"price": D(0)}, "its price is 0"),
        ({"price": D("-100")}, "its price is -100"),
        ({"price": D("sNaN")}, "its price is sNaN"),
        ({"fee": D("NaN")}, "its fee is NaN"),
        ({"symbol": "BTCUSDT"}, "'BTCUSDT' is no symbol"),
    ],
)
def test_a_trade_that_cannot_be_is_refused_by_name_and_the_others_are_booked(
    ledger: Ledger, wrong: dict[str, Any], words: str
) -> None:
    open_order(ledger, amount=D(3))

    with pytest.raises(BadTrade, match=words) as caught:
        ledger.book_trades("main", [make_trade(1), make_trade(2, **wrong), make_trade(3)], prefix=PREFIX)

    assert caught.value.thing.startswith("trade 2 of BTC")
    assert caught.value.repair
    assert [fill.trade_id for fill in caught.value.booked] == ["1", "3"]  # type: ignore[attr-defined]
    assert [fill.trade_id for fill in ledger.fills("main")] == ["3", "1"]
    assert amount_of(ledger) == 2
    assert ledger.verify().findings == ()


def test_a_refused_trade_is_told_once_however_often_it_is_told(ledger: Ledger) -> None:
    for _ in range(3):
        with pytest.raises(BadTrade):
            ledger.book_trades("main", [make_trade(1, amount=D(0))], prefix=PREFIX)

    [event] = ledger.events("main", kinds=("trade_refused",))
    assert (event.severity, event.symbol, event.detail["trade_id"]) == ("error", "BTC/USDT", "1")
    assert event.detail["told"] == "buy 0 at 100, fee 0 USDT"


def test_the_refusal_crosses_processes_whole() -> None:
    error = BadTrade("no", thing="trade 1")
    error.symbols = ("BTC/USDT",)

    assert pickle.loads(pickle.dumps(error)).symbols == ("BTC/USDT",)


def test_an_order_does_not_end_by_a_trade_that_cannot_be(ledger: Ledger) -> None:
    """Ended without its coins it would look as if there were still something to buy or to sell."""
    order = open_order(ledger, amount=D(2))
    ended = make_venue_order(order.request, "1", OrderState.FILLED, "2")

    with pytest.raises(BadTrade, match="its price is 0"):
        ledger.settle("main", ended, [make_trade(1), make_trade(2, price=D(0))], "looked up", prefix=PREFIX)

    now = ledger.order(order.client_order_id)
    assert now is not None
    assert (now.state, now.filled) == (OrderState.PARTIALLY_FILLED, D(1))


def test_of_a_batch_with_such_a_trade_nothing_is_written(ledger: Ledger) -> None:
    order = open_order(ledger, amount=D(2))
    answer = make_venue_order(order.request, "1", OrderState.PARTIALLY_FILLED, "1")

    with pytest.raises(BadTrade):
        ledger.settle_all("main", [(answer, [make_trade(1), make_trade(2, amount=D(0))])], "listed", prefix=PREFIX)

    assert ledger.fills("main") == []
    assert ledger.order(order.client_order_id) == order


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"amount": D("1.5")}, "amount booked 1, told 1.5"),
        ({"price": D("99")}, "price booked 100, told 99"),
        ({"side": Side.SELL}, "side booked buy, told sell"),
        ({"fee": D("0.1")}, "fee booked 0, told 0.1"),
        ({"fee_asset": "BNB"}, "fee_asset booked USDT, told BNB"),
        ({"order_id": "7"}, "venue_order_id booked 1, told 7"),
    ],
)
def test_a_known_trade_that_is_told_otherwise_is_named_and_stays_as_it_was_booked(
    ledger: Ledger, changed: dict[str, Any], words: str
) -> None:
    open_order(ledger, amount=D(3))
    [before] = ledger.book_trades("main", [make_trade(1)], prefix=PREFIX)

    new = ledger.book_trades("main", [make_trade(1, **changed), make_trade(2)], prefix=PREFIX)
    ledger.book_trades("main", [make_trade(1, **changed)], prefix=PREFIX)

    assert [fill.trade_id for fill in new] == ["2"]
    assert ledger.fills("main")[-1] == before
    assert amount_of(ledger) == 2
    [event] = ledger.events("main", kinds=("trade_differs",))
    assert (event.symbol, event.detail["trade_id"], event.detail["why"]) == ("BTC/USDT", "1", words)
    assert ledger.verify().findings == ()


def test_one_trade_told_twice_in_one_batch_with_two_contents_is_booked_once_and_named(ledger: Ledger) -> None:
    open_order(ledger, amount=D(3))

    ledger.book_trades("main", [make_trade(1), make_trade(1, amount=D(2))], prefix=PREFIX)

    assert amount_of(ledger) == 1
    assert len(ledger.events("main", kinds=("trade_differs",))) == 1


def test_the_same_amount_in_other_digits_is_the_same_trade(ledger: Ledger) -> None:
    ledger.book_trades("main", [make_trade(1, amount=D("1.50"))], prefix=PREFIX)
    ledger.book_trades("main", [make_trade(1, amount=D("1.5"))], prefix=PREFIX)

    assert ledger.events("main", kinds=("trade_differs",)) == []
