"""Each rule for bars: silent on clean bars, and naming the row that breaks it."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from trade_pipeline.quality.clean import closed_bars
from trade_pipeline.quality.failures import FAILURES, failing_symbols
from trade_pipeline.quality.registry import RULES, check
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.frames import DOUBLED_BARS, UTC_MS
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import MINUTE, START, random_bars, symbols

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
    found = check(name, bars, scope)
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
    found = found_by("non_positive_price", changed(**{column: price}))
    assert_names_the_row(found, "non_positive_price")
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
    assert_names_the_row(found_by("duplicate", twice.sort("symbol", "open_time")), "duplicate")


def doubled(rows: pl.DataFrame) -> pl.DataFrame:
    """What a fetch kept: rows of one key, read for the decision."""
    copy = pl.int_range(pl.len(), dtype=pl.Int32)
    return rows.with_columns(copy=copy, as_of=pl.lit(AS_OF).cast(UTC_MS)).select(list(DOUBLED_BARS))


def test_equal_rows_that_a_fetch_merged_are_told_as_a_warning() -> None:
    scope = replace(SCOPE, doubled=doubled(pl.concat([CLEAN.filter(HERE)] * 2)))
    found = found_by("duplicate", CLEAN, scope)
    assert_names_the_row(found, "duplicate")
    assert found.item(0, "severity") == "WARN"
    assert "2 times, all equal: merged" in found.item(0, "message")


def test_rows_that_contradict_each_other_are_errors_until_the_bar_that_was_waited_for_is_there() -> None:
    scope = replace(SCOPE, doubled=doubled(pl.concat([CLEAN.filter(HERE), CLEAN.filter(HERE).with_columns(close=7.5)])))
    waiting = CLEAN.filter((pl.col("symbol") != "S01/USDT") | (pl.col("close_time") < AS_OF))
    for bars, severity in ((waiting, "ERROR"), (CLEAN, "WARN")):
        found = found_by("duplicate", bars, scope)
        assert found.select("symbol", "open_time", "severity").rows() == [
            ("S01/USDT", START + MINUTE * 40, severity) for _ in range(2)
        ]
        assert "2 different rows" in found.item(0, "message")
        assert "close 7.5" in found.item(1, "value"), "the rows themselves are shown"


def test_bars_out_of_order_are_named() -> None:
    rows = pl.concat([CLEAN.filter(~HERE & (pl.col("symbol") == "S01/USDT")), CLEAN.filter(HERE)])
    assert_names_the_row(found_by("out_of_order", rows), "out_of_order")


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
    assert found.item(0, "column") == "trades"


@pytest.mark.parametrize("volume", [-1.0, float("nan"), float("inf"), None])
def test_a_volume_that_is_no_amount_is_named(volume: float | None) -> None:
    assert_names_the_row(found_by("bad_volume", changed(volume=volume)), "bad_volume")


def test_failing_symbols_are_listed_once_with_their_first_message() -> None:
    found = found_by(
        "non_positive_price", CLEAN.with_columns(low=pl.when(HERE.shift(1) | HERE).then(0.0).otherwise("low"))
    )
    assert found.height == 2
    assert list(failing_symbols(found)) == ["S01/USDT"]


# Closed bars.


def test_of_stored_bars_those_that_have_closed_are_taken_in_order() -> None:
    shuffled = CLEAN.sample(fraction=1.0, shuffle=True, seed=1)
    closed = closed_bars(shuffled, AS_OF - MINUTE * 10)
    assert closed.equals(CLEAN.filter(pl.col("close_time") <= AS_OF - MINUTE * 10))


def test_of_stored_bars_the_newest_revision_is_taken() -> None:
    lake = pl.concat(
        [
            CLEAN.with_columns(revision=pl.lit(0, pl.Int32)),
            CLEAN.filter(HERE).with_columns(close=pl.lit(99.5), revision=pl.lit(1, pl.Int32)),
        ]
    )
    closed = closed_bars(lake, AS_OF)
    assert closed.filter(HERE).get_column("close").to_list() == [99.5]
    assert closed.height == CLEAN.height
