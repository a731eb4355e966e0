"""What each source was worth: requests, answers, failures and latencies by minute, over all processes of a home.

A small SQLite file that every process adds to. It is a measurement: losing it costs nothing, so a write that fails
is told in the log and stops no read.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

LOGGER = logging.getLogger(__name__)

ANSWERED = "answered"
LATENCY_MS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Upper ends of the latency classes; the last class has none."""
BUSY_S = 0.25
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    minute INTEGER, source TEXT, outcome TEXT, class INTEGER, count INTEGER, latency_ms REAL,
    PRIMARY KEY (minute, source, outcome, class)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS changes (at_s REAL, source TEXT, phase TEXT);
CREATE TABLE IF NOT EXISTS totals (
    source TEXT, outcome TEXT, class INTEGER, count INTEGER, latency_ms REAL,
    PRIMARY KEY (source, outcome, class)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Count:
    """`count` requests of one source that ended in the same way. A request is one symbol of a batch."""

    source: str
    outcome: str
    """ANSWERED, or the name of the error's class."""
    latency_ms: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One source over a span of time. `latency_classes` counts answers by LATENCY_MS, one class more than ends."""

    source: str
    requests: int
    answered: int
    failures: dict[str, int]
    latency_ms_sum: float
    latency_classes: tuple[int, ...]
    phase: str
    """Of its breaker, as last told by any process."""

    @property
    def answered_ratio(self) -> float:
        return self.answered / self.requests if self.requests else 1.0

    @property
    def latency_ms_mean(self) -> float:
        return self.latency_ms_sum / self.answered if self.answered else 0.0

    def latency_ms_below(self, share: float) -> float:
        """The upper end of the class that holds this share of the answers; infinity for the last class."""
        wanted, seen = share * sum(self.latency_classes), 0
        for end, count in zip((*LATENCY_MS, float("inf")), self.latency_classes, strict=True):
            seen += count
            if seen >= wanted:
                return float(end)
        return float("inf")


class Figures:
    """Adds to the file and reads from it; opens it anew each time, so that a fork shares nothing."""

    def __init__(self, path: Path, keep_days: int, now_s: Callable[[], float] = time.time) -> None:
        self._path = path
        self._keep_s = keep_days * 86_400
        self._now_s = now_s
        self._pruned_at = 0.0

    def add(self, counts: Iterable[Count], changes: Iterable[tuple[str, str]] = ()) -> None:
        """Count what a batch brought, and breakers that changed as (source, phase)."""
        now, sums = self._now_s(), Counter[tuple[str, str, int]]()
        spent: defaultdict[tuple[str, str, int], float] = defaultdict(float)
        for row in counts:
            key = (row.source, row.outcome, bisect_left(LATENCY_MS, row.latency_ms))
            sums[key] += row.count
            spent[key] += row.latency_ms * row.count
        rows = [(int(now // 60), *key, count, spent[key]) for key, count in sums.items()]
        try:
            with self._open() as db:
                db.executemany(
                    "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET count = count + excluded.count, latency_ms = latency_ms + excluded.latency_ms",
                    rows,
                )
                db.executemany(
                    "INSERT INTO totals VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                    " SET count = count + excluded.count, latency_ms = latency_ms + excluded.latency_ms",
                    [row[1:] for row in rows],
                )
                db.executemany("INSERT INTO changes VALUES (?, ?, ?)", [(now, *change) for change in changes])
                if now - self._pruned_at > 3600:
                    self._pruned_at = now
                    db.execute("DELETE FROM answers WHERE minute < ?", (int((now - self._keep_s) // 60),))
                    db.execute("DELETE FROM changes WHERE at_s < ?", (now - self._keep_s,))
        except (sqlite3.Error, OSError) as error:
            LOGGER.warning("the reliability of sources could not be counted: %s", error)

    def snapshot(self, since_s: float = 0.0) -> list[SourceFigures]:
        """Figures of every source since that moment (seconds since the epoch), by name. Empty where none are kept."""
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute(
                "SELECT source, outcome, class, SUM(count), SUM(latency_ms) FROM answers WHERE minute >= ?"
                " GROUP BY 1, 2, 3 ORDER BY 1",
                (int(since_s // 60),),
            ).fetchall()
            phases = dict(db.execute("SELECT source, phase FROM changes ORDER BY at_s").fetchall())
        return _by_source(rows, phases)

    def totals(self) -> list[SourceFigures]:
        """As `snapshot`, of everything that was ever counted in this file: these numbers never become smaller."""
        if not self._path.exists():
            return []
        with self._open() as db:
            rows = db.execute("SELECT source, outcome, class, count, latency_ms FROM totals ORDER BY 1").fetchall()
            phases = dict(db.execute("SELECT source, phase FROM changes ORDER BY at_s").fetchall())
        return _by_source(rows, phases)

    def by_minute(self, since_s: float) -> list[tuple[int, str, int, int]]:
        """(minute since the epoch, source, requests, answered), in order of time."""
        if not self._path.exists():
            return []
        with self._open() as db:
            return db.execute(
                "SELECT minute, source, SUM(count), SUM(CASE WHEN outcome = ? THEN count ELSE 0 END) FROM answers"
                " WHERE minute >= ? GROUP BY 1, 2 ORDER BY 1, 2",
                (ANSWERED, int(since_s // 60)),
            ).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=BUSY_S)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(_SCHEMA)
            with db:
                yield db


def _by_source(rows: list[tuple[str, str, int, int, float]], phases: dict[str, str]) -> list[SourceFigures]:
    names = dict.fromkeys(row[0] for row in rows)
    return [_figures(name, [row[1:] for row in rows if row[0] == name], phases) for name in names]


def _figures(name: str, rows: list[tuple[str, int, int, float]], phases: dict[str, str]) -> SourceFigures:
    outcomes: Counter[str] = Counter()
    classes = [0] * (len(LATENCY_MS) + 1)
    spent = 0.0
    for outcome, place, count, latency_ms in rows:
        outcomes[outcome] += count
        if outcome == ANSWERED:
            classes[place] += count
            spent += latency_ms
    answered = outcomes.pop(ANSWERED, 0)
    total = answered + sum(outcomes.values())
    return SourceFigures(name, total, answered, dict(outcomes), spent, tuple(classes), phases.get(name, "CLOSED"))
