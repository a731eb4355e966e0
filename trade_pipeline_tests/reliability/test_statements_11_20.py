"""Statements 11 to 20: truncated history, restarts, cancels, the bounds of what may be sold, clock and rate limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
import stamina

from trade_pipeline.errors import Banned, LedgerError, RateLimited
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.sending.submit import acquire_lease, send
from trade_pipeline.ledger.records import Target
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side, VenueOrder
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, lost, make_rules
from trade_pipeline_tests.fakes import make_intent, make_request, make_target
from trade_pipeline_tests.ledger.flow import PREFIX
from trade_pipeline_tests.reliability.conftest import BOUGHT, halted, last_order, later, only_stop
from trade_pipeline_tests.venues.scripted_exchange import SERVER_TIME_MS, Answer, ScriptedExchange, refusal
from trade_pipeline_tests.venues.test_binance_trading import placed

NAMED = PREFIX + "a" * 28


def test_statement_11_truncated_history_is_flagged_and_no_fills_are_invented(room: Room) -> None:
    """The exchange says that an order is filled, and its list of trades no longer reaches back to the first of them."""
    room.venue.answers_name_trades = False
    room.venue.share_filled = Decimal("0.4")
    room.want("1")
    order = last_order(room)
    room.venue.fill(order.client_order_id, Decimal("0.6"))
    fills_before = room.ledger.fills("main")
    assert [fill.amount for fill in fills_before] == [Decimal("0.4")]
    room.venue.all_trades.clear()
    guard = room.guard()
    later(room, guard, 700, cycles=4)
    assert room.ledger.fills("main") == fills_before
    assert room.held() == Decimal("0.4") * Decimal("0.999")
    assert halted(room)
    loud = [event.kind for event in room.ledger.events("main") if event.severity in {"warning", "error", "critical"}]
    assert loud, "nobody said that fills are missing"


def test_statement_12_k_restarts_add_no_orders(room: Room) -> None:
    """Guard and worker die and come back ten times, with the same decision delivered each time."""
    decision = room.decide(_wanted())
    room.execute(decision, run_id="first")
    for number in range(10):
        room.guard().cycle()
        room.execute(decision, run_id=f"again-{number}")
        room.clock.advance(1)
    assert [(request.side, request.type) for request in room.venue.created] == [
        (Side.BUY, OrderType.LIMIT),
        (Side.SELL, OrderType.STOP_LOSS_LIMIT),
    ]


def test_statement_13_a_cancel_never_acknowledged_stays_pending_while_the_order_lives(
    room: Room, bought: Guard
) -> None:
    stop = only_stop(room)
    room.venue.faults["cancel"].extend([lost()] * 50)
    room.want(None)
    later(room, bought, cycles=8)
    pending = room.ledger.order(stop.client_order_id)
    assert pending is not None
    assert pending.state == OrderState.PENDING_CANCEL
    assert only_stop(room) == stop
    assert [request.side for request in room.venue.created] == [Side.BUY, Side.SELL], "nothing beside the pending stop"
    room.venue.faults.clear()
    later(room, bought, cycles=2)
    room.want(None)
    assert room.held() < Decimal("0.001")


def test_statement_14_what_a_cancelled_stop_leaves_comes_from_its_fills(room: Room, bought: Guard) -> None:
    """0.4 of the stop traded before somebody cancelled it, and the answer to the cancel says that nothing did."""
    stop = only_stop(room)
    room.venue.fill(stop.client_order_id, Decimal("0.4"))
    cancelled = room.venue.cancel(BTC, stop.client_order_id)
    room.venue.book[stop.client_order_id] = replace(cancelled, filled=Decimal(0), quote_filled=Decimal(0), trades=())
    later(room, bought, cycles=3)
    assert room.held() == BOUGHT - Decimal("0.4")
    assert only_stop(room).amount == room.held()


def test_statement_15_sells_never_add_up_to_more_than_the_managed_position(room: Room, bought: Guard) -> None:
    """At every request: open sells and this one against what our fills bought, with coins of somebody else beside."""
    room.venue.totals["BTC"] += 100
    create, worst = room.venue.create, []

    def watched(request: OrderRequest) -> VenueOrder:
        if request.side == Side.SELL:
            open_sells = sum((o.amount - o.filled for o in room.venue.open_orders() if o.side == Side.SELL), Decimal(0))
            worst.append(open_sells + request.amount - room.held())
        return create(request)

    room.venue.create = watched  # type: ignore[method-assign]  # looks at the book before each order
    room.venue.faults["cancel"].append(lost())
    room.want(None)
    room.want("0.5")
    later(room, bought, cycles=3)
    room.want(None)
    assert worst
    assert max(worst) <= 0
    with pytest.raises(LedgerError):
        room.ledger.plan_order(
            make_intent(role=Role.EXIT, side=Side.SELL, amount=Decimal(5)),
            make_request(NAMED, side=Side.SELL, amount=Decimal(5)),
        )


def test_statement_16_dust_never_blocks_an_exit_and_residue_is_left_alone_and_counted(room: Room) -> None:
    """0.009 of 0.999 do not fit the step: the rest sells, the residue gets neither order nor stop, and has a value."""
    room.venue.rules[BTC] = make_rules(amount_step=Decimal("0.01"), amount_min=Decimal("0.01"))
    room.want("1")
    guard = room.guard()
    guard.cycle()
    assert only_stop(room).amount == Decimal("0.99")
    room.want(None)
    residue = room.held()
    assert residue == Decimal("0.009")
    sent = len(room.venue.created)
    for _ in range(3):
        assert "residue" in room.want(None).verdicts[BTC].reason
        later(room, guard)
    assert len(room.venue.created) == sent
    point = room.ledger.equity("main")[-1]
    assert point.positions_quote == residue * Decimal(100)
    assert not halted(room)


def test_statement_16_the_guards_exit_sells_around_dust_and_leaves_residue_alone(room: Room) -> None:
    """A stop that was jumped over is sold in steps of 0.01; what is left over goes along with the next position."""
    room.venue.rules[BTC] = make_rules(amount_step=Decimal("0.01"), amount_min=Decimal("0.01"))
    room.want("1")
    guard = room.guard()
    guard.cycle()
    for residue in (Decimal("0.009"), Decimal("0.00801")):
        room.venue.prices[BTC] = "80"
        later(room, guard)
        sale = room.venue.created[-1]
        assert (sale.side, sale.type, sale.amount) == (Side.SELL, OrderType.MARKET, Decimal("0.99"))
        assert room.held() == residue
        sent = len(room.venue.created)
        later(room, guard, 61, cycles=3)
        assert len(room.venue.created) == sent, "residue is sold no second time and gets no stop"
        assert room.venue.open_orders() == []
        assert room.ledger.live_orders("main") == []
        assert room.ledger.equity("main")[-1].positions_quote == residue * Decimal(80)
        assert not halted(room)
        room.venue.prices[BTC] = "100"
        room.ledger.unlock("main", "trend", BTC)
        room.want("1")
        later(room, guard)
        assert only_stop(room).amount == Decimal("0.99"), "residue and purchase together"


def test_statement_17_a_fee_in_base_leaves_only_what_is_free_to_be_sold(room: Room) -> None:
    """0.777 less the fee is 0.776223; the stop's lock is released and confirmed before 0.776 are sold."""
    room.want("0.777")
    guard = room.guard()
    guard.cycle()
    stop = only_stop(room)
    steps: list[tuple[str, str | Decimal, Decimal]] = []
    create, cancel = room.venue.create, room.venue.cancel

    def creating(request: OrderRequest) -> VenueOrder:
        free = room.venue.account().free("BTC")
        steps.append(("sell", request.amount, free))
        return create(request)

    def cancelling(symbol: str, client_order_id: str) -> VenueOrder:
        steps.append(("cancel", client_order_id, room.venue.account().free("BTC")))
        return cancel(symbol, client_order_id)

    room.venue.create, room.venue.cancel = creating, cancelling  # type: ignore[method-assign]  # watches the order
    room.want(None)
    assert steps == [
        ("cancel", stop.client_order_id, Decimal("0.000223")),
        ("sell", Decimal("0.776"), Decimal("0.776223")),
    ]


def test_statement_18_an_entry_is_opened_only_if_its_stop_would_pass_the_filters(room: Room) -> None:
    """1 BTC at 100 with a stop 50 below: far above a minimum of 60 when bought, below it at the stop's limit price."""
    room.venue.rules[BTC] = make_rules(notional_min=Decimal(60))
    verdict = room.want("1", stop_distance=Decimal(50)).verdicts[BTC]
    assert room.venue.created == []
    assert "too small to be protected" in verdict.reason
    room.venue.rules[BTC] = make_rules(notional_min=Decimal(49))
    room.want("1", stop_distance=Decimal(50))
    room.guard().cycle()
    stop = only_stop(room)
    assert stop.price is not None
    assert stop.price * stop.amount >= 49


@pytest.fixture
def scripted() -> Iterator[ScriptedExchange]:
    with ScriptedExchange() as running, stamina.set_testing(True, attempts=3, cap=True):
        yield running


@pytest.fixture
def wired(room: Room, scripted: ScriptedExchange) -> Iterator[Room]:
    """The room with ccxt's real class before a scripted exchange."""
    venue = BinanceTrading(scripted.url, "key", "secret", request_timeout_s=1.0)
    room.desk = replace(room.desk, venue=venue)
    yield room
    venue.close()


def _sent_id(scripted: ScriptedExchange) -> list[str]:
    return [seen.params["newClientOrderId"] for seen in scripted.asked("POST", "order")]


def _buy(room: Room) -> OrderState:
    lease = acquire_lease(room.desk, "test", for_exit=False, wait_s=0)
    request = make_request(NAMED, amount=Decimal("0.001"), price=Decimal(60_000))
    return send(room.desk, lease, make_intent(amount=Decimal("0.001")), request).state


def test_statement_19_clock_skew_is_set_right_and_the_same_client_id_sent_again(
    wired: Room, scripted: ScriptedExchange
) -> None:
    answer = placed(clientOrderId=NAMED, side="BUY", type="LIMIT", price="60000", status="NEW", executedQty="0",
                    cummulativeQuoteQty="0", fills=[])  # fmt: skip
    skew = refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    scripted.says("POST", "order", skew, Answer(answer))
    assert _buy(wired) == OrderState.OPEN
    assert _sent_id(scripted) == [NAMED, NAMED]
    times = [int(seen.params["timestamp"]) for seen in scripted.asked("POST", "order")]
    assert abs(times[-1] - SERVER_TIME_MS) < 2000


def test_statement_20_a_429_is_sent_again_after_its_retry_after_with_the_same_id(
    wired: Room, scripted: ScriptedExchange
) -> None:
    """A second, within what a request may last: it is waited for, and not shortened."""
    answer = placed(clientOrderId=NAMED, side="BUY", type="LIMIT", price="60000", status="NEW", executedQty="0",
                    cummulativeQuoteQty="0", fills=[])  # fmt: skip
    scripted.says("POST", "order", refusal(-1003, "Too many requests.", 429, Retry_After="1"), Answer(answer))
    asked_at = watch_sending(wired)
    assert _buy(wired) == OrderState.OPEN
    assert _sent_id(scripted) == [NAMED, NAMED]
    first, second = asked_at
    assert second - first >= 1
    assert [order.state for order in wired.ledger.orders("main")] == [OrderState.OPEN]
    assert not halted(wired)


def test_statement_20_a_429_that_asks_for_longer_than_a_request_may_last_sends_nothing_meanwhile(
    wired: Room, scripted: ScriptedExchange
) -> None:
    scripted.says("POST", "order", refusal(-1003, "Too much request weight used.", 429, Retry_After="30"))
    waited: list[float] = []
    wired.desk = replace(wired.desk, sleep=waited.append)
    assert _buy(wired) == OrderState.REJECTED, "certainly not executed, and not within our bound"
    assert waited == []
    assert len(scripted.asked("POST", "order")) == 1
    asked = len(scripted.seen)
    with pytest.raises(RateLimited) as refused:
        wired.desk.venue.create(make_request(NAMED, amount=Decimal("0.001"), price=Decimal(60_000)))
    assert 25 < refused.value.retry_after_s <= 30
    assert len(scripted.seen) == asked, "nothing is sent before the time that the exchange named"


def watch_sending(room: Room) -> list[float]:
    """When each order is sent, by the monotonic clock."""
    times: list[float] = []
    create = room.desk.venue.create

    def creating(request: OrderRequest) -> VenueOrder:
        times.append(time.monotonic())
        return create(request)

    room.desk.venue.create = creating  # type: ignore[method-assign]  # watches the time
    return times


def test_statement_20_a_418_silences_every_request_and_opens_the_breaker(
    wired: Room, scripted: ScriptedExchange
) -> None:
    scripted.says("GET", "account", refusal(-1003, "Way too much request weight used.", 418, Retry_After="600"))
    guard = Guard(wired.desk, holder="guard:test")
    later(wired, guard, cycles=3)
    asked = len(scripted.seen)
    later(wired, guard, cycles=3)
    assert len(scripted.seen) == asked
    with pytest.raises(Banned):
        wired.desk.venue.account()
    assert [row.scope for row in wired.ledger.breakers("main") if row.state == "OPEN"] == ["*"]


def _wanted() -> Target:
    return make_target(quantity=Decimal(1), sleeves={"trend": Decimal(1)})
