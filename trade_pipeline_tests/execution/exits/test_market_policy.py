"""The default policy on candles: what a market would have given, no better."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from trade_pipeline.errors import BadBars, ScenarioUnsupported
from trade_pipeline.execution.exits.candles import Bar, SimulatedTrade
from trade_pipeline.execution.exits.simulate import Policy, simulate
from trade_pipeline.execution.exits.values import SHORT, ExitRules, ProfitStep, Stage, Trailing
from trade_pipeline_tests.execution.exits.bars import START, make_bars, make_scenario

IN = ("100 101 99 100 L", "100 101 99 100")
STOP = ExitRules(stop_ratio=Decimal("0.05"))


def played(*rows: str, rules: ExitRules = STOP, **more: object) -> list[SimulatedTrade]:
    return simulate(make_scenario(*rows, rules=rules, **more), "market")


def ends(trades: list[SimulatedTrade]) -> list[tuple[str, Decimal]]:
    return [(trade.exit_reason, trade.exit_price) for trade in trades]


def test_a_stop_inside_a_candle_is_filled_where_it_stands() -> None:
    assert ends(played(*IN, "100 101 94 96")) == [("stop_loss", Decimal("95.00"))]


def test_a_gap_is_filled_at_the_open_and_no_better() -> None:
    assert ends(played(*IN, "90 99 89 98")) == [("stop_loss", Decimal(90))]


def test_a_target_is_filled_where_it_stands_and_a_jump_above_it_at_the_open() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.05"), targets=(ProfitStep(0, Decimal("0.04")),))
    assert ends(played(*IN, "100 106 99 105", rules=rules)) == [("roi", Decimal("104.00"))]
    assert ends(played(*IN, "107 108 106 107", rules=rules)) == [("roi", Decimal(107))]


def test_a_target_that_is_only_touched_is_not_filled() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.05"), targets=(ProfitStep(0, Decimal("0.04")),))
    assert ends(played(*IN, "100 104 99 103", rules=rules)) == [("force_exit", Decimal(103))]


def test_the_path_decides_whether_stop_or_target_came_first() -> None:
    """Its points are the trades: what passes a level is filled at the trade that passed it."""
    rules = ExitRules(stop_ratio=Decimal("0.05"), targets=(ProfitStep(0, Decimal("0.04")),))
    rows = (*IN, "100 106 94 100")

    def high_first(bar: Bar) -> Sequence[Decimal]:
        return bar.open, bar.high, bar.low, bar.close

    def low_first(bar: Bar) -> Sequence[Decimal]:
        return bar.open, bar.low, bar.high, bar.close

    assert ends(played(*rows, rules=rules, path=high_first)) == [("roi", Decimal(106))]
    assert ends(played(*rows, rules=rules, path=low_first)) == [("stop_loss", Decimal(94))]


def test_a_trailing_stop_follows_the_high_and_sells_on_the_way_down() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.05"), trailing=Trailing(Decimal("0.02")))
    assert ends(played(*IN, "100 110 100 104", rules=rules)) == [("trailing_stop_loss", Decimal("107.80"))]


def test_stages_sell_their_share_and_the_rest_goes_by_the_stop() -> None:
    half, quarter = Stage(Decimal("0.02"), Decimal("0.5")), Stage(Decimal("0.04"), Decimal("0.25"))
    (trade,) = played(*IN, "100 106 94 94", rules=ExitRules(stop_ratio=Decimal("0.05"), stages=(half, quarter)))
    assert [(part.reason, part.share, part.price) for part in trade.parts] == [
        ("stage", Decimal("0.5"), Decimal("102.00")),
        ("stage", Decimal("0.25"), Decimal("104.00")),
        ("stop_loss", Decimal("0.25"), Decimal("95.00")),
    ]
    assert sum(part.share for part in trade.parts) == 1


def test_holding_time_ends_a_position_at_the_first_open_after_it() -> None:
    rules = ExitRules(stop_ratio=Decimal("0.05"), holding_max=timedelta(hours=2))
    (trade,) = played(*IN, "100 101 99 100", "101 102 100 101", "103 104 102 103", rules=rules)
    assert (trade.exit_reason, trade.closed_at, trade.exit_price) == (
        "holding_time",
        START + timedelta(hours=3),
        Decimal(101),
    )


def test_a_constant_signal_and_one_stop_make_one_purchase_and_one_sale() -> None:
    """TRADING 13: who was stopped out does not buy back while the signal stands; the backtest does the same."""
    rows = ["100 101 99 100 L"] * 3 + ["100 101 90 92 L"] + ["92 93 91 92 L"] * 16
    assert len(played(*rows)) == 1


def test_a_signal_that_passed_through_zero_may_enter_again() -> None:
    rows = ["100 101 99 100 L", "100 101 90 92 L", "92 93 91 92", "92 93 91 92 L", "92 93 91 92", "92 93 91 92"]
    assert len(played(*rows)) == 2


def test_a_short_is_stopped_above_its_entry() -> None:
    (trade,) = played("100 101 99 100 S", "100 101 99 100", "100 108 99 107")
    assert (trade.sign, trade.exit_reason, trade.exit_price) == (SHORT, "stop_loss", Decimal("105.00"))


@pytest.mark.parametrize("policy", ["market", "freqtrade_ohlc"])
def test_candles_that_cannot_be_are_refused(policy: Policy) -> None:
    with pytest.raises(BadBars, match="enclose"):
        simulate(make_scenario(*IN, "100 99 98 99", rules=STOP), policy)
    with pytest.raises(BadBars, match="finite"):
        simulate(make_scenario(*IN, "100 NaN 98 99", rules=STOP), policy)


def test_limit_prices_are_refused_because_no_market_promises_to_fill_them() -> None:
    with pytest.raises(ScenarioUnsupported, match="entry_price"):
        played(*IN, rules=STOP, entry_price=Decimal(95))


def test_no_exit_is_better_than_its_candle_or_looks_ahead() -> None:
    """Random candles: each fill lies within its candle, and candles of the future change nothing that is over."""
    random = np.random.default_rng(5)
    rules = ExitRules(
        stop_ratio=Decimal("0.03"),
        targets=(ProfitStep(0, Decimal("0.05")), ProfitStep(180, Decimal("0.01"))),
        trailing=Trailing(Decimal("0.02"), Decimal("0.01"), Decimal("0.02"), only_when_activated=True),
        breakeven_at_ratio=Decimal("0.015"),
    )
    rows, price = [], 100.0
    for _ in range(300):
        opened, closed = price * random.normal(1, 0.004), price * random.normal(1, 0.01)
        high, low = max(opened, closed) * (1 + random.random() / 80), min(opened, closed) * (1 - random.random() / 80)
        signal = "L" if random.random() < 0.4 else ""
        rows.append(f"{opened:.2f} {high + 0.01:.2f} {low - 0.01:.2f} {closed:.2f} {signal}")
        price = closed
    bars = {bar.at: bar for bar in make_bars(*rows)}
    whole, half = played(*rows, rules=rules), played(*rows[:150], rules=rules)
    assert len(whole) > 20
    assert {trade.exit_reason for trade in whole} >= {"stop_loss", "trailing_stop_loss", "roi"}
    for trade in whole:
        for part in trade.parts:
            assert bars[part.at].low <= part.price <= bars[part.at].high
    assert half[:-1] == whole[: len(half) - 1]
