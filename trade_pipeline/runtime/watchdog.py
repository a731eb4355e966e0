"""Restarts Dagster's daemon when its schedules stand still although it lives.

Its scheduler thread has been seen to deadlock while every heartbeat went on: so the age of the newest tick is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.database import Database

TICK_AGE_MAX = timedelta(seconds=200)
"""Ticks come every minute; one restart of code server and daemon may cost two."""
LOOK_EVERY = timedelta(seconds=15)

_NEWEST = "SELECT max(timestamp) FROM job_ticks WHERE type = 'SCHEDULE'"


def newest_tick_at(database: Database) -> datetime | None:
    """When a schedule last ticked, by Dagster's table; None before the first tick. Raises LedgerError."""
    from sqlalchemy import text

    with database.transaction() as connection:
        found = connection.execute(text(_NEWEST)).scalar()
    if found is None:
        return None
    assert isinstance(found, datetime)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


class Watchdog:
    """Asked every second; says True when the daemon shall be restarted."""

    def __init__(self, began_at: datetime, tick_at: Callable[[], datetime | None]) -> None:
        self._since = began_at
        self._looked_at = began_at
        self._tick_at = tick_at

    def stuck(self, now: datetime) -> bool:
        """True at most once per TICK_AGE_MAX: a new daemon gets its time too."""
        if now - self._looked_at < LOOK_EVERY or now - self._since < TICK_AGE_MAX:
            return False
        self._looked_at = now
        try:
            tick_at = self._tick_at()
        except LedgerError:
            return False  # the database is away: no tick can be seen, and no restart helps
        if tick_at is not None and now - tick_at < TICK_AGE_MAX:
            return False
        self._since = now
        return True
