"""The protocol of a strategy, and the one state that strategies share: held from an entry until an exit.

A new strategy is a file with a frozen class that has `name` and `opinion`, and a line in `combine.STRATEGIES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl


@dataclass(frozen=True)
class Opinion:
    """Three expressions over one symbol's features and regime in time order; each is causal."""

    score: pl.Expr
    """-1..1; null is HOLD, 0 or less is FLAT."""
    confidence: pl.Expr
    """0..1; null where the score is."""
    reason: pl.Expr
    """One short sentence for people."""


class Strategy(Protocol):
    """Reads a FEATURES frame with the column `regime`, one symbol at a time, and says what it would hold."""

    @property
    def name(self) -> str: ...

    def opinion(self) -> Opinion: ...


def known(*columns: str) -> pl.Expr:
    """True where none of the columns is null: outside of warm-up."""
    return pl.all_horizontal(pl.col(name).is_not_null() for name in columns)


def held_score(enter: pl.Expr, leave: pl.Expr, score_at_entry: pl.Expr, ready: pl.Expr) -> pl.Expr:
    """The score of the entry, carried forward until an exit; 0 before the first entry; null where not `ready`.

    The score does not follow the bars between, so that a position is not resized by noise. An exit wins over an
    entry on the same bar. The state grows from the frame's first row: the same start gives the same scores.
    """
    was_held = pl.when(ready & leave).then(0.0).when(ready & enter).then(1.0).forward_fill().shift(1).fill_null(0.0)
    event = pl.when(ready & leave).then(0.0).when(ready & enter & (was_held == 0.0)).then(score_at_entry)
    return pl.when(ready).then(event.forward_fill().fill_null(0.0))
