"""Signals of made bars: warm-up is HOLD, a failing strategy is HOLD, nothing looks ahead, noise moves nothing."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest

from trade_pipeline.features.compute import compute_features
from trade_pipeline.schemas.features import Regimes
from trade_pipeline.schemas.signals import Signals
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.trading import FeatureSettings, StrategySettings
from trade_pipeline.signals.combine import compute_signals, enabled_strategies
from trade_pipeline.signals.regimes import compute_regimes
from trade_pipeline.signals.strategy import Opinion, Strategy
from trade_pipeline_tests.made_bars import MINUTE, START, bars_of, random_bars, random_closes, until

SETTINGS = StrategySettings()


def signals_of(bars: pl.DataFrame, *strategies: Strategy) -> pl.DataFrame:
    features = compute_features(bars, FeatureSettings())
    regimes = compute_regimes(features, SETTINGS.regimes)
    return compute_signals(features, regimes, SETTINGS, strategies or None)


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return random_bars(symbol_count=12, bar_count=700)


@dataclass(frozen=True)
class Broken:
    name: str = "broken"

    def opinion(self) -> Opinion:
        return Opinion(pl.col("no_such_feature"), pl.lit(1.0), pl.lit("never said"))


@dataclass(frozen=True)
class RaisesItself:
    name: str = "raises"

    def opinion(self) -> Opinion:
        raise ZeroDivisionError("a strategy's own mistake")


@dataclass(frozen=True)
class Constant:
    value: float
    name: str = "constant"

    def opinion(self) -> Opinion:
        score = pl.lit(self.value) + 0.0 * pl.col("close")
        return Opinion(score, pl.lit(1.0) + 0.0 * pl.col("close"), pl.lit("always"))


def test_signals_and_regimes_agree_with_their_models(bars: pl.DataFrame) -> None:
    features = compute_features(bars, FeatureSettings())
    regimes = compute_regimes(features, SETTINGS.regimes)
    assert not validate(Regimes, regimes)
    signals = compute_signals(features, regimes, SETTINGS)
    assert not validate(Signals, signals)
    assert signals.height == 2 * bars.height


@pytest.mark.parametrize("strategy", ["trend", "mean_reversion"])
def test_the_made_market_has_entries_and_exits(bars: pl.DataFrame, strategy: str) -> None:
    """Without them, the tests on this market would prove nothing."""
    scores = signals_of(bars).filter(pl.col("strategy") == strategy).get_column("score")
    assert (scores > 0).sum() > 10
    assert (scores == 0).sum() > 20


@pytest.mark.parametrize("bar_count", [130, 300, 699])
@pytest.mark.parametrize("strategy", ["trend", "mean_reversion"])
def test_no_strategy_looks_ahead(bars: pl.DataFrame, strategy: str, bar_count: int) -> None:
    """What is known later changes no bit of what was said before."""
    chosen = pl.col("strategy") == strategy
    whole = until(signals_of(bars).filter(chosen), bar_count)
    part = signals_of(until(bars, bar_count)).filter(chosen)
    assert part.equals(whole, null_equal=True)


def test_other_symbols_change_no_signal(bars: pl.DataFrame) -> None:
    one = pl.col("symbol") == "S03/USDT"
    assert signals_of(bars.filter(one)).equals(signals_of(bars).filter(one), null_equal=True)


@pytest.mark.parametrize("bar_count", [50, 239])
def test_a_short_look_back_is_hold_for_every_strategy(bars: pl.DataFrame, bar_count: int) -> None:
    """Features may be there, but whether a position had been entered before the first bar cannot be known."""
    assert signals_of(until(bars, bar_count)).get_column("score").null_count() == 2 * 12 * bar_count


def test_a_symbol_listed_late_is_hold_until_its_own_history_is_long_enough(bars: pl.DataFrame) -> None:
    late = bars.filter((pl.col("symbol") != "S04/USDT") | (pl.col("open_time") >= START + MINUTE * 300))
    scores = signals_of(late, Constant(1.0)).filter(pl.col("symbol") == "S04/USDT").get_column("score")
    assert (scores.null_count(), scores.len()) == (239, 400)


@pytest.mark.parametrize("broken", [Broken(), RaisesItself()])
def test_a_strategy_that_raises_is_hold_and_the_others_go_on(bars: pl.DataFrame, broken: Strategy) -> None:
    signals = signals_of(bars, broken, Constant(1.0))
    by_broken = signals.filter(pl.col("strategy") == broken.name)
    assert by_broken.height == bars.height
    assert by_broken.get_column("score").is_null().all()
    assert by_broken.get_column("reason").str.starts_with(f"{broken.name} failed: ").all()
    assert signals.get_column("score").null_count() == bars.height + 12 * 239
    assert (signals.filter(pl.col("strategy") == "constant").get_column("score").drop_nulls() == 1.0).all()
    assert not validate(Signals, signals)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_hold(bars: pl.DataFrame, value: float) -> None:
    assert signals_of(bars, Constant(value)).get_column("score").is_null().all()


def test_a_score_beyond_one_counts_as_one(bars: pl.DataFrame) -> None:
    assert signals_of(bars, Constant(7.0)).get_column("score").drop_nulls().unique().to_list() == [1.0]


def test_a_strategy_that_is_switched_off_says_nothing() -> None:
    off = StrategySettings.model_validate({"trend": {"enabled": False}})
    assert [strategy.name for strategy in enabled_strategies(off)] == ["mean_reversion"]


def test_a_long_climb_is_held_as_a_trend_without_interruption() -> None:
    closes = random_closes(400, seed=5, drift=1.5e-4, volatility=5e-4).tolist()
    scores = signals_of(bars_of("UP/USDT", closes)).filter(pl.col("strategy") == "trend").get_column("score")
    held = scores.slice(150) > 0
    assert held.mean() > 0.8  # type: ignore[operator]


def test_a_position_keeps_the_score_of_its_entry(bars: pl.DataFrame) -> None:
    """Sizes follow scores: one that moved with every bar would trade with every bar."""
    scores = signals_of(bars).filter((pl.col("strategy") == "trend") & (pl.col("symbol") == "S00/USDT"))
    runs = scores.with_columns((pl.col("score") > 0).rle_id().alias("run")).filter(pl.col("score") > 0)
    assert runs.group_by("run").agg(pl.col("score").n_unique()).get_column("score").to_list() == [1] * len(
        runs.get_column("run").unique()
    )


def test_mean_reversion_enters_below_the_band_in_a_range_and_leaves_at_the_middle(bars: pl.DataFrame) -> None:
    features = compute_features(bars, FeatureSettings())
    regimes = compute_regimes(features, SETTINGS.regimes)
    signals = compute_signals(features, regimes, SETTINGS).filter(pl.col("strategy") == "mean_reversion")
    joined = signals.join(features, on=["symbol", "open_time"]).with_columns(
        pl.col("score").shift(1).over("symbol").fill_null(0.0).alias("before")
    )
    entries = joined.filter((pl.col("score") > 0) & (pl.col("before") == 0))
    assert entries.height > 0
    assert (entries.get_column("regime") == "range").all()
    assert (entries.get_column("bollinger_position") <= 0.05).all()
    assert (joined.filter(pl.col("score") > 0).get_column("bollinger_position") < 0.5).all()


def test_a_market_nobody_trades_is_illiquid_and_is_left() -> None:
    closes = random_closes(400, seed=5, drift=1.5e-4, volatility=5e-4).tolist()
    bars = bars_of("UP/USDT", closes)
    dry = pl.when(pl.int_range(pl.len()) >= 300).then(0.0).otherwise(pl.col("volume"))
    signals = signals_of(bars.with_columns(volume=dry)).filter(pl.col("strategy") == "trend")
    assert signals.row(-1, named=True)["regime"] == "illiquid"
    assert signals.row(-1, named=True)["score"] == 0.0


def test_a_jump_in_volatility_is_its_own_regime() -> None:
    quiet = random_closes(500, seed=2, volatility=3e-4)
    wild = quiet[-1] * random_closes(60, seed=3, volatility=6e-3) / 100.0
    features = compute_features(bars_of("A/USDT", [*quiet.tolist(), *wild.tolist()]), FeatureSettings())
    regimes = compute_regimes(features, SETTINGS.regimes).get_column("regime")
    assert (regimes.slice(520) == "volatile").mean() > 0.5  # type: ignore[operator]
    assert (regimes.slice(200, 250) == "volatile").sum() == 0


def test_a_strategy_may_refuse_bars_in_which_nothing_was_traded() -> None:
    bars = random_bars(symbol_count=1, bar_count=400)
    flagged = pl.col("open_time") == bars.get_column("open_time").max()
    features = compute_features(bars.with_columns(synthetic=flagged), FeatureSettings())
    regimes = compute_regimes(features, StrategySettings().regimes)
    strict = StrategySettings(synthetic_refused_by=("trend",))
    last = compute_signals(features, regimes, strict).filter(flagged)
    reasons = dict(last.select("strategy", "reason").iter_rows())
    scores = dict(last.select("strategy", "score").iter_rows())
    assert scores["trend"] is None and reasons["trend"] == "nothing was traded in this bar"
    assert scores["mean_reversion"] is not None
    assert compute_signals(features, regimes, StrategySettings()).filter(flagged).get_column("score").null_count() == 0
