"""The same bars from a second source, read beside the first one's so that a decision waits for neither longer.

What is read here is never traded on: it is what the first source's closes are held against. Whether they agree is
for the quality rules to say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.errors import VenueError
from trade_pipeline.market_data.sources.cascade import Cascade
from trade_pipeline.schemas import frames
from trade_pipeline.settings.root import Settings

LOGGER = logging.getLogger(__name__)

COMPARED_BARS = timedelta(minutes=5)
"""How far back a read goes: what one read has missed the next one still finds."""
COMPARED_BARS_MAX = timedelta(minutes=900)
"""How far it goes at most, for bars that did not agree: one answer has to reach to the newest bar."""


class Reference:
    """One reading of the second source for the bar that closes at `as_of`; nothing where there is no such source."""

    def __init__(
        self,
        cascade: Cascade,
        settings: Settings,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cascade, self._settings = cascade, settings
        self._now, self._sleep = now, sleep
        self._reading: Future[pl.DataFrame] | None = None

    def begin(self, symbols: Sequence[str], as_of: datetime, doubted: pl.DataFrame) -> None:
        """Start reading on a thread of its own, once the bar is settled.

        `doubted` holds keys of bars on which the sources did not agree: from the first one on they are read again,
        because it may have been the second source that was wrong.
        """
        if len(self._cascade.sources) < 2 or not self._settings.sources.cross_checked:
            return
        threads = ThreadPoolExecutor(1, thread_name_prefix="reference")
        self._reading = threads.submit(self._read, self._since(symbols, as_of, doubted), as_of)
        threads.shutdown(wait=False)

    def bars(self) -> pl.DataFrame | None:
        """A BARS frame of closed bars, each key once. None where nothing was asked, or the source is not in time:
        a source that only compares holds up nobody."""
        if self._reading is None:
            return None
        try:
            return self._reading.result(timeout=self._settings.sources.patience_s)
        except OutOfTime:
            self._reading.cancel()
        # Whatever the second source does wrong, the first one's bars are decided on.
        except Exception as error:
            LOGGER.warning("no second source to compare with: %s", error)
        return None

    def _since(self, symbols: Sequence[str], as_of: datetime, doubted: pl.DataFrame) -> dict[str, datetime]:
        oldest: dict[str, datetime] = dict(doubted.group_by("symbol").agg(pl.col("open_time").min()).iter_rows())
        usual = as_of - COMPARED_BARS
        return {name: max(min(oldest.get(name, usual), usual), as_of - COMPARED_BARS_MAX) for name in symbols}

    def _read(self, since: dict[str, datetime], as_of: datetime) -> pl.DataFrame:
        settled_at = as_of + timedelta(milliseconds=self._settings.market.settle_ms)
        self._sleep(max((settled_at - self._now()).total_seconds(), 0.0))
        source = self._cascade.sources[1]
        breaker = self._cascade.breakers[source.name]
        wanted = breaker.admitted(list(since))
        if not wanted:
            return frames.empty(frames.BARS)
        patience_s = self._settings.sources.patience_s
        try:
            answer = source.fetch_bars(
                wanted, {name: since[name] for name in wanted}, None, None, patience_s=patience_s
            )
        except VenueError:
            breaker.record((), wanted)
            raise
        breaker.record_answer(wanted, answer.errors)
        return answer.frame.filter(pl.col("close_time") <= as_of).unique(frames.BAR_KEY, keep="none")
