"""Which column is what: by its name where columns have names, by a declared layout where they have only places.

A layout of places is held against the values: a file whose columns stand as open, close, high, low contradicts open,
high, low, close in nearly every row and is refused, never rearranged. So is a header that lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.values import refuse

NAMES: Mapping[str, tuple[str, ...]] = {
    "open_time": ("date", "datetime", "time", "timestamp", "open_time", "opentime", "ts", "ts_ms", "t", "unix"),
    "close_time": ("close_time", "closetime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v", "vol", "base_volume", "basevolume"),
    "quote_volume": ("quote_volume", "quotevolume", "quote_asset_volume", "bv", "turnover"),
    "trades": ("trades", "count", "number_of_trades", "num_trades", "tradecount", "n"),
}
"""Our name -> how others call it, in lower case with _ for blanks."""
REQUIRED = ("open_time", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")

_BARS = ("open_time", "open", "high", "low", "close", "volume")
_BINANCE = (*_BARS, "close_time", "quote_volume", "trades")
POSITIONAL: Mapping[str, tuple[str | None, ...]] = {
    "ohlcv": _BARS,  # ccxt and most files without a header
    "ohlcvt": (*_BARS, "trades"),  # Kraken's files
    "binance": _BINANCE,  # klines, and the exchange's own files
    "kraken": ("open_time", "open", "high", "low", "close", None, "volume", "trades"),  # None: the average price
    "bitfinex": ("open_time", "open", "close", "high", "low", "volume"),
    "coinbase": ("open_time", "low", "high", "open", "close", "volume"),
}
"""Layout -> our names by place. One that is not asked for by name is only taken where its width is unambiguous."""
BY_WIDTH: Mapping[int, str] = {6: "ohlcv", 7: "ohlcvt", 12: "binance"}

CONTRADICTION_SHARE_MAX = 0.02
"""Share of rows in which high and low may fail to enclose: more is no defect of bars but a wrong layout."""


def by_name(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that have a meaning, under our names. Raises ReplayFileError for missing or doubtful ones."""
    meaning: dict[str, list[str]] = {}
    for column in frame.columns:
        plain = column.strip().lower().replace(" ", "_")
        for name, others in NAMES.items():
            if plain == name or plain in others:
                meaning.setdefault(name, []).append(column)
    missing = [name for name in REQUIRED if name not in meaning]
    if missing:
        refuse(path, f"no column says {', '.join(missing)}", frame.columns)
    doubtful = {name: columns for name, columns in meaning.items() if len(columns) > 1}
    if doubtful:
        refuse(path, "several columns mean the same", doubtful, "Keep one of them.")
    return frame.select(pl.col(columns[0]).alias(name) for name, columns in meaning.items())


TRADE_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": NAMES["open_time"],
    "price": ("price", "rate", "p"),
    "amount": ("amount", "qty", "quantity", "size", "volume"),
}
TRADE_COLUMNS = tuple(TRADE_NAMES)


def trades_by_name(frame: pl.DataFrame) -> pl.DataFrame | None:
    """TRADE_COLUMNS of a table of trades; None where it is none, or may be bars."""
    plain = {column.strip().lower().replace(" ", "_"): column for column in frame.columns}
    if {"open", "o", "high", "h"} & plain.keys():
        return None
    meaning = {name: [plain[other] for other in others if other in plain] for name, others in TRADE_NAMES.items()}
    if any(len(columns) != 1 for columns in meaning.values()):
        return None
    return frame.select(pl.col(columns[0]).alias(name) for name, columns in meaning.items())


def by_place(
    path: Path, rows: Sequence[Sequence[object]] | pl.DataFrame, layout: str | None, width: int
) -> pl.DataFrame:
    """The columns of a declared layout, under our names. Raises ReplayFileError where none is declared or known."""
    name = layout or BY_WIDTH.get(width)
    places = POSITIONAL.get(name) if name else None
    if places is None:
        refuse(path, f"no layout of {width} columns is known", name, f"Name one of {', '.join(POSITIONAL)}.")
    if width < len(places):
        refuse(path, f"layout {name} has {len(places)} columns, the file {width}", None)
    if isinstance(rows, pl.DataFrame):
        columns = rows.columns
        return rows.select(pl.col(columns[at]).alias(label) for at, label in enumerate(places) if label is not None)
    return pl.DataFrame(
        {label: [row[at] for row in rows] for at, label in enumerate(places) if label is not None}, strict=False
    )


def check_layout(path: Path, bars: pl.DataFrame, layout: str) -> None:
    """Raises ReplayFileError where high and low contradict open and close in more rows than defects would."""
    sound = bars.filter(pl.all_horizontal((pl.col(name) > 0) & pl.col(name).is_finite() for name in PRICES))
    if sound.is_empty():
        return
    broken = (pl.col("high") < pl.max_horizontal("open", "close")) | (
        pl.col("low") > pl.min_horizontal("open", "close")
    )
    wrong = sound.filter(broken)
    if wrong.height <= 1 or wrong.height <= CONTRADICTION_SHARE_MAX * sound.height:
        return
    first = wrong.row(0, named=True)
    fitting = [
        name
        for name, places in POSITIONAL.items()
        if name != layout and _fits(sound, POSITIONAL.get(layout, _BARS), places)
    ]
    hint = f"The values would fit the layout {' or '.join(sorted(set(fitting)))}: name it, if it is." if fitting else ""
    refuse(
        path,
        f"the values contradict the layout {layout} in {wrong.height} of {sound.height} rows, first at "
        f"{first['open_time']}: high and low do not enclose open and close",
        tuple(first[name] for name in PRICES),
        hint or "Put names above the columns.",
    )


def _fits(bars: pl.DataFrame, now: Sequence[str | None], other: Sequence[str | None]) -> bool:
    """Whether the same places read as `other` enclose in every row. Only the four prices are looked at."""
    places = [at for at, label in enumerate(now) if label in PRICES]
    labels = [other[at] if at < len(other) else None for at in places]
    if sorted(str(label) for label in labels) != sorted(PRICES) or labels == [now[at] for at in places]:
        return False
    columns = {str(label): pl.col(str(now[at])) for at, label in zip(places, labels, strict=True)}
    top = pl.max_horizontal(columns["open"], columns["close"])
    bottom = pl.min_horizontal(columns["open"], columns["close"])
    return bool(bars.select(((columns["high"] >= top) & (columns["low"] <= bottom)).all()).item())
