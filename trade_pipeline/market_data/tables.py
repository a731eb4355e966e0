"""The tables of the lake: columns, key and the time that dates a row. One place, so that readers need no schema."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trade_pipeline.errors import DataError
from trade_pipeline.schemas import frames


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table. `key` identifies a row within a day; `time` is the column whose UTC date is the partition.

    `anchored` tables are dated by the evaluation that wrote them: a day's partition is everything that was computed
    for that day. That includes the rows of its warm-up, because the next stage must start at the same row to come
    to the same bytes, and the targets of midnight, which were decided on the day before's last bar.
    """

    name: str
    columns: dict[str, pl.DataType]
    key: tuple[str, ...]
    time: str
    anchored: bool = False


RECORDED_KEY = ("symbol", "source", "length_s", "open_time")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table("raw_bars", frames.BARS, frames.BAR_KEY, "open_time"),
        Table("reference_bars", frames.BARS, frames.BAR_KEY, "open_time"),
        Table("doubled_bars", frames.DOUBLED_BARS, (*frames.BAR_KEY, "copy"), "open_time"),
        Table("bars", frames.JUDGED_BARS, frames.BAR_KEY, "open_time"),
        Table("quarantined_bars", frames.QUARANTINED_BARS, (*frames.BAR_KEY, "copy"), "open_time"),
        Table("quality_scores", frames.QUALITY_SCORES, frames.BAR_KEY, "open_time"),
        Table("recorded_bars", frames.RECORDED_BARS, RECORDED_KEY, "open_time"),
        Table("recorded_quarantine", frames.RECORDED_QUARANTINE, (*RECORDED_KEY, "copy"), "open_time"),
        Table("coarse_bars", frames.COARSE_BARS, ("symbol", "length_s", "open_time"), "open_time"),
        Table("universe", frames.UNIVERSE, ("scanned_at", "symbol"), "scanned_at"),
        Table("features", frames.FEATURES, frames.BAR_KEY, "open_time", anchored=True),
        Table("regimes", frames.REGIMES, frames.BAR_KEY, "open_time", anchored=True),
        Table("signals", frames.SIGNALS, (*frames.BAR_KEY, "strategy"), "open_time", anchored=True),
        Table("target_positions", frames.TARGETS, ("decision_id", "symbol"), "as_of", anchored=True),
        Table("approved_targets", frames.TARGETS, ("decision_id", "symbol"), "as_of", anchored=True),
    )
}


def table_of(name: str) -> Table:
    """The table of that name. Raises DataError for one that the lake does not keep."""
    table = TABLES.get(name)
    if table is None:
        raise DataError("the lake keeps no such table", thing=name, repair=f"It keeps {', '.join(TABLES)}.")
    return table
