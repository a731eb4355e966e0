"""What every benchmark shares: rows by name with their rates and memory, and how they are printed."""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: `count` things of `unit` took `took_s`. `memory_peak_mb`: of this process while it ran.

    `cpu_s` is processor time of this process, `served_cpu_s` that of the one which answered it, where there is one:
    what a busy machine does not change.
    """

    name: str
    count: int
    unit: str
    took_s: float
    memory_peak_mb: float
    floor_per_min: float | None = None
    aim_per_s: float | None = None
    cpu_s: float = 0.0
    served_cpu_s: float | None = None

    @property
    def per_s(self) -> float:
        return self.count / self.took_s

    @property
    def above_floor(self) -> bool:
        return self.floor_per_min is None or self.per_s * 60 >= self.floor_per_min

    def as_json(self) -> dict[str, object]:
        values: dict[str, object] = {
            "count": self.count,
            "unit": self.unit,
            "took_s": round(self.took_s, 4),
            "per_s": round(self.per_s, 1),
            "per_min": round(self.per_s * 60, 1),
            "memory_peak_mb": self.memory_peak_mb,
            "cpu_s": round(self.cpu_s, 3),
        }
        if self.served_cpu_s is not None:
            values["served_cpu_s"] = round(self.served_cpu_s, 3)
        if self.floor_per_min is not None:
            values |= {"floor_per_min": self.floor_per_min, "above_floor": self.above_floor}
        return values | ({} if self.aim_per_s is None else {"aim_per_s": self.aim_per_s})

    def as_text(self) -> str:
        bounds = "" if self.floor_per_min is None else f", floor {self.floor_per_min:g}/min"
        bounds += "" if self.aim_per_s is None else f", aim {self.aim_per_s:g}/s"
        rate = f"{self.per_s:,.0f}/s" if self.per_s >= 10 else f"{self.per_s * 60:,.0f}/min"
        what = f"{self.count:,} {self.unit}"
        return f"{self.name:22} {what:26} {self.took_s:8.3f} s {rate:>12}  {self.memory_peak_mb:6.0f} MB{bounds}"


@dataclass
class Report:
    """Rows as they come, ratios within the run, and a summary that the benchmark adds for machines."""

    bench: str
    tell: Callable[[str], None] = lambda _: None
    """Hears each row as a line as soon as it is measured."""
    rows: list[Row] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    summary: dict[str, object] = field(default_factory=dict)

    @contextmanager
    def row(
        self,
        name: str,
        count: int,
        unit: str,
        *,
        floor_per_min: float | None = None,
        aim_per_s: float | None = None,
        served_by: int | None = None,
    ) -> Iterator[None]:
        """Times what is inside; the row is kept when it ends without an exception. `served_by`: id of a process."""
        memory = PeakMemory()
        cpu_s, served_s = time.process_time(), served_by and cpu_s_of(served_by)
        began = time.perf_counter()
        yield
        took_s = time.perf_counter() - began
        cpu_s = time.process_time() - cpu_s
        served_s = cpu_s_of(served_by) - served_s if served_by and served_s is not None else None
        row = Row(name, count, unit, took_s, memory.peak_mb(), floor_per_min, aim_per_s, cpu_s, served_s)
        self.rows.append(row)
        self.tell(row.as_text())

    def ratio(self, name: str, value: float) -> None:
        self.ratios[name] = round(value, 3)
        self.tell(f"{name:22} {value:.2f} times")

    def named(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    @property
    def passed(self) -> bool:
        """Whether every row that has a floor is above it."""
        return all(row.above_floor for row in self.rows)

    def as_json(self) -> str:
        """One line: what a reader of `--json` takes from the last line."""
        whole = {
            "bench": self.bench,
            "passed": self.passed,
            "memory_peak_mb": max((row.memory_peak_mb for row in self.rows), default=0.0),
            "rows": {row.name: row.as_json() for row in self.rows},
            "ratios": self.ratios,
            "python": platform.python_version(),
            **self.summary,
        }
        return json.dumps(whole)


class PeakMemory:
    """Peak resident memory since it was made. Where the kernel cannot forget an earlier peak, of the whole process."""

    def __init__(self) -> None:
        with suppress(OSError):
            _CLEAR.write_text("5")

    def peak_mb(self) -> float:
        return _status_mb("VmHWM:")


def cpu_s_of(process_id: int) -> float:
    """Processor time that another process has used, in steps of the kernel's clock; 0 where it cannot be told."""
    with suppress(OSError):
        after_name = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def resident_mb() -> float:
    """Memory of this process now."""
    return _status_mb("VmRSS:")


def _status_mb(name: str) -> float:
    with suppress(OSError, StopIteration):
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
        return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
