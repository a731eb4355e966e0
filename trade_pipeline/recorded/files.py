"""Opens a recorded file of any known kind and tells what is in it: a table under our names, or trades."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.layouts import TRADE_COLUMNS, by_name, by_place, trades_by_name
from trade_pipeline.recorded.pairs import pair_of, share_of
from trade_pipeline.recorded.values import Table, refuse

BYTES_MAX = 2_000_000_000
"""A larger file is refused: it would not fit into memory next to its bars."""


def open_file(path: Path, layout: str | None) -> Table | pl.DataFrame:
    """A Table of bars, or the columns TRADE_COLUMNS of a file of trades. Raises ReplayFileError."""
    if not path.is_file():
        refuse(path, "there is no such file", None, "Name an existing one.")
    if path.stat().st_size > BYTES_MAX:
        refuse(path, "the file is too large", path.stat().st_size, f"Split it into parts of at most {BYTES_MAX} bytes.")
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith(".json"):
            return _from_json(path, json.loads(_content(path)), layout)
        if name.endswith((".csv", ".txt")):
            return _from_csv(path, _content(path), layout)
        if name.endswith(".parquet"):
            return _named(path, pl.read_parquet(path))
        if name.endswith((".feather", ".arrow", ".ipc")):
            return _named(path, pl.read_ipc(path))
    except ReplayFileError:
        raise
    # Readers raise exceptions of many kinds for a file that they cannot read, polars also from Rust.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise ReplayFileError(
            f"the file cannot be read ({reason})", thing=str(path), repair="Copy it again: it is corrupt or cut off."
        ) from error
    return refuse(
        path, "the file is of no known kind", path.suffix, "Give feather, parquet, csv or json, also gzipped."
    )


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def _named(path: Path, frame: pl.DataFrame) -> Table | pl.DataFrame:
    trades = trades_by_name(frame)
    return Table(by_name(path, frame), "named") if trades is None else trades


def _from_csv(path: Path, content: bytes, layout: str | None) -> Table | pl.DataFrame:
    """With a header, if the first row holds a word; else by place."""
    first = content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    if any(_is_word(cell) for cell in first[1:]):
        return _named(path, pl.read_csv(io.BytesIO(content), infer_schema_length=None))
    frame = pl.read_csv(io.BytesIO(content), has_header=False, infer_schema_length=None)
    if frame.width == 3 and layout in (None, "trades"):
        return frame.rename(dict(zip(frame.columns, TRADE_COLUMNS, strict=True)))
    chosen = layout or "by place"
    return Table(by_place(path, frame, layout, frame.width), chosen)


def _is_word(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return bool(cell.strip())
    return False


def _from_json(path: Path, data: Any, layout: str | None) -> Table | pl.DataFrame:
    if isinstance(data, dict) and isinstance(data.get("result"), dict):
        return _from_kraken(path, data["result"])
    if isinstance(data, dict) and isinstance(data.get("history"), list):
        ticker = str(data.get("ticker", path.stem))
        return Table(by_name(path, pl.DataFrame(data["history"], infer_schema_length=None)), "named", share_of(ticker))
    if not isinstance(data, list) or not data:
        refuse(path, "this JSON holds no list of bars", str(type(data).__name__))
    if isinstance(data[0], dict):
        if {"O", "H", "L", "C", "T"} <= data[0].keys():
            return Table(by_name(path, pl.DataFrame(data, infer_schema_length=None)), "bittrex", source="bittrex")
        return _named(path, pl.DataFrame(data, infer_schema_length=None))
    widths = {len(row) for row in data if isinstance(row, list)}
    if len(widths) != 1 or not all(isinstance(row, list) for row in data):
        refuse(path, "rows differ in their length", sorted(widths))
    width = widths.pop()
    if width == 7 and data[0][3] in ("buy", "sell"):  # freqtrade's trades: time, id, type, side, price, amount, cost
        return pl.DataFrame([{"time": row[0], "price": row[4], "amount": row[5]} for row in data])
    table = by_place(path, data, layout, width)
    source = layout if layout in ("kraken", "bitfinex", "coinbase") else "binance" if width == 12 else None
    return Table(table, layout or "by place", source=source)


def _from_kraken(path: Path, result: dict[str, Any]) -> Table | pl.DataFrame:
    """An OHLC answer: its last row still runs, `last` is the opening of the row before. Or an answer of trades."""
    markets = [name for name in result if name != "last"]
    if len(markets) != 1 or not isinstance(result[markets[0]], list) or not result[markets[0]]:
        refuse(path, "the answer does not hold the rows of one market", markets)
    rows = result[markets[0]]
    if isinstance(rows[0][0], str):  # price, volume, time, ...
        return pl.DataFrame([{"time": float(row[2]), "price": row[0], "amount": row[1]} for row in rows])
    table = by_place(path, rows, "kraken", len(rows[0]))
    last = result.get("last")
    until_ms = int(last) * 1000 if isinstance(last, int | str) and str(last).isdigit() else None
    return Table(table, "kraken", pair_of(markets[0]), "kraken", until_ms)
