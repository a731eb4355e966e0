"""What a running stack uses up from bar to bar: memory of each process, rows and bytes of each table, files, latency.

A bar is a minute of the wall clock, because Dagster's schedules know no other: so a soak takes as many minutes as bars.
It only reads. Rows are counted, not estimated; memory is the PSS of a process and its children, which shares what they
share.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil
from sqlalchemy import Connection, text

from trade_pipeline.errors import DataError
from trade_pipeline.ledger.database import Database
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home

SAMPLE_EVERY_S = 60.0
LATENCY_OF = 10
"""Decisions whose median latency is told."""
YEAR_BARS = 365 * 1440
_SHOWN_MAX = 12

_TABLES = """
SELECT n.nspname AS room, c.relname AS name, pg_total_relation_size(c.oid) AS bytes FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname IN ('public', 'ledger')
"""
_LATENCY = """
SELECT extract(epoch FROM decided_at - as_of) FROM ledger.decisions
WHERE account = :account ORDER BY as_of DESC LIMIT :count
"""
_BARS = "SELECT count(DISTINCT as_of) FROM ledger.decisions WHERE account = :account"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. Tables are named "ledger.orders"; folders are those of the home. Memory in MB, sizes in bytes."""

    at: str
    bars: int
    latency_p50_s: float | None
    memory_mb: Mapping[str, float]
    rows: Mapping[str, int]
    table_bytes: Mapping[str, int]
    files: Mapping[str, int]
    folder_bytes: Mapping[str, int]


_PARTS: Mapping[str, Callable[[Sample], Mapping[str, float]]] = {
    "memory_mb": lambda one: one.memory_mb,
    "rows": lambda one: one.rows,
    "table_bytes": lambda one: one.table_bytes,
    "files": lambda one: one.files,
    "folder_bytes": lambda one: one.folder_bytes,
}


@dataclass(frozen=True, slots=True)
class Growth:
    """`per_bar`: between the medians of the first and the last quarter of the samples."""

    first: float
    last: float
    per_bar: float

    def as_text(self, name: str) -> str:
        rates = f"{self.per_bar:12,.2f} a bar  {self.per_bar * 1440:14,.0f} a day"
        return f"{name:45} {self.first:14,.0f} -> {self.last:14,.0f}  {rates}"

    def as_json(self) -> dict[str, float]:
        """`per_year`: if nothing were ever removed."""
        per_year = round(self.per_bar * YEAR_BARS)
        return {"first": self.first, "last": self.last, "per_bar": round(self.per_bar, 4), "per_year": per_year}


@dataclass(frozen=True, slots=True)
class Soak:
    samples: Sequence[Sample]

    @property
    def bars(self) -> int:
        return self.samples[-1].bars - self.samples[0].bars

    def growth(self, read: Callable[[Sample], Mapping[str, float]]) -> dict[str, Growth]:
        """By name, of everything that the last sample has."""
        found = {}
        for name in read(self.samples[-1]):
            values = [read(one).get(name, 0.0) for one in self.samples]
            found[name] = _growth(self.samples, values)
        return found

    def as_text(self) -> list[str]:
        """What grows, largest first, in MB and rows a day."""
        lines = [
            f"{self.bars} bars; latency p50 {self.samples[0].latency_p50_s} s, then {self.samples[-1].latency_p50_s} s"
        ]
        for what, read in _PARTS.items():
            growing = sorted(self.growth(read).items(), key=lambda item: -abs(item[1].per_bar))
            lines += [one.as_text(f"{what} {name}") for name, one in growing[:_SHOWN_MAX] if one.per_bar]
        return lines

    def as_json(self) -> str:
        """One line: first and last sample, growth per bar, and what a year would be if nothing were ever removed."""
        grown = {
            part: {name: one.as_json() for name, one in self.growth(read).items() if one.last}
            for part, read in _PARTS.items()
        }
        first, last = self.samples[0], self.samples[-1]
        whole = {
            "bench": "soak",
            "bars": self.bars,
            "minutes": round((_moment(last) - _moment(first)) / timedelta(minutes=1), 1),
            "latency_p50_s": {"first": first.latency_p50_s, "last": last.latency_p50_s},
            **grown,
        }
        return json.dumps(whole)


def measure_soak(
    home: Home,
    ledger_url: str,
    account: str,
    bars: int,
    tell: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Soak:
    """Samples once a minute until `bars` more bars were decided on. Raises DataError when they do not come."""
    database = Database(ledger_url)
    samples: list[Sample] = []
    try:
        samples.append(sample(home, database, account))
        patience = 2 * bars + 5
        while samples[-1].bars - samples[0].bars < bars:
            if len(samples) > patience:
                raise DataError(
                    f"{samples[-1].bars - samples[0].bars} bars were decided on in {patience} minutes",
                    thing=f"soak of {bars} bars",
                    repair="`trade-pipeline status` says what does not work.",
                )
            sleep(SAMPLE_EVERY_S)
            samples.append(sample(home, database, account))
            tell(_line(samples[-1], samples[0]))
    finally:
        database.close()
    return Soak(samples)


def sample(home: Home, database: Database, account: str, memory_mb: Mapping[str, float] | None = None) -> Sample:
    """One look at everything; memory is that of the supervised processes where it is not given.

    Raises LedgerUnavailable, OSError while database or supervisor are away.
    """
    with database.transaction() as connection:
        tables = {f"{row.room}.{row.name}": int(row.bytes) for row in connection.execute(text(_TABLES))}
        rows = {name: _count(connection, name) for name in tables}
        bars = int(connection.execute(text(_BARS), {"account": account}).scalar_one())
        took = connection.execute(text(_LATENCY), {"account": account, "count": LATENCY_OF}).scalars().all()
    on_disk = {name: _on_disk(getattr(home, name)) for name in ("lake", "logs", "dagster", "exchange", "postgres")}
    return Sample(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        bars=bars,
        latency_p50_s=round(float(median(took)), 3) if took else None,
        memory_mb=memory_of(home) if memory_mb is None else memory_mb,
        rows=rows,
        table_bytes=tables,
        files={name: count for name, (count, _) in on_disk.items()},
        folder_bytes={name: size for name, (_, size) in on_disk.items()},
    )


def memory_of(home: Home) -> dict[str, float]:
    """MB of each supervised process and its children. Raises OSError while the supervisor is away."""
    found = {}
    for state in Supervisor(home).states().values():
        if state.process_id:
            found[state.name] = round(tree_mb(state.process_id), 1)
    return found


def tree_mb(process_id: int) -> float:
    """PSS of a process and its children; 0 where it is gone."""
    total = 0
    try:
        parent = psutil.Process(process_id)
        for process in [parent, *parent.children(recursive=True)]:
            try:
                full = process.memory_full_info()
            except psutil.Error:
                continue
            total += getattr(full, "pss", full.uss)
    except psutil.Error:
        return 0.0
    return total / 1024**2


def _count(connection: Connection, table: str) -> int:
    # The names come from the server's own catalogue.
    room, _, name = table.partition(".")
    return int(connection.execute(text(f'SELECT count(*) FROM "{room}"."{name}"')).scalar_one())  # noqa: S608


def _on_disk(folder: Path) -> tuple[int, int]:
    """Files and bytes below a folder; a file that goes while we look is not counted."""
    count = size = 0
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                count, size = count + 1, size + path.stat().st_size
        except OSError:
            continue
    return count, size


def _growth(samples: Sequence[Sample], values: Sequence[float]) -> Growth:
    quarter = max(1, len(samples) // 4)
    passed = median(one.bars for one in samples[-quarter:]) - median(one.bars for one in samples[:quarter])
    grown = median(values[-quarter:]) - median(values[:quarter])
    return Growth(values[0], values[-1], grown / passed if passed else 0.0)


def _moment(one: Sample) -> datetime:
    return datetime.fromisoformat(one.at)


def _line(one: Sample, first: Sample) -> str:
    return (
        f"bar {one.bars - first.bars:5}  memory {sum(one.memory_mb.values()):6.0f} MB  "
        f"rows {sum(one.rows.values()):9,}  tables {sum(one.table_bytes.values()) / 1024**2:7.1f} MB  "
        f"lake {one.files['lake']:5} files {one.folder_bytes['lake'] / 1024**2:6.1f} MB  latency {one.latency_p50_s} s"
    )
