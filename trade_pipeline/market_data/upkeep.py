"""What a lake needs every night: few files a day, a short log, nothing that no one can ask for any more.

Rows are never removed. Merged files hold every revision with the moment it was known, so whatever a decision cites is
read back from them as it was seen, by content hash, however old it is. Only Delta's own time travel, by version
number, ends with the files that it would need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from trade_pipeline.market_data import delta
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.market_data.tables import TABLES


@dataclass(frozen=True, slots=True)
class TableHealth:
    """One table after its upkeep. Sizes are of files in use; `rows` counts every revision."""

    table: str
    days: int
    rows: int
    files_before: int
    files: int
    size_bytes: int
    days_merged: int
    files_removed: int

    @property
    def megabytes_per_million_rows(self) -> float | None:
        """None for a table without rows."""
        return self.size_bytes / self.rows if self.rows else None  # bytes a row are megabytes a million rows


def keep_up(lake: Lake, *, today: date, keep_hours: int, tables: Sequence[str] = tuple(TABLES)) -> list[TableHealth]:
    """Merges the files of every day before `today`, then removes what nothing newer than `keep_hours` uses.

    Today's files are the live writer's: it merges them itself when they are too many. Tables that do not exist yet
    are left out. May run beside writers and readers: a lost race is made up for the next night.
    """
    found = []
    for name in tables:
        opened = lake.opened(name)
        if opened is not None:
            found.append(_keep_up_one(name, opened, today, keep_hours))
    return found


def _keep_up_one(name: str, opened: Any, today: date, keep_hours: int) -> TableHealth:
    before = delta.sizes(opened)
    per_day: dict[str, int] = dict(before.group_by("date").len().iter_rows())
    merged = [day for day in sorted(per_day) if day < str(today) and per_day[day] > 1 and delta.compact(opened, day)]
    removed = delta.remove_unused(opened, keep_hours)
    after = delta.sizes(opened)
    return TableHealth(
        table=name,
        days=after.get_column("date").n_unique(),
        rows=int(after.get_column("rows").sum()),
        files_before=before.height,
        files=after.height,
        size_bytes=int(after.get_column("size_bytes").sum()),
        days_merged=len(merged),
        files_removed=removed,
    )
