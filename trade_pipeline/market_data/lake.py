"""The lake: append-only Delta tables, one per asset, a partition per UTC day.

Every row carries when it was learned (`known_at`) and the how-manieth value of its key it is (`revision`), so that
a day can be read as it is known now or as it was seen at any moment. Rows are never rewritten: equal rows add
nothing, changed ones add a revision. Which rows are worth storing is the callers' business.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.errors import DataError, LakeConflict
from trade_pipeline.market_data import delta
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.cutting import by_day, conformed, those
from trade_pipeline.market_data.revisions import changes, compared, newest, replaced
from trade_pipeline.market_data.tables import Table, table_of
from trade_pipeline.market_data.views import View, newest_of_day, together
from trade_pipeline.schemas import frames
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.runtime import StorageSettings
from trade_pipeline.symbol_blocks import strictly_ordered

COMMIT_ATTEMPTS_MAX = 8
CACHED_DAYS_MAX = 16
"""Newest views kept in memory, over all tables; today and the day before of seven tables are 14. What spans more days
is read and compared without views."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What an append did. `content_hash` is of the frame that was handed over, whether or not it added rows."""

    table: str
    version: int
    rows: int
    rows_added: int
    rows_revised: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class _Part:
    """Days of an append: what is new, with the lake's columns. Of a single day where something is also its view with
    it."""

    days: tuple[str, ...]
    changes: pl.DataFrame
    view: pl.DataFrame | None = None


class Lake:
    """Delta tables below one folder or object-storage URL. Opens nothing until it is asked; not for threads."""

    def __init__(
        self,
        url: str | Path,
        *,
        compact_after_files: int = 96,
        storage_options: dict[str, str] | None = None,
    ) -> None:
        self._url = str(url).rstrip("/")
        self._compact_after_files = compact_after_files
        self._options = storage_options
        self._opened: dict[str, Any] = {}
        self._views: OrderedDict[tuple[str, str], View] = OrderedDict()

    def append(
        self,
        table: str,
        frame: pl.DataFrame,
        key: Sequence[str] | None = None,
        known_at: datetime | None = None,
        *,
        day: str | None = None,
    ) -> WriteResult:
        """Store what is new in `frame`: new keys as revision 0, changed rows as the next revision.

        `day` is required for anchored tables and must be absent for others, whose rows are dated by their own time.
        Raises LakeConflict after COMMIT_ATTEMPTS_MAX lost races, DataError for a frame of other columns.
        """
        spec = table_of(table)
        if known_at is None or (key is not None and tuple(key) != spec.key):
            raise DataError("append needs known_at, and the table's own key", thing=table, value=key)
        rows = conformed(frame, spec)
        digest = content_hash(rows, spec.key)
        cut = by_day(rows, spec, day, apart_max=CACHED_DAYS_MAX)
        for _ in range(COMMIT_ATTEMPTS_MAX):
            opened = self._open(spec)
            parts = [self._compared(spec, opened, days, part, known_at) for days, part in cut]
            changed = [part.changes for part in parts if part.changes.height]
            if not changed or delta.commit(opened, pl.concat(changed)):
                return self._written(spec, rows.height, parts, digest)
        raise LakeConflict(
            f"lost {COMMIT_ATTEMPTS_MAX} races for a commit",
            thing=f"lake table {table}",
            repair="Only one process should write a day; see that no backfill covers the live partition.",
        )

    def read(
        self, table: str, dates: Sequence[str], as_seen: datetime | None = None, *, where: pl.Expr | None = None
    ) -> pl.DataFrame:
        """The table's columns, newest revision known by `as_seen` (by now if None), sorted by key.

        Of an anchored table several days may hold the same key, one value per day. A table or day that does
        not exist gives no rows. `where`: for which rows, by their times and numbers; others are not even copied.
        """
        spec = table_of(table)
        opened = self._open(spec, create=False)
        empty = frames.empty(spec.columns)
        if opened is None:
            return empty
        days = sorted(set(dates))
        if as_seen is not None or len(days) > CACHED_DAYS_MAX:
            known = delta.read_files(delta.files_of(opened, days), spec, self._options)
            known = known if as_seen is None else known.filter(pl.col("known_at") <= as_seen)
            whole = newest(known, spec.key).select(empty.columns)
            whole = whole if where is None else whole.filter(where)
            return whole if strictly_ordered(whole, spec.key) else whole.sort(spec.key, maintain_order=True)
        parts = [those(self._view(spec, opened, day).rows, where) for day in days]
        return together(parts, spec.key, empty.columns) if parts else empty

    def as_seen(self, table: str, dates: Sequence[str], moment: datetime) -> pl.DataFrame:
        """Rows of what had closed by `moment`, as they were known then: what a decision of that moment stood on."""
        return _until(self.read(table, dates, as_seen=moment), table, moment)

    def as_revised(self, table: str, dates: Sequence[str], moment: datetime) -> pl.DataFrame:
        """The same rows as they are known now: what that decision would stand on today."""
        return _until(self.read(table, dates), table, moment)

    def before_revision(self, table: str, dates: Sequence[str], since: datetime) -> pl.DataFrame:
        """Rows that were known by `since` and have other values now, as they were then. Cheap where there are none."""
        spec = table_of(table)
        opened = self._open(spec, create=False)
        empty = frames.empty(spec.columns)
        if opened is None:
            return empty
        views = [self._view(spec, opened, day).rows for day in sorted(set(dates))]
        if not any((view.get_column("revision") > 0).any() for view in views):
            return empty
        later = (pl.col("revision") > 0) & (pl.col("known_at") > since)
        changed = self.scan(table, dates).filter(later).select(spec.key).unique().collect()
        if changed.is_empty():
            return empty
        return self.read(table, dates, as_seen=since).join(changed, on=list(spec.key), how="semi")

    def history(self, table: str, dates: Sequence[str]) -> pl.DataFrame:
        """Every revision of these days, with the lake's columns, in no order."""
        spec = table_of(table)
        opened = self._open(spec, create=False)
        if opened is None:
            return delta.empty_rows(spec)
        return delta.read_files(delta.files_of(opened, sorted(set(dates))), spec, self._options)

    def scan(self, table: str, dates: Sequence[str]) -> pl.LazyFrame:
        """Like `history`, of which only the columns that are asked for are read."""
        spec = table_of(table)
        opened = self._open(spec, create=False)
        files = [] if opened is None else delta.files_of(opened, sorted(set(dates)))
        return delta.scan_files(files, spec, self._options)

    def version(self, table: str) -> int:
        """The table's newest version, -1 where it does not exist yet."""
        opened = self._open(table_of(table), create=False)
        return -1 if opened is None else int(opened.version())

    def versions(self, table: str) -> list[dict[str, Any]]:
        """The commits of a table, newest first: `version`, `timestamp` (ms), `operation`."""
        opened = self._open(table_of(table), create=False)
        return [] if opened is None else list(opened.history())

    def days(self, table: str) -> list[str]:
        """The UTC dates that a table has rows of."""
        opened = self._open(table_of(table), create=False)
        return [] if opened is None else sorted({str(part["date"]) for part in opened.partitions()})

    def opened(self, table: str) -> Any:
        """The Delta table itself in its newest version, for its upkeep; None where it does not exist yet."""
        return self._open(table_of(table), create=False)

    def _open(self, spec: Table, *, create: bool = True) -> Any:
        opened = self._opened.get(spec.name)
        if opened is None:
            opened = delta.open_table(f"{self._url}/{spec.name}", spec, self._options, create=create)
            if opened is not None:
                self._opened[spec.name] = opened
        else:
            opened.update_incremental()
        return opened

    def _compared(
        self, spec: Table, opened: Any, days: tuple[str, ...], rows: pl.DataFrame, known_at: datetime
    ) -> _Part:
        """Rows of some days against what is stored of them."""
        stored = self._view(spec, opened, days[0]).rows if len(days) == 1 else self._alike(spec, opened, days, rows)
        found = compared(rows, stored, spec.key)
        changed = changes(rows, stored, found, known_at)
        if len(days) > 1:
            return _Part(days, changed.with_columns(pl.col(spec.time).dt.date().cast(pl.String).alias("date")))
        dated = changed.with_columns(pl.lit(days[0], dtype=pl.String).alias("date"))
        if not changed.height:
            return _Part(days, dated)
        view = replaced(rows, stored, found) if found.covers(stored) else newest_of_day([stored, changed], spec.key)
        return _Part(days, dated, view)

    def _alike(self, spec: Table, opened: Any, days: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
        """What a view would hold of several days, but only rows that `rows` may mean: a lake of many symbols is not
        read for one."""
        texts = [name for name in spec.key if spec.columns[name] == pl.String()]
        words = {name: rows.get_column(name).unique().sort().to_list() for name in texts}
        known = delta.scan_files(delta.files_of(opened, days, words), spec, self._options).drop("date", "known_at")
        meant = (pl.col(name).is_in(pl.Series(found, dtype=pl.String).implode()) for name, found in words.items())
        return newest_of_day([known.filter(*meant).collect()], spec.key)

    def _view(self, spec: Table, opened: Any, day: str) -> View:
        """The newest revision of a day; reads only files that were not there at the last look."""
        files = frozenset(delta.files_of(opened, [day]))
        seen = self._views.get((spec.name, day))
        if seen is not None and seen.files == files:
            self._views.move_to_end((spec.name, day))
            return seen
        parts: list[pl.DataFrame] = []
        unread = files
        if seen is not None and seen.files < files:
            parts, unread = [seen.rows], files - seen.files
        # When a row was learned is asked for so rarely that a view does not hold it.
        parts.append(delta.scan_files(sorted(unread), spec, self._options).drop("date", "known_at").collect())
        return self._keep(spec, day, View(files, newest_of_day(parts, spec.key)))

    def _keep(self, spec: Table, day: str, view: View) -> View:
        self._views[(spec.name, day)] = view
        self._views.move_to_end((spec.name, day))
        while len(self._views) > CACHED_DAYS_MAX:
            self._views.popitem(last=False)
        return view

    def _written(self, spec: Table, rows: int, parts: Sequence[_Part], digest: str) -> WriteResult:
        opened = self._opened[spec.name]
        version = int(opened.version())
        for part in parts:
            self._after_commit(spec, opened, part)
        changed = sum(part.changes.height for part in parts)
        revised = sum(int((part.changes.get_column("revision") > 0).sum()) for part in parts)
        return WriteResult(spec.name, version, rows, changed - revised, revised, digest)

    def _after_commit(self, spec: Table, opened: Any, part: _Part) -> None:
        """Merge the day's files when there are too many; keep the view, which we know without reading it again."""
        if part.view is None:
            return
        (day,) = part.days
        files = delta.files_of(opened, [day])
        seen = self._views.get((spec.name, day))
        merged = len(files) > self._compact_after_files and delta.compact(opened, day)
        if merged:
            files = delta.files_of(opened, [day])
        if seen is not None and (merged or len(seen.files) + 1 == len(files)):
            self._keep(spec, day, View(frozenset(files), part.view))


def lake_of(storage: StorageSettings, home: Home) -> Lake:
    """The lake of a home, or where its settings say; opens nothing yet."""
    return Lake(storage.lake_url or str(home.lake), compact_after_files=storage.compact_after_files)


def _until(rows: pl.DataFrame, table: str, moment: datetime) -> pl.DataFrame:
    spec = table_of(table)
    return rows.filter(pl.col("close_time" if "close_time" in spec.columns else spec.time) <= moment)
