"""What of an exchange's answer cannot be read stops its own symbol and no other: nothing is sent for it, nothing lost.

The venue says MalformedAnswer for a null, a word where a number belongs, a status that nobody knows, two trades of one
id, a fill of nothing (`venues/test_bad_answers.py`); here stands what execution does about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import MalformedAnswer, TradePipelineError, VenueUnavailable
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.schemas.trading import OrderState, Role, Side, TargetKind
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, RESTING
from trade_pipeline_tests.fakes import make_target

ETH = "ETH/USDT"


@pytest.fixture
def both(room: Room) -> Guard:
    """A guard that holds two symbols, each with its stop."""
    room.venue.symbols = (BTC, ETH)
    room.want("1")
    room.want("1", ETH)
    guard = room.guard()
    for _ in range(2):
        room.clock.advance(6)
        guard.cycle()
    assert stops(room) == {BTC, ETH}
    return guard


def stops(room: Room) -> set[str]:
    return {o.symbol for o in room.venue.book.values() if o.state in RESTING and o.side == Side.SELL}


def unreadable(symbol: str, what: str, value: object) -> MalformedAnswer:
    return MalformedAnswer(
        f"the exchange's answer has no readable {what}", thing=symbol, value=value, repair="Nothing was assumed"
    )


def spoil(room: Room, method: str, symbol: str, error: MalformedAnswer, *, in_all: bool = False) -> Callable[[], None]:
    """From now on what is asked about `symbol` cannot be read, nor a list of all symbols; returns what mends it."""
    real = getattr(room.venue, method)

    def answer(asked: str | None = None, *args: Any, **named: Any) -> Any:
        if asked == symbol or (asked is None and in_all):
            raise error
        return real(asked, *args, **named)

    setattr(room.venue, method, answer)
    return lambda: setattr(room.venue, method, real)


def conflicts(room: Room) -> list[tuple[str, str, str]]:
    return [(row.subject, row.kind, row.outcome) for row in room.ledger.open_conflicts("main")]


def test_one_order_that_cannot_be_read_leaves_the_others_read_and_halts_its_symbol(room: Room, both: Guard) -> None:
    mend = spoil(room, "open_orders", ETH, unreadable(ETH, "status", "FROZEN"), in_all=True)
    stop = next(o for o in room.venue.book.values() if o.symbol == BTC and o.state in RESTING)
    room.venue.fill(stop.client_order_id)
    room.clock.advance(6)
    both.cycle()
    assert room.held() < Decimal("0.001"), "the fill of the symbol that can be read is booked"
    assert conflicts(room) == [(ETH, "bad_order", "halted")]
    (row,) = room.ledger.open_conflicts("main")
    assert "FROZEN" in str(row.detail)
    assert "entries halted" in room.want("2", ETH).verdicts[ETH].reason
    assert ETH in stops(room), "its stop stays where it is"
    mend()
    room.clock.advance(6)
    both.cycle()
    assert conflicts(room) == []
    assert room.desk.halts() == {}


def test_trades_that_cannot_be_read_are_left_for_later_and_no_other_symbol_waits_for_them(
    room: Room, both: Guard
) -> None:
    for order in [o for o in room.venue.book.values() if o.state in RESTING]:
        filled = room.venue.fill(order.client_order_id)
        room.venue.book[order.client_order_id] = replace(filled, trades=())  # told by the list of trades alone
    mend = spoil(room, "trades", BTC, unreadable(BTC, "qty", None))
    room.clock.advance(6)
    both.cycle()
    assert room.held(ETH) < Decimal("0.001")
    assert room.held(BTC) == Decimal("0.999"), "no fill is invented"
    assert (BTC, "bad_order", "halted") in conflicts(room)
    mend()
    for _ in range(3):
        room.clock.advance(6)
        both.cycle()
    assert room.held(BTC) < Decimal("0.001")
    assert room.desk.halts() == {}


@pytest.mark.parametrize("error", [unreadable("USDT", "free", "NaN"), VenueUnavailable("maintenance")])
def test_a_guard_that_starts_while_the_account_cannot_be_read_puts_stops_under_what_the_ledger_knows(
    room: Room, error: TradePipelineError
) -> None:
    room.want("1")
    room.venue.faults["account"].extend([error] * 4)
    guard = room.guard()
    said = run_once(guard)
    assert type(error).__name__ in said[0]
    assert stops(room) == {BTC}
    order = next(order for order in room.ledger.live_orders("main") if order.role == Role.PROTECT)
    assert order.state == OrderState.OPEN


def test_a_book_that_cannot_be_read_after_a_sale_does_not_lose_the_other_symbols_orders(room: Room) -> None:
    room.venue.symbols = (BTC, ETH)
    room.venue.share_filled = Decimal("0.5")
    room.want("1")
    room.want("1", ETH)
    tops, asked = room.venue.book_tops, []

    def book_tops(symbols: Any) -> Any:
        asked.append(list(symbols))
        if len(symbols) == 1 and len(asked) > 1:
            raise unreadable(symbols[0], "bidPrice", "")
        return tops(symbols)

    room.venue.book_tops = book_tops  # type: ignore[method-assign]  # readable for the plan only
    flat = [make_target(symbol=name, kind=TargetKind.FLAT, quantity=None, sleeves={}) for name in (BTC, ETH)]
    room.clock.advance(60)
    report = room.execute(room.decide(*flat), run_id="flat")
    assert {order.symbol for order in report.orders} == {BTC, ETH}


def test_reading_with_something_unreadable_twice_changes_nothing_more(room: Room, both: Guard) -> None:
    spoil(room, "open_orders", ETH, unreadable(ETH, "origQty", "1,5"), in_all=True)
    reconcile(room.desk)
    sent, events = len(room.venue.created), len(room.ledger.events("main"))
    found = reconcile(room.desk)
    assert found.unreadable.keys() == {ETH}
    assert (len(room.venue.created), len(room.ledger.events("main"))) == (sent, events)
