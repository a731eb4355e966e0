"""Minutes that are missing within stored bars, or hold prices that cannot be true, and when they are asked for again.

A feed that has recovered gives the bar as it was, so a hole is asked for again. But many sources leave out minutes
without a trade, and those holes are never filled: asked for in every run, they would read the whole window each minute.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

import polars as pl

from trade_pipeline.schemas import frames

HOLES = {"symbol": pl.String(), "minute": frames.UTC_MS}

EVERY_RUN_ANSWERS = 5
"""Answers without it after which a hole is asked for less often: then in every run whose minute is a fifth one."""
EVERY_FIFTH_ANSWERS = EVERY_RUN_ANSWERS + 12
"""And after an hour of these, once an hour: all holes in the same minute, so that it costs one long read."""
HOURLY_MINUTE = 30
"""Apart from the full hour, when the universe is scanned."""

Chosen = Callable[[pl.DataFrame], pl.DataFrame]
"""Gets HOLES and answers those that are asked for now."""


def holes_in(stored: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """HOLES of BARS from `start` on: the first minute of each gap, and every bar whose prices cannot be true."""
    length = pl.duration(minutes=1)
    expected = (pl.col("open_time").shift(1).over("symbol") + length).fill_null(frames.moment(start))
    ordered = stored.select("symbol", "open_time").sort("symbol", "open_time").with_columns(expected.alias("minute"))
    low, high = pl.min_horizontal("open", "close"), pl.max_horizontal("open", "close")
    impossible = stored.filter((pl.col("low") <= 0) | (pl.col("low") > low) | (pl.col("high") < high))
    parts = (
        ordered.filter(pl.col("open_time") > pl.col("minute")),
        impossible.with_columns(minute="open_time"),
    )
    return pl.concat([part.select(pl.col(name).cast(dtype) for name, dtype in HOLES.items()) for part in parts])


class AskedHoles:
    """How often each hole was asked for and answered without it; of one process, forgotten with it.

    A process that begins asks for each hole anew: what it costs is bounded, and nothing has to be kept for it.
    """

    def __init__(self) -> None:
        self._answers = pl.DataFrame(schema={**HOLES, "answers": pl.Int32()})
        self._asked = pl.DataFrame(schema=HOLES)

    def at(self, as_of: datetime) -> Chosen:
        """For `next_wanted`: of the holes that are there now, those asked for in the run of this bar."""

        def chosen(holes: pl.DataFrame) -> pl.DataFrame:
            # What is not a hole any more is forgotten.
            known = holes.unique().join(self._answers, on=list(HOLES), how="left")
            self._answers = known.with_columns(pl.col("answers").fill_null(0))
            self._asked = self._answers.filter(pl.col("answers") < _answers_max(as_of)).select(list(HOLES))
            return self._asked

        return chosen

    def answered(self, symbols: Collection[str]) -> None:
        """Sources have answered for these symbols what was asked last. A hole they filled is not found again."""
        asked = self._asked.filter(pl.col("symbol").is_in(list(symbols))).with_columns(asked=pl.lit(1, pl.Int32()))
        joined = self._answers.join(asked, on=list(HOLES), how="left")
        more = pl.col("answers") + pl.col("asked").fill_null(0)
        # No further than the last limit: beyond it a count says nothing.
        counted = more.clip(upper_bound=EVERY_FIFTH_ANSWERS).cast(pl.Int32())
        self._answers = joined.select(*HOLES, answers=counted)
        self._asked = self._asked.clear()


def _answers_max(as_of: datetime) -> int:
    """A hole with fewer answers than this is asked for in the run of this bar."""
    if as_of.minute == HOURLY_MINUTE:
        return EVERY_FIFTH_ANSWERS + 1
    return EVERY_FIFTH_ANSWERS if as_of.minute % 5 == 0 else EVERY_RUN_ANSWERS
