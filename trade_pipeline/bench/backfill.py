"""What a backfill costs: days x symbols at two sizes, so that its growth shows, through Dagster and without it.

Every size and way runs in a process of its own (`trade_pipeline.measured.backfill`), on made bars that are in a lake of
its own already: what an exchange takes to answer is not in it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from trade_pipeline.bench.measure import Report
from trade_pipeline.errors import DataError

WAYS = ("functions", "lake", "dagster")
DAYS = (2, 8)
SYMBOLS = 20
CHILD_S_MAX = 3_600
ERROR_CHARS_MAX = 2_000


def measure_backfill(days: Sequence[int], symbols: int, tell: Callable[[str], None]) -> Report:
    """For each way the smaller size, then the larger. Raises DataError where the ways do not agree on the signals."""
    small, large = sorted(days)
    if small == large or small < 1:
        raise DataError("two sizes are needed", thing="--days", value=list(days), repair="Give two numbers of days.")
    report = Report("backfill", tell)
    ways: dict[str, object] = {}
    signals: set[tuple[int, int]] = set()
    for way in WAYS:
        sizes = [_in_child(way, size, symbols) for size in (small, large)]
        signals |= {(found["days"], found["signals"]) for found in sizes}
        ways[way] = told = growth(sizes)
        tell(as_text(way, told))
    if len(signals) != 2:
        raise DataError("the ways do not agree", thing="rows of signals", value=sorted(signals))
    report.summary = {"symbols": symbols, "days": [small, large], "ways": ways, "load_1m": round(os.getloadavg()[0], 2)}
    return report


def growth(sizes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Both sizes and what a million bars more take; `growth` is cost per bar of the larger to that of the smaller.

    Below 1 the fixed part of a run is spread over more bars; about 1 is linear.
    """
    small, large = sizes
    more = (large["bars"] - small["bars"]) / 1e6
    per_bar = [size["seconds"] / size["bars"] for size in sizes]
    return {
        "sizes": [{name: _rounded(value) for name, value in size.items() if name != "way"} for size in sizes],
        "seconds_per_million_bars": round((large["seconds"] - small["seconds"]) / more, 2),
        "peak_mb_per_million_bars": round((large["peak_mb"] - small["peak_mb"]) / more, 1),
        "lake_mb_per_million_bars": round((large["lake_mb"] - small["lake_mb"]) / more, 1),
        "growth": round(per_bar[1] / per_bar[0], 3),
    }


def as_text(way: str, told: dict[str, Any]) -> str:
    each = "; ".join(
        f"{size['bars']:,} bars {size['seconds']:.2f} s, peak {size['peak_mb']:.0f} MB" for size in told["sizes"]
    )
    return (
        f"{way:10} {each}; a million more {told['seconds_per_million_bars']:.1f} s and "
        f"{told['lake_mb_per_million_bars']:.0f} MB of lake; growth {told['growth']:.2f}"
    )


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


def _in_child(way: str, days: int, symbols: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "trade_pipeline.measured.backfill", way, str(days), str(symbols)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHILD_S_MAX, check=False)  # noqa: S603  our own module, no shell
    if done.returncode:
        raise DataError("the measuring process failed", thing=f"bench backfill, {way}",
                        value=done.stderr[-ERROR_CHARS_MAX:])  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
