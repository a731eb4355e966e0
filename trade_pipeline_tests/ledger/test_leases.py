"""Leases and claims: one sender per account, one run per decision."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from sqlalchemy import create_engine, text

from trade_pipeline.errors import AlreadyClaimed, LeaseHeld, LeaseLost
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline_tests.fakes import FakeClock, make_intent, make_request


def expire(url: str) -> None:
    """Let the database's clock pass every lease's end."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger.leases SET expires_at = clock_timestamp() - interval '1 s'"))
    engine.dispose()


def test_a_held_lease_is_refused_to_others(ledger: Ledger) -> None:
    ledger.acquire_lease("main", "one", 30)

    with pytest.raises(LeaseHeld, match="one holds"):
        ledger.acquire_lease("main", "two", 30)


def test_leases_of_two_accounts_do_not_touch(ledger: Ledger) -> None:
    assert ledger.acquire_lease("main", "one", 30).token == ledger.acquire_lease("other", "two", 30).token == 1


def test_tokens_grow_through_release_and_expiry(ledger: Ledger, ledger_url: str) -> None:
    first = ledger.acquire_lease("main", "one", 30)
    ledger.release_lease(first)
    second = ledger.acquire_lease("main", "two", 30)
    expire(ledger_url)
    third = ledger.acquire_lease("main", "three", 30)

    assert first.token < second.token < third.token


def test_the_holder_of_an_expired_lease_can_neither_send_nor_take_back_its_successors(
    ledger: Ledger, ledger_url: str
) -> None:
    ledger.plan_order(make_intent(), make_request())
    stale = ledger.acquire_lease("main", "one", 30)
    expire(ledger_url)
    ledger.acquire_lease("main", "two", 30)

    with pytest.raises(LeaseLost):
        ledger.mark_sent(make_request().client_order_id, stale, 1)
    ledger.release_lease(stale)

    with pytest.raises(LeaseHeld):
        ledger.acquire_lease("main", "three", 30)


def test_an_exit_that_waits_is_seen_by_the_holder_and_goes_first(ledger: Ledger) -> None:
    entry = ledger.acquire_lease("main", "execute", 30)
    assert not ledger.exit_is_waiting(entry)

    with pytest.raises(LeaseHeld):
        ledger.acquire_lease("main", "guard", 30, for_exit=True)

    assert ledger.exit_is_waiting(entry)
    ledger.release_lease(entry)
    with pytest.raises(LeaseHeld):
        ledger.acquire_lease("main", "another-execute", 30)
    taken = ledger.acquire_lease("main", "guard", 30, for_exit=True)
    assert not ledger.exit_is_waiting(taken)


@dataclass
class Later:
    """A ledger whose clocks stand until they are told to go on."""

    url: str
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.url, now=self.clock, database_now=self.clock)


@pytest.fixture
def later(ledger_url: str) -> Iterator[Later]:
    found = Later(ledger_url)
    yield found
    found.ledger.close()


def test_an_exit_takes_the_lease_of_a_dead_run_when_nothing_of_it_is_on_its_way(later: Later) -> None:
    later.ledger.plan_order(make_intent(), make_request())
    dead = later.ledger.acquire_lease("main", "execute", 15)
    later.ledger.mark_sent(make_request().client_order_id, dead, 8)

    later.clock.advance(7.9)
    with pytest.raises(LeaseHeld):
        later.ledger.acquire_lease("main", "guard", 15, for_exit=True, settled_s=8)
    later.clock.advance(0.1)
    with pytest.raises(LeaseHeld):
        later.ledger.acquire_lease("main", "another-run", 15)
    taken = later.ledger.acquire_lease("main", "guard", 15, for_exit=True, settled_s=8)

    assert taken.token > dead.token


def test_a_run_that_has_just_begun_is_left_alone_by_an_exit(later: Later) -> None:
    later.ledger.acquire_lease("main", "execute", 15)

    later.clock.advance(1.9)
    with pytest.raises(LeaseHeld):
        later.ledger.acquire_lease("main", "guard", 15, for_exit=True, settled_s=8)


def test_what_lost_its_lease_to_an_exit_commits_nothing_more(later: Later) -> None:
    later.ledger.plan_order(make_intent(), make_request())
    slow = later.ledger.acquire_lease("main", "execute", 15)
    later.clock.advance(2)
    later.ledger.acquire_lease("main", "guard", 15, for_exit=True, settled_s=8)

    with pytest.raises(LeaseLost):
        later.ledger.mark_sent(make_request().client_order_id, slow, 8)


def test_of_many_who_ask_at_once_one_gets_the_lease(ledger: Ledger) -> None:
    def ask(number: int) -> bool:
        try:
            ledger.acquire_lease("main", f"holder-{number}", 30)
        except LeaseHeld:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 1


def test_two_workers_that_claim_the_same_decision_end_with_one_owner(ledger: Ledger) -> None:
    def claim(number: int) -> bool:
        try:
            ledger.claim("decision", "execute", f"run-{number}")
        except AlreadyClaimed:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(claim, range(6))) == 1


def test_the_same_run_may_claim_again_and_another_job_is_another_claim(ledger: Ledger) -> None:
    ledger.claim("decision", "execute", "run-1")
    ledger.claim("decision", "execute", "run-1")
    ledger.claim("decision", "report", "run-2")

    with pytest.raises(AlreadyClaimed, match="run-1"):
        ledger.claim("decision", "execute", "run-2")
