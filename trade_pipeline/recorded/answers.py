"""Answers of exchanges and what others keep as JSON: where the rows are, whose they are, which of them are final."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.recorded.pairs import pair_of, symbol_of
from trade_pipeline.recorded.values import refuse


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the rows of one kind of answer.

    `rows` and `symbol` are paths of keys. `marks` are values that only this kind has at a path; `row_keys` are keys of
    its first row. `renamed` are columns that this source calls differently from others.
    """

    rows: str
    source: str | None = None
    symbol: str | None = None
    layout: str | None = None
    marks: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    row_keys: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


ENVELOPES = (
    Envelope("result.list", "bybit-futures", "result.symbol", "bybit_inverse", {"result.category": ("inverse",)}),
    Envelope("result.list", "bybit-futures", "result.symbol", "bybit", {"result.category": ("linear",)}),
    Envelope("result.list", "bybit", "result.symbol", "bybit", {"retCode": (0,)}),
    Envelope("result.list", "bybit"),
    Envelope("data", "bitget", layout="bybit", marks={"code": ("00000",)}),
    Envelope("data", "kucoin", layout="kucoin", marks={"code": ("200000",)}),
    Envelope("data", "okx", layout="okx", marks={"code": ("0", 0)}),
    Envelope("data.ohlc", "bitstamp", "data.pair"),
    Envelope("candles", "coinbase", row_keys=("start", "open")),
    Envelope(
        "data", "huobi", "ch", marks={"status": ("ok",)}, row_keys=("id", "amount", "vol"),
        renamed={"id": "open_time", "amount": "volume", "vol": "quote_volume"},
    ),
    Envelope("result", "bittrex", row_keys=("O", "H", "L", "C", "T")),
    Envelope("Data.Data", row_keys=("volumefrom", "volumeto")),
    Envelope("Data", row_keys=("volumefrom", "volumeto")),
    Envelope("results", symbol="ticker"),  # Polygon
    Envelope("history", symbol="ticker"),
    Envelope("candles"), Envelope("data"), Envelope("bars"),
    Envelope("", "bittrex", row_keys=("O", "H", "L", "C", "T")),
    # Poloniex counts its volume in the first coin of BTC_ETH, which is what prices are told in.
    Envelope(
        "", "poloniex", row_keys=("weightedAverage", "quoteVolume"),
        renamed={"volume": "quote_volume", "quoteVolume": "volume"},
    ),
    Envelope(""),
)  # fmt: skip
"""The first that fits is taken. An empty path: the answer is its own list of rows."""


_COLUMNS_MIN = 5
"""An object with fewer lists of one length is no table: a time and four prices are five."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`frame` has names where `headed`, else places. `closed_until_ms`: opening of the last row that is final."""

    frame: pl.DataFrame
    headed: bool
    layout: str | None = None
    symbol: str | None = None
    source: str | None = None
    closed_until_ms: int | None = None


def read_answer(path: Path, content: bytes) -> Answer:
    """Raises ReplayFileError where no rows of one market are found."""
    data = _parsed(content)
    if isinstance(data, dict) and isinstance(data.get("result"), dict) and "list" not in data["result"]:
        return _of_kraken(path, data["result"])
    if isinstance(data, dict) and (columns := _columns(data)) is not None:
        return Answer(columns, headed=True)
    envelope = next((envelope for envelope in ENVELOPES if _fits(envelope, data)), None)
    if envelope is None:
        told = list(data)[:6] if isinstance(data, dict) else type(data).__name__
        refuse(path, "this JSON holds no list of bars", told)
    rows = _at(data, envelope.rows)
    if not rows:
        refuse(path, "the file holds no bar", None, "Give a longer recording.")
    market = _at(data, envelope.symbol) if envelope.symbol else None
    frame = _frame(path, rows)
    renamed = {old: new for old, new in envelope.renamed.items() if old in frame.columns}
    return Answer(
        frame.rename(renamed),
        isinstance(rows[0], dict),
        envelope.layout,
        symbol_of(_last_word(str(market)), envelope.source) if market else None,
        envelope.source,
    )


def _parsed(content: bytes) -> Any:
    text = content.decode("utf-8-sig")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = text.split("\n")
        if error.msg != "Extra data" or not lines[0].startswith(("{", "[")):
            raise
        return [json.loads(line) for line in lines if line.strip()]  # a row a line


def _fits(envelope: Envelope, data: Any) -> bool:
    rows = _at(data, envelope.rows)
    if not isinstance(rows, list) or any(_at(data, at) not in values for at, values in envelope.marks.items()):
        return False
    first = rows[0] if rows else []
    if isinstance(first, dict):
        return envelope.layout is None and first.keys() >= set(envelope.row_keys)
    return isinstance(first, list) and not envelope.row_keys


def _at(data: Any, keys: str) -> Any:
    for key in keys.split(".") if keys else ():
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _columns(data: Mapping[str, Any]) -> pl.DataFrame | None:
    """A table kept by columns: {"t": [..], "o": [..], ..} as charts ask for it, or as pandas writes one, with numbers
    of rows inside each column or names beside the rows."""
    names, rows = data.get("columns"), data.get("data")
    if isinstance(names, list) and isinstance(rows, list) and all(len(row) == len(names) for row in rows):
        return pl.DataFrame({name: [row[at] for row in rows] for at, name in enumerate(names)}, strict=False)
    numbered = (item for item in data.items() if isinstance(item[1], dict) and all(key.isdigit() for key in item[1]))
    inside = {name: list(values.values()) for name, values in numbered}
    told = {name: values for name, values in data.items() if isinstance(values, list) and name != "error"}
    lists = told | inside
    if len(lists) < _COLUMNS_MIN or len({len(values) for values in lists.values()}) != 1:
        return None
    return pl.DataFrame(lists, strict=False)


def _frame(path: Path, rows: Sequence[Any]) -> pl.DataFrame:
    if isinstance(rows[0], dict):
        if not all(isinstance(row, dict) for row in rows):
            refuse(path, "rows are of several kinds", None)
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if len(widths) != 1:
        refuse(path, "rows differ in their length", sorted(widths))
    places = range(widths.pop())
    return pl.DataFrame({f"column_{at + 1}": [row[at] for row in rows] for at in places}, strict=False)


def _last_word(market: str) -> str:
    """market.btcusdt.kline.1day is btcusdt; X:BTCUSD is BTCUSD."""
    words = market.split(".")
    name = words[1] if len(words) == 4 else market
    return name.removeprefix("X:")


def _of_kraken(path: Path, result: Mapping[str, Any]) -> Answer:
    """An OHLC answer: its last row still runs, `last` is the opening of the row before. Or an answer of trades."""
    markets = [name for name in result if name != "last"]
    if len(markets) != 1 or not isinstance(result[markets[0]], list) or not result[markets[0]]:
        refuse(path, "the answer does not hold the rows of one market", markets[:6])
    rows = result[markets[0]]
    symbol = pair_of(markets[0].replace("/", ""), "kraken")
    if not isinstance(rows[0], list):
        refuse(path, "the answer does not hold the rows of one market", markets[:6])
    if len(rows[0]) == 3:
        refuse(path, "these are spreads (bid and ask), no trades", markets, "Give the candles or the trades.")
    if isinstance(rows[0][0], str):  # price, volume, time, ...
        width = min(len(row) for row in rows)  # later answers have the number of a trade behind the others
        return Answer(_frame(path, [row[:width] for row in rows]), False, "trades_kraken", symbol, "kraken")
    last = result.get("last")
    until_ms = int(last) * 1000 if isinstance(last, int | str) and str(last).isdigit() else None
    return Answer(_frame(path, rows), False, "kraken", symbol, "kraken", until_ms)
