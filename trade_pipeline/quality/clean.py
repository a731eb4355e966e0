"""From what was stored to what is judged: bars that have closed, each at its newest revision, in order."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trade_pipeline.schemas.frames import BAR_KEY, moment


def closed_bars(stored: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """The rows that closed by `as_of`, sorted by (symbol, open_time), with the columns they came with.

    Where `stored` has the lake's `revision`, the newest of each key is kept (which revisions were known when is the
    reader's choice).
    """
    final = stored.filter(pl.col("close_time") <= moment(as_of))
    if "revision" in final.columns:
        final = final.filter(pl.col("revision") == pl.col("revision").max().over(BAR_KEY))
    return final.sort(BAR_KEY, maintain_order=True)
