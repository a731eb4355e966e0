"""What each guard refuses, and that every verdict is kept."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.execution.buy_guards.guards import GUARDS, Facts, judge
from trade_pipeline.settings.buy_guards import BuyGuardSettings
from trade_pipeline_tests.execution.conftest import Room
from trade_pipeline_tests.execution.fake_venue import BTC, make_top
from trade_pipeline_tests.fakes import START

D = Decimal
SETTINGS = BuyGuardSettings(positions_max=2, budget_quote_max=D(1000))
GOOD = Facts(
    symbol=BTC,
    features={"idle_ratio": 0.1, "above_average": 0.01, "from_high": -0.02},
    top=make_top(BTC, START),
    held=frozenset({"ETH/USDT"}),
    cost_quote=D(400),
    price_quote=D(600),
)


def refused_by(facts: Facts, settings: BuyGuardSettings = SETTINGS) -> list[str]:
    return [verdict.guard for verdict in judge("d" * 32, facts, settings, START) if not verdict.passed]


def test_a_good_purchase_passes_every_guard() -> None:
    assert refused_by(GOOD) == []
    assert [verdict.guard for verdict in judge("d" * 32, GOOD, SETTINGS, START)] == list(GUARDS)


@pytest.mark.parametrize(
    ("guard", "facts"),
    [
        ("volume", replace(GOOD, features={**GOOD.features, "idle_ratio": 0.51})),
        ("spread", replace(GOOD, top=replace(make_top(BTC, START), ask=D("101.01"), bid=D(100)))),
        ("moving_average", replace(GOOD, features={**GOOD.features, "above_average": -0.11})),
        ("falling_coin", replace(GOOD, features={**GOOD.features, "from_high": -0.16})),
        ("max_positions", replace(GOOD, held=frozenset({"ETH/USDT", "SOL/USDT"}))),
        ("budget", replace(GOOD, price_quote=D("600.01"))),
    ],
)
def test_a_guard_refuses_what_is_beyond_its_limit(guard: str, facts: Facts) -> None:
    assert refused_by(facts) == [guard]


def test_what_is_not_known_passes_and_says_so() -> None:
    verdicts = judge("d" * 32, replace(GOOD, features={}, top=None), SETTINGS, START)
    assert [v.value for v in verdicts if v.guard in {"volume", "spread", "moving_average", "falling_coin"}] == [
        "unknown"
    ] * 4
    assert all(verdict.passed for verdict in verdicts)


def test_a_guard_that_is_switched_off_gives_no_verdict() -> None:
    off = BuyGuardSettings(
        idle_ratio_max=None,
        spread_ratio_max=None,
        below_average_ratio_max=None,
        fall_ratio_max=None,
        positions_max=None,
    )
    assert judge("d" * 32, GOOD, off, START) == []


def test_a_refused_purchase_is_not_sent_and_its_verdicts_are_in_the_ledger(room: Room) -> None:
    wide = replace(make_top(BTC, START, "100"), ask=D(103))
    room.venue.tops[BTC] = wide

    result = room.want("1")

    assert room.venue.created == []
    assert "a buy guard refuses: spread: 3.0" in result.verdicts[BTC].reason
    verdicts = {verdict.guard: verdict.passed for verdict in room.ledger.verdicts(result.decision_id)}
    assert verdicts["spread"] is False
    assert verdicts["max_positions"] is True
