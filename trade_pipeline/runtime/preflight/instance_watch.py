"""The instance check of the preflight, repeated while a stack runs: two that trade one account ruin it together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from trade_pipeline.errors import LedgerError


class InstanceWatch:
    """Asked every second; says who else guards the account when somebody newly does."""

    def __init__(self, intruder: Callable[[], str | None], every_s: float) -> None:
        self._intruder = intruder
        self._every = timedelta(seconds=every_s)
        self._looked_at: datetime | None = None
        self._known: str | None = None

    def look(self, now: datetime) -> str | None:
        """The other guard's name once, when it appears; None while nothing is new or the ledger is away."""
        if self._looked_at is not None and now - self._looked_at < self._every:
            return None
        self._looked_at = now
        try:
            found = self._intruder()
        except LedgerError:
            return None
        news = found if found != self._known else None
        self._known = found
        return news
