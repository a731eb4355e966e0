"""Which column is what: by its name where columns have names, by a layout where they have only places.

Layouts are tables here, one line each; what the values say of them is held against them in `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.pairs import common_name
from trade_pipeline.recorded.values import refuse

NAMES: Mapping[str, tuple[str, ...]] = {
    "open_time": (
        "date", "datetime", "time", "timestamp", "open_time", "opentime", "ts", "ts_ms", "t", "unix", "unix_timestamp",
        "unix_time", "gmt_time", "start", "startsat", "startedat", "start_at", "timeopen", "time_period_start",
        "timestamp_utc", "datetime_utc", "date_utc", "time_utc",
    ),
    "close_time": ("close_time", "closetime"),
    "open": ("open", "o", "open_price", "price_open"),
    "high": ("high", "h", "high_price", "price_high"),
    "low": ("low", "l", "low_price", "price_low"),
    "close": ("close", "c", "close_price", "price_close"),
    "volume": (
        "volume", "v", "vol", "base_volume", "basevolume", "volumefrom", "volume_base", "basetokenvolume",
        "volume_traded",
    ),
    "quote_volume": (
        "quote_volume", "quotevolume", "quote_asset_volume", "bv", "turnover", "volumeto", "volume_quote", "vol_quote",
        "volume_currency", "usdvolume",
    ),
    "trades": (
        "trades", "count", "number_of_trades", "num_trades", "n_trades", "tradecount", "trade_count", "n",
        "trades_count",
    ),
    "confirmed": ("confirm", "confirmed", "is_closed", "isclosed", "complete"),
}  # fmt: skip
"""Our name -> how others call it, in lower case with _ for what is no letter or digit."""
INDEX_NAMES = ("", "unnamed_0", "index", "level_0", "index_level_0")
"""What the time is called where a table was written with its index: it counts where nothing else names a time."""
SYMBOL_NAMES = ("symbol", "ticker", "tic", "pair", "market", "instrument", "instrument_name", "instrument_id", "instid")
WHOSE_NAMES = (*SYMBOL_NAMES, "name", "coin", "code", "asset", "stock")
"""Columns that tell the rows of several symbols apart; of the last ones a value is no symbol by itself."""
SOURCE_NAMES = ("exchange",)
REQUIRED = ("open_time", "open", "high", "low", "close", "volume")
PRICES = ("open", "high", "low", "close")
TRADE_NAMES: Mapping[str, tuple[str, ...]] = {
    "time": (*NAMES["open_time"], "transact_time", "created_time"),
    "price": ("price", "rate", "p", "px"),
    "amount": ("amount", "qty", "quantity", "size", "volume", "q", "sz"),
}
TRADE_COLUMNS = tuple(TRADE_NAMES)
_VOLUME_OF = re.compile(r"^volume_([a-z0-9]+)$")

_BARS = ("open_time", "open", "high", "low", "close", "volume")
POSITIONAL: Mapping[str, tuple[str | None, ...]] = {
    "ohlcv": _BARS,  # ccxt and most files without a header
    "ohlcvt": (*_BARS, "trades"),  # Kraken's files
    "binance": (*_BARS, "close_time", "quote_volume", "trades"),  # klines, and the exchange's own files
    "kraken": ("open_time", "open", "high", "low", "close", None, "volume", "trades"),  # None: the average price
    "bitfinex": ("open_time", "open", "close", "high", "low", "volume"),
    "coinbase": ("open_time", "low", "high", "open", "close", "volume"),
    "kucoin": ("open_time", "open", "close", "high", "low", "volume", "quote_volume"),
    "gate": ("open_time", "quote_volume", "close", "high", "low", "open", "volume", "confirmed"),
    "gate_files": ("open_time", "volume", "close", "high", "low", "open"),
    "bybit": (*_BARS, "quote_volume"),
    "bybit_inverse": ("open_time", "open", "high", "low", "close", "quote_volume", "volume"),
    "okx": (*_BARS, None, "quote_volume", "confirmed"),
    "poloniex": ("low", "high", "open", "close", "quote_volume", "volume", None, None, "trades", None, None, None,
                 "open_time"),
    "trades": ("time", "price", "amount"),  # Kraken's and bitcoincharts' files
    "trades_freqtrade": ("time", None, None, None, "price", "amount"),  # id, type, side
    "trades_binance": (None, "price", "amount", None, "time"),
    "trades_binance_aggregated": (None, "price", "amount", None, None, "time"),
    "trades_kraken": ("price", "amount", "time"),
}  # fmt: skip
"""Layout -> our names by place, None for what is not taken."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows that can be of one layout only: by their width, and by the words that stand in some places."""

    layout: str
    width: int
    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def fits(self, row: Sequence[object]) -> bool:
        return len(row) == self.width and all(str(row[at]).lower() in words for at, words in self.words.items())


_TRUTH, _SIDES = ("true", "false"), ("buy", "sell")
SHAPES = (
    Shape("trades", 3),
    Shape("trades_binance", 6, {5: _TRUTH}),
    Shape("ohlcv", 6),
    Shape("trades_freqtrade", 7, {3: _SIDES}),
    Shape("trades_binance", 7, {5: _TRUTH, 6: _TRUTH}),
    Shape("trades_binance_aggregated", 7, {6: _TRUTH}),
    Shape("ohlcvt", 7),
    Shape("trades_binance_aggregated", 8, {6: _TRUTH, 7: _TRUTH}),
    Shape("gate", 8, {7: _TRUTH}),
    Shape("binance", 12),
    Shape("poloniex", 14, {11: ("minute_1", "minute_5", "minute_15", "minute_30", "hour_1", "hour_4", "day_1")}),
)
"""The first that fits is taken where no layout is named; any other must be named."""
SOURCE_OF_LAYOUT: Mapping[str, str] = {
    "binance": "binance", "kraken": "kraken", "bitfinex": "bitfinex", "coinbase": "coinbase", "kucoin": "kucoin",
    "gate": "gate", "gate_files": "gate", "bybit": "bybit", "bybit_inverse": "bybit", "okx": "okx",
    "poloniex": "poloniex", "trades": "kraken", "trades_binance": "binance", "trades_binance_aggregated": "binance",
    "trades_kraken": "kraken",
}  # fmt: skip
"""Whose a layout is, where neither file nor folders say it."""


def plain(column: str) -> str:
    """`Volume (BTC)` and `<VOL>` as we compare names; numbers that tell equal names apart are left out."""
    bare = re.sub(r"( \(\d+\)|\.\d+)$", "", column.strip().lower())
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def meanings(columns: Sequence[str], names: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """Our name -> the columns that have it. Where one letter stands in both cases (t and T, v and V) the capital is
    something else: when a candle ends, what takers bought."""
    told = [column for column in columns if len(column) > 1 or column.islower() or column.lower() not in columns]
    found = {name: [column for column in told if plain(column) in others] for name, others in names.items()}
    return {name: columns for name, columns in found.items() if columns}


def by_name(path: Path, frame: pl.DataFrame, symbol: str | None) -> pl.DataFrame:
    """The columns that have a meaning, under our names. Raises ReplayFileError for missing or doubtful ones."""
    meaning = meanings(frame.columns, NAMES)
    meaning.setdefault("open_time", [column for column in frame.columns if plain(column) in INDEX_NAMES])
    _name_volumes(meaning, frame.columns, symbol)
    missing = [name for name in REQUIRED if not meaning.get(name)]
    if missing:
        refuse(path, f"no column says {', '.join(missing)}", frame.columns)
    meaning["open_time"] = _times(frame, meaning["open_time"])
    doubtful = {name: columns for name, columns in meaning.items() if len(columns) > 1}
    if doubtful:
        when = "Keep one column with the opening of the bar, day and time of day together, in UTC."
        repair = when if "open_time" in doubtful else "Keep one of them."
        refuse(path, "several columns mean the same", doubtful, repair)
    return frame.select(pl.col(columns[0]).alias(name) for name, columns in meaning.items())


def taken(meaning: Mapping[str, Sequence[str]]) -> set[str]:
    """The columns whose meaning is known."""
    return {column for columns in meaning.values() for column in columns}


def _name_volumes(meaning: dict[str, list[str]], columns: Sequence[str], symbol: str | None) -> None:
    """`Volume BTC` and `Volume USD`: the one in the quote's money is the quote volume, the other is the volume."""
    named = ((column, _VOLUME_OF.match(plain(column))) for column in columns)
    of = {common_name(found[1].upper()): column for column, found in named if found and column not in taken(meaning)}
    base, _, quote = (symbol or "").partition("/")
    if quote in of:
        meaning.setdefault("quote_volume", [of.pop(quote)])
    of_base = [of[base]] if base in of else [] if symbol else list(of.values())
    if len(of_base) == 1 and (symbol or "quote_volume" in meaning):
        meaning.setdefault("volume", of_base)


def _times(frame: pl.DataFrame, columns: list[str]) -> list[str]:
    """Where a moment is told as a number and in words, the number counts: the words may be a place's clock."""
    numbers = [column for column in columns if frame.schema[column].is_numeric()]
    return numbers if len(columns) > 1 and len(numbers) == 1 else columns


def trades_by_name(frame: pl.DataFrame) -> pl.DataFrame | None:
    """TRADE_COLUMNS of a table of trades; None where it is none, or may be bars."""
    if meanings(frame.columns, {name: NAMES[name] for name in ("open", "high")}):
        return None
    meaning = meanings(frame.columns, TRADE_NAMES)
    meaning["time"] = _times(frame, meaning.get("time", []))
    if any(len(meaning.get(name, [])) != 1 for name in TRADE_NAMES):
        return None
    return frame.select(pl.col(meaning[name][0]).alias(name) for name in TRADE_NAMES)


def layout_of(path: Path, first: Sequence[object], declared: str | None) -> str:
    """The declared layout, or the one that rows like the first can only have. Raises ReplayFileError."""
    name = declared or next((shape.layout for shape in SHAPES if shape.fits(first)), None)
    places = POSITIONAL.get(name) if name else None
    if places is None:
        refuse(path, f"no layout of {len(first)} columns is known", name, f"Name one of {', '.join(POSITIONAL)}.")
    if len(first) < len(places):
        refuse(path, f"layout {name} has {len(places)} columns, the file {len(first)}", None)
    return str(name)


def by_place(frame: pl.DataFrame, layout: str) -> pl.DataFrame:
    """The columns of a layout, under our names."""
    places = enumerate(POSITIONAL[layout])
    return frame.select(pl.col(frame.columns[at]).alias(label) for at, label in places if label is not None)
