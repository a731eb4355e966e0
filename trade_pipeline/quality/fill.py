"""Bars that keep the places of what is missing or rejected, so that look-backs of later stages count right.

A filler carries the last close on, with volume 0, and is flagged: nothing was traded at its price. Only holes
between two bars are filled, that are short or that want of trades explains; nothing is made up at the end, where
decisions are taken.
"""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.frames import BARS, JUDGED_BARS
from trade_pipeline.symbol_blocks import starts_of


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

    `_filler` tells them apart; `_idle` are those that want of trades explains.
    """
    bars = kept.with_columns(pl.lit(False).alias("_filler"), pl.lit(False).alias("_idle"))
    holes = _short_holes(kept, scope)
    if holes.is_empty():
        return bars
    steps = holes.with_columns(pl.int_ranges(1, pl.col("_hole") + 1).alias("_step")).explode("_step").rechunk()
    fillers = _fillers(steps, scope.bar_length_ms)
    if rejected is not None:
        fillers = _told_apart(fillers, rejected)
    return _placed(bars, fillers, steps.get_column("_behind"))


def _short_holes(kept: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """symbol, open_time, close and source of the bar before each hole that is to be filled; _hole, bars that are not
    there; _idle, want of trades explains them; _behind, the place of the bar that the hole is before."""
    opened = kept.get_column("open_time").to_physical()
    wide = (opened.diff() >= 2 * scope.bar_length_ms) & ~starts_of(kept.get_column("symbol"))
    behind = wide.fill_null(False).arg_true().alias("_behind")
    if scope.sessions:
        behind = behind.clear()
    after = kept.select("open_time", "_idle")[behind]
    hole = ((after.get_column("open_time").to_physical() - opened.gather(behind - 1)) // scope.bar_length_ms) - 1
    carried = kept.select("symbol", "open_time", "close", "source")[behind - 1]
    holes = carried.with_columns(hole.alias("_hole"), after.get_column("_idle"), behind)
    return holes.filter(pl.col("_idle") | (pl.col("_hole") <= scope.settings.fill_bars_max))


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
    return steps.select(
        *(expression.cast(JUDGED_BARS[name]).alias(name) for name, expression in values.items()),
        pl.lit(True).alias("_filler"),
        "_idle",
    )


def _told_apart(fillers: pl.DataFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """The repair of a filler in the place of a quarantined bar says which rules that bar broke."""
    why = rejected.group_by("symbol", "open_time").agg(pl.col("_rules").first())
    text = pl.format("in place of a quarantined bar ({})", "_rules")
    joined = fillers.join(why, on=["symbol", "open_time"], how="left", maintain_order="left").rechunk()
    return joined.with_columns(
        pl.coalesce(text, "repair").alias("repair"),
        pl.col("_idle") & text.is_null(),
    )


def _placed(bars: pl.DataFrame, fillers: pl.DataFrame, behind: pl.Series) -> pl.DataFrame:
    """Both in order: each filler stands before the row of `bars` in whose hole it is."""
    # Places are counted, not sorted: before the n-th filler stand n others and the bars above its hole.
    numbers = pl.int_range(bars.height + fillers.height, dtype=pl.UInt32, eager=True)
    at = behind + numbers.head(fillers.height)
    own = pl.repeat(True, numbers.len(), eager=True).scatter(at, False).arg_true()
    order = numbers.clone()  # scatter changes the series that it is asked of
    order = order.scatter(own, numbers.head(bars.height)).scatter(at, numbers.slice(bars.height))
    return pl.concat([bars, fillers.select(bars.columns)]).rechunk()[order]
