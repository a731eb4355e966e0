"""What a model finds in a frame: every failing check with its rows, and nothing in a good frame."""

from __future__ import annotations

import polars as pl
import pytest

from trade_pipeline.schemas import bars, features, frames, signals, targets
from trade_pipeline.schemas.validation import Frame, validate
from trade_pipeline_tests.made_bars import MINUTE, START, random_bars

CLEAN = random_bars(symbol_count=2, bar_count=30)

MODELS: list[tuple[type[Frame], dict[str, pl.DataType]]] = [
    (bars.Bars, frames.BARS),
    (features.Features, frames.FEATURES),
    (features.Regimes, frames.REGIMES),
    (signals.Signals, frames.SIGNALS),
    (targets.Targets, frames.TARGETS),
]


@pytest.mark.parametrize(("model", "columns"), MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_models_and_frames_name_the_same_columns_and_types(model: type[Frame], columns: dict[str, pl.DataType]) -> None:
    found = {name: column.dtype.type for name, column in model.to_schema().columns.items()}
    assert found == columns
    assert list(found) == list(columns)


@pytest.mark.parametrize(("model", "columns"), MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_frame_without_rows_is_valid(model: type[Frame], columns: dict[str, pl.DataType]) -> None:
    assert not validate(model, frames.empty(columns))


def test_a_good_frame_has_no_failures_and_says_how_much_was_checked() -> None:
    found = validate(bars.Bars, CLEAN)
    assert (bool(found), found.count, found.rows_checked) == (False, 0, 60)
    assert found.describe() == "60 rows agree with Bars"


def test_every_failing_check_is_listed_with_its_row_and_value() -> None:
    here = (pl.col("symbol") == "S01/USDT") & (pl.col("open_time") == START + MINUTE * 7)
    broken = CLEAN.with_columns(
        volume=pl.when(here).then(-2.0).otherwise("volume"), trades=pl.when(here).then(-3).otherwise("trades")
    )
    found = validate(bars.Bars, broken)
    assert found.count == 2
    assert [item.column for item in found.items] == ["volume", "trades"]
    assert found.items[0].rows == (
        {"symbol": "S01/USDT", "open_time": START + MINUTE * 7, "column": "volume", "value": -2.0},
    )


def test_failing_rows_are_counted_all_but_shown_up_to_the_limit() -> None:
    found = validate(bars.Bars, CLEAN.with_columns(volume=pl.lit(-1.0)), rows_max=5)
    assert found.items[0].count == 60
    assert len(found.items[0].rows) == 5


def test_a_missing_column_a_foreign_one_and_a_wrong_type_are_named() -> None:
    wrong = CLEAN.drop("trades").with_columns(pl.col("close").cast(pl.Float32), extra=pl.lit(1))
    named = {row["value"] for item in validate(bars.Bars, wrong).items for row in item.rows}
    assert {"trades", "extra", "Float32"} <= named


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("column", ["macd", "rsi", "atr", "idle_ratio"])
def test_a_feature_may_be_null_but_never_nan_or_infinite(column: str, value: float) -> None:
    rows = CLEAN.select("symbol", "open_time", "close_time", "close")
    frame = pl.DataFrame(rows.to_dicts(), schema=frames.FEATURES)
    assert not validate(features.Features, frame)
    found = validate(features.Features, frame.with_columns(pl.lit(value).alias(column)))
    assert {item.column for item in found.items} == {column}


def test_a_key_that_stands_twice_is_named() -> None:
    regimes = CLEAN.select("symbol", "open_time", "close_time", pl.lit("range").alias("regime"))
    found = validate(features.Regimes, pl.concat([regimes, regimes.head(1)]))
    assert found.items[0].rows[0]["symbol"] == "S00/USDT"
    assert found.items[0].rows[0]["open_time"] == START
