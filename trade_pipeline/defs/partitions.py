"""Daily partitions and the bar clock: which partition a moment belongs to, and where its evaluation starts.

All functions are pure; the moment is always an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

FIRST_DAY = "2024-01-01"
DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
"""UTC days; `end_offset=1` makes today exist."""

BAR = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """What an evaluation of a day sees: rows that open at or after `start` and are closed by `as_of`.

    `start` depends on the day only, never on the moment: same start, same bytes.
    """

    day: str
    start: datetime
    as_of: datetime

    @property
    def dates(self) -> list[str]:
        """UTC dates of the bars in the window."""
        first, last = self.start.date(), (self.as_of - timedelta(milliseconds=1)).date()
        return [str(first + timedelta(days=offset)) for offset in range((last - first).days + 1)]


def day_start(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def last_close(moment: datetime) -> datetime:
    """Close of the last bar that is closed at `moment`: the minute, rounded down."""
    return moment.replace(second=0, microsecond=0)


def partition_of(as_of: datetime) -> str:
    """The day of a decision: the UTC date of the open of its last bar, so at 00:00 still yesterday."""
    return str((as_of - BAR).date())


def window_of(day: str, as_of: datetime, warmup_bars: int) -> Window:
    """The evaluation of `day` at `as_of`, which is cut to the day's end."""
    begin = day_start(day)
    return Window(day, begin - warmup_bars * BAR, min(as_of, begin + DAY))
