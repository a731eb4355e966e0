"""What is kept of earlier answers, so that a failing source does not leave nothing.

Only final rows are kept: those that had a successor in their answer. The newest row of an answer may still change,
and a decision that read it twice from here would take it for settled (TRADING rule 19).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from trade_pipeline.schemas import frames

MERGE_AFTER_FRAMES = 16
"""Answers that are collected before they are merged: a read must not pay for a merge that nobody may need."""
_COLUMNS = {**frames.BARS, "fetched_at": frames.UTC_MS, "rank": pl.Int32()}


@dataclass(frozen=True, slots=True)
class Kept:
    """Final bars of one symbol, in order. `fetched_at` is when its source last answered."""

    frame: pl.DataFrame
    fetched_at: datetime

    @property
    def source(self) -> str:
        return str(self.frame.item(-1, "source"))


class KeptBars:
    """The newest final bars of every symbol, at most `bars_max` of each. Safe from any thread."""

    def __init__(self, bars_max: int) -> None:
        self._bars_max = bars_max
        self._lock = threading.Lock()
        self._merged = frames.empty(_COLUMNS)
        self._new: list[pl.DataFrame] = []
        self._fetched_at: dict[str, datetime] = {}

    def put(self, answer: pl.DataFrame, fetched_at: datetime, rank: int) -> None:
        """Keep the final rows of an answer. `rank` is its source's place in the cascade: a lower one replaces."""
        newest = pl.col("open_time").max().over("symbol")
        # Two rows for one minute: which of them is true is not for a cache to say.
        doubled = pl.struct(frames.BAR_KEY).is_duplicated().any().over("symbol")
        final = answer.filter((pl.col("open_time") < newest) & ~doubled)
        stamped = final.with_columns(
            frames.moment(fetched_at).alias("fetched_at"), pl.lit(rank, dtype=pl.Int32).alias("rank")
        )
        symbols = final.get_column("symbol").unique().to_list()
        with self._lock:
            self._new.append(stamped.select(list(_COLUMNS)))
            self._fetched_at |= dict.fromkeys(symbols, fetched_at)
            if len(self._new) > MERGE_AFTER_FRAMES:
                self._merge()

    def seed(self, stored: pl.DataFrame) -> None:
        """Keep stored bars of symbols of which nothing is kept yet: a process that has just begun knows its lake.

        When they were fetched is not asked: they count as old as their last bar is.
        """
        with self._lock:
            known = list(self._fetched_at)
        fresh = stored.filter(~pl.col("symbol").is_in(known)) if known else stored
        for part in fresh.partition_by("symbol"):
            newest = part.get_column("close_time").max()
            assert isinstance(newest, datetime)
            self.put(part.sort("open_time").tail(self._bars_max).select(list(frames.BARS)), newest, 0)

    def get(self, symbols: Sequence[str]) -> dict[str, Kept]:
        """What is kept of these symbols; nothing of a symbol that is not known."""
        with self._lock:
            self._merge()
            rows = self._merged.filter(pl.col("symbol").is_in(list(symbols))).select(list(frames.BARS))
            parts = rows.partition_by("symbol", as_dict=True)
            return {str(key[0]): Kept(part, self._fetched_at[str(key[0])]) for key, part in parts.items()}

    def _merge(self) -> None:
        if not self._new:
            return
        ordered = pl.concat([self._merged, *self._new]).sort(
            "symbol", "open_time", pl.col("rank") * -1, "fetched_at", maintain_order=True
        )
        newest_of_each = ordered.unique(subset=frames.BAR_KEY, keep="last", maintain_order=True)
        self._merged = newest_of_each.group_by("symbol", maintain_order=True).tail(self._bars_max)
        self._new = []
