"""Each rule for bars: silent on clean bars, and naming the row that breaks it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.quality.clean import clean_bars
from trade_pipeline.quality.failures import FAILURES, failing_symbols
from trade_pipeline.quality.registry import RULES, Scope
from trade_pipeline.schemas.frames import BARS
from trade_pipeline.settings.market import QualitySettings
from trade_pipeline_tests.made_bars import MINUTE, START, random_bars, symbols
from trade_pipeline_tests.shared import shared_path

BAR_COUNT = 100
AS_OF = START + MINUTE * BAR_COUNT
SCOPE = Scope(AS_OF, START, tuple(symbols(3)), QualitySettings())
CLEAN = random_bars(symbol_count=3, bar_count=BAR_COUNT)
HERE = (pl.col("symbol") == "S01/USDT") & (pl.col("open_time") == START + MINUTE * 40)


def changed(**columns: object) -> pl.DataFrame:
    """The clean bars with other values in the row HERE."""
    return CLEAN.with_columns(
        pl.when(HERE).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in columns.items()
    )


def found_by(name: str, bars: pl.DataFrame, scope: Scope = SCOPE) -> pl.DataFrame:
    found = RULES[name].check(bars, scope)
    assert dict(found.schema) == FAILURES
    return found


def assert_names_the_row(found: pl.DataFrame, rule: str) -> None:
    assert found.select("symbol", "open_time", "rule").rows() == [("S01/USDT", START + MINUTE * 40, rule)]
    assert "S01/USDT" in found.item(0, "message")


@pytest.mark.parametrize("name", RULES)
def test_clean_bars_break_no_rule(name: str) -> None:
    assert found_by(name, CLEAN).is_empty()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_what_it_is_for(name: str) -> None:
    rule = RULES[name]
    assert rule.name == name
    assert rule.description.endswith(".")


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_price_that_is_not_above_zero_is_named(column: str, price: float | None) -> None:
    found = found_by("positive_price", changed(**{column: price}))
    assert_names_the_row(found, "positive_price")
    assert found.item(0, "column") == column


def test_a_high_below_the_close_does_not_enclose() -> None:
    found = found_by("high_low_enclose", changed(high=1.0))
    assert_names_the_row(found, "high_low_enclose")
    assert found.item(0, "column") == "high"


def test_a_low_above_the_close_does_not_enclose() -> None:
    low = CLEAN.filter(HERE).item(0, "high") * 1.01
    assert found_by("high_low_enclose", changed(low=low)).item(0, "column") == "high"
    middle = CLEAN.filter(HERE).select(pl.min_horizontal("open", "close") * 1.0000001).item()
    wide = changed(low=middle, high=1e6)
    assert found_by("high_low_enclose", wide).item(0, "column") == "low"


def test_a_second_version_of_a_bar_is_named() -> None:
    twice = pl.concat([CLEAN, CLEAN.filter(HERE).with_columns(close=pl.col("close") * 1.001)])
    assert_names_the_row(found_by("monotonic_unique_time", twice.sort("symbol", "open_time")), "monotonic_unique_time")


def test_bars_out_of_order_are_named() -> None:
    rows = pl.concat([CLEAN.filter(~HERE), CLEAN.filter(HERE)])
    assert_names_the_row(found_by("monotonic_unique_time", rows), "monotonic_unique_time")


def test_a_missing_minute_is_a_gap_that_names_its_first_bar() -> None:
    found = found_by("gap", CLEAN.filter(~HERE))
    assert_names_the_row(found, "gap")
    assert found.item(0, "value") == "1 missing"


def test_a_gap_before_the_window_does_not_count() -> None:
    late = replace(SCOPE, window_start=START + MINUTE * 50)
    assert found_by("gap", CLEAN.filter(~HERE), late).is_empty()


def test_gaps_within_the_tolerated_number_are_no_defect() -> None:
    tolerant = replace(SCOPE, settings=QualitySettings(gap_bars_max=1))
    assert found_by("gap", CLEAN.filter(~HERE), tolerant).is_empty()


def test_a_symbol_that_is_listed_within_the_window_has_no_gap() -> None:
    new = CLEAN.filter((pl.col("symbol") != "S01/USDT") | (pl.col("open_time") >= START + MINUTE * 40))
    assert found_by("gap", new).is_empty()


def test_a_bar_that_has_not_closed_is_running() -> None:
    earlier = replace(SCOPE, as_of=AS_OF - MINUTE)
    found = found_by("running_candle", CLEAN, earlier)
    assert found.get_column("open_time").to_list() == [AS_OF - MINUTE] * 3


def test_a_feed_that_stopped_is_stale_beyond_its_limit_only() -> None:
    last = pl.col("open_time") >= AS_OF - MINUTE
    one_late = CLEAN.filter(~(last & (pl.col("symbol") == "S02/USDT")))
    assert found_by("staleness", one_late).is_empty()  # closed 60 s ago, 90 s are allowed
    strict = replace(SCOPE, settings=QualitySettings(staleness_s_max=59))
    assert found_by("staleness", one_late, strict).get_column("symbol").to_list() == ["S02/USDT"]


def test_an_expected_symbol_without_any_bar_is_stale() -> None:
    more = replace(SCOPE, symbols=(*SCOPE.symbols, "NEW/USDT"))
    found = found_by("staleness", CLEAN, more)
    assert found.select("symbol", "value").rows() == [("NEW/USDT", "no bar")]


def test_a_missing_column_breaks_the_schema() -> None:
    found = found_by("schema", CLEAN.drop("trades"))
    assert found.item(0, "value") == "trades"


def test_a_negative_volume_breaks_the_schema_in_its_row() -> None:
    assert_names_the_row(found_by("schema", changed(volume=-1.0)), "schema")


def test_failing_symbols_are_listed_once_with_their_first_message() -> None:
    found = found_by("positive_price", CLEAN.with_columns(low=pl.when(HERE.shift(1) | HERE).then(0.0).otherwise("low")))
    assert found.height == 2
    assert list(failing_symbols(found)) == ["S01/USDT"]


# Cleaning.


def test_cleaning_drops_what_has_not_closed_and_sorts_the_rest() -> None:
    shuffled = CLEAN.sample(fraction=1.0, shuffle=True, seed=1)
    cleaned = clean_bars(shuffled, AS_OF - MINUTE * 10)
    expected = CLEAN.filter(pl.col("close_time") <= AS_OF - MINUTE * 10)
    assert cleaned.equals(expected)


def test_cleaning_takes_the_newest_revision() -> None:
    lake = pl.concat(
        [
            CLEAN.with_columns(revision=pl.lit(0, pl.Int32)),
            CLEAN.filter(HERE).with_columns(close=pl.lit(99.5), revision=pl.lit(1, pl.Int32)),
        ]
    )
    cleaned = clean_bars(lake, AS_OF)
    assert cleaned.filter(HERE).get_column("close").to_list() == [99.5]
    assert cleaned.height == CLEAN.height
    assert dict(cleaned.schema) == BARS


def test_equal_duplicates_count_once_and_conflicting_ones_both_stay() -> None:
    again = CLEAN.filter(HERE)
    assert clean_bars(pl.concat([CLEAN, again.with_columns(source=pl.lit("other"))]), AS_OF).height == CLEAN.height
    conflict = clean_bars(pl.concat([CLEAN, again.with_columns(volume=pl.lit(1.0))]), AS_OF)
    assert conflict.height == CLEAN.height + 1
    assert_names_the_row(found_by("monotonic_unique_time", conflict), "monotonic_unique_time")


# Recorded markets.


def bittrex(path: Path) -> pl.DataFrame:
    rows = json.loads(gzip.decompress(path.read_bytes()))
    opened = pl.col("T").str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="ms", time_zone="UTC")
    return pl.DataFrame(rows, infer_schema_length=None).select(
        pl.lit("ETH/BTC").alias("symbol"),
        opened.alias("open_time"),
        (opened + pl.duration(minutes=5)).alias("close_time"),
        pl.col("O").cast(pl.Float64).alias("open"),
        pl.col("H").cast(pl.Float64).alias("high"),
        pl.col("L").cast(pl.Float64).alias("low"),
        pl.col("C").cast(pl.Float64).alias("close"),
        pl.col("V").cast(pl.Float64).alias("volume"),
        pl.col("BV").cast(pl.Float64).alias("quote_volume"),
        pl.lit(0, pl.Int64).alias("trades"),
        pl.lit("bittrex").alias("source"),
    )


def test_all_conflicting_duplicates_of_a_recorded_market_are_named() -> None:
    raw = bittrex(shared_path("data/bittrex/BTC_ETH-5.json.gz"))
    as_of = raw.select(pl.col("close_time").max()).item()
    cleaned = clean_bars(raw, as_of)
    assert cleaned.height == raw.height, "each pair conflicts: none may be merged"
    scope = Scope(as_of, START, ("ETH/BTC",), QualitySettings())
    assert found_by("monotonic_unique_time", cleaned, scope).height == 1392


def test_all_missing_minutes_of_a_recorded_year_are_counted() -> None:
    table = pl.read_parquet(shared_path("data/bitfinex/BTCUSD-2019-1m.parquet"))
    opened = pl.from_epoch("ts_ms", time_unit="ms").dt.replace_time_zone("UTC")
    bars = table.select(pl.lit("BTC/USD").alias("symbol"), open_time=opened, close_time=opened + pl.duration(minutes=1))
    first, end = bars.row(0, named=True)["open_time"], bars.row(-1, named=True)["close_time"]
    found = found_by("gap", bars, Scope(end, first, ("BTC/USD",), QualitySettings()))
    missing = found.get_column("value").str.extract(r"(\d+) missing").cast(pl.Int64)
    assert found.height == 9955
    assert missing.sum() == 12873
