"""What a rule is: a condition on prepared bars, how grave it is, what repairs it, and the words for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import polars as pl

from trade_pipeline.quality.failures import failures
from trade_pipeline.schemas.frames import UTC_MS
from trade_pipeline.settings.quality import QualitySettings


class Severity(StrEnum):
    """ERROR stops what would increase exposure, of its symbol; WARN is seen."""

    ERROR = "ERROR"
    WARN = "WARN"


class Repair(StrEnum):
    """What becomes of a bar that breaks a rule."""

    NONE = "stays as it is and is told"
    SORT = "is put in its place"
    FULLEST = "the fullest of its copies stays, the others are quarantined"
    FILL = "a short hole is filled with flagged bars at the last price"
    FLAG = "is flagged as synthetic"
    DROP = "is quarantined, a flagged bar at the last price keeps its place"
    WAIT = "is left out until it is final"
    HOLD = "its symbol is held"


@dataclass(frozen=True, slots=True)
class Scope:
    """What bars are held against: the moment, the window that has to be complete, the symbols that have to be there.

    `sessions`: bars of trading days, so that a hole of fewer than five days between them is none. `reference` holds
    the same bars from another source, `earlier` the same bars as they were known before (both BARS frames), `doubled`
    the rows of times that the source gave more than once (a DOUBLED_BARS frame). `grid_offset_s`: where in their length
    bars open, counted from 1970; None where weeks begin on Monday, and all others as their length divides the day.
    """

    as_of: datetime
    window_start: datetime
    symbols: tuple[str, ...]
    settings: QualitySettings
    bar_length_s: int = 60
    sessions: bool = False
    grid_offset_s: int | None = None
    reference: pl.DataFrame | None = None
    earlier: pl.DataFrame | None = None
    doubled: pl.DataFrame | None = None

    @property
    def bar_length_ms(self) -> int:
        return self.bar_length_s * 1000

    @property
    def recent_from(self) -> datetime:
        """Close after which an unrepaired defect holds its symbol."""
        return self.as_of - timedelta(seconds=self.bar_length_s * self.settings.quarantine_bars)


@dataclass(frozen=True, slots=True)
class Words:
    """Columns of a FAILURES frame, as expressions over the failing rows."""

    column: pl.Expr
    value: pl.Expr
    limit: pl.Expr
    message: pl.Expr
    open_time: pl.Expr | None = None
    """Where not that of the row."""


Flag = Callable[[Scope], pl.Expr]
Find = Callable[[pl.DataFrame, Scope], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Rule:
    """One defect. A rule of rows has `flag` and `words`, over the columns of `prepare`; any other has `find`. A rule of
    rows has all three where some of its rows never come among the bars.

    `series` rules read the bars that no other rule rejects: a price of 0 is no fall. `mild` marks failing rows that
    are a WARN though the rule is an ERROR; `informative` ones are counted and no failure at all.
    """

    name: str
    severity: Severity
    repair: Repair
    description: str
    flag: Flag | None = None
    words: Callable[[Scope], Words] | None = None
    mild: Flag | None = None
    series: bool = False
    informative: bool = False
    find: Find | None = None

    def severity_of(self, scope: Scope) -> pl.Expr:
        """ERROR or WARN, of a failing row."""
        if self.mild is None:
            return pl.lit(str(self.severity))
        return pl.when(self.mild(scope)).then(pl.lit(str(Severity.WARN))).otherwise(pl.lit(str(self.severity)))

    def tell(self, rows: pl.DataFrame, scope: Scope) -> pl.DataFrame:
        """FAILURES of the rows (prepared, flagged) that break this rule."""
        assert self.words is not None, f"{self.name}: only rules of rows are told by row"
        words = self.words(scope)
        if words.open_time is not None:
            at = words.open_time.cast(UTC_MS)
            rows = rows.with_columns(at.alias("_at"))
        return failures(
            rows,
            self.name,
            column=words.column,
            value=words.value,
            limit=words.limit,
            message=words.message,
            severity=self.severity_of(scope),
            open_time="_at" if words.open_time is not None else "open_time",
        )
