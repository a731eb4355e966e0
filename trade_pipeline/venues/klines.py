"""Turns raw klines into a frame of bars. Whether the bars are plausible is for the quality rules to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.schemas.frames import BARS, UTC_MS, empty
from trade_pipeline.venues.answers import TIME_MS_MAX, listing, malformed, milliseconds, whole

ROWS_MAX = 1000
"""Binance's limit of rows in one answer."""
BAR_LENGTH = timedelta(minutes=1)
_FIELDS_MIN = 9
_POSITIONS = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7}


def read_klines(raw: object, symbol: str, source: str) -> pl.DataFrame:
    """Raw rows as a BARS frame, in their order and with their duplicates.

    Binance's close time is the last millisecond within the bar; ours is the exclusive end.
    Raises MalformedAnswer for a row that is too short or holds something that is no finite number.
    """
    rows = listing(raw, "klines", symbol)
    return _frame(rows, [symbol] * len(rows), symbol, source)


def read_batch(answers: Mapping[str, Sequence[Any]], source: str) -> tuple[pl.DataFrame, dict[str, MalformedAnswer]]:
    """Raw rows of many symbols as one BARS frame, each symbol's rows together.

    They are read as one, which costs a fraction of reading them one by one. Only where something cannot be read each
    symbol is read by itself, so that it spoils no other: those in the errors have no rows.
    """
    try:
        rows = [row for each in answers.values() for row in each]
        return _frame(rows, [symbol for symbol, each in answers.items() for _ in each], "a batch", source), {}
    except MalformedAnswer:
        parts: list[pl.DataFrame] = [empty(BARS)]
        errors: dict[str, MalformedAnswer] = {}
        for symbol, each in answers.items():
            try:
                parts.append(_frame(each, [symbol] * len(each), symbol, source))
            except MalformedAnswer as error:
                errors[symbol] = error
        return pl.concat(parts), errors


def _frame(rows: Sequence[Any], symbols: list[str], symbol: str, source: str) -> pl.DataFrame:
    """`symbols` has one name a row; `symbol` is for messages."""
    if not rows:
        return empty(BARS)
    for row in rows:
        if not isinstance(row, list) or len(row) < _FIELDS_MIN:
            raise malformed("kline", str(row)[:100], symbol)
    columns = list(zip(*(row[:_FIELDS_MIN] for row in rows), strict=True))
    return pl.DataFrame(
        {
            "symbol": pl.Series(symbols, dtype=pl.String()),
            "open_time": time_column(columns[0], "open_time", symbol).cast(UTC_MS),
            "close_time": (time_column(columns[6], "close_time", symbol) + 1).cast(UTC_MS),
            **{name: real_column(columns[position], name, symbol) for name, position in _POSITIONS.items()},
            "trades": _whole(columns[8], "trades", symbol),
            "source": pl.repeat(source, len(rows), dtype=pl.String(), eager=True),
        }
    ).select(list(BARS))


def _whole(values: tuple[Any, ...], name: str, symbol: str) -> pl.Series:
    return pl.Series(name, [whole(value, name, symbol) for value in values], dtype=pl.Int64())


def time_column(values: tuple[Any, ...], name: str, symbol: str) -> pl.Series:
    series = _whole(values, name, symbol)
    sane = series.is_between(0, TIME_MS_MAX)
    if not sane.all():
        raise malformed(name, values[sane.to_list().index(False)], symbol)
    return series


def real_column(values: tuple[Any, ...], name: str, symbol: str) -> pl.Series:
    if not all(isinstance(value, str) for value in values):
        raise malformed(name, next(value for value in values if not isinstance(value, str)), symbol)
    series = pl.Series(name, values, dtype=pl.String()).cast(pl.Float64(), strict=False)
    readable = series.is_finite().fill_null(value=False)
    if not readable.all():
        raise malformed(name, values[readable.to_list().index(False)], symbol)
    return series


def pages(since: datetime | None, until: datetime | None, limit: int | None) -> list[dict[str, int]]:
    """Parameters of the requests that bring bars of [since, until), each at most ROWS_MAX rows.

    With both ends known the windows are cut beforehand, so that they can be asked for at once. With `limit` or
    without an end there is one request.
    """
    if since is None:
        end = {} if until is None else {"endTime": milliseconds(until) - 1}
        return [{"limit": min(limit or ROWS_MAX, ROWS_MAX), **end}]
    if until is None or limit is not None:
        end = {} if until is None else {"endTime": milliseconds(until) - 1}
        return [{"startTime": milliseconds(since), "limit": min(limit or ROWS_MAX, ROWS_MAX), **end}]
    windows, start, span = [], since, ROWS_MAX * BAR_LENGTH
    while start < until:
        end_ms = milliseconds(min(start + span, until)) - 1
        windows.append({"startTime": milliseconds(start), "endTime": end_ms, "limit": ROWS_MAX})
        start += span
    return windows
