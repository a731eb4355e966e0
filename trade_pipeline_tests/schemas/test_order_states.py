"""The order's steps, against the sentence in which they were agreed."""

from __future__ import annotations

import itertools

import pytest

from trade_pipeline.errors import IllegalTransition
from trade_pipeline.schemas.order_states import STEPS, at_restart, check_step, is_live, may_fill, merge
from trade_pipeline.schemas.trading import LIVE_STATES, OrderState

S = OrderState
AGREED = """
PLANNED -> SENT ABANDONED
SENT -> OPEN PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED UNKNOWN
OPEN -> PARTIALLY_FILLED FILLED CANCELED EXPIRED PENDING_CANCEL REJECTED
PARTIALLY_FILLED -> PARTIALLY_FILLED FILLED CANCELED EXPIRED PENDING_CANCEL REJECTED
PENDING_CANCEL -> CANCELED FILLED EXPIRED OPEN PARTIALLY_FILLED
UNKNOWN -> OPEN PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED PENDING_CANCEL ABSENT
"""


def test_the_steps_are_the_agreed_ones_and_no_others() -> None:
    agreed = {}
    for line in AGREED.strip().splitlines():
        current, following = line.split(" -> ")
        agreed[S(current)] = frozenset(map(S, following.split()))
    ends = {state: frozenset[OrderState]() for state in S if state not in agreed}

    assert dict(STEPS) == agreed | ends
    assert {state for state in S if STEPS[state]} == LIVE_STATES


@pytest.mark.parametrize(("current", "following"), list(itertools.product(S, S)))
def test_a_step_that_is_not_listed_raises(current: OrderState, following: OrderState) -> None:
    if following in STEPS[current]:
        check_step(current, following)
        return
    with pytest.raises(IllegalTransition, match=f"{current} -> {following}"):
        check_step(current, following)


@pytest.mark.parametrize("end", [S.FILLED, S.CANCELED, S.EXPIRED])
@pytest.mark.parametrize("old", [S.OPEN, S.PARTIALLY_FILLED, S.PENDING_CANCEL])
def test_a_stale_read_never_takes_an_end_back(end: OrderState, old: OrderState) -> None:
    assert merge(end, old) == end


def test_a_stale_read_never_takes_a_partial_fill_or_a_cancel_back() -> None:
    assert merge(S.PARTIALLY_FILLED, S.OPEN) == S.PARTIALLY_FILLED
    assert merge(S.PENDING_CANCEL, S.OPEN) == S.PENDING_CANCEL
    assert merge(S.PENDING_CANCEL, S.PARTIALLY_FILLED) == S.PENDING_CANCEL


@pytest.mark.parametrize(
    ("current", "reported"),
    [(S.REJECTED, S.OPEN), (S.ABSENT, S.FILLED), (S.CANCELED, S.FILLED), (S.PLANNED, S.OPEN), (S.ABANDONED, S.OPEN)],
)
def test_a_contradiction_is_no_stale_read(current: OrderState, reported: OrderState) -> None:
    with pytest.raises(IllegalTransition):
        merge(current, reported)


def test_unknown_is_resolved_by_any_evidence() -> None:
    for reported in (S.OPEN, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.PENDING_CANCEL):
        assert merge(S.UNKNOWN, reported) == reported


def test_sent_found_at_a_restart_is_unknown() -> None:
    assert at_restart(S.SENT) == S.UNKNOWN
    assert at_restart(S.OPEN) == S.OPEN


def test_a_fill_is_legal_in_every_state_after_sent() -> None:
    assert {state for state in S if not may_fill(state)} == {S.PLANNED, S.ABANDONED}
    assert is_live(S.UNKNOWN) and not is_live(S.ABSENT)
