"""Takes recorded bars onto the simulated exchange's grid and refuses what is not sound.

How files are read stands in `recorded`: any layout that is known there can be played. What is asked here beyond that:
bars in order, each once, with prices and volumes that a market could have. Every refusal names the file, the value and
what repairs it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.candles import INTERVALS
from trade_pipeline.exchange.market.noise import Floats, Ints
from trade_pipeline.recorded.names import named, source_of
from trade_pipeline.recorded.reading import bars_from_trades, read_recorded
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades

_SUFFIXES = (".feather", ".arrow", ".ipc", ".parquet", ".csv", ".json", ".csv.gz", ".json.gz", ".zip")
_VALUE_NAMES = ("open", "high", "low", "close", "volume")
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
    """All symbols of a file, or of a folder's timeframe that most files have. Raises ReplayFileError."""
    if not path.exists():
        _refuse(path, "there is no such file or folder", None, "Name an existing one with --replay.")
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if _is_traded(file))
    if not files:
        _refuse(path, "the folder holds no feather, parquet, csv or json file", None, _REPAIR)
    lengths = [(_said(file), file) for file in files]
    minutes = _timeframe([length for length, _ in lengths])
    chosen = [_opened(file) for length, file in lengths if length == minutes]
    return {recorded.symbol: _read(recorded) for recorded in chosen}


def fingerprint(recordings: Mapping[str, Recording]) -> str:
    """16 hex characters over every bar: two recordings with the same one play the same market."""
    digest = hashlib.blake2b(digest_size=8)
    for symbol, recording in sorted(recordings.items()):
        digest.update(symbol.encode())
        for column in (recording.times_ms, recording.open, recording.high, recording.low, recording.close):
            digest.update(column.tobytes())
        digest.update(recording.volume.tobytes())
    return digest.hexdigest()


def _is_traded(file: Path) -> bool:
    """Whether a file of a folder may be played: beside candles some folders hold funding and computed prices."""
    computed = source_of(file).endswith(("-mark", "-index"))
    return file.name.endswith(_SUFFIXES) and named(file).no_bars is None and not computed


def _said(file: Path) -> int:
    """Minutes a bar, from the file's name or else from what is in it."""
    seconds = named(file).bar_length_s or _opened(file).bar_length_s
    if seconds % 60 or seconds // 60 not in INTERVALS.values():
        _refuse(file, "the exchange has no candles of this length", f"{seconds} s", _REPAIR)
    return seconds // 60


def _timeframe(lengths: list[int]) -> int:
    """The timeframe that most files have; of several, the finest."""
    counts = Counter(lengths)
    return min(counts, key=lambda length: (-counts[length], length))


def _opened(file: Path) -> RecordedBars:
    recorded = read_recorded(file)
    return bars_from_trades(recorded) if isinstance(recorded, RecordedTrades) else recorded


def _read(recorded: RecordedBars) -> Recording:
    file, bars = recorded.path, recorded.bars
    if bars.height < _ROWS_MIN:
        _refuse(file, "fewer than two bars", bars.height, "Give a longer recording.")
    times = np.asarray(bars["open_time"].dt.timestamp("ms").to_numpy(), dtype=np.int64)
    values = {name: np.asarray(bars[name].to_numpy(), dtype=np.float64) for name in _VALUE_NAMES}
    _check(file, times, values, recorded.bar_length_s * 1000)
    spec = _spec(recorded.symbol, values)
    price, lot = 10.0**spec.price_decimals, 10.0**spec.amount_decimals
    ticks = {name: np.rint(values[name] * price).astype(np.int64) for name in ("open", "high", "low", "close")}
    volume = np.rint(values["volume"] * lot).astype(np.int64)
    return Recording(spec, recorded.bar_length_s * 1000, times, **ticks, volume=volume)


def _check(file: Path, times: Ints, values: dict[str, Floats], bar_ms: int) -> None:
    steps = np.diff(times)
    for name, numbers in values.items():
        if not np.isfinite(numbers).all():
            row = int((~np.isfinite(numbers)).argmax())
            _refuse(file, f"the column {name} has no number in row {row}", None, "Remove or fill that row.")
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
