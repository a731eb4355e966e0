"""The process that times features: its thread count is set before polars is imported, so it must be a process.

`python -m trade_pipeline.bench.features_child FILE ROUNDS`: FILE is a parquet file of bars. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.bench.pandas_features import SETTLED_BARS, library_name, pandas_features
from trade_pipeline.features.compute import compute_features
from trade_pipeline.schemas.frames import BAR_KEY, FEATURES
from trade_pipeline.settings.trading import FeatureSettings

NAMES = tuple(name for name, dtype in FEATURES.items() if dtype == pl.Float64() and name != "close")
TOLERANCE = 1e-6
"""Of a value's size: running sums of two libraries differ by rounding."""
SIZES = {"rsi": 100.0, "adx": 100.0, "volume_zscore": 1.0, "idle_ratio": 1.0, "bollinger_position": 1.0}
"""What the differences of indexes are held against; all others against themselves or a thousandth of the price."""


def main(arguments: list[str]) -> int:
    path, rounds = Path(arguments[0]), int(arguments[1])
    bars = pl.read_parquet(path)
    table = bars.select("symbol", "high", "low", "close", "volume").to_pandas()
    settings = FeatureSettings()
    compared = compare(compute_features(bars, settings), pandas_features(table, settings))
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(timed(lambda: compute_features(bars, settings)))
        theirs.append(timed(lambda: pandas_features(table, settings)))
    found = {
        "threads": pl.thread_pool_size(),
        "seconds": statistics.median(ours),
        "pandas_seconds": statistics.median(theirs),
        "ratio_best": min(ours) / min(theirs),
        "rows": bars.height,
        "library": library_name(),
        "pandas": sys.modules["pandas"].__version__,
        "polars": pl.__version__,
        **compared,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def compare(ours: pl.DataFrame, theirs: Any) -> dict[str, object]:
    """Every settled value of both; `differs`: names of features with a value further apart than TOLERANCE.

    Where the product gives null, or a fixed value in place of noise, there is nothing to compare.
    """
    settled = ours.select(pl.int_range(pl.len()).over("symbol")).to_series() >= SETTLED_BARS
    apart: dict[str, float] = {}
    values = 0
    for name in NAMES:
        both = pl.DataFrame({"ours": ours[name], "theirs": pl.Series(theirs[name].to_numpy()), "close": ours["close"]})
        both = both.filter(settled & both["ours"].is_not_null() & both["theirs"].is_finite())
        size = pl.lit(SIZES[name]) if name in SIZES else pl.max_horizontal(pl.col("ours").abs(), _floor(name))
        gap = both.select((pl.col("ours") - pl.col("theirs")).abs() / size).to_series().max()
        apart[name] = float(gap) if isinstance(gap, float) else 0.0
        values += both.height
    return {
        "values_compared": values,
        "largest_difference": max(apart.values()),
        "differs": {name: gap for name, gap in apart.items() if gap > TOLERANCE},
    }


def _floor(name: str) -> pl.Expr:
    """Differences of prices are rounding of prices; ratios have no unit."""
    return pl.lit(1e-4) if name in ("atr_ratio", "realised_volatility") else pl.col("close") * 1e-3


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def sorted_bars(bars: pl.DataFrame) -> pl.DataFrame:
    """In the order in which both sides want them, one row a key."""
    return bars.unique(BAR_KEY, keep="first", maintain_order=True).sort(BAR_KEY)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
