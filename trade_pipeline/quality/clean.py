"""From what was stored to what a decision may read: final bars, newest revision, in order."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trade_pipeline.schemas.frames import BAR_KEY, BARS, UTC_MS


def clean_bars(raw: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """A BARS frame of the bars that closed by `as_of`, sorted by (symbol, open_time).

    `raw` is a BARS frame, with the lake's `revision` where it has it: then the newest revision of each key is kept
    (which revisions were known when is the reader's choice). Rows that are equal in every column but `source` count
    once. Two rows of one key that differ both stay: which is right is not decided here, `monotonic_unique_time`
    names them.
    """
    final = raw.filter(pl.col("close_time") <= pl.lit(as_of).cast(UTC_MS))
    if "revision" in final.columns:
        final = final.filter(pl.col("revision") == pl.col("revision").max().over(BAR_KEY))
    columns = [pl.col(name).cast(dtype) for name, dtype in BARS.items()]
    ordered = final.select(columns).sort(*BARS, maintain_order=True)
    # `source` alone is no difference in what happened.
    facts = [name for name in BARS if name != "source"]
    return ordered.unique(subset=facts, keep="first", maintain_order=True)
