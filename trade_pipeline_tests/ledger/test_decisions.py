"""Decisions, notes and what a person looks at later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import EquityPoint, Event, Lock
from trade_pipeline.schemas.trading import TargetKind
from trade_pipeline_tests.fakes import START, FakeClock, make_decision, make_snapshot, make_target

D = Decimal


def test_a_decision_is_stored_with_its_snapshot_and_targets_once(ledger: Ledger) -> None:
    hold = make_target(symbol="ETH/USDT", kind=TargetKind.HOLD, quantity=None, score=None, sleeves={})

    assert ledger.record_decision(make_decision(), make_snapshot(), [make_target(), hold])
    assert not ledger.record_decision(make_decision(run_id="another"), make_snapshot(), [make_target()])

    assert ledger.decision("d" * 32) == make_decision()
    assert ledger.snapshot("snapshot-1") == make_snapshot()
    assert ledger.targets("d" * 32) == [make_target(), hold]


def test_the_newest_decision_is_the_one_of_the_newest_bar(ledger: Ledger) -> None:
    later = make_decision("e" * 32, as_of=START + timedelta(minutes=1))
    for decision in (later, make_decision()):
        ledger.record_decision(decision, make_snapshot(), [])

    assert ledger.newest_decision("main") == later
    assert ledger.newest_decision("other") is None
    assert ledger.decisions_between("main", START, START + timedelta(minutes=1)) == [make_decision()]


def test_outcomes_say_in_order_how_far_a_decision_came(ledger: Ledger) -> None:
    ledger.record_outcome("d1", "gate", "open")
    ledger.record_outcome("d1", "plan", "nothing to do", {"reason": "inside the band"})

    assert [(o.stage, o.outcome) for o in ledger.outcomes("d1")] == [("gate", "open"), ("plan", "nothing to do")]
    assert ledger.outcomes("d1")[1].detail == {"reason": "inside the band"}


def test_a_lock_holds_until_its_end_or_until_it_is_taken_off(ledger_url: str) -> None:
    clock = FakeClock()
    ledger = Ledger(ledger_url, now=clock)
    until = START + timedelta(minutes=30)
    lock = Lock("main", "trend", "BTC/USDT", "stop", START, until)
    ledger.lock(replace(lock, reason="first"))
    ledger.lock(lock)
    ledger.lock(replace(lock, symbol="ETH/USDT", until=None))

    assert ledger.locks("main", START)[0] == lock
    assert [found.symbol for found in ledger.locks("main", until)] == ["ETH/USDT"]
    clock.advance(5)
    ledger.unlock("main", "trend", "ETH/USDT")
    assert ledger.locks("main", until) == []
    ledger.close()


def test_the_curve_is_kept_and_its_newest_point_has_the_peak_in_force(ledger: Ledger) -> None:
    assert ledger.last_equity("main") is None
    assert ledger.highest_level("main", START) is None
    point = EquityPoint("main", START, D(100), D(60), D(40), D(0), D(0), D(0), D(120))
    ledger.record_equity(point)
    ledger.record_equity(replace(point, equity_quote=D(1)))  # the same moment: the first word counts
    last = replace(point, at=START + timedelta(minutes=5), equity_quote=D(90))
    ledger.record_equity(last)

    assert ledger.last_equity("main") == last
    assert ledger.highest_level("main", START) == pytest.approx(D(100) / 120)
    assert ledger.highest_level("main", last.at) == D("0.75")
    assert ledger.equity("main")[0] == point
    assert len(ledger.equity("main", START + timedelta(minutes=1))) == 1


def test_events_are_found_newest_first(ledger: Ledger) -> None:
    first = Event(START, "drift", "error", "main", "BTC/USDT", detail={"by": "0.1"})
    second = replace(first, at=START + timedelta(seconds=1), kind="drift_ended", severity="info")
    ledger.record_event(first)
    ledger.record_event(second)

    assert ledger.events("main") == [second, first]
    assert ledger.events("main", START + timedelta(seconds=1)) == [second]
    assert ledger.events("main", limit=1) == [second]


def test_a_heartbeat_replaces_the_one_before(ledger_url: str) -> None:
    clock = FakeClock()
    ledger = Ledger(ledger_url, now=clock)
    ledger.heartbeat("guard", {"cycle": 1})
    clock.advance(2)
    ledger.heartbeat("guard", {"cycle": 2})

    [beat] = ledger.heartbeats()
    assert (beat.process, beat.at, beat.detail) == ("guard", clock.at, {"cycle": 2})
    ledger.close()


def test_an_order_that_nobody_knows_cannot_be_explained(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no order has this id"):
        ledger.explain("12345")
