"""Frames by day, computed when they are asked for: what assets take and return.

A run of one day and a backfill of thirty are the same code: the backfill goes through the days one by one and
holds one of them in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from trade_pipeline.defs.partitions import Window


@dataclass(frozen=True)
class DayFrames:
    """`load(window)` gives the frame of one of `windows`; nothing is kept.

    `notes` is metadata by day that an asset gathers while it computes; the IO manager shows it.
    """

    windows: tuple[Window, ...]
    load: Callable[[Window], pl.DataFrame]
    notes: dict[str, dict[str, object]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Window, pl.DataFrame]]:
        for window in self.windows:
            yield window, self.load(window)

    def map(self, function: Callable[[pl.DataFrame], pl.DataFrame]) -> DayFrames:
        """Apply `function` to every day's frame, when it is asked for."""
        return DayFrames(self.windows, lambda window: function(self.load(window)))

    def map_with(self, other: DayFrames, function: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]) -> DayFrames:
        """Like `map`, with the same day of another input as second argument."""
        return DayFrames(self.windows, lambda window: function(self.load(window), other.load(window)))
