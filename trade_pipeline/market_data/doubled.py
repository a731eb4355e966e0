"""Times of which a source gave more than one row: kept as they came, and what may be taken of them.

Rows that are equal are one bar. Rows that contradict each other are none: which of them is true is not for a reader to
say. How grave that is, and who is held for it, is for the quality rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from trade_pipeline.schemas import frames

KEY = (*frames.BAR_KEY, "copy")


def copies_in(rows: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The DOUBLED_BARS of one answer, a BARS frame: every row of a key that has more than one."""
    twice = rows.filter(pl.struct(frames.BAR_KEY).is_duplicated())
    copy = pl.int_range(pl.len(), dtype=pl.Int32).over(frames.BAR_KEY)
    return twice.with_columns(copy.alias("copy"), frames.moment(as_of).alias("as_of")).select(list(frames.DOUBLED_BARS))


def certain(rows: pl.DataFrame) -> pl.DataFrame:
    """One row of each key whose rows are all equal; of a key whose rows contradict each other none."""
    return rows.unique(maintain_order=True).filter(~pl.struct(frames.BAR_KEY).is_duplicated())


def together(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The DOUBLED_BARS of several answers, sorted by key; of one that was read again the newest."""
    whole = pl.concat([frames.empty(frames.DOUBLED_BARS), *parts])
    return whole.unique(subset=KEY, keep="last", maintain_order=True).sort(KEY)
