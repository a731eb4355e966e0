"""Coarser bars equal those that an exchange drew itself; what is not whole is left out or said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from trade_pipeline.errors import DataError
from trade_pipeline.market_data.resample import resample
from trade_pipeline.schemas import frames
from trade_pipeline_tests.made_bars import START, bars_of, random_bars
from trade_pipeline_tests.shared import shared_path

FAR = datetime(2100, 1, 1, tzinfo=UTC)
PRICES = ["open", "high", "low", "close"]


def recorded(file: str, length_s: int) -> pl.DataFrame:
    rows = pl.read_ipc(shared_path(f"data/binance/{file}"))
    start = pl.col("date").cast(frames.UTC_MS)
    return rows.select(
        pl.lit("BTC/USDT").alias("symbol"),
        start.alias("open_time"),
        (start + pl.duration(seconds=length_s)).cast(frames.UTC_MS).alias("close_time"),
        *PRICES,
        "volume",
        pl.lit(0.0).alias("quote_volume"),
        pl.lit(0, dtype=pl.Int64).alias("trades"),
        pl.lit("recorded").alias("source"),
    )


@pytest.mark.parametrize(
    ("name", "length_s", "candles"),
    [("15m", 900, 23923), ("1h", 3600, 5980), ("4h", 14_400, 1495), ("1d", 86_400, 249)],
)
def test_coarser_bars_are_the_exchange_s_own_bar_by_bar(name: str, length_s: int, candles: int) -> None:
    fine, own = recorded("BTC_USDT-5m.feather", 300), recorded(f"BTC_USDT-{name}.feather", length_s)
    made = resample(fine, length_s=length_s, as_of=FAR, base_length_s=300)
    covered = made.filter(pl.col("base_bars") == length_s // 300)
    both = own.join(covered, on=["symbol", "open_time", "close_time"], how="inner", suffix="_made")

    assert both.height == covered.height == own.height == candles
    assert both.select(PRICES).equals(both.select(pl.col(f"{price}_made").alias(price) for price in PRICES))
    # Volumes are decimals of at most eight places; the sums of their nearest floats differ far behind them.
    assert both.get_column("volume").round(8).equals(both.get_column("volume_made").round(8), null_equal=False)


def test_a_window_counts_once_it_is_closed() -> None:
    bars = bars_of("A/USDT", [100.0] * 12)
    at_ten = resample(bars, length_s=300, as_of=START + timedelta(minutes=10))
    a_moment_before = resample(bars, length_s=300, as_of=START + timedelta(minutes=9, seconds=59))
    assert at_ten.get_column("open_time").to_list() == [START, START + timedelta(minutes=5)]
    assert a_moment_before.get_column("open_time").to_list() == [START]


def test_a_history_that_begins_inside_a_window_begins_with_the_next_one() -> None:
    bars = bars_of("A/USDT", [100.0] * 20, START + timedelta(minutes=3))
    made = resample(bars, length_s=300, as_of=FAR)
    assert made.item(0, "open_time") == START + timedelta(minutes=5)


def test_missing_minutes_are_told_and_not_made_up() -> None:
    bars = bars_of("A/USDT", [100.0, 101, 102, 103, 104, 105, 106, 107, 108, 109]).filter(
        ~pl.col("open_time").is_in([START + timedelta(minutes=n) for n in (5, 7)])
    )
    made = resample(bars, length_s=300, as_of=FAR)
    assert made.get_column("base_bars").to_list() == [5, 3]
    assert made.item(1, "open") == bars.filter(pl.col("open_time") == START + timedelta(minutes=6)).item(0, "open")


def test_what_we_put_into_a_hole_is_left_out_and_what_the_exchange_filled_is_not() -> None:
    bars = random_bars(1, 10)
    opened = pl.col("open_time")
    judged = bars.with_columns(
        synthetic=opened.is_in([START + timedelta(minutes=minute) for minute in (5, 7)]),
        repair=pl.when(opened == START + timedelta(minutes=5)).then(pl.lit("the source has no bar")),
    )
    made = resample(judged, length_s=300, as_of=FAR)
    assert made.get_column("base_bars").to_list() == [5, 4]
    assert made.item(1, "open") == bars.item(6, "open")


def test_a_day_whose_first_minute_saw_no_trade_has_its_first_window() -> None:
    closes = [100.0, 101, 102, 103, 104, 105, 106, 107, 108, 109]
    idle = pl.col("open_time") == START
    judged = bars_of("A/USDT", closes).with_columns(
        pl.when(idle).then(0.0).otherwise("volume").alias("volume"),
        idle.alias("synthetic"),
        pl.when(idle).then(pl.lit("the source has no bar")).alias("repair"),
    )
    made = resample(judged, length_s=300, as_of=FAR)
    assert made.get_column("open_time").to_list() == [START, START + timedelta(minutes=5)]
    assert made.get_column("base_bars").to_list() == [4, 5]
    assert made.item(0, "open") == judged.item(1, "open"), "it opens with the first trade, as the exchange's own does"


def test_what_a_source_does_not_say_is_null_and_no_sum() -> None:
    bars = bars_of("A/USDT", [100.0] * 10).with_columns(
        pl.lit(None, pl.Int64).alias("trades"),
        pl.when(pl.col("open_time") == START).then(None).otherwise("quote_volume").alias("quote_volume"),
    )
    made = resample(bars, length_s=300, as_of=FAR)
    assert made.get_column("trades").to_list() == [None, None]
    assert made.get_column("quote_volume").is_null().to_list() == [True, False]
    assert made.get_column("volume").null_count() == 0


def test_weeks_begin_on_monday() -> None:
    bars = bars_of("A/USDT", [100.0] * (15 * 24), datetime(2026, 3, 1, tzinfo=UTC))
    hourly = bars.with_columns(
        (pl.lit(START) + (pl.col("open_time") - START) * 60).cast(frames.UTC_MS).alias("open_time")
    )
    made = resample(hourly, length_s=7 * 86_400, as_of=FAR, base_length_s=3600)
    assert {moment.weekday() for moment in made.get_column("open_time")} == {0}


def test_neither_the_order_of_rows_nor_of_steps_matters() -> None:
    bars = random_bars(3, 24 * 60)
    straight = resample(bars, length_s=3600, as_of=FAR)
    shuffled = resample(bars.sample(fraction=1.0, shuffle=True, seed=3), length_s=3600, as_of=FAR)
    quarters = resample(bars, length_s=900, as_of=FAR).select(frames.BARS.keys())
    in_two_steps = resample(quarters, length_s=3600, as_of=FAR, base_length_s=900)
    assert straight.equals(shuffled)
    assert straight.select(["symbol", "open_time", *PRICES]).equals(
        in_two_steps.select(["symbol", "open_time", *PRICES])
    )


@pytest.mark.parametrize("length_s", [60, 90, 11 * 60, 8 * 86_400])
def test_lengths_that_do_not_fit_are_refused(length_s: int) -> None:
    with pytest.raises(DataError, match=str(length_s)):
        resample(bars_of("A/USDT", [1.0]), length_s=length_s, as_of=FAR)
