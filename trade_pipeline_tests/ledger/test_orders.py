"""Orders: written ahead, one at a time, along the listed steps only."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from decimal import Decimal

import pytest
from sqlalchemy import Connection, event, text

from trade_pipeline.errors import IllegalTransition, LeaseLost, LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, Side
from trade_pipeline_tests.fakes import make_intent, make_request, make_trade, make_venue_order
from trade_pipeline_tests.ledger.flow import PREFIX, buy, finish, open_order, sell, sent_order


def test_a_planned_order_is_read_back_exactly_as_it_was_requested(ledger: Ledger) -> None:
    request = make_request(type=OrderType.STOP_LOSS_LIMIT, amount=Decimal("0.00012300"), stop_price=Decimal("99.90"))

    ledger.plan_order(make_intent(amount=request.amount), request)

    order = ledger.order(request.client_order_id)
    assert order is not None
    assert order.request == request
    assert str(order.request.amount) == "0.00012300"
    assert (order.state, order.filled, order.venue_order_id) == (OrderState.PLANNED, Decimal(0), None)
    assert ledger.intent("intent-1") == make_intent(amount=request.amount)


def test_a_second_live_order_of_the_same_role_is_refused_and_leaves_nothing_behind(ledger: Ledger) -> None:
    sent_order(ledger, 1)

    with pytest.raises(LedgerError, match="there already"):
        ledger.plan_order(make_intent("intent-2"), make_request(f"{PREFIX}{2:028x}"))

    assert ledger.intent("intent-2") is None
    assert len(ledger.live_orders("main")) == 1


def test_an_unknown_order_blocks_its_role_until_it_is_absent(ledger: Ledger) -> None:
    order = sent_order(ledger, 1)
    ledger.mark_unknown(order.client_order_id, "timeout")
    replacement = make_request(f"{PREFIX}{2:028x}")
    with pytest.raises(LedgerError):
        ledger.plan_order(make_intent("intent-1"), replacement, attempt=1)

    ledger.mark_absent(order.client_order_id, "three empty look-ups")

    assert ledger.plan_order(make_intent("intent-1"), replacement, attempt=1).attempt == 1


def test_one_attempt_of_an_intent_exists_once_even_after_it_ended(ledger: Ledger) -> None:
    order = sent_order(ledger, 1)
    ledger.mark_rejected(order.client_order_id, "-2010")

    with pytest.raises(LedgerError):
        ledger.plan_order(make_intent("intent-1"), make_request(f"{PREFIX}{2:028x}"), attempt=0)


def test_a_sell_never_exceeds_the_managed_position(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100")
    intent = make_intent("intent-2", side=Side.SELL, role=Role.EXIT)

    with pytest.raises(LedgerError, match="managed position is 1 "):
        ledger.plan_order(intent, make_request(f"{PREFIX}{2:028x}", side=Side.SELL, amount=Decimal("1.00001")))

    ledger.plan_order(intent, make_request(f"{PREFIX}{2:028x}", side=Side.SELL))


def test_a_resting_stop_and_an_exit_together_never_exceed_the_position(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100")
    stop = open_order(ledger, 2, side=Side.SELL, role=Role.PROTECT)
    intent = make_intent("intent-3", side=Side.SELL, role=Role.EXIT)
    request = make_request(f"{PREFIX}{3:028x}", side=Side.SELL)
    with pytest.raises(LedgerError, match="live sells take 1 "):
        ledger.plan_order(intent, request)

    finish(ledger, stop)

    assert ledger.plan_order(intent, request).state == OrderState.PLANNED


def test_a_stop_that_has_become_larger_than_its_position_may_make_way_for_a_smaller_one(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100")
    stop = open_order(ledger, 2, side=Side.SELL, role=Role.PROTECT)
    ledger.adjust_position("main", "BTC/USDT", Decimal("-0.4"), None, stop.planned_at, "sold by hand")
    intent = make_intent("intent-3", side=Side.SELL, role=Role.PROTECT_BESIDE)
    for amount, fits in (("0.7", False), ("0.6", True)):
        request = make_request(f"{PREFIX}{3:028x}", side=Side.SELL, amount=Decimal(amount))
        with nullcontext() if fits else pytest.raises(LedgerError, match="the managed position"):
            ledger.plan_order(intent, request, beside=stop.client_order_id)
    assert len(ledger.live_orders("main")) == 2


def test_sent_is_committed_only_under_the_newest_lease(ledger: Ledger) -> None:
    ledger.plan_order(make_intent(), make_request())
    old = ledger.acquire_lease("main", "one", 30)
    ledger.release_lease(old)
    new = ledger.acquire_lease("main", "two", 30)

    with pytest.raises(LeaseLost):
        ledger.mark_sent(make_request().client_order_id, old, 1)

    assert ledger.mark_sent(make_request().client_order_id, new, 1).state == OrderState.SENT


def test_sent_needs_more_of_the_lease_than_the_margin(ledger: Ledger) -> None:
    ledger.plan_order(make_intent(), make_request())
    lease = ledger.acquire_lease("main", "one", 5)

    with pytest.raises(LeaseLost, match="remain"):
        ledger.mark_sent(make_request().client_order_id, lease, 6)

    order = ledger.order(make_request().client_order_id)
    assert order is not None and order.state == OrderState.PLANNED


def test_an_order_is_sent_once(ledger: Ledger) -> None:
    order = sent_order(ledger)
    lease = ledger.acquire_lease("main", "two", 30)

    with pytest.raises(IllegalTransition):
        ledger.mark_sent(order.client_order_id, lease, 1)


def test_steps_that_are_not_listed_raise(ledger: Ledger) -> None:
    order = sent_order(ledger)
    for step in (ledger.abandon, ledger.mark_absent, ledger.mark_pending_cancel, ledger.mark_cancel_refused):
        with pytest.raises(IllegalTransition):
            step(order.client_order_id, "test")
    assert ledger.order(order.client_order_id) == order


def test_a_venue_order_for_something_that_was_never_sent_raises(ledger: Ledger) -> None:
    request = make_request()
    ledger.plan_order(make_intent(), request)

    with pytest.raises(IllegalTransition):
        ledger.apply_venue_order("main", make_venue_order(request, "1"), "open orders")


def test_a_stale_read_keeps_the_state(ledger: Ledger) -> None:
    order = open_order(ledger)
    ledger.book_trades("main", [make_trade(1, amount=Decimal("0.4"))], prefix=PREFIX)
    stale = make_venue_order(order.request, "1", OrderState.OPEN)

    assert ledger.apply_venue_order("main", stale, "late answer").state == OrderState.PARTIALLY_FILLED
    finish(ledger, order)
    after = ledger.apply_venue_order("main", stale, "late answer")

    assert (after.state, after.filled) == (OrderState.CANCELED, Decimal("0.4"))


def test_a_timeout_that_is_noticed_after_the_order_was_seen_open_changes_nothing(ledger: Ledger) -> None:
    order = open_order(ledger)

    assert ledger.mark_unknown(order.client_order_id, "timeout").state == OrderState.OPEN


def test_the_quantity_comes_from_trades_and_not_from_the_status(ledger: Ledger) -> None:
    order = sent_order(ledger)
    closed = make_venue_order(order.request, "1", OrderState.FILLED, filled="1")

    assert ledger.apply_venue_order("main", closed, "answer").filled == Decimal(0)
    ledger.book_trades("main", [make_trade(1)], prefix=PREFIX)

    after = ledger.order(order.client_order_id)
    assert after is not None
    assert (after.state, after.filled, after.quote_filled) == (OrderState.FILLED, Decimal(1), Decimal(100))


def test_a_fill_after_the_cancel_is_booked(ledger: Ledger) -> None:
    finish(ledger, open_order(ledger))

    ledger.book_trades("main", [make_trade(1, amount=Decimal("0.3"))], prefix=PREFIX)

    order = ledger.order_by_venue_id("main", "BTC/USDT", "1")
    position = ledger.position("main", "BTC/USDT")
    assert order is not None and position is not None
    assert (order.state, order.filled, position.amount) == (OrderState.CANCELED, Decimal("0.3"), Decimal("0.3"))


def test_trades_add_up_to_filled(ledger: Ledger) -> None:
    order = open_order(ledger)

    ledger.book_trades("main", [make_trade(1, amount=Decimal("0.4"))], prefix=PREFIX)
    half = ledger.order(order.client_order_id)
    ledger.book_trades("main", [make_trade(2, amount=Decimal("0.6"), price=Decimal("99"))], prefix=PREFIX)
    whole = ledger.order(order.client_order_id)

    assert half is not None and half.state == OrderState.PARTIALLY_FILLED
    assert half.remaining == Decimal("0.6")
    assert whole is not None and whole.state == OrderState.FILLED
    assert whole.quote_filled == Decimal("99.4")


def test_a_cancel_that_is_not_confirmed_stays_pending_until_the_exchange_decides(ledger: Ledger) -> None:
    order = open_order(ledger)
    ledger.mark_pending_cancel(order.client_order_id, "guard")

    still = ledger.apply_venue_order("main", make_venue_order(order.request, "1"), "open orders")
    refused = ledger.mark_cancel_refused(order.client_order_id, "-2011")

    assert (still.state, refused.state) == (OrderState.PENDING_CANCEL, OrderState.OPEN)


def test_a_cancel_that_comes_too_late_leaves_the_end_as_it_is(ledger: Ledger) -> None:
    order = open_order(ledger)
    ledger.book_trades("main", [make_trade(1)], prefix=PREFIX)

    assert ledger.mark_pending_cancel(order.client_order_id, "guard").state == OrderState.FILLED


def test_life_in_an_absent_order_raises_but_its_fills_are_ours(ledger: Ledger) -> None:
    order = sent_order(ledger)
    ledger.mark_unknown(order.client_order_id, "timeout")
    ledger.mark_absent(order.client_order_id, "look-ups")

    with pytest.raises(IllegalTransition):
        ledger.apply_venue_order("main", make_venue_order(order.request, "1", OrderState.FILLED, "1"), "orders")
    ledger.book_trades("main", [make_trade(1)], prefix=PREFIX)

    position = ledger.position("main", "BTC/USDT")
    assert position is not None and position.amount == 1
    assert [event.state for event in ledger.order_events(order.client_order_id)][-1] == OrderState.ABSENT


def test_an_exchange_id_belongs_to_one_order(ledger: Ledger) -> None:
    first = finish(ledger, open_order(ledger, 1))
    second = sent_order(ledger, 2)

    with pytest.raises(LedgerError, match="another order"):
        ledger.apply_venue_order("main", make_venue_order(second.request, "1"), "test")
    with pytest.raises(LedgerError):
        ledger.apply_venue_order("main", make_venue_order(first.request, "77"), "test")


def test_every_step_leaves_an_event(ledger: Ledger) -> None:
    order = open_order(ledger)
    ledger.mark_pending_cancel(order.client_order_id, "guard")
    finish(ledger, order)

    steps = [event.state for event in ledger.order_events(order.client_order_id)]

    assert steps == ["PLANNED", "SENT", "OPEN", "PENDING_CANCEL", "CANCELED"]


def test_the_acknowledgement_is_stamped_once(ledger: Ledger) -> None:
    order = open_order(ledger)
    first = order.acknowledged_at

    assert first is not None
    assert finish(ledger, order).acknowledged_at == first


def test_orders_are_listed_newest_first_and_the_newest_entry_is_found(ledger: Ledger) -> None:
    buy(ledger, 1, "1", "100")
    sell(ledger, 2, "1", "101", reason="target flat")

    assert [order.request.side for order in ledger.orders("main")] == [Side.SELL, Side.BUY]
    newest = ledger.newest_entry_intent("main", "BTC/USDT")
    assert newest is not None and newest.intent_id == "intent-1"
    assert ledger.newest_entry_intent("main", "ETH/USDT") is None


def test_planning_and_sending_take_milliseconds(ledger: Ledger) -> None:
    lease = ledger.acquire_lease("main", "test", 60)
    took_s = []
    for number in range(30):
        symbol = f"C{number}/USDT"
        request = make_request(f"{PREFIX}{number:028x}", symbol=symbol)
        begin = time.perf_counter()
        ledger.plan_order(make_intent(f"i{number}", symbol=symbol), request)
        ledger.mark_sent(request.client_order_id, lease, 1)
        took_s.append(time.perf_counter() - begin)

    # The median: two cores are shared with whatever else runs.
    assert sorted(took_s)[15] < 0.01 * float(os.environ.get("TRADE_PIPELINE_TEST_SLOWNESS", "3"))


def test_a_plan_waits_for_no_disk_and_what_marks_it_sent_does(ledger: Ledger) -> None:
    at_commit: list[str] = []

    def note(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        cursor.execute("SHOW synchronous_commit")
        at_commit.extend(row[0] for row in cursor.fetchall())

    with ledger._database.engine().begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = on'))
    ledger.close()  # connections keep the setting that they began with; the tests' server waits for no disk
    lease = ledger.acquire_lease("main", "test", 60)
    event.listen(ledger._database.engine(), "commit", note)
    request = make_request()
    ledger.plan_order(make_intent(), request)
    ledger.mark_sent(request.client_order_id, lease, 1.0)
    ledger.mark_unknown(request.client_order_id, "timeout")
    event.remove(ledger._database.engine(), "commit", note)

    assert at_commit == ["off", "on", "on"]
