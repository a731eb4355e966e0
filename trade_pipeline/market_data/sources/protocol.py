"""What a source of bars must offer, and what comes with every answer.

Only shapes. Who is asked in which order stands in `cascade`, how exchanges are spoken to in `venues`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from trade_pipeline.venues.protocols import BarsAnswer, MarketDataVenue


class BarSource(MarketDataVenue, Protocol):
    """Public data of one exchange under a name: the BARS column `source` carries it."""

    @property
    def name(self) -> str: ...

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        *,
        patience_s: float | None = None,
    ) -> BarsAnswer:
        """As a venue does; after `patience_s` the symbols still without an answer are errors, the others rows."""
        ...


@runtime_checkable
class Hurried(Protocol):
    """A venue that gives a source up soon, because another one could still answer before the decision's limit."""

    def unhurried(self) -> MarketDataVenue:
        """The same, waiting for each source as long as the source itself does: for history, which nothing replaces."""
        ...


class Tier(StrEnum):
    """How far down the cascade an answer was found."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    FRESH_CACHE = "fresh cache"
    STALE_CACHE = "stale cache"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the rows of one symbol came from. `age_s` is the time since they were fetched, 0 for a new answer."""

    source: str
    tier: Tier
    fetched_at: datetime
    age_s: float
    latency_ms: float
    failed_before: tuple[str, ...] = ()
    """"name: why" of every source that was asked, or passed over, before."""

    @property
    def stale(self) -> bool:
        return self.tier is Tier.STALE_CACHE


@dataclass(frozen=True)
class SourcedBars(BarsAnswer):
    """Bars of a batch with the origin of every symbol that is not in `errors`."""

    provenance: Mapping[str, Provenance] = field(default_factory=dict)
