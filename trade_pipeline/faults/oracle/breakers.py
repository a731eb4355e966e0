"""When entries were stopped, by the ledger's events and locks. A half-open breaker is not open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from trade_pipeline.faults.oracle.book import Book, EventRow

WHOLE_ACCOUNT = "*"
EVERY_STRATEGY = "*"


@dataclass(frozen=True, slots=True)
class BreakerSpan:
    """One time from opening to the next change of the same breaker; `closed_at` None: it is still open."""

    scope: str
    opened_at: datetime
    closed_at: datetime | None

    def names(self, symbol: str) -> bool:
        return self.scope in {WHOLE_ACCOUNT, symbol}

    def covers(self, symbol: str, at: datetime) -> bool:
        """Strictly inside: what happens at the very instant of the opening has no order."""
        return self.names(symbol) and self.opened_at < at and (self.closed_at is None or at < self.closed_at)

    def __str__(self) -> str:
        end = f"{self.closed_at:%H:%M:%S.%f}" if self.closed_at else "now"
        return f"breaker {self.scope} open from {self.opened_at:%H:%M:%S.%f} to {end}"


def breaker_spans(events: Iterable[EventRow]) -> list[BreakerSpan]:
    """All spans, oldest first by their end; those still open last."""
    opened: dict[str, datetime] = {}
    spans: list[BreakerSpan] = []
    for event in events:
        scope = str(event.detail.get("scope") or event.symbol or WHOLE_ACCOUNT)
        if event.kind in {"breaker_open", "breaker_opened"}:
            opened.setdefault(scope, event.at)
        elif event.kind in {"breaker_half_open", "breaker_closed"} and scope in opened:
            spans.append(BreakerSpan(scope, opened.pop(scope), event.at))
    return spans + [BreakerSpan(scope, at, None) for scope, at in opened.items()]


def entries_are_stopped(book: Book, symbol: str, now: datetime) -> bool:
    """Whether nothing may be bought of the symbol now: a breaker is open, or a halt of every strategy is in force."""
    if any(span.closed_at is None and span.names(symbol) for span in breaker_spans(book.events)):
        return True
    return any(
        lock.strategy == EVERY_STRATEGY
        and lock.symbol in {WHOLE_ACCOUNT, symbol}
        and lock.unlocked_at is None
        and (lock.until is None or lock.until > now)
        for lock in book.locks
    )
