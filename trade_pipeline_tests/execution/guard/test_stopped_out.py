"""Who was stopped out does not buy back at once, whoever saw the fill first."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.sending.cancelling import cancel
from trade_pipeline.schemas.trading import OrderState, Role, Side
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.execution.guard.stop_room import later, only_stop


def test_a_stop_that_sells_locks_its_strategy(room: Room, guard: Guard) -> None:
    room.venue.fill(only_stop(room).client_order_id)
    later(room, guard)
    assert room.held() < Decimal("0.001")
    (lock,) = room.ledger.locks("main", room.clock())
    assert (lock.strategy, lock.symbol, lock.reason) == ("trend", BTC, "protective exit")
    assert lock.until is not None


def test_a_constant_signal_buys_once_and_sells_once_while_the_lock_lasts(room: Room, guard: Guard) -> None:
    """TRADING rule 13: constant long signal, one stop, 20 bars."""
    room.venue.fill(only_stop(room).client_order_id)
    later(room, guard)
    for _ in range(20):
        room.want("1")
        later(room, guard)
    sides = [trade.side for trade in room.venue.all_trades]
    assert sides == [Side.BUY, Side.SELL]


def test_a_stop_whose_fill_is_read_for_another_reason_locks_too(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id)
    trades = room.venue.trades(BTC)
    room.clock.advance(6)
    listed = room.venue.open_orders
    room.venue.open_orders = lambda symbol=None: [stop]  # type: ignore[method-assign]  # a list from before the fill
    guard.cycle()
    room.venue.open_orders = listed  # type: ignore[method-assign]  # as it was
    assert len(room.ledger.fills("main")) == len(trades)
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]


def test_a_stop_whose_fill_is_found_by_cancelling_it_locks_too(room: Room, guard: Guard) -> None:
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id)
    (order,) = [order for order in room.ledger.live_orders("main") if order.role == Role.PROTECT]
    assert cancel(room.desk, order, "to sell").state == OrderState.FILLED
    assert [lock.strategy for lock in room.ledger.locks("main", room.clock())] == ["trend"]
