"""A rule broken on purpose is found within fifty seeds: a simulator that finds nothing would prove nothing.

Each test replaces one rule of the code that trades by a mistake that others have made, and plays seeds until the
judge speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trade_pipeline.errors import OutcomeUnknown, TradePipelineError
from trade_pipeline.execution import recovery
from trade_pipeline.execution.conflicts import resolve
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.guard.protect import Do
from trade_pipeline.execution.guard.refusals import Refusals
from trade_pipeline.execution.readback import found as readback_found
from trade_pipeline.execution.readback import look_up
from trade_pipeline.execution.sending import cancelling, submit
from trade_pipeline.faults.kinds import Fault
from trade_pipeline.faults.scenario import MOODS_OF, make_scenario
from trade_pipeline.faults.stage import Stage
from trade_pipeline.ledger import orders
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import AccountReading, OrderState, VenueOrder, VenueTrade

# Which lines run at all is seen in test_seeds and in the judge's own tests.
pytestmark = pytest.mark.no_cover

SEEDS_MAX = 50


@pytest.fixture
def stage(ledger_url: str) -> Iterator[Stage]:
    made = Stage.at(ledger_url)
    yield made
    made.close()


def first_finding(stage: Stage, seeds: Iterable[int] = range(SEEDS_MAX)) -> set[str]:
    """Numbers of the invariants that the first seed with a violation breaks; empty when none has one."""
    for seed in seeds:
        violations = stage.play(make_scenario(seed)).violations
        if violations:
            return {violation.invariant.removeprefix("invariant_") for violation in violations}
    return set()


def test_the_same_seeds_are_clean_without_a_broken_rule(stage: Stage) -> None:
    found = [violation for seed in range(5) for violation in stage.play(make_scenario(seed)).violations]
    assert found == []


def test_a_resend_on_timeout_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = recovery.attempted

    def until_answered(desk: Desk, request: Callable[[], Any], **named: Any) -> recovery.Outcome[Any]:
        if named["operation"] != "create":
            return real(desk, request, **named)
        for _attempt in range(3):
            try:
                return recovery.Outcome(request())
            except OutcomeUnknown as error:
                lost = error
            except TradePipelineError as error:
                return recovery.Outcome(error=error, met=recovery.Step("skip", "OrderRefused", str(error)))
        return recovery.Outcome(error=lost, met=recovery.Step("resolve", "OutcomeUnknown", "gave up"))

    monkeypatch.setattr(submit, "attempted", until_answered)
    assert "14" in first_finding(stage)


def test_trusting_closed_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an order reported as closed has not traded is booked as if it had (statement 28)."""
    real = submit.apply

    def apply_as_filled(desk: Desk, answer: VenueOrder, evidence: str) -> Order:
        rest = answer.amount - sum((trade.amount for trade in answer.trades), Decimal(0))
        if answer.state == OrderState.FILLED and rest > 0:
            named = str(900_000 + int(answer.order_id))
            price = answer.price or Decimal(1)
            inferred = VenueTrade(answer.symbol, named, answer.order_id, answer.side, price, rest, Decimal(0), "USDT",
                                  desk.now(), False)  # fmt: skip
            answer = replace(answer, filled=answer.amount, trades=(*answer.trades, inferred))
        return real(desk, answer, evidence)

    for room in (submit, cancelling, readback_found):
        monkeypatch.setattr(room, "apply", apply_as_filled)
    assert "03" in first_finding(stage)


def test_forgetting_the_lease_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SENT is committed without a look at the lease, which may have ended or be somebody else's by then."""
    monkeypatch.setattr(orders, "check_lease", lambda *_: None)
    assert "17" in first_finding(stage)


def seeds_with(fault: Fault) -> list[int]:
    return [seed for seed in range(2 * SEEDS_MAX) if MOODS_OF.get(seed % 13) is fault]


def test_taking_what_others_lock_for_an_order_of_ours_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten stop counts as resting while somebody's own sale locks as many coins."""

    def locked(order: Order, reading: AccountReading, listed: Iterable[VenueOrder]) -> bool:
        balance = reading.balances.get(order.symbol.split("/")[0])
        return balance is not None and balance.locked >= order.remaining

    monkeypatch.setattr(resolve, "rests_unlisted", locked)
    assert "23" in first_finding(stage, seeds_with(Fault.FORGOTTEN_BESIDE_FOREIGN))


def test_believing_that_a_forgotten_order_rests_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_up, "_denied", lambda *_: False)
    assert "23" in first_finding(stage, seeds_with(Fault.ORDER_FORGOTTEN))


def test_giving_up_on_a_stop_that_was_refused_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again for a minute."""
    real = Refusals.waits

    def waits(self: Refusals, symbol: str, do: Do, now: datetime, longest: timedelta | None = None) -> bool:
        told = self.told.get((symbol, do))
        if do is Do.PLACE:
            return told is not None and now < told[1] + timedelta(seconds=60)
        return real(self, symbol, do, now, longest)

    monkeypatch.setattr(Refusals, "waits", waits)
    assert "23" in first_finding(stage, seeds_with(Fault.STOPS_REFUSED))


def test_a_refused_stop_that_keeps_its_position_from_being_sold_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was refused counts for the symbol, whatever was tried."""

    def waits(self: Refusals, symbol: str, do: Do, now: datetime, longest: timedelta | None = None) -> bool:
        told = [each for (named, _), each in self.told.items() if named == symbol]
        return any(now < at + timedelta(seconds=2 ** (count - 1)) for count, at in told)

    monkeypatch.setattr(Refusals, "waits", waits)
    monkeypatch.setattr(Refusals, "holds_back", lambda self, action, now: self.waits(action.symbol, action.do, now))
    assert "23" in first_finding(stage, seeds_with(Fault.FALL_WITHOUT_STOP))
