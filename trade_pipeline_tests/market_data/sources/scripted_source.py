"""A source that answers from a frame and fails as it is told; a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.errors import SymbolUnknown, VenueError, VenueUnavailable
from trade_pipeline.schemas import frames
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline_tests.market_data.frames_of import START, bars


class Time:
    """A wall clock and a monotonic one that move together, by hand."""

    def __init__(self) -> None:
        self.moment = START + timedelta(minutes=30)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - START).total_seconds()

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class ScriptedSource:
    """Thirty minutes of two symbols; `broken` symbols fail, `unlisted` ones are not known, `down` fails whole;
    `makes` is what becomes of an answer on its way."""

    def __init__(self, name: str, time: Time, *, factor: float = 1.0) -> None:
        self.name = name
        self.time = time
        self.rows = bars(31).with_columns(pl.lit(name).alias("source"), pl.col("close") * factor)
        self.broken: set[str] = set()
        self.unlisted: set[str] = set()
        self.down: Exception | None = None
        self.makes: Callable[[BarsAnswer], BarsAnswer] = lambda answer: answer
        self.asked: list[list[str]] = []
        self.patience_s: list[float | None] = []

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        patience_s: float | None = None,
    ) -> BarsAnswer:
        self.asked.append(list(symbols))
        self.patience_s.append(patience_s)
        if self.down is not None:
            raise self.down
        errors: dict[str, VenueError] = {name: VenueUnavailable("no", thing=name) for name in self.broken & {*symbols}}
        errors |= {name: SymbolUnknown("not listed", thing=name) for name in self.unlisted & {*symbols}}
        parts = [self._rows_of(name, since, until, limit) for name in symbols if name not in errors]
        return self.makes(BarsAnswer(pl.concat([frames.empty(frames.BARS), *parts]), errors))

    def _rows_of(
        self,
        symbol: str,
        since: Mapping[str, datetime] | datetime | None,
        until: datetime | None,
        limit: int | None,
    ) -> pl.DataFrame:
        start = since.get(symbol) if isinstance(since, Mapping) else since
        rows = self.rows.filter((pl.col("symbol") == symbol) & (pl.col("open_time") <= self.time.now()))
        if until is not None:
            rows = rows.filter(pl.col("open_time") < until)
        if start is not None:
            return rows.filter(pl.col("open_time") >= start).head(limit or 1000)
        return rows.tail(limit or 1000)

    def server_time(self) -> datetime:
        if self.down is not None:
            raise self.down
        return self.time.now() + timedelta(seconds=2)

    def markets(self) -> dict[str, MarketRules]:
        return {}

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        return {}

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        return frames.empty(frames.DAY_TICKERS)

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        return {}

    def close(self) -> None:
        return
