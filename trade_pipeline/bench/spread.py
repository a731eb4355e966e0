"""How figures that differ from one time to the next are told: median, 95th percentile, the worst one. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest ranks (Hyndman and Fan's type 7); share 0.5 is the median.

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("a percentile needs at least one value")
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """In seconds."""

    p50_s: float
    p95_s: float
    max_s: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None without values."""
        return cls(percentile(values, 0.5), percentile(values, 0.95), max(values)) if values else None

    def as_json(self) -> dict[str, float]:
        return {"p50_s": round(self.p50_s, 3), "p95_s": round(self.p95_s, 3), "max_s": round(self.max_s, 3)}


def as_json(spread: Spread | None) -> dict[str, float | None]:
    """The three figures, null where nothing was measured."""
    return {**spread.as_json()} if spread else {"p50_s": None, "p95_s": None, "max_s": None}
