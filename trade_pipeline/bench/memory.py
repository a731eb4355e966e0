"""Peak memory of a decision beyond what its imports take, in a process of its own (`trade_pipeline.measured.decision`).

Measured for one symbol as well: what that takes is code and buffers that are loaded with the first use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from trade_pipeline.bench.measure import Report
from trade_pipeline.errors import DataError
from trade_pipeline.runtime.environment import ALLOCATION, ALLOCATOR

SYMBOLS = 100
AIM_MB = 300.0
CHILD_S_MAX = 600


def measure_memory(symbols: int, tell: Callable[[str], None]) -> Report:
    """Two decisions at the end of a day, when the window is longest, for `symbols` and for one."""
    report = Report("memory", tell)
    one, many = _in_child(1), _in_child(symbols)
    for found in (one, many):
        tell(
            f"{found['symbols']:4} symbols x {found['window_bars']:,} bars: {found['beyond_imports_mb']:.0f} MB beyond "
            f"imports of {found['imports_mb']:.0f} MB, decisions in {found['took_s']} s"
        )
    report.summary = many | {
        "one_symbol_mb": one["beyond_imports_mb"],
        "aim_mb": AIM_MB,
        "aim_met": many["beyond_imports_mb"] <= AIM_MB,
        "load_1m": round(os.getloadavg()[0], 2),
    }
    return report


def _in_child(symbols: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "trade_pipeline.measured.decision", str(symbols)]
    environ = {**os.environ, ALLOCATOR: ALLOCATION}  # as a stack's processes have it
    done = subprocess.run(  # noqa: S603  # our own module, no shell
        command, env=environ, capture_output=True, text=True, timeout=CHILD_S_MAX, check=False
    )
    if done.returncode:
        raise DataError("the measuring process failed", thing="bench memory", value=done.stderr[-2_000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
