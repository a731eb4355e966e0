"""What a reader asked for, how far it has come, and which rows of an answer or of what is kept are that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.errors import VenueError
from trade_pipeline.market_data.sources.figures import Count
from trade_pipeline.market_data.sources.kept import Kept
from trade_pipeline.market_data.sources.protocol import Provenance
from trade_pipeline.schemas import frames

BAR_LENGTH = timedelta(minutes=1)

Since = Mapping[str, datetime] | datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One batch as it was asked for."""

    since: Since
    until: datetime | None
    limit: int | None
    patience_s: float = 1.0
    hurried: bool = True

    def start_of(self, symbol: str) -> datetime | None:
        return self.since.get(symbol) if isinstance(self.since, Mapping) else self.since


@dataclass
class Batch:
    """How far one read has come. `failed` holds why each source did not answer a symbol, in order."""

    pending: list[str]
    parts: list[pl.DataFrame] = field(default_factory=list)
    provenance: dict[str, Provenance] = field(default_factory=dict)
    errors: dict[str, VenueError] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    counts: list[Count] = field(default_factory=list)
    changes: list[tuple[str, str]] = field(default_factory=list)

    def give_up(self, symbol: str, source: str, why: str) -> None:
        self.failed.setdefault(symbol, []).append(f"{source}: {why}")


def from_start(frame: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """The rows that were asked for, without those read to compare, in their order."""
    if asked.since is None:
        return frame
    if not isinstance(asked.since, Mapping):
        return frame.filter(pl.col("open_time") >= asked.since)
    starts = pl.DataFrame(
        {"symbol": list(asked.since), "start": list(asked.since.values())},
        schema={"symbol": pl.String(), "start": frames.UTC_MS},
    )
    joined = frame.join(starts, on="symbol", how="left", maintain_order="left")
    return joined.filter(pl.col("start").is_null() | (pl.col("open_time") >= pl.col("start"))).drop("start")


def covering(entry: Kept, asked: Asked, symbol: str) -> pl.DataFrame | None:
    """The kept rows of a request, None where they are only a part of it: a hole would pass for history."""
    frame, start = entry.frame, asked.start_of(symbol)
    if start is not None:
        first = frame.get_column("open_time").min()
        assert isinstance(first, datetime)
        if first - start >= BAR_LENGTH:
            return None
        frame = frame.filter(pl.col("open_time") >= start)
    if asked.until is not None:
        last = entry.frame.get_column("close_time").max()
        assert isinstance(last, datetime)
        if last < asked.until:
            return None
        frame = frame.filter(pl.col("open_time") < asked.until)
    if asked.limit is None:
        return frame
    return frame.head(asked.limit) if start is not None else frame.tail(asked.limit)
