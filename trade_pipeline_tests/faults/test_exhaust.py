"""What the exhaustive run tries, by what a calm play has passed."""

from __future__ import annotations

from random import Random

from trade_pipeline.faults.exhaust import crashes, crossings, injections, pairs
from trade_pipeline.faults.kinds import ON_CHANGES, ON_COMMITS, Crash, Fault, Injection

PASSED = {
    "execute|venue.create:before": 2,
    "execute|venue.create:after_effect": 2,
    "guard|venue.create:before": 1,
    "execute|mark_sent:before_commit": 2,
    "guard|venue.order:before": 7,
}


def test_crossings_count_whatever_process_crossed() -> None:
    assert crossings(PASSED) == {"create": 3, "commit": 2, "order": 7}


def test_every_boundary_has_a_death_at_its_first_passings_and_at_its_last() -> None:
    deaths = crashes(PASSED)
    assert [death.nth for death in deaths if death.point == "guard|venue.order:before"] == [1, 2, 7]
    assert {death.point for death in deaths} == set(PASSED)


def test_every_fault_of_a_change_and_of_a_commit_is_tried_at_every_crossing() -> None:
    tried = set(injections(PASSED))
    assert {Injection(fault, "create", nth) for fault in ON_CHANGES for nth in (1, 2, 3)} <= tried
    assert {Injection(fault, "commit", nth) for fault in ON_COMMITS for nth in (1, 2)} <= tried


def test_reads_have_only_the_faults_that_they_can_have() -> None:
    of_looking_up = {each.fault for each in injections(PASSED) if each.channel == "order"}
    assert Fault.NOT_FOUND_DELAY in of_looking_up
    assert Fault.TRUNCATED_TRADES not in of_looking_up


def test_pairs_are_of_two_different_things_and_the_same_each_time() -> None:
    things = [Crash("guard|heartbeat:before_commit", nth) for nth in range(9)]
    drawn = list(pairs(things, 20, Random("pairs")))
    assert all(first != second for first, second in drawn)
    assert drawn == list(pairs(things, 20, Random("pairs")))
