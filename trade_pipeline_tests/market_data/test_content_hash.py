"""The hash of a frame depends on its rows and on nothing else."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.schemas import frames
from trade_pipeline_tests.market_data.frames_of import bars


def test_order_of_rows_columns_and_chunks_does_not_matter() -> None:
    frame = bars(50)
    expected = content_hash(frame, frames.BAR_KEY)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1).select(reversed(frame.columns))
    chunked = pl.concat([frame[:7], frame[7:]], rechunk=False)
    assert content_hash(shuffled, frames.BAR_KEY) == expected
    assert content_hash(chunked, frames.BAR_KEY) == expected
    assert content_hash(frame[7:], frames.BAR_KEY) != expected


@pytest.mark.parametrize(
    "changed",
    [
        pl.col("close") + 1e-12,
        pl.col("trades") + 1,
        pl.lit("elsewhere").alias("source"),
        pl.when(pl.col("trades") == 5).then(None).otherwise(pl.col("volume")).alias("volume"),
        pl.col("trades").cast(pl.Int32),
    ],
)
def test_any_changed_value_null_or_type_changes_the_hash(changed: pl.Expr) -> None:
    frame = bars(10)
    assert content_hash(frame.with_columns(changed), frames.BAR_KEY) != content_hash(frame, frames.BAR_KEY)


def test_negative_zero_is_zero_and_any_nan_is_nan() -> None:
    first = pl.DataFrame({"key": [1, 2], "value": [0.0, float("nan")]})
    second = pl.DataFrame({"key": [1, 2], "value": [-0.0, -float("nan")]})
    assert content_hash(first, ["key"]) == content_hash(second, ["key"])


def test_what_stands_behind_a_null_is_not_hashed() -> None:
    first = pl.DataFrame({"key": [1, 2], "value": [1.0, 5.0], "word": ["a", "b"]})
    second = first.with_columns(pl.lit(7.0).alias("value"), pl.lit("c").alias("word"))
    hidden = [
        frame.with_columns(
            pl.when(pl.col("key") == 1).then(None).otherwise(pl.lit(1.0)).alias("value"),
            pl.when(pl.col("key") < 3).then(None).otherwise(pl.col("word")).alias("word"),
        )
        for frame in (first, second)
    ]
    assert content_hash(hidden[0], ["key"]) == content_hash(hidden[1], ["key"])


def test_texts_do_not_run_into_each_other() -> None:
    first = pl.DataFrame({"key": [1, 2], "word": ["ab", "c"]})
    second = pl.DataFrame({"key": [1, 2], "word": ["a", "bc"]})
    assert content_hash(first, ["key"]) != content_hash(second, ["key"])


def test_rows_of_the_same_key_have_one_order_too() -> None:
    frame = pl.DataFrame({"key": [1, 1, 2], "value": [3.0, 2.0, 1.0]})
    assert content_hash(frame, ["key"]) == content_hash(frame.reverse(), ["key"])


def test_decimals_and_empty_frames_have_a_hash() -> None:
    targets = frames.empty(frames.TARGETS)
    assert len(content_hash(targets, ("decision_id", "symbol"))) == 32
    money = pl.DataFrame({"key": [1], "amount": [Decimal("0.1")]}, schema={"key": pl.Int64, "amount": frames.QUANTITY})
    more = money.with_columns((pl.col("amount") + Decimal("0.000000000000000001")).cast(frames.QUANTITY))
    assert content_hash(money, ["key"]) != content_hash(more, ["key"])


def test_the_layout_of_the_hash_is_fixed() -> None:
    """Decisions cite it: a change here must come with a new FORMAT_VERSION."""
    frame = bars(3)
    assert content_hash(frame, frames.BAR_KEY) == "aa9a7f9042d4757791a720b68fbd2d1b"
