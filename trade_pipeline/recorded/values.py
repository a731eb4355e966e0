"""What reading a recorded file gives, and how a file is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import polars as pl

from trade_pipeline.errors import ReplayFileError

REPAIR = (
    "Give named columns (date, open, high, low, close, volume) in a file named like BTC_USDT-5m.feather, "
    "or name the layout."
)


@dataclass(frozen=True, slots=True)
class RecordedBars:
    """Bars of one symbol as they stand in a file: a BARS frame in the file's order, copies and defects included.

    `as_of` is when the file's maker took them, as far as it shows: the last close, or before it where the answer says
    that its last bar still ran. `sessions`: bars of trading days. `grid_offset_s`: where bars open, see
    `times.grid_offset_s`. `notes` counts what reading found.
    """

    path: Path
    symbol: str
    source: str
    layout: str
    bar_length_s: int
    as_of: datetime
    bars: pl.DataFrame
    sessions: bool = False
    grid_offset_s: int | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedTrades:
    """Trades of one symbol in the order of time: `time` (UTC ms), `price`, `amount` (Float64).

    `rows` were in the file; `repeated` of them repeat a page that overlaps another, `refused` are no trades.
    """

    path: Path
    symbol: str
    source: str
    trades: pl.DataFrame
    rows: int
    repeated: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of a file under our names, not yet in our types: those of bars, or `time`, `price` and `amount`."""

    frame: pl.DataFrame
    layout: str
    symbol: str | None
    source: str
    closed_until_ms: int | None = None
    """Opening of the last bar that is final, where the answer says so."""
    notes: Mapping[str, int] = field(default_factory=dict)


def refuse(path: Path, message: str, value: object = None, repair: str = REPAIR) -> NoReturn:
    """Raises ReplayFileError that names the file."""
    raise ReplayFileError(message, thing=str(path), value=value, repair=repair)
