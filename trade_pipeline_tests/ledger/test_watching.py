"""What is kept about trading going wrong is found again as it was written."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState, Conflict, ExitState, GuardVerdict, RecoveryCount
from trade_pipeline_tests.fakes import START

D = Decimal
BREAKER = BreakerState("main", "*", "OPEN", "drawdown", "12 % below the peak", START, START, 0, {"drawdown": "0.12"})
CONFLICT = Conflict("c1", "main", "BTC/USDT", "position_short", D(2), D(1), "exchange_first", "found", START)
EXIT = ExitState("main", "BTC/USDT", START, D(110), True, "stop", None, 1, START, {"step": "ioc"})
VERDICT = GuardVerdict("d" * 32, "BTC/USDT", "spread", False, "0.4 %", "0.2 %", "the spread is too wide", START)


def test_a_breaker_stays_open_for_the_next_process_and_tells_of_every_change(ledger: Ledger, ledger_url: str) -> None:
    ledger.set_breaker(BREAKER)
    ledger.set_breaker(replace(BREAKER, state="HALF_OPEN", stage=1, changed_at=START + timedelta(hours=1)))

    found = Ledger(ledger_url).breakers("main")

    assert [(state.state, state.stage, state.opened_at) for state in found] == [("HALF_OPEN", 1, START)]
    told = [(event.kind, event.severity) for event in ledger.events("main")]
    assert told == [("breaker_half_open", "warning"), ("breaker_open", "critical")]


def test_what_is_remembered_beside_the_same_state_is_no_news(ledger: Ledger) -> None:
    ledger.set_breaker(BREAKER)
    remembered = {"drawdown": "0.12", "calm_since": START.isoformat()}
    ledger.set_breaker(replace(BREAKER, detail=remembered))

    assert [dict(state.detail) for state in ledger.breakers("main")] == [remembered]
    assert [event.kind for event in ledger.events("main")] == ["breaker_open"]


def test_a_conflict_is_open_until_its_last_word_ends_it(ledger: Ledger) -> None:
    ledger.record_conflict(CONFLICT)
    ledger.record_conflict(replace(CONFLICT, conflict_id="c2", subject="ETH/USDT"))
    ledger.record_conflict(replace(CONFLICT, outcome="resolved", at=START + timedelta(seconds=5)))

    assert [item.conflict_id for item in ledger.open_conflicts("main")] == ["c2"]
    assert [item.outcome for item in ledger.conflicts("main")] == ["resolved", "found", "found"]


def test_a_conflict_cannot_be_rewritten(ledger: Ledger, ledger_url: str) -> None:
    ledger.record_conflict(CONFLICT)
    with pytest.raises(DBAPIError, match="append-only"), create_engine(ledger_url).begin() as connection:
        connection.execute(text("UPDATE ledger.conflicts SET outcome = 'resolved'"))


def test_the_memory_of_an_exit_is_replaced_and_dropped(ledger: Ledger) -> None:
    ledger.save_exit_state(EXIT)
    ledger.save_exit_state(replace(EXIT, highest=D(120)))
    assert ledger.exit_states("main") == {"BTC/USDT": replace(EXIT, highest=D(120))}

    ledger.drop_exit_state("main", "BTC/USDT")
    assert ledger.exit_state("main", "BTC/USDT") is None


def test_verdicts_are_kept_by_decision_in_their_order(ledger: Ledger) -> None:
    passed = replace(VERDICT, guard="volume", passed=True)
    ledger.record_verdicts([VERDICT, passed])
    assert ledger.verdicts("d" * 32) == [VERDICT, passed]


def test_recoveries_are_counted_by_what_was_done_and_whether_it_helped(ledger: Ledger) -> None:
    day = START.date()
    for recovered in (True, True, False):
        ledger.count_recovery(day, "submit", "RateLimited", "retry", recovered)

    counts = {count.recovered: count.count for count in ledger.recoveries(day)}
    assert counts == {True: 2, False: 1}
    assert isinstance(ledger.recoveries(day)[0], RecoveryCount)


def test_recoveries_of_all_days_add_up(ledger: Ledger) -> None:
    days = (date(2024, 5, 1), date(2024, 5, 2))
    for day in days:
        ledger.count_recovery(day, "submit", "RateLimited", "retry", True)
    ledger.count_recovery(days[0], "submit", "RateLimited", "retry", False)
    assert ledger.recovery_totals() == [
        RecoveryCount(days[0], "submit", "RateLimited", "retry", False, 1),
        RecoveryCount(days[1], "submit", "RateLimited", "retry", True, 2),
    ]
