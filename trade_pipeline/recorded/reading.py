"""From a file to bars: opens it, names the symbol, finds times and lengths, and holds the layout against the values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.checks import DAY_S, check_are_trades, check_layout, check_times, check_trades
from trade_pipeline.recorded.files import open_file
from trade_pipeline.recorded.layouts import PRICES, REQUIRED
from trade_pipeline.recorded.moments import utc_times
from trade_pipeline.recorded.names import named
from trade_pipeline.recorded.times import bar_length_s, grid_offset_s
from trade_pipeline.recorded.trades import bars_of, once
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades, Table, refuse
from trade_pipeline.schemas.frames import BARS, SYMBOL_PATTERN, UTC_MS

TRADE_BAR_S = 60
UNNAMED = "UNKNOWN/UNKNOWN"
"""Symbol of a file that names none, for who counts what is wrong with it and needs none."""
_SYMBOL = re.compile(SYMBOL_PATTERN)


def read_recorded(
    path: Path, *, symbol: str | None = None, layout: str | None = None, unnamed: str | None = None
) -> RecordedBars | RecordedTrades:
    """Bars or trades of a file. `symbol` and `layout` say what the file's name and columns do not, `unnamed` is the
    symbol where neither does.

    Raises ReplayFileError that names the file, the value and what repairs it.
    """
    if no_bars := named(path).no_bars:
        refuse(path, f"by its name this file holds {no_bars}", path.name, "Give the candles or the trades.")
    given = symbol.upper() if symbol else None
    table = open_file(path, layout, given)
    if table.frame.is_empty():
        refuse(path, "the file holds no bar", None, "Give a longer recording.")
    found = table.symbol or unnamed
    if found is None:
        refuse(path, "the name does not say the symbol", path.name, "Give it with --symbol BASE/QUOTE.")
    if not _SYMBOL.match(found):
        refuse(path, "this is no symbol", found, "Give it with --symbol BASE/QUOTE, in letters and digits.")
    return _trades(path, table, found) if "price" in table.frame.columns else _bars(path, table, found)


def bars_from_trades(recorded: RecordedTrades, length_s: int = TRADE_BAR_S) -> RecordedBars:
    """The bars that the trades make; the last one is taken as closed."""
    bars = bars_of(recorded, length_s)
    return RecordedBars(recorded.path, recorded.symbol, recorded.source, "trades", length_s, _end(bars), bars)


def _bars(path: Path, table: Table, symbol: str) -> RecordedBars:
    frame, empty = _without_empty_rows(path, _oldest_first(path, table.frame, "open_time"))
    times, are_days = utc_times(path, frame.get_column("open_time"))
    closing = None
    if "close_time" in frame.columns:
        # Binance's close time is the last millisecond within the bar; ours is the exclusive end.
        closed, _ = utc_times(path, frame.get_column("close_time"))
        milliseconds = closed.dt.timestamp("ms")
        closing = (milliseconds + (milliseconds % 1000 == 999).cast(pl.Int64)).cast(UTC_MS)
    length_s = bar_length_s(path, times, named(path).bar_length_s, closing)
    check_times(path, times, length_s)
    check_trades(path, _number(path, frame, "trades"))
    bars = _conformed(path, frame, times, closing, length_s, symbol, table.source)
    check_layout(path, bars, table.layout)
    sessions = (are_days or length_s == DAY_S) and _without_weekends(bars)
    as_of = _end(bars)
    if (until := _closed_until(table, frame, times, length_s)) is not None:
        as_of = min(as_of, until)
    notes = {**table.notes, **({"empty_rows": empty} if empty else {})}
    offset_s = grid_offset_s(times, length_s)
    return RecordedBars(path, symbol, table.source, table.layout, length_s, as_of, bars, sessions, offset_s, notes)


def _oldest_first(path: Path, frame: pl.DataFrame, time: str) -> pl.DataFrame:
    """Turned round where no row is younger than the one before it: that is the publisher's order, no defect of bars."""
    times, _ = utc_times(path, frame.get_column(time))
    return frame.reverse() if frame.height > 1 and times.is_sorted(descending=True) and times[0] != times[-1] else frame


def _without_empty_rows(path: Path, frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Without rows that have a time and no price, and how many they are: the source says that nothing was traded."""
    for name in REQUIRED[1:]:
        if frame.get_column(name).null_count() == frame.height:
            refuse(path, f"the column {name} is empty", None)
    if not _unknown(_number(path, frame, PRICES[0])).any():
        return frame, 0
    unknown = reduce(and_, (_unknown(_number(path, frame, name)) for name in PRICES))
    kept = frame.filter(~unknown | (_number(path, frame, "volume").fill_nan(None) > 0).fill_null(False))
    if kept.is_empty():
        refuse(path, "no row has a price", None, "Give a longer recording.")
    return kept, frame.height - kept.height


def _unknown(column: pl.Series) -> pl.Series:
    return column.is_null() | column.is_nan().fill_null(False)


def _closed_until(table: Table, frame: pl.DataFrame, times: pl.Series, length_s: int) -> datetime | None:
    """When the last bar closed that is final, where the file says which are: by a number, or in a column. None where
    it does not, or all are."""
    length = timedelta(seconds=length_s)
    if "confirmed" in frame.columns:
        final = frame.get_column("confirmed").cast(pl.String).str.to_lowercase().is_in(["1", "1.0", "true"])
        last, first = times.filter(final.fill_null(False)).max(), times.min()
        assert isinstance(first, datetime), "a frame of bars is not empty here"
        return None if final.all() else last + length if isinstance(last, datetime) else first
    until = table.closed_until_ms
    return None if until is None else datetime.fromtimestamp(until / 1000, UTC) + length


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
    if column.dtype == pl.String:
        column = column.str.strip_chars()
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > column.null_count():
        wrong = column.filter(numbers.is_null() & column.is_not_null())
        refuse(path, f"the column {name} holds something that is no number", str(wrong[0]), "Write numbers as 1234.5.")
    return numbers


def _end(bars: pl.DataFrame) -> datetime:
    end = bars.get_column("close_time").max()
    assert isinstance(end, datetime), "a frame of bars is not empty here"
    return end


def _without_weekends(bars: pl.DataFrame) -> bool:
    """Whether these are trading days: two weeks or more, and none of them a Saturday or Sunday."""
    days = bars.get_column("open_time")
    return bars.height >= 10 and not bool((days.dt.weekday() >= 6).any())


def _trades(path: Path, table: Table, symbol: str) -> RecordedTrades:
    frame = _oldest_first(path, table.frame, "time")
    times, _ = utc_times(path, frame.get_column("time"))
    numbers = (_number(path, frame, name) for name in ("price", "amount"))
    rows = pl.DataFrame([times.alias("time"), *numbers])
    check_are_trades(path, rows)
    sound = rows.filter((pl.col("price") > 0) & pl.col("price").is_finite() & (pl.col("amount") > 0))
    if sound.is_empty():
        refuse(path, "no row is a trade at a price above 0", rows.row(0)[1:], "Give a longer recording.")
    kept = once(sound)
    repeated, refused = sound.height - kept.height, rows.height - sound.height
    return RecordedTrades(path, symbol, table.source, kept, rows.height, repeated=repeated, refused=refused)
