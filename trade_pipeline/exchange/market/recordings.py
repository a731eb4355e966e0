"""Reads recorded bars from feather, parquet or csv files and refuses what is not sound.

Columns: date (or time, timestamp, open_time), open, high, low, close, volume; the file's name says symbol and
timeframe: BTC_USDT-5m.feather. Every refusal names the file, the value and what repairs it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.candles import INTERVALS
from trade_pipeline.exchange.market.noise import Floats, Ints

_NAME = re.compile(r"^([A-Z0-9]{1,20})_([A-Z0-9]{2,10})-(\d+[mhdw])$")
_SUFFIXES = {".feather", ".arrow", ".ipc", ".parquet", ".csv"}
_TIME_NAMES = ("date", "time", "timestamp", "open_time")
_VALUE_NAMES = ("open", "high", "low", "close", "volume")
_IGNORED_NAMES = {"quote_volume", "trades", "close_time", "symbol"}
_REPAIR = "Give files named like BTC_USDT-5m.feather with the columns date, open, high, low, close, volume."
_ROWS_MIN = 2


@dataclass(frozen=True, slots=True)
class Recording:
    """One symbol's bars on its derived grid: times in ms, prices in ticks, volume in lots."""

    spec: SymbolSpec
    bar_ms: int
    times_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints


def read_recordings(path: Path) -> dict[str, Recording]:
    """All symbols of a file or of a folder's finest timeframe that most symbols have. Raises ReplayFileError."""
    if not path.exists():
        _refuse(path, "there is no such file or folder", None, "Name an existing one with --replay.")
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES)
    if not files:
        _refuse(path, "the folder holds no feather, parquet or csv file", None, _REPAIR)
    named = [(_named(file), file) for file in files]
    minutes = _timeframe([(symbol, length) for (symbol, length), _ in named])
    return {symbol: _read(file, symbol, length) for (symbol, length), file in named if length == minutes}


def fingerprint(recordings: Mapping[str, Recording]) -> str:
    """16 hex characters over every bar: two recordings with the same one play the same market."""
    digest = hashlib.blake2b(digest_size=8)
    for symbol, recording in sorted(recordings.items()):
        digest.update(symbol.encode())
        for column in (recording.times_ms, recording.open, recording.high, recording.low, recording.close):
            digest.update(column.tobytes())
        digest.update(recording.volume.tobytes())
    return digest.hexdigest()


def _named(file: Path) -> tuple[str, int]:
    """Symbol and minutes a bar, from the file's name."""
    found = _NAME.match(file.stem)
    if file.suffix not in _SUFFIXES or found is None or found.group(3) not in INTERVALS:
        _refuse(file, "the name does not say symbol and timeframe", file.name, _REPAIR)
    return f"{found.group(1)}/{found.group(2)}", INTERVALS[found.group(3)]


def _timeframe(named: list[tuple[str, int]]) -> int:
    """The timeframe that most symbols have; of several, the finest."""
    counts = Counter(length for _, length in named)
    return min(counts, key=lambda length: (-counts[length], length))


def _read(file: Path, symbol: str, length_minutes: int) -> Recording:
    frame = _frame(file)
    times = _times(file, frame)
    values = {name: _numbers(file, frame, name) for name in _VALUE_NAMES}
    _check(file, times, values, length_minutes * 60_000)
    spec = _spec(symbol, values)
    price, lot = 10.0**spec.price_decimals, 10.0**spec.amount_decimals
    ticks = {name: np.rint(values[name] * price).astype(np.int64) for name in ("open", "high", "low", "close")}
    volume = np.rint(values["volume"] * lot).astype(np.int64)
    return Recording(spec, length_minutes * 60_000, times, **ticks, volume=volume)


def _frame(file: Path) -> pl.DataFrame:
    try:
        if file.suffix == ".csv":
            frame = pl.read_csv(file)
        elif file.suffix == ".parquet":
            frame = pl.read_parquet(file)
        else:
            frame = pl.read_ipc(file)
    # polars raises exceptions of many kinds for a file that it cannot read, also from Rust.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise ReplayFileError(
            f"the file cannot be read ({reason})", thing=str(file), repair="Copy it again: it is corrupt or cut off."
        ) from error
    unknown = set(frame.columns) - set(_TIME_NAMES) - set(_VALUE_NAMES) - _IGNORED_NAMES
    missing = set(_VALUE_NAMES) - set(frame.columns)
    if unknown or missing:
        what = f"columns missing: {sorted(missing)}" if missing else f"unknown columns: {sorted(unknown)}"
        _refuse(file, what, frame.columns, _REPAIR)
    if frame.height < _ROWS_MIN:
        _refuse(file, "fewer than two bars", frame.height, "Give a longer recording.")
    return frame


def _times(file: Path, frame: pl.DataFrame) -> Ints:
    """Opening times in ms UTC; integers are taken as seconds or milliseconds by their size."""
    name = next((name for name in _TIME_NAMES if name in frame.columns), None)
    if name is None:
        _refuse(file, "no column of times", frame.columns, _REPAIR)
    column = frame[name]
    try:
        if column.dtype == pl.String:
            # One zone for all: text without a zone is UTC.
            column = column.str.to_datetime(time_unit="ms", time_zone="UTC", strict=True)
        if isinstance(column.dtype, pl.Datetime):
            return np.asarray(column.dt.timestamp("ms").cast(pl.Int64).to_numpy(), dtype=np.int64)
        if column.dtype.is_integer():
            values = np.asarray(column.to_numpy(), dtype=np.int64)
            return values * 1000 if int(values.max()) < 10**11 else values
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ReplayFileError(
            f"the column {name} holds no times", thing=str(file), value=str(column[0]), repair=_REPAIR
        ) from error
    return _refuse(file, f"the column {name} holds no times", str(column.dtype), _REPAIR)


def _numbers(file: Path, frame: pl.DataFrame, name: str) -> Floats:
    column = frame[name]
    if not column.dtype.is_numeric():
        _refuse(file, f"the column {name} holds no numbers", str(column[0]), _REPAIR)
    values = np.asarray(column.cast(pl.Float64).to_numpy(), dtype=np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        _refuse(file, f"the column {name} has no number in row {int(wrong.argmax())}", None, "Remove or fill that row.")
    return values


def _check(file: Path, times: Ints, values: dict[str, Floats], bar_ms: int) -> None:
    steps = np.diff(times)
    rules = (
        (np.concatenate([[False], steps <= 0]), "times do not grow", times, "Sort the bars and remove duplicates."),
        ((times - times[0]) % bar_ms != 0, "a time is off the timeframe", times, "Name the file by its timeframe."),
        (values["high"] < values["low"], "high is below low", values["high"], "Correct or remove that row."),
        (
            (values["high"] < np.maximum(values["open"], values["close"]))
            | (values["low"] > np.minimum(values["open"], values["close"])),
            "high and low do not enclose open and close", values["high"], "Correct or remove that row.",
        ),
        (values["low"] <= 0, "a price is not positive", values["low"], "Correct or remove that row."),
        (values["volume"] < 0, "a volume is negative", values["volume"], "Correct or remove that row."),
    )  # fmt: skip
    for broken, what, column, repair in rules:
        if broken.any():
            row = int(broken.argmax())
            _refuse(file, f"{what} in row {row}", column[row].item(), repair)


def _spec(symbol: str, values: dict[str, Floats]) -> SymbolSpec:
    """The grid is that of the record: as many decimals as prices and volumes have, together at most eight."""
    prices = np.concatenate([values[name] for name in ("open", "high", "low", "close")])
    price_decimals = min(8, max(1, _decimals(prices)))
    amount_decimals = min(_decimals(values["volume"]), 8 - price_decimals)
    return SymbolSpec(symbol, price_decimals, amount_decimals)


def _decimals(values: Floats) -> int:
    for decimals in range(9):
        scaled = values * 10.0**decimals
        if np.allclose(scaled, np.rint(scaled), rtol=1e-12, atol=1e-6):
            return decimals
    return 8


def _refuse(thing: Path, message: str, value: object, repair: str) -> NoReturn:
    raise ReplayFileError(message, thing=str(thing), value=value, repair=repair)
