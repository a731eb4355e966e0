"""Bars of one symbol as integer columns by minute, and the protocol of whoever has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.noise import Ints

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Bars:
    """Consecutive minutes. Prices in ticks, volume in lots, trades a count; `present` is False where the record
    has no bar for the minute (the other columns are 0 there)."""

    minutes: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    trades: Ints
    present: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.minutes)

    def between(self, first: int, last: int) -> Bars:
        """Rows of minutes first..last, both inclusive, as far as they are there."""
        if not len(self):
            return self
        start = int(self.minutes[0])
        cut = slice(max(0, first - start), max(0, last - start + 1))
        return Bars(
            self.minutes[cut], self.open[cut], self.high[cut], self.low[cut], self.close[cut], self.volume[cut],
            self.trades[cut], self.present[cut],
        )  # fmt: skip


def joined(parts: Sequence[Bars]) -> Bars:
    """Bars of several symbols after each other, for what looks at each bar alone: `between` knows no symbols."""
    return Bars(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Bars)))


class BarSource(Protocol):
    """Bars by minute since the epoch, the whole of what will ever be known of a minute. Only `Market` asks, and
    shows of a minute no more than has happened."""

    specs: dict[str, SymbolSpec]

    def bars(self, symbol: str, first: int, last: int) -> Bars:
        """Minutes first..last, both inclusive, as far as the source has them."""
        ...

    def span(self, symbol: str) -> tuple[int, int | None]:
        """First minute of the symbol, and its last one (None: it never ends)."""
        ...

    def spread_bps(self, symbol: str) -> float: ...
