"""Every row of the default table through the real submit path: what is sent, written, opened and counted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from trade_pipeline.errors import (
    Banned,
    CancelReplaceFailed,
    ClockSkew,
    DuplicateClientOrderId,
    LedgerUnavailable,
    MalformedAnswer,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    TradePipelineError,
    VenueError,
    VenueUnavailable,
)
from trade_pipeline.execution.breaker.hand import open_breaker, reset_breaker
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.recovery import action_of, next_step, open_what_was_forgotten, recovery_rates
from trade_pipeline.execution.sending.cancelling import cancel
from trade_pipeline.execution.sending.submit import send
from trade_pipeline.ledger.records import Lease
from trade_pipeline.schemas.trading import OrderState, Role, Side
from trade_pipeline.settings.recovery import RecoverySettings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC
from trade_pipeline_tests.execution.recovery_room import NAMED, buy, counted, opened
from trade_pipeline_tests.fakes import START, make_intent, make_request

HOUR = timedelta(hours=1)


# --- errors after which the same request may be repeated


@pytest.mark.parametrize("error", [VenueUnavailable("down"), RateLimited("slowly"), ClockSkew("ahead")])
def test_what_was_certainly_not_executed_is_repeated_with_the_same_id_and_counts_as_recovered(
    room: Room, lease: Lease, error: TradePipelineError
) -> None:
    room.venue.faults["create"].extend([error] * 2)
    assert buy(room, lease).state == OrderState.OPEN
    assert [request.client_order_id for request in room.venue.created] == [NAMED] * 3
    assert counted(room) == {("submit", type(error).__name__, "retry", True): 1}
    assert opened(room) == []


@pytest.mark.parametrize("error", [VenueUnavailable("down"), RateLimited("slowly"), ClockSkew("ahead")])
def test_retries_that_are_used_up_end_the_order_and_open_the_breaker(
    room: Room, lease: Lease, error: TradePipelineError
) -> None:
    """RELIABILITY statement 5."""
    room.venue.faults["create"].extend([error] * 9)
    order = buy(room, lease)
    assert (order.state, action_of(order)) == (OrderState.REJECTED, "halt")
    assert len(room.venue.created) == 3
    assert opened(room) == [("*", "retries_exhausted")]
    assert counted(room) == {("submit", type(error).__name__, "halt", False): 1}


def test_a_silence_longer_than_the_lease_lasts_is_not_waited_for_and_opens_nothing(room: Room, lease: Lease) -> None:
    """RELIABILITY statement 20: Retry-After is honoured, here by not asking again."""
    room.venue.faults["create"].append(RateLimited("slowly", retry_after_s=30))
    order = buy(room, lease)
    assert (order.state, action_of(order)) == (OrderState.REJECTED, "skip")
    assert (len(room.venue.created), opened(room)) == (1, [])


def test_a_retry_waits_as_long_as_the_exchange_asks(room: Room, lease: Lease) -> None:
    slept: list[float] = []
    room.desk = replace(room.desk, sleep=slept.append)
    room.venue.faults["create"].extend([RateLimited("slowly", retry_after_s=1.5), VenueUnavailable("down")])
    assert buy(room, lease).state == OrderState.OPEN
    assert slept == [1.5, 0.25]


def test_a_purchase_is_not_repeated_when_a_breaker_has_opened_meanwhile(room: Room, lease: Lease) -> None:
    """Invariant 9: what was asked before the first request is asked again before the second."""
    room.desk = replace(room.desk, sleep=lambda _: _stop(room))
    room.venue.faults["create"].append(VenueUnavailable("down"))
    order = buy(room, lease)
    assert (order.state, action_of(order), len(room.venue.created)) == (OrderState.REJECTED, "skip", 1)
    assert "circuit breaker is open" in order.last_evidence


def test_a_purchase_is_not_repeated_while_an_exit_waits_but_a_sale_is(room: Room, lease: Lease) -> None:
    room.venue.totals["BTC"] = Decimal(5)
    room.desk = replace(room.desk, sleep=lambda _: _want_the_lease(room))
    room.venue.faults["create"].append(VenueUnavailable("down"))
    assert "an exit waits" in buy(room, lease).last_evidence
    room.ledger.adjust_position("main", BTC, Decimal(2), Decimal(100), room.clock(), "gift", "trend")
    room.venue.faults["create"].append(VenueUnavailable("down"))
    intent = make_intent("leave", role=Role.EXIT, side=Side.SELL)
    sale = send(room.desk, lease, intent, make_request(client_order_id("7c01", "main", "leave", 0), side=Side.SELL))
    assert sale.state == OrderState.OPEN


# --- errors whose outcome is unknown


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("cut"), MalformedAnswer("html"), OrderNotFound("what"), VenueError("strange")]
)
def test_what_may_have_been_executed_is_unknown_and_looked_up_by_its_id_never_sent_again(
    room: Room, lease: Lease, error: TradePipelineError
) -> None:
    room.venue.faults["create_after"].append(error)
    assert buy(room, lease).state == OrderState.UNKNOWN
    room.clock.advance(1)
    room.guard().cycle()
    order = room.ledger.order(NAMED)
    assert order is not None
    assert (order.state, len(room.venue.created), opened(room)) == (OrderState.OPEN, 1, [])


@pytest.mark.parametrize("error", [OutcomeUnknown("cut"), MalformedAnswer("html"), VenueError("strange")])
def test_no_table_can_make_an_unknown_outcome_be_sent_again(error: TradePipelineError) -> None:
    rows = RecoverySettings()
    forged = rows.model_copy(update={"table": {"VenueError": rows.table["VenueUnavailable"]}})
    assert next_step(error, 0, forged, operation="create", left_s=3.0).action == "resolve"


def test_a_duplicate_id_is_adopted_and_counts_as_recovered(room: Room, lease: Lease) -> None:
    room.venue.faults["create_after"].append(DuplicateClientOrderId("duplicate order sent"))
    assert buy(room, lease).state == OrderState.OPEN
    assert counted(room) == {("submit", "DuplicateClientOrderId", "resolve", True): 1}


# --- cancels


def test_a_cancel_that_was_not_executed_is_repeated(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    room.venue.faults["cancel"].extend([VenueUnavailable("down")] * 2)
    assert cancel(room.desk, order, "test").state == OrderState.CANCELED
    assert counted(room) == {("cancel", "VenueUnavailable", "retry", True): 1}


def test_a_cancel_whose_retries_are_used_up_assumes_nothing_and_opens_the_breaker(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    room.venue.faults["cancel"].extend([VenueUnavailable("down")] * 9)
    assert cancel(room.desk, order, "test").state == OrderState.PENDING_CANCEL
    assert len(room.venue.cancelled) == 3
    assert opened(room) == [("*", "retries_exhausted")]


def test_a_cancel_under_a_ban_asks_nothing_more_and_keeps_the_other_symbols_going(room: Room, lease: Lease) -> None:
    order = buy(room, lease)
    room.venue.faults["cancel"].append(Banned("418"))
    asked: list[str] = []
    room.venue.order = lambda *_: asked.append("order")  # type: ignore[method-assign,assignment]  # notes that it was asked
    assert cancel(room.desk, order, "test").state == OrderState.PENDING_CANCEL
    assert (asked, opened(room)) == ([], [("*", "banned")])


def test_a_refused_replacement_is_looked_up(room: Room) -> None:
    table = room.desk.settings.recovery
    assert next_step(CancelReplaceFailed("no"), 0, table, operation="create", left_s=3).action == "resolve"


# --- who dies in between


def test_a_death_between_the_end_of_an_order_and_the_breaker_is_made_up_for_by_the_next_run(
    room: Room, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.venue.faults["create"].append(Banned("418"))
    with monkeypatch.context() as broken:
        broken.setattr(type(room.ledger), "set_breaker", _dies)
        with pytest.raises(KeyboardInterrupt):
            buy(room, lease)
    order = room.ledger.order(NAMED)
    assert order is not None
    assert (order.state, opened(room)) == (OrderState.REJECTED, [])

    room.ledger.release_lease(lease)  # of a dead process it would end by itself
    report = room.want("1")

    assert opened(room) == [("*", "banned")]
    assert "circuit breaker is open" in report.verdicts[BTC].reason


def test_the_guard_makes_up_for_it_too(room: Room, lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    room.venue.faults["create"].extend([VenueUnavailable("down")] * 3)
    with monkeypatch.context() as broken:
        broken.setattr(type(room.ledger), "set_breaker", _dies)
        with pytest.raises(KeyboardInterrupt):
            buy(room, lease)
    room.clock.advance(5)
    room.guard().cycle()
    assert opened(room) == [("*", "retries_exhausted")]


def test_a_breaker_that_the_database_refused_is_opened_by_the_next_run(
    room: Room, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.venue.faults["create"].append(Banned("418"))
    with monkeypatch.context() as broken:
        broken.setattr(type(room.ledger), "set_breaker", _refuses)
        assert buy(room, lease).state == OrderState.REJECTED
    assert open_what_was_forgotten(room.desk, HOUR) == [NAMED]
    assert opened(room) == [("*", "banned")]


def test_what_was_answered_for_stays_closed_after_a_reset(room: Room, lease: Lease) -> None:
    room.venue.faults["create"].append(Banned("418"))
    buy(room, lease)
    reset_breaker(room.ledger, "main", "*", "understood", room.clock())
    assert open_what_was_forgotten(room.desk, HOUR) == []
    assert opened(room) == []


# --- the rate


def test_the_rate_is_kept_by_component_and_error(room: Room, lease: Lease) -> None:
    for number, errors in enumerate(([VenueUnavailable("x")], [VenueUnavailable("x")] * 3)):
        room.venue.faults["create"].extend(errors)
        named = client_order_id("7c01", "main", f"intent-{number}", 0)
        send(room.desk, lease, make_intent(f"intent-{number}", symbol=f"A{number}/USDT"),
             make_request(named, symbol=f"A{number}/USDT"))  # fmt: skip
    (rate,) = recovery_rates(room.ledger.recoveries(START.date()))
    assert rate.line() == "submit VenueUnavailable: 1 of 2 recovered (50 %)"


def _stop(room: Room) -> None:
    open_breaker(room.ledger, "main", "*", "a test says so", room.clock())


def _want_the_lease(room: Room) -> None:
    with pytest.raises(TradePipelineError):
        room.ledger.acquire_lease("main", "guard", 15, for_exit=True)


def _dies(*_: object) -> None:
    raise KeyboardInterrupt


def _refuses(*_: object) -> None:
    raise LedgerUnavailable("the database refused")
