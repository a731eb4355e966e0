"""When a breaker opens, how it returns, and what no clock closes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from pydantic import ValidationError

from trade_pipeline.execution.breaker.evaluate import Measures, evaluate
from trade_pipeline.execution.breaker.state import increases_stopped, size_factor
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.settings.breaker import BreakerSettings
from trade_pipeline_tests.fakes import START

D = Decimal
SETTINGS = BreakerSettings(half_open_after_s=60, stage_s=30)
BTC = "BTC/USDT"


def judged(measures: Measures, *states: BreakerState, after_s: float = 0) -> list[BreakerState]:
    return evaluate("main", measures, SETTINGS, states, START + timedelta(seconds=after_s))


def opened(dimension: str = "drawdown", scope: str = "*") -> BreakerState:
    return BreakerState("main", scope, "OPEN", dimension, "why", START, START)


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("drawdown", "0.15"),
        ("daily_loss", "0.05"),
        ("losing_streak", "12"),
        ("volatility", "0.03"),
        ("error_rate", "0.5"),
        ("memory", "0.97"),
        ("exposure", "0.9"),
    ],
)
def test_a_measure_at_its_limit_opens_the_account_and_says_the_numbers(dimension: str, value: str) -> None:
    (state,) = judged(Measures(account={dimension: D(value)}))

    assert (state.scope, state.state, state.dimension) == ("*", "OPEN", dimension)
    assert value.rstrip("0") in state.reason
    assert judged(Measures(account={dimension: D(value) - D("0.0001")})) == []


def test_a_symbol_opens_alone() -> None:
    (state,) = judged(Measures(symbols={BTC: {"spread": D("0.03")}, "ETH/USDT": {"spread": D("0.001")}}))

    assert (state.scope, state.dimension) == (BTC, "spread")
    assert increases_stopped([state], BTC) is not None
    assert increases_stopped([state], "ETH/USDT") is None


def test_a_win_rate_counts_only_where_a_limit_is_set() -> None:
    low = Measures(account={"win_rate": D("0.1")})
    strict = BreakerSettings(win_rate_min=D("0.3"))

    assert judged(low) == []
    assert [state.dimension for state in evaluate("main", low, strict, [], START)] == ["win_rate"]


def test_a_ban_opens_at_once() -> None:
    (state,) = judged(Measures(flags={"banned": "418 for ten minutes"}))
    assert (state.dimension, state.reason) == ("banned", "418 for ten minutes")


def test_an_open_breaker_keeps_its_first_reason() -> None:
    assert judged(Measures(account={"error_rate": D("0.9")}), opened(), after_s=600) == []
    assert judged(Measures(account={"drawdown": D("0.2")}), opened("daily_loss"), after_s=600) == []


def test_a_bad_day_on_top_of_another_reason_is_not_closed_by_the_clock_either() -> None:
    (bad_day,) = judged(Measures(account={"daily_loss": D("0.2")}), opened("error_rate"), after_s=600)

    assert (bad_day.state, bad_day.dimension, bad_day.opened_at) == ("OPEN", "daily_loss", START)
    assert bad_day.reason.endswith("open before: why")
    assert judged(Measures(), bad_day, after_s=10**6) == []


def test_of_two_limits_passed_at_once_the_one_that_no_clock_closes_is_kept() -> None:
    (state,) = judged(Measures(account={"daily_loss": D("0.2")}, flags={"banned": "418"}))
    assert state.dimension == "daily_loss"


CALM = Measures(account={"drawdown": D("0.1")})
BREACHED = Measures(account={"drawdown": D("0.2")})


def in_turn(state: BreakerState, *seen: tuple[Measures, float]) -> BreakerState:
    """The state after these measures at these seconds, as the guard's turns would write it."""
    for measures, after_s in seen:
        state = next(iter(judged(measures, state, after_s=after_s)), state)
    return state


def test_trading_returns_in_steps_and_falls_back_on_a_new_breach() -> None:
    half = in_turn(opened(), (CALM, 0), (CALM, 59), (CALM, 60))
    more = in_turn(half, (CALM, 90))
    closed = in_turn(more, (CALM, 120))

    steps = [(state.state, size_factor([state], BTC, SETTINGS)) for state in (half, more, closed)]
    assert steps == [("HALF_OPEN", D("0.25")), ("HALF_OPEN", D("0.5")), ("CLOSED", D(1))]
    again = in_turn(half, (BREACHED, 70))
    assert again.state == "OPEN"
    assert size_factor([again], BTC, SETTINGS) == 0


def test_the_return_counts_from_the_end_of_the_breach_and_not_from_the_opening() -> None:
    lasting = in_turn(opened(), (BREACHED, 30), (BREACHED, 600), (CALM, 603), (CALM, 662))
    assert lasting.state == "OPEN"
    assert in_turn(lasting, (CALM, 663)).state == "HALF_OPEN"


def test_a_breach_that_comes_back_starts_the_clock_anew() -> None:
    waiting = in_turn(opened(), (CALM, 0), (CALM, 50), (BREACHED, 55), (CALM, 58), (CALM, 117))
    assert waiting.state == "OPEN"
    assert in_turn(waiting, (CALM, 118)).state == "HALF_OPEN"


def test_what_cannot_be_measured_is_not_known_to_be_inside_its_limit() -> None:
    blind = in_turn(opened(), (CALM, 0), (Measures(), 50), (Measures(), 600))
    assert blind.state == "OPEN"
    assert in_turn(blind, (CALM, 601), (CALM, 661)).state == "HALF_OPEN"


def test_a_flag_is_over_when_it_is_raised_no_more() -> None:
    banned = Measures(flags={"banned": "418"})
    (state,) = judged(banned)
    assert in_turn(state, (Measures(), 3), (banned, 40), (Measures(), 43), (Measures(), 102)).state == "OPEN"
    assert in_turn(state, (Measures(), 3), (Measures(), 63)).state == "HALF_OPEN"


def test_what_was_forgiven_goes_with_it_through_every_state() -> None:
    since: dict[str, object] = {"forgiven_at": START.isoformat()}
    state = replace(opened(), state="CLOSED", opened_at=None, detail=since | {"reset": "understood"})
    for seen in [(BREACHED, 1), (CALM, 4), (CALM, 64), (CALM, 94), (CALM, 124)]:
        state = in_turn(state, seen)
        assert state.detail["forgiven_at"] == since["forgiven_at"], state
    assert state.state == "CLOSED"


def test_a_losing_streak_opens_once_and_returns_although_nothing_can_be_won_meanwhile() -> None:
    lost_at = START - timedelta(seconds=5)
    streak = Measures(account={"losing_streak": D(12)}, traded_at={"*": lost_at})
    (state,) = judged(streak)
    closed = in_turn(state, *((streak, after_s) for after_s in (3, 63, 93, 123, 10**5)))
    assert closed.state == "CLOSED"

    another = replace(streak, traded_at={"*": START + timedelta(seconds=10**5)})
    assert in_turn(closed, (another, 10**5 + 3)).state == "OPEN", "one more loss opens it again"


@pytest.mark.parametrize(
    ("dimension", "value"), [("volatility_surge", "10"), ("spread_surge", "10"), ("depth", "0.0199")]
)
def test_what_is_unusual_for_a_symbol_opens_it_alone(dimension: str, value: str) -> None:
    (state,) = judged(Measures(symbols={BTC: {dimension: D(value)}}))
    assert (state.scope, state.dimension) == (BTC, dimension)


@pytest.mark.parametrize("dimension", ["daily_loss", "by hand"])
def test_no_clock_closes_a_bad_day_or_what_a_person_opened(dimension: str) -> None:
    assert judged(Measures(), opened(dimension), after_s=10**6) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"stage_size_ratios": ["0.5", "0.25"]},
        {"stage_size_ratios": []},
        {"symbol_losing_streak_max": 20, "losing_streak_max": 10},
        {"daily_loss_ratio_max": "0.3", "drawdown_ratio_max": "0.2"},
        {"drawdown_ratio_max": "1.5"},
        {"history_minutes_min": 120, "history_minutes_max": 130},
    ],
)
def test_limits_that_contradict_each_other_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BreakerSettings.model_validate(wrong)
