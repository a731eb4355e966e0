"""The quality score of a symbol and a day, from 0 to 1.

    score = (accepted + idle + 0.9 repaired + 0.5 filled) / expected

`expected` counts the bars that the day should have, from the symbol's first bar (a listing at noon is half a day) to
`as_of`. `filled` are the flagged bars in the places of missing and quarantined ones; what is missing or quarantined
and not filled adds nothing. `idle` are those that want of trades explains; where the source fills such minutes
itself, they are accepted: either says something of the market, not of the feed. A day without any bar between two
that have some scores 0.
"""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.frames import QUALITY_SCORES, moment
from trade_pipeline.symbol_blocks import starts_of

DAY_MS = 86_400_000
REPAIRED_WEIGHT = 0.9
FILLED_WEIGHT = 0.5


def scores_by_day(bars: pl.DataFrame, rejected: pl.DataFrame | None, scope: Scope) -> pl.DataFrame:
    """A QUALITY_SCORES frame without `held`; `bars` is what `with_fillers` gives."""
    counted = _counted(bars)
    days = _days(counted, rejected, scope)
    table = days.join(counted.drop("_first", "_end"), on=["symbol", "_day"], how="left", maintain_order="left")
    if rejected is not None:
        day = pl.col("open_time").dt.truncate("1d").alias("_day")
        lost = rejected.group_by("symbol", day).agg(pl.len().cast(pl.Int64).alias("quarantined"))
        table = table.join(lost, on=["symbol", "_day"], how="left", maintain_order="left")
    else:
        table = table.with_columns(pl.lit(0, pl.Int64).alias("quarantined"))
    names = ("accepted", "repaired", "quarantined", "synthetic", "_filled", "_idle")
    table = table.with_columns(pl.col(name).fill_null(0) for name in names)
    there = pl.col("accepted") + pl.col("repaired") + pl.col("_filled")
    if scope.sessions:  # which days had a session is not known here: what is there is what was expected
        table = table.filter(there > 0).with_columns(there.alias("expected"))
    worth = pl.col("accepted") + pl.col("_idle") + REPAIRED_WEIGHT * pl.col("repaired")
    worth = worth + FILLED_WEIGHT * (pl.col("_filled") - pl.col("_idle"))
    return table.with_columns(
        pl.col("_day").alias("open_time"),
        moment(scope.as_of).alias("as_of"),
        pl.max_horizontal(pl.col("expected") - there, 0).cast(pl.Int64).alias("missing"),
        (worth / pl.col("expected")).clip(0.0, 1.0).alias("score"),
        pl.lit(None, pl.String).alias("held"),
    ).select(pl.col(name).cast(dtype) for name, dtype in QUALITY_SCORES.items())


def _counted(bars: pl.DataFrame) -> pl.DataFrame:
    """Sums of each symbol and day (_day), with the first opening (_first) and the last close (_end)."""
    filler, repaired = pl.col("_filler"), pl.col("repair").is_not_null()
    # Bars are in order, so that a day is a run of rows: grouped by its number, not by a text and a time.
    day = bars.get_column("open_time").to_physical() // DAY_MS
    run = (starts_of(bars.get_column("symbol")) | (day != day.shift(1))).cum_sum().alias("_run").set_sorted()
    return (
        bars.select("symbol", "open_time", "close_time", "repair", "synthetic", "_filler", "_idle", run)
        .group_by("_run", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("open_time").first().dt.truncate("1d").alias("_day"),
            (~filler & ~repaired).sum().cast(pl.Int64).alias("accepted"),
            (~filler & repaired).sum().cast(pl.Int64).alias("repaired"),
            pl.col("synthetic").sum().cast(pl.Int64).alias("synthetic"),
            filler.sum().cast(pl.Int64).alias("_filled"),
            pl.col("_idle").sum().cast(pl.Int64).alias("_idle"),
            pl.col("open_time").first().alias("_first"),
            pl.col("close_time").max().alias("_end"),
        )
        .drop("_run")
    )


def _days(counted: pl.DataFrame, rejected: pl.DataFrame | None, scope: Scope) -> pl.DataFrame:
    """Every day from each symbol's first bar, good or bad, to `as_of` with the number of bars that it should have."""
    as_of = moment(scope.as_of)
    seen = counted.select("symbol", "_first", "_end")
    if rejected is not None:
        span = ("symbol", pl.col("open_time").alias("_first"), pl.col("close_time").alias("_end"))
        seen = pl.concat([seen, rejected.filter(pl.col("close_time") <= as_of).select(span)])
    spans = seen.group_by("symbol", maintain_order=True).agg(pl.col("_first").min(), pl.col("_end").max())
    end = pl.max_horizontal("_end", as_of)
    last = (end - pl.duration(milliseconds=1)).dt.truncate("1d")
    days = spans.with_columns(
        pl.datetime_ranges(pl.col("_first").dt.truncate("1d"), last, "1d").alias("_day"), end.alias("_end")
    ).explode("_day")
    stop = pl.min_horizontal("_end", pl.col("_day") + pl.duration(milliseconds=DAY_MS))
    expected = (_opened_before(stop, scope) - _opened_before(pl.col("_day"), scope)).alias("expected")
    return days.select("symbol", "_day", expected).filter(pl.col("expected") > 0)


def _opened_before(moment: pl.Expr, scope: Scope) -> pl.Expr:
    """How many bars of a symbol open before `moment`, counted from its first one."""
    since_ms = (moment - pl.col("_first")).dt.total_milliseconds()
    return pl.max_horizontal((since_ms / scope.bar_length_ms).ceil().cast(pl.Int64), pl.lit(0, pl.Int64))


def score_of_window(scores: pl.DataFrame, scope: Scope) -> pl.DataFrame:
    """symbol and score over all days of the window together."""
    first = moment(scope.window_start).dt.truncate("1d")
    inside = scores.filter(pl.col("open_time") >= first)
    share = (pl.col("score") * pl.col("expected")).sum() / pl.col("expected").sum()
    return inside.group_by("symbol", maintain_order=True).agg(share.alias("score"))
