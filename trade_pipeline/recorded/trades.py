"""Trades and the bars made of them. Every trade counts: that two share a second, a price and an amount is usual.

What is left out is only what was written twice. A page of an answer that overlaps the page before shows in two ways:
times go back in the file, or, where somebody sorted it, every trade of several seconds in a row stands there an even
number of times. Of overlapping pages each trade counts as often as in the page that has it most often, so equal
trades of one page stay. Equal trades of a lone second are kept: nothing shows that they are one.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from trade_pipeline.recorded.values import RecordedTrades
from trade_pipeline.schemas.frames import BARS, UTC_MS

DOUBLED_SECONDS_MIN = 5
"""Seconds with trades in a row, all doubled, that make an overlap: by chance that does not happen."""
_WHAT = ("time", "price", "amount")


def once(trades: pl.DataFrame) -> pl.DataFrame:
    """Trades (time, price, amount) without the repeats of overlapping pages, in the order of time.

    Trades of one second keep the order in which the file has them.
    """
    pages = trades.with_columns(
        (pl.col("time").diff().dt.total_milliseconds() < 0).fill_null(False).cum_sum().alias("_page")
    )
    if pages.get_column("_page").max():
        nth = pl.int_range(pl.len()).over("_page", *_WHAT)
        pages = pages.with_columns(nth.alias("_nth")).unique([*_WHAT, "_nth"], keep="first", maintain_order=True)
    return _halved(pages.sort("time", maintain_order=True).select(_WHAT))


def merged(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Trades of several files of one market: where files overlap each trade counts as often as the file says that has
    it most often."""
    files = [part.with_columns(pl.lit(number).alias("_file")) for number, part in enumerate(parts)]
    nth = pl.int_range(pl.len()).over("_file", *_WHAT)
    rows = pl.concat(files).with_columns(nth.alias("_nth")).unique([*_WHAT, "_nth"], keep="first", maintain_order=True)
    return rows.sort("time", maintain_order=True).select(_WHAT)


def _halved(trades: pl.DataFrame) -> pl.DataFrame:
    """Without every second copy where a stretch of seconds was written twice and sorted."""
    counts = trades.with_columns(pl.len().over(_WHAT).alias("_count"))
    doubled = (
        counts.group_by("time", maintain_order=True)
        .agg((pl.col("_count") % 2 == 0).all().alias("_even"))
        .with_columns(pl.col("_even").rle_id().alias("_run"))
        .with_columns(pl.len().over("_run").alias("_seconds"))
        .filter(pl.col("_even") & (pl.col("_seconds") >= DOUBLED_SECONDS_MIN))
        .select("time", pl.lit(True).alias("_doubled"))
    )
    if doubled.is_empty():
        return trades
    rows = counts.join(doubled, on="time", how="left", maintain_order="left").with_columns(
        pl.int_range(pl.len()).over(_WHAT).alias("_nth")
    )
    keep = pl.col("_doubled").is_null() | (pl.col("_nth") < pl.col("_count") // 2)
    return rows.filter(keep).select(_WHAT)


def bars_of(recorded: RecordedTrades, bar_length_s: int) -> pl.DataFrame:
    """A BARS frame of the trades; bars in which nothing was traded do not exist."""
    opened = pl.col("time").dt.truncate(f"{bar_length_s}s")
    bars = recorded.trades.group_by(opened.alias("open_time"), maintain_order=True).agg(
        pl.col("price").first().alias("open"),
        pl.col("price").max().alias("high"),
        pl.col("price").min().alias("low"),
        pl.col("price").last().alias("close"),
        pl.col("amount").sum().alias("volume"),
        (pl.col("price") * pl.col("amount")).sum().alias("quote_volume"),
        pl.len().cast(pl.Int64).alias("trades"),
    )
    return bars.with_columns(
        pl.lit(recorded.symbol).alias("symbol"),
        pl.col("open_time").cast(UTC_MS),
        (pl.col("open_time") + pl.duration(seconds=bar_length_s)).cast(UTC_MS).alias("close_time"),
        pl.lit(recorded.source).alias("source"),
    ).select(list(BARS))
