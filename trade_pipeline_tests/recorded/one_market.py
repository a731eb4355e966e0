"""One small market that every publisher of the tests writes down in its own way, and how it must be read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from trade_pipeline.recorded.reading import read_recorded
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades


@dataclass(frozen=True)
class Row:
    """A bar: its opening as a Unix second, prices, volume in coins and in money, number of trades."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    money: float
    trades: int

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def market(count: int, length_s: int, start: datetime = datetime(2024, 1, 1, tzinfo=UTC)) -> list[Row]:
    """`count` bars of a price that wanders around 40,000, none of them flat."""
    steps = np.random.default_rng(7).normal(0, 0.002, count)
    closes = np.round(40_000 * np.exp(np.cumsum(steps)), 2)
    rows, last = [], 40_000.0
    for number, close in enumerate(closes.tolist()):
        high, low, volume = max(last, close) + 10.5, min(last, close) - 7.25, 1.5 + number % 7
        money = round(volume * (last + close) / 2, 6)
        rows.append(
            Row(int(start.timestamp()) + number * length_s, last, high, low, close, volume, money, 3 + number % 5)
        )
        last = close
    return rows


MINUTES, HOURS, DAYS = market(40, 60), market(48, 3600), market(30, 86_400)


def sheet(header: str, rows: Sequence[Row], cells: Callable[[Row], Sequence[object]], separator: str = ",") -> str:
    """Lines of cells below a header; without one where it is empty."""
    lines = [separator.join(str(cell) for cell in cells(row)) for row in rows]
    return "\n".join([header] * bool(header) + lines) + "\n"


def written(folder: Path, name: str, content: str | bytes | Sequence[object] | Mapping[str, object]) -> Path:
    """The file; lists and objects become JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def bars_in(path: Path, layout: str | None = None) -> RecordedBars:
    recorded = read_recorded(path, layout=layout)
    assert isinstance(recorded, RecordedBars)
    return recorded


def trades_in(path: Path) -> RecordedTrades:
    recorded = read_recorded(path)
    assert isinstance(recorded, RecordedTrades)
    return recorded


def assert_same_bars(recorded: RecordedBars, rows: Sequence[Row], *, money: bool = False, trades: bool = False) -> None:
    """Every value at its place: times, prices and volume, and what else the publisher tells; the rest is null."""
    bars = recorded.bars.sort("open_time")
    assert bars.get_column("open_time").to_list() == [row.time for row in rows]
    for name in ("open", "high", "low", "close", "volume"):
        assert bars.get_column(name).to_list() == [getattr(row, name) for row in rows], name
    assert bars.get_column("quote_volume").to_list() == [row.money if money else None for row in rows]
    assert bars.get_column("trades").to_list() == [row.trades if trades else None for row in rows]


def assert_same_trades(recorded: RecordedTrades, rows: Sequence[Row]) -> None:
    """One trade a row: at its time, its opening price and its volume."""
    assert recorded.trades.select(pl.col("time").dt.truncate("1s"), "price", "amount").rows() == [
        (row.time, row.open, row.volume) for row in rows
    ]
