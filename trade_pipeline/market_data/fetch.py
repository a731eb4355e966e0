"""Fetches bars and decides which of them are final (TRADING rule 19).

Belongs here: paging, waiting for a candle to settle, telling late symbols. Not here: whether a bar is good
(quality), where it is stored (lake), how a request is made (venues).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from trade_pipeline.market_data.doubled import certain, copies_in, together
from trade_pipeline.market_data.holes import Chosen, holes_in
from trade_pipeline.market_data.sources.protocol import Hurried, Provenance, SourcedBars, Tier
from trade_pipeline.schemas import frames
from trade_pipeline.settings.market import MarketSettings

if TYPE_CHECKING:
    from trade_pipeline.venues.protocols import BarsAnswer, MarketDataVenue

PAGE_BARS = 1000
"""Most bars that a venue answers at once."""
REREAD_BARS = 2
"""Bars before the last stored one that are read again, so that a candle revised after a decision is seen."""
POLL_S = 0.1
HISTORY = timedelta(hours=1)
"""A read from before that is one of history, which takes its time."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Final bars, and the symbols whose last bar was not final in time: HOLD for this decision.

    `final_at` is the local time at which the last bar of the first symbol was known to be final, if any was.
    """

    frame: pl.DataFrame
    late: Mapping[str, str] = field(default_factory=dict)
    """Symbol -> why."""
    final_at: datetime | None = None
    reads: int = 0
    provenance: Mapping[str, Provenance] = field(default_factory=dict)
    """Symbol -> where its newest rows came from; empty where the venue is no cascade."""
    doubled: pl.DataFrame = field(default_factory=lambda: frames.empty(frames.DOUBLED_BARS))
    """Rows of times that a source gave more than once: equal ones were merged, others were not taken."""

    @property
    def answered(self) -> list[str]:
        """Symbols of which a source has said something, nothing kept in its place."""
        cached = {Tier.FRESH_CACHE, Tier.STALE_CACHE}
        return [symbol for symbol, origin in self.provenance.items() if origin.tier not in cached]


@dataclass(frozen=True, slots=True)
class Clock:
    """The local clock; a test brings its own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


@dataclass
class _Symbol:
    """How far one symbol has come."""

    since: datetime
    parts: list[pl.DataFrame] = field(default_factory=list)
    doubled: list[pl.DataFrame] = field(default_factory=list)
    last_seen: tuple[object, ...] | None = None
    reason: str = "no answer yet"
    done: bool = False


def fetch_closed(
    venue: MarketDataVenue,
    since: Mapping[str, datetime],
    as_of: datetime,
    settings: MarketSettings,
    clock: Clock = Clock(),
    *,
    first: Sequence[str] = (),
) -> Fetched:
    """Final bars of every symbol of `since` that open at or after its time and are closed by `as_of`.

    The last bar is final once the exchange's clock is past close + settle and either the next row exists or two
    reads agree on volume and trade count. Waits for it until `late_limit_s` after the close, and no longer.
    One symbol's failure is told in `late` and holds up nobody else. Symbols of `first` are asked for before the
    others, so that a slow source or a spent budget meets those that nobody holds.

    Where history is read (the lake holds nothing of a symbol, or it was away for HISTORY), sources are not hurried,
    from the first page to the last bar: a slow machine's first decision would be one without symbols.
    """
    if isinstance(venue, Hurried) and any(start < as_of - HISTORY for start in since.values()):
        venue = venue.unhurried()
    offset = venue.server_time() - clock.now()
    settled_at = as_of + timedelta(milliseconds=settings.settle_ms) - offset
    _wait_until(settled_at, clock)
    deadline = as_of + timedelta(seconds=settings.late_limit_s) - offset
    symbols = {symbol: _Symbol(start) for symbol, start in since.items() if start < as_of}
    reads, final_at = 0, None
    origins: dict[str, Provenance] = {}
    while pending := {name: symbol for name, symbol in symbols.items() if not symbol.done}:
        answer = venue.fetch_bars(
            _in_order(pending, first), {name: symbol.since for name, symbol in pending.items()}, None, PAGE_BARS
        )
        reads += 1
        origins |= _origins(answer)
        by_symbol = _by_symbol(answer.frame)
        paging = [
            _take(symbol, by_symbol.get(name), answer.errors.get(name), as_of) for name, symbol in pending.items()
        ]
        if final_at is None and any(symbol.done for symbol in pending.values()):
            final_at = clock.now()
        if not any(paging) and any(not symbol.done for symbol in pending.values()):
            if clock.now() >= deadline:
                break
            clock.sleep(POLL_S)
    late = {name: symbol.reason for name, symbol in symbols.items() if not symbol.done}
    frame = _concat(part for symbol in symbols.values() for part in symbol.parts)
    doubled = together(part for symbol in symbols.values() for part in symbol.doubled)
    return Fetched(frame, late, final_at, reads, origins, doubled)


def fetch_span(venue: MarketDataVenue, symbols: Sequence[str], start: datetime, end: datetime) -> Fetched:
    """All bars of `symbols` that open in [start, end) and are closed by `end`: a past day, or a piece of one.

    A minute of which a source gives different rows is left out, as if it were missing.
    """
    cursors = dict.fromkeys(symbols, start)
    parts: list[pl.DataFrame] = []
    doubled: list[pl.DataFrame] = []
    failed: dict[str, str] = {}
    reads = 0
    origins: dict[str, Provenance] = {}
    pages_max = int((end - start) / timedelta(minutes=10)) + 2  # a venue may answer less than it was asked for
    for _ in range(pages_max):
        if not cursors:
            break
        answer = venue.fetch_bars(sorted(cursors), dict(cursors), end, PAGE_BARS)
        reads += 1
        origins |= _origins(answer)
        page = answer.frame.filter((pl.col("open_time") >= start) & (pl.col("close_time") <= end))
        doubled.append(copies_in(page, end))
        by_symbol = _by_symbol(certain(page) if doubled[-1].height else page)
        failed |= {name: str(error) for name, error in answer.errors.items()}
        parts.extend(by_symbol.values())
        newest = {name: _last_close(rows) for name, rows in by_symbol.items()}
        # A symbol goes on while it moves: an empty page is the end of its history.
        cursors = {
            name: newest[name]
            for name, cursor in cursors.items()
            if name not in failed and cursor < newest.get(name, cursor) < end
        }
    return Fetched(_concat(parts), failed, None, reads, origins, together(doubled))


def next_wanted(
    stored: pl.DataFrame, symbols: Iterable[str], start: datetime, chosen: Chosen = lambda holes: holes
) -> dict[str, datetime]:
    """From where each symbol has to be read: its first hole or impossible bar, else a little before its last bar.

    `stored` holds the bars from `start` on, and is read from there where nothing is stored. `chosen` says which holes
    are asked for now (see `holes`); without it all are.
    """
    length = pl.duration(minutes=1)
    last = stored.group_by("symbol").agg(pl.col("open_time").max() - (REREAD_BARS - 1) * length)
    wanted = dict(last.iter_rows())
    first_holes = chosen(holes_in(stored, start)).group_by("symbol").agg(pl.col("minute").min())
    for symbol, first in first_holes.iter_rows():
        wanted[symbol] = min(wanted[symbol], first)
    return {symbol: max(wanted.get(symbol, start), start) for symbol in symbols}


def _in_order(pending: Iterable[str], first: Sequence[str]) -> list[str]:
    place = {symbol: index for index, symbol in enumerate(first)}
    return sorted(pending, key=lambda symbol: (place.get(symbol, len(place)), symbol))


def _take(symbol: _Symbol, rows: pl.DataFrame | None, error: Exception | None, as_of: datetime) -> bool:
    """Take what is final of an answer; True if there is another page to read at once."""
    if rows is None or rows.is_empty():
        symbol.reason = str(error) if error else "the exchange has no row of it"
        return False
    # A source that answers with other bars than were asked for would be read for ever.
    began, rows = symbol.since, rows.filter(pl.col("open_time") >= symbol.since)
    if rows.is_empty():
        symbol.reason = f"the exchange answers only with bars from before {began:%Y-%m-%d %H:%M}"
        return False
    closed = rows.filter(pl.col("close_time") <= as_of)
    if closed.get_column("open_time").is_duplicated().any():
        symbol.doubled.append(copies_in(closed, as_of))
        closed = closed.unique(maintain_order=True)
        if closed.get_column("open_time").is_duplicated().any():
            symbol.reason = "the exchange gives two different rows for one minute"
            return False
    last_open = rows.get_column("open_time").max()
    final = closed.filter(pl.col("open_time") < last_open)  # a row with a successor does not change any more
    rest = closed.filter(pl.col("open_time") == last_open)
    if rest.height and _last_close(rest) == as_of:
        # Two reads agree only if one source gave both: another one counts other trades.
        # Where an exchange does not tell the count of trades, its quote volume says as much.
        seen = tuple(rest.item(0, name) for name in ("volume", "trades", "quote_volume", "source"))
        if symbol.last_seen == seen:
            final = closed
        symbol.last_seen = seen
    if final.height:
        symbol.parts.append(final)
        symbol.since = _last_close(final)
    symbol.done = symbol.since >= as_of
    symbol.reason = (
        f"the bar that closes at {as_of:%H:%M} is not final; the last final one closed at {symbol.since:%H:%M}"
    )
    return not symbol.done and rows.height >= PAGE_BARS and symbol.since > began


def _origins(answer: BarsAnswer) -> Mapping[str, Provenance]:
    return answer.provenance if isinstance(answer, SourcedBars) else {}


def _last_close(rows: pl.DataFrame) -> datetime:
    value = rows.get_column("close_time").max()
    assert isinstance(value, datetime)
    return value


def _by_symbol(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(key[0]): rows for key, rows in frame.partition_by("symbol", as_dict=True).items()}


def _concat(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    columns = frames.empty(frames.BARS).columns
    whole = pl.concat([frames.empty(frames.BARS), *(part.select(columns) for part in parts)])
    return whole.unique(subset=frames.BAR_KEY, keep="last").sort(frames.BAR_KEY)


def _wait_until(moment: datetime, clock: Clock) -> None:
    remaining = (moment - clock.now()).total_seconds()
    if remaining > 0:
        clock.sleep(min(remaining, 60.0))
