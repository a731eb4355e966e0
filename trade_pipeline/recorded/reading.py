"""From a file to bars: opens it, names the symbol, finds times and lengths, and holds the layout against the values."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.files import open_file
from trade_pipeline.recorded.layouts import check_layout
from trade_pipeline.recorded.moments import utc_times
from trade_pipeline.recorded.names import UNKNOWN_SOURCE, named, source_of
from trade_pipeline.recorded.times import bar_length_s
from trade_pipeline.recorded.trades import bars_of, once
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades, Table, refuse
from trade_pipeline.schemas.frames import BARS, UTC_MS

TRADE_BAR_S = 60
DAY_S = 86_400


def read_recorded(
    path: Path, *, symbol: str | None = None, layout: str | None = None, unnamed: str | None = None
) -> RecordedBars | RecordedTrades:
    """Bars or trades of a file. `symbol` and `layout` say what the file's name and columns do not, `unnamed` is the
    symbol where neither does.

    Raises ReplayFileError that names the file, the value and what repairs it.
    """
    if no_bars := named(path).no_bars:
        refuse(path, f"by its name this file holds {no_bars}", path.name, "Give the candles or the trades.")
    opened = open_file(path, layout)
    if isinstance(opened, pl.DataFrame):
        return _trades(path, opened, _symbol(path, symbol, unnamed))
    return _bars(path, opened, _symbol(path, symbol, unnamed, opened))


def bars_from_trades(recorded: RecordedTrades, length_s: int = TRADE_BAR_S) -> RecordedBars:
    """The bars that the trades make; the last one is taken as closed."""
    bars = bars_of(recorded, length_s)
    return RecordedBars(recorded.path, recorded.symbol, recorded.source, "trades", length_s, _end(bars), bars)


def _symbol(path: Path, given: str | None, unnamed: str | None, table: Table | None = None) -> str:
    found = given or (table.symbol if table else None) or named(path).symbol or unnamed
    return found or refuse(path, "the name does not say the symbol", path.name, "Give it with --symbol BASE/QUOTE.")


def _bars(path: Path, table: Table, symbol: str) -> RecordedBars:
    if table.frame.is_empty():
        refuse(path, "the file holds no bar", None, "Give a longer recording.")
    source = table.source or source_of(path)
    times, are_days = utc_times(path, table.frame.get_column("open_time"))
    closing = None
    if "close_time" in table.frame.columns:
        # Binance's close time is the last millisecond within the bar; ours is the exclusive end.
        closed, _ = utc_times(path, table.frame.get_column("close_time"))
        milliseconds = closed.dt.timestamp("ms")
        closing = (milliseconds + (milliseconds % 1000 == 999).cast(pl.Int64)).cast(UTC_MS)
    length_s = bar_length_s(path, times, named(path).bar_length_s, closing)
    bars = _conformed(path, table.frame, times, closing, length_s, symbol, source)
    check_layout(path, bars, table.layout)
    sessions = (are_days or length_s == DAY_S) and _without_weekends(bars)
    until = table.closed_until_ms
    as_of = _end(bars)
    if until is not None:
        as_of = min(as_of, datetime.fromtimestamp(until / 1000, as_of.tzinfo) + timedelta(seconds=length_s))
    return RecordedBars(path, symbol, source, table.layout, length_s, as_of, bars, sessions, table.notes)


def _conformed(
    path: Path,
    frame: pl.DataFrame,
    times: pl.Series,
    closing: pl.Series | None,
    length_s: int,
    symbol: str,
    source: str,
) -> pl.DataFrame:
    """A BARS frame; what the file does not say is null. Text that is no number is refused, not made null."""
    names = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
    columns = [times.alias("open_time"), *(_number(path, frame, name) for name in names)]
    end = pl.col("open_time") + pl.duration(seconds=length_s)
    bars = pl.DataFrame(columns).with_columns(
        pl.lit(symbol).alias("symbol"), end.cast(UTC_MS).alias("close_time"), pl.lit(source).alias("source")
    )
    if closing is not None:
        bars = bars.with_columns(closing.alias("close_time"))
    return bars.select(pl.col(name).cast(dtype) for name, dtype in BARS.items())


def _number(path: Path, frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None], dtype=pl.Float64).new_from_index(0, frame.height)
    column = frame.get_column(name)
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > column.null_count():
        wrong = column.filter(numbers.is_null() & column.is_not_null())
        refuse(path, f"the column {name} holds something that is no number", str(wrong[0]))
    return numbers


def _end(bars: pl.DataFrame) -> datetime:
    end = bars.get_column("close_time").max()
    assert isinstance(end, datetime), "a frame of bars is not empty here"
    return end


def _without_weekends(bars: pl.DataFrame) -> bool:
    """Whether these are trading days: two weeks or more, and none of them a Saturday or Sunday."""
    days = bars.get_column("open_time")
    return bars.height >= 10 and not bool((days.dt.weekday() >= 6).any())


def _trades(path: Path, table: pl.DataFrame, symbol: str) -> RecordedTrades:
    source = source_of(path)
    times, _ = utc_times(path, table.get_column("time"))
    rows = table.select(times.alias("time"), _number(path, table, "price"), _number(path, table, "amount"))
    sound = rows.filter((pl.col("price") > 0) & pl.col("price").is_finite() & (pl.col("amount") > 0))
    kept = once(sound)
    return RecordedTrades(
        path,
        symbol,
        source if source != UNKNOWN_SOURCE else "kraken",
        kept,
        rows.height,
        repeated=sound.height - kept.height,
        refused=rows.height - sound.height,
    )
