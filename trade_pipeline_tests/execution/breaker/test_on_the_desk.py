"""The breaker where it counts: in the guard's turn and before every buy, on a real ledger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.errors import Banned
from trade_pipeline.execution.breaker.hand import RETRIES_EXHAUSTED, open_breaker, open_for, reset_breaker
from trade_pipeline.execution.breaker.state import calm_since, forgiven_at
from trade_pipeline.execution.breaker.watch import BreakerWatch
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.sending.submit import acquire_lease, send
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Flow
from trade_pipeline.schemas.trading import FlowKind, OrderRequest, OrderState, OrderType, Side
from trade_pipeline.settings.breaker import BreakerSettings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_top
from trade_pipeline_tests.fakes import make_intent

D = Decimal


def guard_of(room: Room) -> Guard:
    return Guard(room.desk, "guard:test", breaker=BreakerWatch(machine=dict))


def open_now(room: Room, scope: str = "*") -> None:
    open_breaker(room.ledger, "main", scope, "a test says so", room.clock())


def test_nothing_is_bought_while_it_is_open_and_the_reason_is_told(room: Room) -> None:
    open_now(room)

    result = room.want("1")

    assert room.venue.created == []
    assert "the circuit breaker is open (by hand): a test says so" in result.verdicts[BTC].reason


def test_another_symbols_breaker_stops_nothing_here(room: Room) -> None:
    open_now(room, "ETH/USDT")
    room.want("1")
    assert room.held() == D("0.999")


def test_an_open_breaker_lets_risk_be_reduced(room: Room) -> None:
    """Feed corrupt, breaker open, symbol halted: the stop rests, and a target of nothing still sells (TRADING 11)."""
    room.want("1")
    open_now(room)
    guard = guard_of(room)
    guard.cycle()
    assert [order.side for order in room.venue.open_orders()] == [Side.SELL]

    room.want(None)

    assert room.held() == 0


def test_resting_entries_are_cancelled_in_the_turn_in_which_it_opens(room: Room) -> None:
    guard = guard_of(room)
    guard.cycle()
    lease = acquire_lease(room.desk, "test", for_exit=False, wait_s=0)
    intent = make_intent("resting", amount=D(1))
    named = client_order_id(room.desk.prefix, "main", intent.intent_id, 0)
    send(room.desk, lease, intent, OrderRequest(named, BTC, Side.BUY, OrderType.LIMIT, D(1), D(90)))
    room.ledger.release_lease(lease)
    room.clock.advance(6)
    guard.cycle()
    assert [order.client_order_id for order in room.venue.open_orders()] == [named]

    room.clock.advance(6)
    guard.breaker.flags["banned"] = "418"
    guard.cycle()

    assert room.venue.open_orders() == []
    order = room.ledger.order(named)
    assert order is not None
    assert order.state == OrderState.CANCELED


def test_a_restart_keeps_it_open(room: Room, ledger_url: str) -> None:
    open_now(room)
    assert [state.state for state in Ledger(ledger_url).breakers("main")] == ["OPEN"]


def test_what_a_person_stops_on_top_of_another_reason_stays_stopped(room: Room) -> None:
    open_breaker(room.ledger, "main", "*", "half of the answers fail", room.clock(), "error_rate")
    open_now(room)
    room.clock.advance(10**5)
    run_once(guard_of(room))

    (state,) = room.ledger.breakers("main")
    assert (state.state, state.dimension) == ("OPEN", "by hand")
    assert state.reason == "a test says so; open before: half of the answers fail"


def test_another_part_opens_it_once_however_often_it_says_so(room: Room) -> None:
    open_for(room.desk, BTC, RETRIES_EXHAUSTED, "the order was looked up five times")
    guard = guard_of(room)
    run_once(guard)
    half = room.desk.settings.breaker.half_open_after_s
    room.clock.advance(half - 5)
    run_once(guard)
    open_for(room.desk, BTC, RETRIES_EXHAUSTED, "and again")
    room.clock.advance(half - 5)
    run_once(guard)

    (state,) = room.ledger.breakers("main")
    assert (state.state, state.dimension) == ("OPEN", "retries_exhausted"), "the clock began anew"
    assert state.reason == "the order was looked up five times"
    assert [event.kind for event in room.ledger.events("main", kinds=("breaker_open",))] == ["breaker_open"]
    room.clock.advance(half)
    run_once(guard)
    assert [state.state for state in room.ledger.breakers("main")] == ["HALF_OPEN"]


def test_a_ban_opens_it_and_a_reset_ends_it(room: Room) -> None:
    guard = guard_of(room)
    guard.cycle()
    room.clock.advance(6)
    room.venue.faults["account"].append(Banned("banned", thing="account", retry_after_s=1.0))
    run_once(guard)
    room.clock.advance(6)
    run_once(guard)
    assert [(state.state, state.dimension) for state in room.ledger.breakers("main")] == [("OPEN", "banned")]

    reset_breaker(room.ledger, "main", "*", "understood", room.clock())

    assert [state.state for state in room.ledger.breakers("main")] == ["CLOSED"]


def invested(room: Room, **limits: object) -> Guard:
    """A guard of an account that holds 80 BTC bought at 100 and 2,000 USDT; its stops never fire here."""
    settings = room.desk.settings
    breaker = BreakerSettings(**({"exposure_ratio_max": None} | limits))
    room.desk = replace(room.desk, settings=settings.model_copy(update={"breaker": breaker}))
    room.want("80", stop_distance=D(50))
    return guard_of(room)


def look(room: Room, guard: Guard, times: int = 2) -> list[str]:
    """Dimensions of the breakers that are open after these looks."""
    for _ in range(times):
        room.clock.advance(6)
        run_once(guard)
    return [state.dimension for state in room.ledger.breakers("main") if state.state == "OPEN"]


def move(room: Room, quote: str) -> None:
    """Money comes (or goes) and is booked as what it is."""
    room.venue.totals["USDT"] += D(quote)
    kind = FlowKind.DEPOSIT if D(quote) > 0 else FlowKind.WITHDRAWAL
    room.ledger.book_flow(Flow("main", "USDT", kind, D(quote), room.clock(), f"flow at {room.clock()}"))


def test_a_withdrawal_is_no_loss_and_no_drawdown(room: Room) -> None:
    guard = invested(room)
    assert look(room, guard) == []
    move(room, "-1900")
    assert look(room, guard, times=15) == []
    last = room.ledger.last_equity("main")
    assert last is not None
    assert last.equity_quote < 8100
    assert 1 - last.equity_quote / last.peak_quote < D("0.01")


def test_a_deposit_hides_no_loss(room: Room) -> None:
    guard = invested(room, drawdown_ratio_max=D("0.02"), daily_loss_ratio_max=None)
    look(room, guard)
    room.venue.prices[BTC] = "97"  # 240 of 10,000 lost: 2.4 %
    move(room, "100")
    assert look(room, guard) == ["drawdown"]


def test_a_price_that_stood_for_one_look_opens_nothing(room: Room) -> None:
    guard = invested(room)
    look(room, guard)
    room.venue.prices[BTC] = "70"
    assert look(room, guard, times=1) == []
    room.venue.prices[BTC] = "100"
    assert look(room, guard) == []
    room.venue.prices[BTC] = "90"
    assert look(room, guard, times=2) == ["daily_loss"]


def test_a_symbol_that_is_not_quoted_for_a_moment_makes_no_peak(room: Room) -> None:
    guard = invested(room, daily_loss_ratio_max=None)
    room.venue.prices[BTC] = "90"
    look(room, guard, times=12)
    room.venue.tops[BTC] = replace(make_top(BTC, room.clock()), bid=D(0), ask=D(0))
    look(room, guard, times=12)

    last = room.ledger.last_equity("main")
    assert last is not None
    assert last.positions_quote == pytest.approx(D("79.92") * 90), "neither its cost of 100 nor 0"


def test_a_drawdown_is_forgiven_by_a_reset_across_openings_and_restarts(room: Room) -> None:
    guard = invested(room, daily_loss_ratio_max=None)
    look(room, guard)
    room.venue.prices[BTC] = "80"
    assert look(room, guard) == ["drawdown"]

    reset_breaker(room.ledger, "main", "*", "understood", room.clock())
    assert look(room, guard, times=15) == []

    open_now(room)  # Opened and reset once more, for another reason and by another process.
    assert look(room, guard_of(room)) == ["by hand"]
    reset_breaker(room.ledger, "main", "*", "found it", room.clock())
    assert look(room, guard_of(room), times=15) == []

    room.venue.prices[BTC] = "68"  # From there, not from the peak: 80 to 68 is 11 % of what is left, 100 to 68 is 26 %
    assert look(room, guard_of(room), times=15) == []
    room.venue.prices[BTC] = "60"
    assert look(room, guard_of(room)) == ["drawdown"]


def test_the_detail_keeps_what_was_forgiven_when_it_opens_again(room: Room) -> None:
    open_now(room)
    at = room.clock.advance(5)
    reset_breaker(room.ledger, "main", "*", "understood", at)
    open_for(room.desk, "*", RETRIES_EXHAUSTED, "again")

    (state,) = room.ledger.breakers("main")
    assert (state.state, forgiven_at(state)) == ("OPEN", at)


def test_the_end_of_a_breach_is_written_down_and_told_to_nobody(room: Room) -> None:
    guard = invested(room, daily_loss_ratio_max=None)
    look(room, guard)
    room.venue.prices[BTC] = "80"
    assert look(room, guard) == ["drawdown"]
    room.venue.prices[BTC] = "100"
    room.clock.advance(6)
    said = run_once(guard)

    (state,) = room.ledger.breakers("main")
    assert (state.state, calm_since(state)) == ("OPEN", room.clock())
    assert not [line for line in said if "breaker" in line]
    assert len(room.ledger.events("main", kinds=("breaker_open",))) == 1


def test_a_book_that_thins_out_opens_its_symbol_by_what_the_guard_reads_anyway(room: Room) -> None:
    guard = invested(room, history_minutes_min=30)
    for _ in range(36):
        room.clock.advance(60)
        run_once(guard)
    assert look(room, guard) == []
    usual = make_top(BTC, room.clock())
    room.venue.tops[BTC] = replace(usual, bid_amount=usual.bid_amount / 100)
    for _ in range(4):
        room.clock.advance(60)
        run_once(guard)

    (state,) = room.ledger.breakers("main")
    assert (state.scope, state.dimension) == (BTC, "depth")
    assert "the circuit breaker is open (depth)" in room.want("99").verdicts[BTC].reason
    assert [request.side for request in room.venue.created if request.type == OrderType.LIMIT] == [Side.BUY]


def test_a_symbol_that_is_not_held_any_more_is_looked_at_until_its_breaker_returns(room: Room) -> None:
    guard = invested(room)
    room.venue.tops[BTC] = replace(make_top(BTC, room.clock()), ask=D(103))
    assert look(room, guard) == ["spread"]
    room.want(None)
    assert room.held() == 0
    assert look(room, guard) == ["spread"]

    del room.venue.tops[BTC]
    room.clock.advance(6)
    run_once(guard)
    room.clock.advance(room.desk.settings.breaker.half_open_after_s)
    run_once(guard)
    assert [state.state for state in room.ledger.breakers("main")] == ["HALF_OPEN"]
