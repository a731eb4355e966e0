"""Each exit rule by itself, and the order in which they are asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.execution.exits.from_settings import exit_rules
from trade_pipeline.execution.exits.rules import (
    base_stop,
    decide,
    is_trailing,
    profit_ratio,
    stop_now,
    target_now,
    trail,
)
from trade_pipeline.execution.exits.values import (
    SHORT,
    Entry,
    ExitDecision,
    ExitMemory,
    ExitReason,
    ExitRules,
    Prices,
    ProfitStep,
    Stage,
    Trailing,
)
from trade_pipeline.settings.exits import ExitSettings

START = datetime(2026, 1, 5, tzinfo=UTC)
ENTRY = Entry(Decimal(100), START, stop_distance=Decimal(6), atr=Decimal(2))
NOTHING = ExitMemory()
PRICES = st.decimals(min_value=50, max_value=200, places=2)


def ask(rules: ExitRules, last: str, memory: ExitMemory = NOTHING, minutes: int = 1) -> ExitDecision | None:
    return decide(rules, memory, ENTRY, Prices.of(Decimal(last)), START + timedelta(minutes=minutes))[0]


def reason(rules: ExitRules, last: str, memory: ExitMemory = NOTHING, minutes: int = 1) -> ExitReason | None:
    decision = ask(rules, last, memory, minutes)
    return decision.reason if decision else None


def after(rules: ExitRules, *prices: str, entry: Entry = ENTRY) -> ExitMemory:
    memory = NOTHING
    for price in prices:
        memory = trail(rules, memory, entry, Decimal(price))
    return memory


def test_the_stop_is_what_is_nearest_to_a_decision_of_the_user() -> None:
    """ATR before ratio before the distance that sizing used."""
    assert base_stop(ExitRules(), ENTRY) == 94
    assert base_stop(ExitRules(stop_ratio=Decimal("0.1")), ENTRY) == 90
    assert base_stop(ExitRules(stop_ratio=Decimal("0.1"), atr_stop_multiple=Decimal(2)), ENTRY) == 96


def test_a_trade_at_the_stop_leaves() -> None:
    assert reason(ExitRules(), "94.01") is None
    assert ask(ExitRules(), "94") == ExitDecision(ExitReason.STOP_LOSS, Decimal(94))


def test_a_target_gets_nearer_with_time() -> None:
    rules = ExitRules(targets=(ProfitStep(0, Decimal("0.1")), ProfitStep(60, Decimal("0.02"))))
    assert reason(rules, "105") is None
    assert reason(rules, "105", minutes=60) == ExitReason.TARGET
    assert reason(rules, "102", minutes=60) is None


def test_a_step_that_needs_no_profit_leaves_at_a_loss() -> None:
    rules = ExitRules(targets=(ProfitStep(30, Decimal(-1)),))
    assert reason(rules, "95", minutes=29) is None
    assert reason(rules, "95", minutes=30) == ExitReason.TARGET


def test_of_two_targets_the_nearer_one_counts() -> None:
    rules = ExitRules(targets=(ProfitStep(0, Decimal("0.1")),), atr_target_multiple=Decimal(3))
    assert target_now(rules, ENTRY, 0) == 106


def test_a_trailing_stop_follows_the_best_price_and_never_gives_way() -> None:
    rules = ExitRules(trailing=Trailing(Decimal("0.02")))
    memory = after(rules, "110", "105", "101")
    assert (memory.best, stop_now(rules, memory, ENTRY)) == (Decimal(110), Decimal("107.80"))
    assert reason(rules, "107.8", memory) == ExitReason.TRAILING_STOP


def test_trailing_may_wait_for_a_profit_and_then_be_narrower() -> None:
    waiting = Trailing(Decimal("0.05"), Decimal("0.01"), Decimal("0.1"), only_when_activated=True)
    rules = ExitRules(trailing=waiting)
    assert after(rules, "109").trailed_stop is None
    assert after(rules, "111").trailed_stop == Decimal("109.89")
    wide_first = ExitRules(trailing=replace(waiting, only_when_activated=False))
    assert after(wide_first, "109").trailed_stop == Decimal("103.55")


def test_a_stop_may_trail_by_average_true_ranges() -> None:
    assert after(ExitRules(atr_trailing_multiple=Decimal(2)), "110").trailed_stop == 106


def test_at_breakeven_the_stop_stands_above_the_entry() -> None:
    rules = ExitRules(breakeven_at_ratio=Decimal("0.03"), breakeven_margin_ratio=Decimal("0.002"))
    assert after(rules, "102.9").trailed_stop is None
    memory = after(rules, "103")
    assert memory.trailed_stop == Decimal("100.200")
    assert is_trailing(rules, memory, ENTRY)


def test_stages_are_taken_one_by_one_and_remembered() -> None:
    rules = ExitRules(stages=(Stage(Decimal("0.02"), Decimal("0.5")), Stage(Decimal("0.04"), Decimal("0.3"))))
    decision, memory = decide(rules, NOTHING, ENTRY, Prices.of(Decimal(110)), START)
    assert (decision and decision.reason, decision and decision.keep_share) == (ExitReason.STAGE, Decimal("0.5"))
    decision, memory = decide(rules, memory, ENTRY, Prices.of(Decimal(110)), START)
    assert (decision and decision.keep_share, memory.stages_done) == (Decimal("0.2"), 2)
    assert decide(rules, memory, ENTRY, Prices.of(Decimal(110)), START)[0] is None


def test_a_position_is_not_held_for_longer_than_it_may() -> None:
    rules = ExitRules(holding_max=timedelta(hours=1))
    assert reason(rules, "100", minutes=59) is None
    assert reason(rules, "100", minutes=60) == ExitReason.HOLDING_TIME


def test_the_stop_is_asked_before_the_target_and_only_stops_are_urgent() -> None:
    rules = ExitRules(targets=(ProfitStep(0, Decimal(-1)),), holding_max=timedelta(0))
    stopped, target = ask(rules, "94"), ask(rules, "95")
    assert (stopped and stopped.urgent, target and target.urgent) == (True, False)


def test_a_short_is_the_mirror_of_a_long() -> None:
    short = replace(ENTRY, sign=SHORT)
    rules = ExitRules(trailing=Trailing(Decimal("0.02")))
    assert base_stop(ExitRules(), short) == 106
    assert profit_ratio(short, Decimal(90)) == Decimal("0.1")
    assert after(rules, "90", entry=short).trailed_stop == Decimal("91.80")


@given(st.lists(PRICES, min_size=1, max_size=30))
def test_whatever_the_prices_do_the_stop_only_tightens(prices: list[Decimal]) -> None:
    rules = exit_rules(
        ExitSettings.model_validate(
            {
                "trailing": {"enabled": True, "positive_distance_ratio": "0.04", "activation_profit_ratio": "0.05"},
                "breakeven_profit_ratio": "0.03",
            }
        )
    )
    memory, before = NOTHING, Decimal(0)
    for price in prices:
        decision, memory = decide(rules, memory, ENTRY, Prices.of(price), START)
        now = stop_now(rules, memory, ENTRY)
        assert now is not None
        assert now >= before
        if decision is None:
            assert price > before
        before = now


def test_the_default_settings_ask_for_nothing_but_the_stop() -> None:
    assert exit_rules(ExitSettings()) == ExitRules(breakeven_margin_ratio=Decimal("0.002"))
