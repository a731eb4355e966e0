"""A desk on a real ledger and an exchange in memory, on a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.execute import Execution, execute_decision
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.execution.sending.submit import acquire_lease
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision, Lease, Target
from trade_pipeline.schemas.trading import TargetKind
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.fake_venue import BTC, FakeVenue
from trade_pipeline_tests.fakes import FakeClock, make_decision, make_snapshot, make_target


@dataclass(frozen=True)
class Verdict:
    reasons: tuple[str, ...] = ()


def open_gate(decision: Decision) -> Verdict:
    return Verdict()


@dataclass
class Room:
    """What a test of execution works with."""

    clock: FakeClock
    venue: FakeVenue
    desk: Desk
    decisions: int = 0

    @property
    def ledger(self) -> Ledger:
        return self.desk.ledger

    def held(self, symbol: str = BTC) -> Decimal:
        position = self.ledger.position("main", symbol)
        return position.amount if position else Decimal(0)

    def decide(self, *targets: Target) -> str:
        """Record a decision of this minute with these targets; returns its id."""
        self.decisions += 1
        named, now = f"{self.decisions:032x}", self.clock()
        expires = now + timedelta(seconds=60)
        decision = make_decision(
            named, as_of=now, decided_at=now, expires_at=expires, snapshot_id=f"snapshot-{self.decisions}"
        )
        rows = [replace(target, decision_id=named, expires_at=expires) for target in targets]
        assert self.ledger.record_decision(decision, make_snapshot(f"snapshot-{self.decisions}"), rows)
        return named

    def execute(self, decision_id: str, reasons: tuple[str, ...] = (), run_id: str = "run-1") -> Execution:
        return execute_decision(self.desk, decision_id, run_id=run_id, gate=lambda _: Verdict(reasons))

    def want(self, quantity: str | None, symbol: str = BTC, **changes: object) -> Execution:
        """Decide one symbol and execute it a minute later than whatever came before."""
        self.clock.advance(60)
        kind = TargetKind.FLAT if quantity is None else TargetKind.SET
        target = make_target(
            symbol=symbol,
            kind=kind,
            quantity=None if quantity is None else Decimal(quantity),
            sleeves={} if quantity is None else {"trend": Decimal(quantity)},
            **changes,  # type: ignore[arg-type]  # a test names only what it is about
        )
        return self.execute(self.decide(target), run_id=f"run-{self.decisions}")

    def guard(self) -> Guard:
        return Guard(self.desk, holder="guard:test")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def room(tmp_path: Path, ledger_url: str, clock: FakeClock) -> Iterator[Room]:
    # Tests of a limit set it: the others may spend all that there is on one symbol.
    spending = {"position_weight_max": 1, "total_weight_max": 1}
    settings = Settings.model_validate(
        {"home": str(tmp_path), "execution": {"fill_wait_s_max": 0}, "portfolio": spending}
    )
    book = Ledger(ledger_url, now=clock)
    home = Home.at(tmp_path)
    home.control.mkdir(parents=True)
    venue = FakeVenue(clock)
    book.record_opening("main", venue.account())
    clock.advance(1)
    yield Room(clock, venue, Desk(book, venue, settings, home, clock))
    book.close()


@pytest.fixture
def lease(room: Room) -> Lease:
    """The account's lease, at a desk that never really waits."""
    room.desk = replace(room.desk, sleep=lambda seconds: None)
    return acquire_lease(room.desk, "test", for_exit=False, wait_s=0)
