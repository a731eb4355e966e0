"""The policy `freqtrade_ohlc` against published expectations, and each of its conventions by itself."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from trade_pipeline.errors import ScenarioUnsupported
from trade_pipeline.execution.exits.candles import SimulatedTrade
from trade_pipeline.execution.exits.simulate import simulate
from trade_pipeline.execution.exits.values import SHORT, ExitRules, ProfitStep, Stage, Trailing
from trade_pipeline_tests.execution.exits.bars import HOUR, START, make_scenario
from trade_pipeline_tests.execution.exits.cases import load_cases, to_case
from trade_pipeline_tests.shared import shared_path

FLAT_START = ("100 101 99 100 L", "100 101 99 100")
PLAIN = ExitRules(stop_ratio=Decimal("0.1"))


def played(*rows: str, rules: ExitRules = PLAIN, **more: object) -> list[tuple[str, int, int, Decimal]]:
    """Reason, hour of the entry, hour of the exit, price of the exit."""
    trades = simulate(make_scenario(*rows, rules=rules, **more), "freqtrade_ohlc")
    return [(trade.exit_reason, _hour(trade, 0), _hour(trade, 1), trade.exit_price) for trade in trades]


def _hour(trade: SimulatedTrade, which: int) -> int:
    return int(((trade.opened_at, trade.closed_at)[which] - START) / HOUR)


def steps(**ratios: str) -> ExitRules:
    """Rules with targets named by their minute: m0="0.1"."""
    targets = tuple(ProfitStep(int(name[1:]), Decimal(ratio)) for name, ratio in ratios.items())
    return ExitRules(stop_ratio=Decimal("0.1"), targets=targets)


def test_every_published_case_comes_out_as_published() -> None:
    """Reason, opening, closing, tag and side of each trade, and the sum of the profits to three decimals."""
    cases = load_cases(shared_path("cases/exit_simulation.json"))
    assert len(cases) >= 16
    wrong = []
    for case in cases:
        trades = simulate(case.scenario, "freqtrade_ohlc")
        profit = float(sum(trade.profit_ratio for trade in trades))
        if case.seen(trades) != case.trades or round(profit, 3) != round(float(case.profit_ratio), 3):
            wrong.append((case.name, case.seen(trades), profit, case.trades, case.profit_ratio))
    assert wrong == []


def test_a_case_with_a_setting_that_nobody_understands_is_refused() -> None:
    config = {"stop_loss": -0.1, "roi": {}, "adjust_trade_position": [0.1]}
    case = {"id": "x", "title": "", "columns": [], "candles": [], "config": config, "expected": {}}
    with pytest.raises(ScenarioUnsupported, match="adjust_trade_position"):
        to_case(case, {"fee": 0.0, "start": "2018-10-03T00:00:00Z", "timeframe": "1h"})


def test_a_position_held_to_the_end_is_closed_at_the_last_open() -> None:
    assert played(*FLAT_START, "103 104 102 104") == [("force_exit", 1, 2, Decimal(103))]


def test_no_trade_begins_on_the_last_candle() -> None:
    assert played("100 101 99 100", "100 101 99 100 L", "100 101 99 100") == []


def test_a_step_that_needs_no_profit_sells_at_the_open_when_it_begins_with_a_candle() -> None:
    """Two hours after the entry; at any other minute it is the candle's low."""
    rows = (*FLAT_START, "100 101 99 100", "98 99 97 98", "98 99 97 98")
    assert played(*rows, rules=steps(m0="0.5", m120="-1")) == [("roi", 1, 3, Decimal(98))]
    assert played(*rows, rules=steps(m0="0.5", m70="-1")) == [("roi", 1, 3, Decimal(97))]


def test_a_new_step_sells_at_an_open_that_is_already_above_it() -> None:
    rows = (*FLAT_START, "100 101 99 100", "104 105 103 104", "104 105 103 104")
    assert played(*rows, rules=steps(m0="0.5", m120="0.02")) == [("roi", 1, 3, Decimal(104))]


def test_a_target_below_the_whole_candle_is_not_sold_outside_of_it() -> None:
    rows = (*FLAT_START, "100 101 99 100", "104 105 103 104", "104 105 103 104")
    assert played(*rows, rules=steps(m0="0.5", m90="0.02")) == [("roi", 1, 3, Decimal(103))]


def test_a_signal_is_asked_before_a_stop_of_the_same_candle() -> None:
    rows = (*FLAT_START, "100 101 99 100 l", "101 102 80 100")
    assert played(*rows) == [("exit_signal", 1, 3, Decimal(101))]
    assert played(*rows, use_exit_signal=False) == [("stop_loss", 1, 3, Decimal(90))]


def test_a_stop_that_the_low_has_reached_is_not_pulled_by_the_high() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.1"), trailing=Trailing(Decimal("0.1")))
    assert played(*FLAT_START, "100 120 89 100", rules=rules) == [("trailing_stop_loss", 1, 2, Decimal("90.9"))]
    assert played("100 100 99 100 L", "100 100 99 100", "100 120 89 100", rules=rules) == [
        ("stop_loss", 1, 2, Decimal("90.0"))
    ]


def test_a_gap_through_the_stop_sells_at_the_open() -> None:
    assert played(*FLAT_START, "80 81 79 80") == [("stop_loss", 1, 2, Decimal(80))]


def test_a_short_mirrors_a_long_and_turns_round_within_a_candle() -> None:
    rows = ("100 101 99 100 S", "100 101 99 100", "98 99 97 98 sL", "97 98 96 97", "99 100 98 99 l", "98 99 97 98")
    trades = simulate(make_scenario(*rows, rules=PLAIN), "freqtrade_ohlc")
    assert [(trade.sign, trade.exit_price) for trade in trades] == [(SHORT, Decimal(97)), (1, Decimal(98))]
    assert trades[0].profit_ratio == Decimal("0.03")


def test_leverage_multiplies_the_profit_and_draws_the_stop_nearer() -> None:
    trades = simulate(
        make_scenario(*FLAT_START, "100 101 96 97", rules=PLAIN, leverage=Decimal(4)),
        "freqtrade_ohlc",
    )
    assert [(trade.exit_reason, trade.exit_price, trade.profit_ratio) for trade in trades] == [
        ("stop_loss", Decimal("97.5"), Decimal("-0.1"))
    ]


def test_a_liquidation_price_before_the_stop_liquidates() -> None:
    assert played(*FLAT_START, "100 101 94 97", liquidation_loss_ratio=Decimal("0.05")) == [
        ("liquidation", 1, 2, Decimal("95.00"))
    ]


def test_an_entry_that_is_not_filled_in_time_is_given_up() -> None:
    rows = (*FLAT_START, "100 101 90 100", "100 101 90 100")
    assert played(*rows, entry_price=Decimal(95)) == []
    patient = timedelta(hours=5)
    assert played(*rows, entry_price=Decimal(95), entry_timeout=patient) == [("force_exit", 1, 3, Decimal(100))]


def test_an_entry_may_be_repriced_and_its_stop_counts_from_the_new_price() -> None:
    rows = (*FLAT_START, "100 101 90 100", "100 101 90 100")
    assert played(
        *rows, entry_price=Decimal(70), entry_price_later=Decimal("100.5"), entry_timeout=timedelta(hours=5)
    ) == [("stop_loss", 1, 2, Decimal("90.45"))]


def test_an_exit_limit_that_is_not_filled_in_time_leaves_the_position_open() -> None:
    rows = (*FLAT_START, "100 101 99 100 l", "100 101 99 100", "100 101 99 100")
    assert played(*rows, exit_price=Decimal(110)) == [("force_exit", 1, 4, Decimal(100))]
    patient, later = timedelta(hours=9), Decimal("100.5")
    assert played(*rows, exit_price=Decimal(110), exit_price_later=later, exit_timeout=patient) == [
        ("exit_signal", 1, 4, Decimal("100.5"))
    ]


def test_rules_that_freqtrade_does_not_have_are_refused() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.1"), stages=(Stage(Decimal("0.05"), Decimal("0.5")),))
    with pytest.raises(ScenarioUnsupported, match="stages"):
        played(*FLAT_START, rules=rules)
    with pytest.raises(ScenarioUnsupported, match="stop_ratio"):
        played(*FLAT_START, rules=ExitRules())
