"""Bars that keep the places of what is missing or rejected, so that look-backs of later stages count right.

A filler carries the last close on, with volume 0, and is flagged: nothing was traded at its price. Only holes
between two bars are filled, that are short or that want of trades explains; nothing is made up at the end, where
decisions are taken.
"""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.frames import BARS, JUDGED_BARS

REPAIRED_WEIGHT = 0.9
FILLED_WEIGHT = 0.5
IDLE_WEIGHT = 1.0

_KEY_BITS = 43
"""Milliseconds since 1970 fit into 42 bits until the year 2109; above them stands the number of the symbol."""


def kept_bars(sound: pl.DataFrame, rejected: pl.DataFrame | None) -> pl.DataFrame:
    """JUDGED_BARS of the prepared rows that nothing takes out, with _idle beside them.

    `synthetic` where the source itself filled a minute without a trade; `repair` where a row won against its copies
    or was put in its place.
    """
    if rejected is not None:
        sound = sound.join(rejected.select("_row"), on="_row", how="anti", maintain_order="left")
    fullest = pl.when((pl.col("_copies") > 1) & ~pl.col("_equal")).then(
        pl.format("fullest of {} copies, volume {}", "_copies", "volume")
    )
    moved = pl.when("_late").then(pl.lit("put in its place"))
    repairs = []
    if (sound.get_column("_copies") > 1).any():
        repairs.append(fullest)
    if sound.get_column("_late").any():
        repairs.append(moved)
    return sound.rechunk().select(
        *BARS,
        ((pl.col("volume") == 0) & (pl.col("high") == pl.col("low"))).alias("synthetic"),
        (pl.coalesce(repairs) if repairs else pl.lit(None, pl.String)).alias("repair"),
        "_idle",
    )


def with_fillers(kept: pl.DataFrame, rejected: pl.DataFrame | None, scope: Scope) -> pl.DataFrame:
    """`kept` and the bars that fill its short holes, in order.

    `_filler` tells them apart; `_weight` is what a bar is worth in the score (see `score`).
    """
    length_ms = scope.bar_length_ms
    same = pl.col("symbol") == pl.col("symbol").shift(1)
    number = (~same).fill_null(True).cum_sum().alias("_number")
    hole = pl.when(same).then((pl.col("open_time").diff().dt.total_milliseconds() // length_ms) - 1)
    worth = pl.when(pl.col("repair").is_null()).then(1.0).otherwise(REPAIRED_WEIGHT)
    idle = kept.get_column("_idle")
    kept = kept.drop("_idle").with_columns(pl.lit(False).alias("_filler"), worth.alias("_weight"))
    if scope.sessions:
        return kept
    carried = ("symbol", "open_time", "close", "source")
    holes = kept.select(
        *(pl.col(name).shift(1) for name in carried),
        hole.alias("_hole"),
        idle.alias("_idle"),
        number,
    ).filter((pl.col("_hole") > 0) & (pl.col("_idle") | (pl.col("_hole") <= scope.settings.fill_bars_max)))
    if holes.is_empty():
        return kept
    steps = holes.with_columns(pl.int_ranges(1, pl.col("_hole") + 1).alias("_step")).explode("_step").rechunk()
    fillers = _fillers(steps, length_ms)
    if rejected is not None:
        fillers = _told_apart(fillers, rejected)
    return _merged(kept.with_columns(number), fillers)


def _fillers(steps: pl.DataFrame, length_ms: int) -> pl.DataFrame:
    price = pl.col("close")
    opened = pl.col("open_time") + pl.duration(milliseconds=length_ms) * pl.col("_step")
    values = {
        "symbol": pl.col("symbol"),
        "open_time": opened,
        "close_time": opened + pl.duration(milliseconds=length_ms),
        "open": price,
        "high": price,
        "low": price,
        "close": price,
        "volume": pl.lit(0.0),
        "quote_volume": pl.lit(0.0),
        "trades": pl.lit(0),
        "source": pl.col("source"),
        "synthetic": pl.lit(True),
        "repair": pl.format("the source has no bar: close of {} carried on", "open_time"),
    }
    weight = pl.when(pl.col("_idle")).then(IDLE_WEIGHT).otherwise(FILLED_WEIGHT)
    return steps.select(
        *(expression.cast(JUDGED_BARS[name]).alias(name) for name, expression in values.items()),
        pl.lit(True).alias("_filler"),
        weight.alias("_weight"),
        "_number",
    )


def _told_apart(fillers: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """The repair of a filler in the place of a quarantined bar says which rules that bar broke."""
    why = rejected.group_by("symbol", "open_time").agg(pl.col("_rules").first())
    text = pl.format("in place of a quarantined bar ({})", "_rules")
    joined = fillers.join(why, on=["symbol", "open_time"], how="left", maintain_order="left").rechunk()
    return joined.with_columns(
        pl.coalesce(text, "repair").alias("repair"),
        pl.when(text.is_null()).then("_weight").otherwise(FILLED_WEIGHT).alias("_weight"),
    )


def _merged(kept: pl.DataFrame, fillers: pl.DataFrame) -> pl.DataFrame:
    """Both are sorted: merging by one number is linear, sorting by a text and a time is not. _number counts symbols."""
    key = (pl.col("_number").cast(pl.Int64) * (1 << _KEY_BITS) + pl.col("open_time").dt.timestamp("ms")).alias("_key")
    merged = kept.with_columns(key).merge_sorted(fillers.select(kept.columns).with_columns(key), key="_key")
    return merged.drop("_key", "_number")
