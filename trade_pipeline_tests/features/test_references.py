"""Features against published series (../shared/cases/indicators), to the precision that those are printed with."""

from __future__ import annotations

import polars as pl

from trade_pipeline.expressions import exponential_average, relative_average, simple_average, wilder_average
from trade_pipeline.features.compute import compute_features
from trade_pipeline.features.momentum import gain, loss, relative_strength
from trade_pipeline.settings.trading import FeatureSettings
from trade_pipeline_tests.made_bars import bars_of
from trade_pipeline_tests.shared import shared_path


def reference(name: str) -> pl.DataFrame:
    frame = pl.read_csv(shared_path("cases/indicators") / name)
    return frame.rename({column: column.strip() for column in frame.columns})


def assert_agrees(ours: pl.Series, theirs: pl.Series, tolerance: float, first: int | None = None) -> None:
    """Equal within `tolerance` wherever the reference has a value, which begins where ours does (or at `first`)."""
    start = theirs.is_not_null().arg_max()
    assert start is not None
    assert start == (ours.is_not_null().arg_max() if first is None else first)
    difference = (ours - theirs).slice(start).abs()
    assert difference.null_count() == 0
    worst = difference.max()
    assert isinstance(worst, float)
    assert worst <= tolerance


def closes() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The reference, and features of bars with its closes."""
    table = reference("spy_with_indicators.txt")
    bars = bars_of("SPY/USD", table.get_column("Close").to_list())
    return table, compute_features(bars, FeatureSettings(ema_fast_bars=14, rsi_bars=14))


def test_moving_averages_agree() -> None:
    table, features = closes()
    ours = table.select(sma=simple_average(pl.col("Close"), 14), ema=exponential_average(pl.col("Close"), 14))
    # The closes are printed with two decimals, the averages were taken from longer ones.
    assert_agrees(ours.get_column("sma"), table.get_column("SMA14"), 0.006)
    assert_agrees(ours.get_column("ema"), table.get_column("EMA14"), 0.006)
    assert features.get_column("ema_fast").equals(ours.get_column("ema").alias("ema_fast"), null_equal=True)


def test_macd_agrees() -> None:
    table, features = closes()
    assert_agrees(features.get_column("macd"), table.get_column("MACD 12 26"), 2e-4)


def test_wilders_rsi_agrees() -> None:
    table, features = closes()
    assert_agrees(features.get_column("rsi"), table.get_column("RSI 14 Wilder"), 6e-6)


def test_the_simple_rsi_agrees_from_the_references_first_row_on() -> None:
    """The reference starts it one bar later than its window is full."""
    table, _ = closes()
    close = table.select(close="Close", _close_before=pl.col("Close").shift(1))
    moves = close.select(gain=gain(), loss=loss())
    ours = moves.select(
        relative_strength(simple_average(pl.col("gain"), 14), simple_average(pl.col("loss"), 14)).alias("rsi")
    )
    assert_agrees(ours.get_column("rsi"), table.get_column("RSI 14"), 4e-4, first=15)


def test_wilders_average_true_range_agrees() -> None:
    table = reference("spy_atr_wilder.txt")
    bars = bars_of("SPY/USD", table.get_column("Close").to_list()).with_columns(
        high=table.get_column("High").cast(pl.Float64), low=table.get_column("Low").cast(pl.Float64)
    )
    atr = compute_features(bars, FeatureSettings(atr_bars=14)).get_column("atr")
    assert_agrees(atr, table.get_column("Average True Range 14"), 6e-6)


def largest_difference(ours: pl.Series, theirs: pl.Series) -> float:
    worst = (ours - theirs).abs().max()
    assert isinstance(worst, float)
    return worst


def test_relative_average_agrees_and_is_not_wilders() -> None:
    """What that file calls RMA is SMA(3n) - SMA(2n) + SMA(n); its titles SMA5 and SMA15 stand over each other's."""
    table = reference("spy_with_rma.csv")
    close = pl.col("close")
    ours = table.with_columns(
        relative=relative_average(close, 5),
        short=simple_average(close, 5),
        long=simple_average(close, 15),
        wilder=wilder_average(close, 5),
    ).slice(14)
    assert largest_difference(ours.get_column("short"), ours.get_column("SMA15")) < 1e-6
    assert largest_difference(ours.get_column("long"), ours.get_column("SMA5")) < 1e-6
    assert largest_difference(ours.get_column("relative"), ours.get_column("RMA5")) < 1e-6
    assert largest_difference(ours.get_column("wilder"), ours.get_column("RMA5")) > 0.1
