"""Holds a layout against the values: what cannot be is refused, and what would fit is named, never put in its place.

A file whose columns stand as open, close, high, low contradicts open, high, low, close in nearly every row. So does a
header that lies, a turnover where a count of trades should be, and a volume that is told in the quote's money.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.layouts import POSITIONAL, PRICES
from trade_pipeline.recorded.values import refuse

CONTRADICTION_SHARE_MAX = 0.02
"""Share of rows in which high and low may fail to enclose: more is no defect of bars but a wrong layout."""
_SURE_ROWS_MIN = 50
"""Of fewer rows without names, not one may contradict the layout if another one fits them all."""
_MINUTE_S, DAY_S = 60, 86_400
LONGEST_S = 7 * DAY_S
_BEFORE_THE_END_MS = [-1000, -1]
_SIGNED_SHARE_MAX = 0.02
_PRICE_RATIO = (0.7, 1.4)
"""Quote volume by volume is a price between a bar's low and high; half of the bars must come this near to the close."""


def check_layout(path: Path, bars: pl.DataFrame, layout: str) -> None:
    """Raises ReplayFileError where high and low contradict open and close in more rows than defects would, or the
    columns behind them cannot be what they are taken for."""
    _check_prices(path, bars, layout)
    _check_volumes(path, bars)


def check_times(path: Path, times: pl.Series, length_s: int) -> None:
    """Raises ReplayFileError for months, which have no one length, and for times that are ends of bars: 23:59:59."""
    if length_s > LONGEST_S:
        refuse(path, "bars of months or more have no one length", f"{length_s // DAY_S} days", "Give bars of days.")
    if times[0].replace(second=0, microsecond=0) == times[0] or length_s < _MINUTE_S:
        return
    ends = (times.dt.timestamp("ms") % (length_s * 1000) - length_s * 1000).is_in(_BEFORE_THE_END_MS)
    if ends.mean() == 1.0:
        refuse(path, "the times are the ends of bars", str(times[0]), "Give the time at which each bar opens.")


def check_are_trades(path: Path, rows: pl.DataFrame) -> None:
    """Of `time`, `price` and `amount`. Raises ReplayFileError where every time is a midnight, which is a table of days,
    and where amounts have a sign, which says who sold."""
    if rows.height > 1 and (rows.get_column("time").dt.timestamp("ms") % (DAY_S * 1000) == 0).all():
        refuse(
            path, "these are prices of days, no trades", str(rows.item(0, "time")), "Give the candles or the trades."
        )
    signed = rows.filter(pl.col("amount") < 0)
    if signed.height > _SIGNED_SHARE_MAX * rows.height:
        repair = "Give amounts without a sign."
        refuse(path, f"amounts are negative in {signed.height} of {rows.height} rows", signed.item(0, "amount"), repair)


def check_trades(path: Path, counts: pl.Series) -> None:
    """Raises ReplayFileError where a count of trades is none."""
    if counts.null_count() == counts.len():
        return
    broken = counts.filter(((counts != counts.round()) | ~counts.is_finite()).fill_null(False))
    if broken.len():
        repair = "If it is a turnover, name the layout bybit, or kucoin where close stands before high."
        refuse(path, "the number of trades is no whole number", broken[0], repair)


def _check_prices(path: Path, bars: pl.DataFrame, layout: str) -> None:
    sound = bars.filter(pl.all_horizontal((pl.col(name) > 0) & pl.col(name).is_finite() for name in PRICES))
    if sound.is_empty():
        return
    broken = (pl.col("high") < pl.max_horizontal("open", "close")) | (
        pl.col("low") > pl.min_horizontal("open", "close")
    )
    wrong = sound.filter(broken)
    if wrong.is_empty():
        return
    fitting = _fitting(sound, layout)
    few = sound.height < _SURE_ROWS_MIN and fitting
    if not few and (wrong.height <= 1 or wrong.height <= CONTRADICTION_SHARE_MAX * sound.height):
        return
    first = wrong.row(0, named=True)
    hint = f"The values would fit the layout {' or '.join(fitting)}: name it, if it is." if fitting else ""
    refuse(
        path,
        f"the values contradict the layout {layout} in {wrong.height} of {sound.height} rows, first at "
        f"{first['open_time']}: high and low do not enclose open and close",
        tuple(first[name] for name in PRICES),
        hint or "Put names above the columns.",
    )


def _fitting(bars: pl.DataFrame, layout: str) -> list[str]:
    """Layouts as wide as this one that no row contradicts; none where columns have names."""
    now = POSITIONAL.get(layout)
    if now is None:
        return []
    return sorted(
        name
        for name, places in POSITIONAL.items()
        if len(places) == len(now) and name != layout and _fits(bars, now, places)
    )


def _fits(bars: pl.DataFrame, now: Sequence[str | None], other: Sequence[str | None]) -> bool:
    """Whether the same places read as `other` enclose in every row."""
    columns = {
        label: pl.col(str(was))
        for was, label in zip(now, other, strict=True)
        if label in PRICES and was in bars.columns
    }
    if sorted(columns) != sorted(PRICES) or [at for at in now if at in PRICES] == [at for at in other if at in PRICES]:
        return False
    top = pl.max_horizontal(columns["open"], columns["close"])
    bottom = pl.min_horizontal(columns["open"], columns["close"])
    return bool(bars.select(((columns["high"] >= top) & (columns["low"] <= bottom)).all()).item())


def _check_volumes(path: Path, bars: pl.DataFrame) -> None:
    """The quote volume of a bar is its volume times a price within it."""
    if bars.get_column("quote_volume").null_count() == bars.height:
        return
    traded = bars.filter((pl.col("volume") > 0) & (pl.col("quote_volume") > 0) & (pl.col("close") > 0))
    if traded.is_empty():
        return
    price, turned = pl.col("quote_volume") / pl.col("volume"), pl.col("volume") / pl.col("quote_volume")
    straight, swapped = (
        bool(traded.select((ratio / pl.col("close")).median().is_between(*_PRICE_RATIO)).item())
        for ratio in (price, turned)
    )
    if straight:
        return
    found = traded.select("volume", "quote_volume", "close").row(0)
    if swapped:
        refuse(
            path, "volume and quote volume are each other's", found, "Name the columns volume and quote_volume anew."
        )
    refuse(
        path,
        "the volume is not told in coins, or the quote volume not in their money: one by the other is no price",
        found,
        "Remove the column that counts something else, as contracts; the volume must be in coins.",
    )
