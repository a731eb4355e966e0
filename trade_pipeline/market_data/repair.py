"""Which past days have holes, and which others have to be computed again once they are filled.

Dagster knows that a day's features follow from that day's bars. It does not know the look-back: every evaluation starts
`warmup_bars` before its day, so a bar that comes late to an evening changes the features of the next day too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from trade_pipeline.market_data.lake import Lake

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hole:
    """A day on which `missing_bars` minutes of `symbols` are not there; `known_at` is the newest row of the day."""

    day: str
    symbols: tuple[str, ...]
    missing_bars: int
    known_at: datetime


def summary(lake: Lake, days: Sequence[str]) -> pl.DataFrame:
    """What there is of raw_bars: date, symbol, bars (distinct minutes), first, last (open times), known_at (newest)."""
    return (
        lake.scan("raw_bars", days)
        .group_by("date", "symbol")
        .agg(
            pl.col("open_time").n_unique().alias("bars"),
            pl.col("open_time").min().alias("first"),
            pl.col("open_time").max().alias("last"),
            pl.col("known_at").max(),
        )
        .sort("date", "symbol")
        .collect()
    )


def holes(stored: pl.DataFrame, first: str, last: str, traded: Callable[[str], Collection[str] | None]) -> list[Hole]:
    """Days from `first` to `last`, between a symbol's first bar in `stored` (a `summary`) and its last, that are not
    whole, in order.

    What is stored of days around tells whether something is missing at the borders: a symbol that begins inside a day
    with nothing before it (a new listing) is whole from its first bar on, the last day up to its last bar. A day that
    is missing altogether is a hole too. `traded` says of which symbols a day is wanted, None where nobody knows: what
    was stored of others (the warm-up of one that was chosen later) is no part of a day.
    """
    found: dict[str, dict[str, int]] = {}
    known: dict[str, datetime] = dict(stored.group_by("date").agg(pl.col("known_at").max()).iter_rows())
    for (symbol,), rows in stored.group_by("symbol", maintain_order=True):
        begin, end = rows.get_column("first").min(), rows.get_column("last").max()
        assert isinstance(begin, datetime) and isinstance(end, datetime)
        have: dict[str, int] = dict(rows.select("date", "bars").iter_rows())
        for day in _days(begin, end):
            opening = _midnight(day)
            expected = int((min(opening + DAY, end + MINUTE) - max(opening, begin)) / MINUTE)
            if first <= day <= last and (missing := expected - have.get(day, 0)):
                found.setdefault(day, {})[str(symbol)] = missing
    never = datetime.fromtimestamp(0, UTC)
    return [
        Hole(day, tuple(sorted(of)), sum(of.values()), known.get(day, never))
        for day, missed in sorted(found.items())
        if (of := _wanted(missed, traded(day)))
    ]


def _wanted(missed: Mapping[str, int], symbols: Collection[str] | None) -> dict[str, int]:
    return {symbol: bars for symbol, bars in missed.items() if symbols is None or symbol in symbols}


def followers(days: Iterable[str], warmup_bars: int, until: str) -> list[str]:
    """`days` and those after them whose evaluation begins inside one of them, none after `until`, in order."""
    back = -(-warmup_bars // int(DAY / MINUTE))  # a warm-up of ten hours reaches into one day before
    found = {str(date.fromisoformat(day) + timedelta(days=ahead)) for day in days for ahead in range(back + 1)}
    return sorted(day for day in found if day <= until)


def outdated(stored: pl.DataFrame, computed_at: Mapping[str, datetime], warmup_bars: int) -> dict[str, datetime]:
    """Days computed before the newest bar of their window was known, with the moment at which it was.

    `computed_at` tells when each day was last computed; days that never were are not in it and not outdated.
    """
    known: dict[str, datetime] = dict(stored.group_by("date").agg(pl.col("known_at").max()).iter_rows())
    back = -(-warmup_bars // int(DAY / MINUTE))
    found = {}
    for day, moment in sorted(computed_at.items()):
        window = [str(date.fromisoformat(day) - timedelta(days=behind)) for behind in range(back + 1)]
        newest = max((known[name] for name in window if name in known), default=moment)
        if newest > moment:
            found[day] = newest
    return found


def _days(begin: datetime, end: datetime) -> list[str]:
    return [str(begin.date() + timedelta(days=offset)) for offset in range((end.date() - begin.date()).days + 1)]


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
