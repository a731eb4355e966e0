"""What the features cost: all of them on every recorded 5m bar, against pandas on the same bars in the same process.

Once with one thread on one core and once with all, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.bench.data import files_in
from trade_pipeline.bench.features_child import NAMES, TOLERANCE, sorted_bars
from trade_pipeline.bench.measure import Report
from trade_pipeline.errors import DataError, ReplayFileError
from trade_pipeline.recorded.reading import UNNAMED, read_recorded
from trade_pipeline.recorded.values import RecordedBars

BAR_LENGTH_S = 300
ROUNDS = 9
RATIO_AIM = 0.5
CHILD_S_MAX = 600
THREAD_VARIABLES = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measure_features(paths: Sequence[Path], tell: Callable[[str], None], rounds: int = ROUNDS) -> Report:
    """Ratios "one core" and "all cores": the product's time to that of pandas, medians of rounds that take turns.

    `best_ratio_...` are those of the quickest rounds, which other work on the machine touches least.

    Raises DataError where the paths hold no 5m bars, or where the two sides differ by more than TOLERANCE.
    """
    report = Report("features", tell)
    bars, files = five_minute_bars(files_in(paths))
    if not files:
        raise DataError("there are no recorded 5m bars", thing="--data", value=[str(path) for path in paths],
                        repair="Name a file or folder of recorded bars of five minutes.")  # fmt: skip
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="trade-pipeline-bench-") as folder:
        path = Path(folder) / "bars.parquet"
        bars.write_parquet(path)
        one, every = _timed_in_child(path, rounds, 1), _timed_in_child(path, rounds, cores)
    report.ratio("features, one core", one["seconds"] / one["pandas_seconds"])
    report.ratio("features, all cores", every["seconds"] / every["pandas_seconds"])
    tell(f"{bars.height:,} bars x {len(NAMES)} features: {every['seconds']:.3f} s, {every['library']} "
         f"{every['pandas_seconds']:.3f} s; largest difference {every['largest_difference']:.1e}")  # fmt: skip
    report.summary = {
        "ratio_one_core": round(one["seconds"] / one["pandas_seconds"], 3),
        "ratio_all_cores": round(every["seconds"] / every["pandas_seconds"], 3),
        "best_ratio_one_core": round(one["ratio_best"], 3),
        "best_ratio_all_cores": round(every["ratio_best"], 3),
        "ratio_aim": RATIO_AIM,
        "rows": bars.height,
        "features": len(NAMES),
        "seconds": round(every["seconds"], 4),
        "seconds_one_core": round(one["seconds"], 4),
        "pandas_seconds": round(every["pandas_seconds"], 4),
        "pandas_seconds_one_core": round(one["pandas_seconds"], 4),
        "against": every["library"],
        "cores": cores,
        "files": files,
        "rounds": rounds,
        "values_compared": every["values_compared"],
        "largest_difference": every["largest_difference"],
        "tolerance": TOLERANCE,
        "load_1m": round(os.getloadavg()[0], 2),
        "pandas": every["pandas"],
        "polars": every["polars"],
    }
    return report


def five_minute_bars(files: Sequence[Path]) -> tuple[pl.DataFrame, int]:
    """The bars of all files of that length, a symbol a file, and how many files that are. Others are passed over."""
    frames: list[pl.DataFrame] = []
    for file in files:
        try:
            item = read_recorded(file, unnamed=UNNAMED)
        except ReplayFileError:
            continue  # a list of files, or a table of something else
        if isinstance(item, RecordedBars) and item.bar_length_s == BAR_LENGTH_S:
            name = f"{len(frames):03} {item.symbol}"
            frames.append(item.bars.with_columns(pl.lit(name).alias("symbol")))
    return (sorted_bars(pl.concat(frames)) if frames else pl.DataFrame()), len(frames)


def _timed_in_child(path: Path, rounds: int, threads: int) -> dict[str, Any]:
    """What `features_child` printed. With one thread the process is kept on one core."""
    environ = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    command = [sys.executable, "-m", "trade_pipeline.bench.features_child", str(path), str(rounds)]
    core = {min(os.sched_getaffinity(0))}
    done = subprocess.run(  # noqa: S603  # our own module, no shell
        command,
        env=environ,
        capture_output=True,
        text=True,
        timeout=CHILD_S_MAX,
        check=False,
        preexec_fn=(lambda: os.sched_setaffinity(0, core)) if threads == 1 else None,
    )
    if done.returncode:
        raise DataError("the measuring process failed", thing="bench features", value=done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["differs"]:
        raise DataError(f"values differ from {found['library']} by more than {TOLERANCE:g}",
                        thing="features", value=found["differs"])  # fmt: skip
    return found
