"""Asks one source after the other, per symbol: primary, secondaries, what is kept, and then a typed error.

A cascade is a venue of public data itself, so that whoever reads bars need not know how many sources there are.
Which rows are final is decided by `fetch`, whether they are good by the quality rules.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import polars as pl

from trade_pipeline.errors import (
    KeptBarsTooOld,
    MalformedAnswer,
    SourcesFailed,
    SymbolUnknown,
    VenueError,
)
from trade_pipeline.market_data.sources.asked import Asked, Batch, Since, covering, from_start
from trade_pipeline.market_data.sources.believed import asked_for, believed
from trade_pipeline.market_data.sources.breaker import BreakerPhase, SourceBreaker
from trade_pipeline.market_data.sources.figures import ANSWERED, Count, Figures
from trade_pipeline.market_data.sources.kept import KeptBars
from trade_pipeline.market_data.sources.protocol import BarSource, Provenance, SourcedBars, Tier
from trade_pipeline.market_data.sources.unhurried import Unhurried
from trade_pipeline.schemas import frames
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.venues.protocols import BarsAnswer, MarketDataVenue

LOGGER = logging.getLogger(__name__)

CASCADE = "(whole cascade)"
"""Under this name the figures count what readers got in the end, whoever answered."""
TIME = "(time)"
"""Under this name breakers count a clock that was not told."""
COMPARED_BARS = timedelta(minutes=5)
"""How far before the wanted start a secondary is read, so that there is something to compare."""
RECENT = timedelta(hours=1)
"""A read from before that is one of history, also where it ends now."""
OFFSET_AGE_S = 150.0
"""How long an exchange's time is carried on without asking; warming asks every minute."""
OFFSET_AGE_S_MAX = 3600.0


class Cascade:
    """The sources of one stack in their order. Safe from any thread as far as its sources are."""

    def __init__(
        self,
        sources: Sequence[BarSource],
        settings: SourceSettings,
        *,
        figures: Figures | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """The first source is the exchange that is traded on: only its rules, prices and symbols count."""
        assert sources, "a cascade needs a source"
        self.sources = tuple(sources)
        self.breakers = {source.name: SourceBreaker(settings, monotonic) for source in sources}
        self.kept = KeptBars(settings.kept_bars)
        self._settings = settings
        self._figures = figures
        self._now = now
        self._monotonic = monotonic
        self._told_time: tuple[float, datetime] | None = None

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Since = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        patience_s: float | None = None,
        hurried: bool = True,
    ) -> SourcedBars:
        """Bars as `MarketDataVenue.fetch_bars`, each symbol from the first source that has it. Raises nothing.

        A source is waited for as long as the settings say of what has just closed, `patience_s` where it is given, and
        by its own limits where the read is not `hurried`. A symbol of `errors` has SymbolUnknown (the first source does
        not list it), KeptBarsTooOld, or SourcesFailed.
        """
        began = self._monotonic()
        batch = Batch(list(dict.fromkeys(symbols)))
        asked = Asked(since, until, limit, patience_s or self._settings.patience_s, hurried)
        for rank, source in enumerate(self.sources):
            if batch.pending:
                self._ask(source, rank, asked, batch)
        if batch.pending:
            self._from_kept(asked, batch)
        self._count(batch, (self._monotonic() - began) * 1000)
        frame = pl.concat([frames.empty(frames.BARS), *batch.parts])
        return SourcedBars(frame, batch.errors, batch.provenance)

    def server_time(self) -> datetime:
        """The clock of the first source that tells it. Asked anew once OFFSET_AGE_S is over, else carried on.

        A source that hangs must not hold up a decision only to tell the time: warming has asked it shortly before.
        Raises VenueError where nobody has told it for OFFSET_AGE_S_MAX.
        """
        known = self._told_time
        if known is not None and self._monotonic() - known[0] <= OFFSET_AGE_S:
            return self._carried_on(known)
        try:
            return self.read_time()
        except VenueError:
            if known is not None and self._monotonic() - known[0] <= OFFSET_AGE_S_MAX:
                return self._carried_on(known)
            raise

    def read_time(self) -> datetime:
        """Ask for the time now. Raises VenueError where no source tells it."""
        last: VenueError | None = None
        for source in self.sources:
            breaker = self.breakers[source.name]
            if breaker.phase is BreakerPhase.OPEN and len(self.sources) > 1:
                continue
            try:
                told = source.server_time()
            except VenueError as error:
                breaker.record((), (TIME,))
                last = error
                continue
            self._told_time = (self._monotonic(), told)
            return told
        raise last or SourcesFailed("no source tells the time", thing=self.sources[0].name)

    def _carried_on(self, known: tuple[float, datetime]) -> datetime:
        """By the monotonic clock: ours may be set in between."""
        return known[1] + timedelta(seconds=self._monotonic() - known[0])

    def markets(self) -> dict[str, MarketRules]:
        """Of the first source alone: orders are made by its rules."""
        return self.sources[0].markets()

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        """Of the first source alone: orders meet its book."""
        return self.sources[0].book_tops(symbols)

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        """Of the first source alone: what is scanned is what can be traded."""
        return self.sources[0].day_tickers(symbols)

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        """Of the first source alone."""
        return self.sources[0].listed_at(symbols)

    def remember(self, stored: pl.DataFrame) -> None:
        """Stored bars of symbols that this process has not read yet, so that it can judge a secondary by them."""
        self.kept.seed(stored)

    def unhurried(self) -> MarketDataVenue:
        """The same sources for history: to give one up would leave a hole that no other one is believed to fill."""
        return Unhurried(self.fetch_bars, self)

    def warm(self, symbols: Sequence[str], bars: int, patience_s: float) -> None:
        """Make every source ready for the next read and keep the newest bars, waiting for each source `patience_s`.

        Raises nothing of a source's failures.
        """
        for source in self.sources:
            if self.breakers[source.name].phase is BreakerPhase.OPEN:
                continue
            with suppress(VenueError):
                source.markets()
        with suppress(VenueError):
            self.read_time()
        self.fetch_bars(symbols, limit=bars, patience_s=patience_s)

    def close(self) -> None:
        for source in self.sources:
            source.close()

    def _ask(self, source: BarSource, rank: int, asked: Asked, batch: Batch) -> None:
        """Ask one source for what is pending, and take what it has."""
        breaker = self.breakers[source.name]
        # A breaker chooses between sources: an only one is asked as often as its reader wants.
        wanted = breaker.admitted(batch.pending) if len(self.sources) > 1 else batch.pending
        for symbol in [symbol for symbol in batch.pending if symbol not in wanted]:
            batch.give_up(symbol, source.name, f"left alone, its breaker is {breaker.phase}")
        if not wanted:
            return
        before, began = breaker.phase, self._monotonic()
        answer = self._answer(source, rank, asked, wanted)
        latency_ms = (self._monotonic() - began) * 1000
        fetched_at = self._now()
        after = breaker.record_answer(wanted, answer.errors)
        if after is not before:
            batch.changes.append((source.name, str(after)))
            LOGGER.warning("the breaker of source %s is %s", source.name, after)
        if rank:
            answer = believed(answer, self.kept, self._settings)
        self.kept.put(answer.frame, fetched_at, rank)
        self._take(source, rank, answer, batch, wanted, latency_ms, fetched_at, asked)

    def _answer(self, source: BarSource, rank: int, asked: Asked, wanted: list[str]) -> BarsAnswer:
        """What the source says; a failure of the whole source is one of each symbol."""
        since: Since = asked.since
        if rank:
            starts = {symbol: asked.start_of(symbol) for symbol in wanted}
            since = {symbol: start - COMPARED_BARS for symbol, start in starts.items() if start is not None}
        try:
            answer = source.fetch_bars(
                wanted, since or None, asked.until, asked.limit, patience_s=self._patience_s(asked, wanted)
            )
            now = None if self._told_time is None else self._carried_on(self._told_time)
            return asked_for(answer, wanted, now)
        except VenueError as error:
            return BarsAnswer(frames.empty(frames.BARS), dict.fromkeys(wanted, error))
        # Whatever a source does wrong, the others still answer; the log has where it happened.
        except Exception as error:
            LOGGER.exception("source %s failed in a way that nobody foresaw", source.name)
            unread = MalformedAnswer(f"the source failed: {type(error).__name__}", thing=source.name)
            return BarsAnswer(frames.empty(frames.BARS), dict.fromkeys(wanted, unread))

    def _patience_s(self, asked: Asked, wanted: list[str]) -> float | None:
        """What has just closed has to be there within the decision's limit, if another source can be asked instead.

        A long span takes its time, and an only source has its own limits: giving it up would gain nothing.
        """
        if len(self.sources) == 1 or asked.until is not None or not asked.hurried:
            return None
        oldest = min((start for symbol in wanted if (start := asked.start_of(symbol)) is not None), default=None)
        is_long = oldest is not None and oldest < self._now() - RECENT
        return None if is_long else asked.patience_s

    def _take(
        self,
        source: BarSource,
        rank: int,
        answer: BarsAnswer,
        batch: Batch,
        wanted: list[str],
        latency_ms: float,
        fetched_at: datetime,
        asked: Asked,
    ) -> None:
        for symbol in wanted:
            error = answer.errors.get(symbol)
            outcome = type(error).__name__ if error else ANSWERED
            batch.counts.append(Count(source.name, outcome, latency_ms))
            if error is None:
                tier = Tier.SECONDARY if rank else Tier.PRIMARY
                failed = tuple(batch.failed.get(symbol, ()))
                batch.provenance[symbol] = Provenance(source.name, tier, fetched_at, 0.0, latency_ms, failed)
            elif isinstance(error, SymbolUnknown) and not rank:
                # Another exchange's prices of a symbol that ours has delisted would be traded on.
                batch.errors[symbol] = error
            else:
                batch.give_up(symbol, source.name, error.message)
        batch.parts.append(from_start(answer.frame, asked) if rank else answer.frame)
        batch.pending = [s for s in batch.pending if s not in batch.provenance and s not in batch.errors]

    def _from_kept(self, asked: Asked, batch: Batch) -> None:
        """What is kept of the symbols that no source answered, marked by age; beyond it a typed error."""
        now, kept = self._now(), self.kept.get(batch.pending)
        for symbol in batch.pending:
            entry, failed = kept.get(symbol), tuple(batch.failed.get(symbol, ()))
            why = "; ".join(failed)
            rows = None if entry is None else covering(entry, asked, symbol)
            if entry is None or rows is None:
                batch.errors[symbol] = SourcesFailed(
                    f"no source answered, and what is kept does not cover it ({why})", thing=symbol
                )
                continue
            age_s = (now - entry.fetched_at).total_seconds()
            if age_s > self._settings.hard_age_s:
                batch.errors[symbol] = KeptBarsTooOld(
                    f"no source answered, and what is kept is too old ({why})", thing=symbol, value=f"{age_s:.0f} s"
                )
                continue
            tier = Tier.FRESH_CACHE if age_s <= self._settings.soft_age_s else Tier.STALE_CACHE
            batch.provenance[symbol] = Provenance(entry.source, tier, entry.fetched_at, age_s, 0.0, failed)
            batch.parts.append(rows)
            batch.counts.append(Count(str(tier), ANSWERED, 0.0))
        batch.pending = []

    def _count(self, batch: Batch, latency_ms: float) -> None:
        if self._figures is None:
            return
        whole = [Count(CASCADE, ANSWERED, latency_ms, len(batch.provenance))]
        whole += [Count(CASCADE, type(error).__name__, latency_ms) for error in batch.errors.values()]
        self._figures.add([*batch.counts, *(row for row in whole if row.count)], batch.changes)
