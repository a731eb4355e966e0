"""The benchmark of features: its two sides agree on made bars, and a difference is found."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.bench import features
from trade_pipeline.bench.features_child import NAMES, compare
from trade_pipeline.bench.pandas_features import pandas_features
from trade_pipeline.errors import DataError
from trade_pipeline.features.compute import compute_features
from trade_pipeline.settings.trading import FeatureSettings
from trade_pipeline_tests.made_bars import START, bars_of, random_bars, random_closes

SETTINGS = FeatureSettings()


def recording(path: Path, minutes: int, bars: int = 1_100) -> Path:
    made = bars_of("A/USDT", random_closes(bars, seed=5).tolist())
    times = [START + (moment - START) * minutes for moment in made["open_time"]]
    table = made.select("open", "high", "low", "close", "volume").with_columns(pl.Series("date", times))
    table.write_parquet(path)
    return path


def test_the_last_line_has_the_ratios_of_five_minute_bars(tmp_path: Path) -> None:
    recording(tmp_path / "A_USDT-5m.parquet", 5)
    recording(tmp_path / "A_USDT-1m.parquet", 1)
    found = json.loads(features.measure_features([tmp_path], lambda _: None, rounds=1).as_json())
    assert (found["rows"], found["files"], found["features"]) == (1_100, 1, 17)
    assert found["values_compared"] == 100 * 17
    assert found["largest_difference"] < found["tolerance"]
    assert found["ratio_one_core"] > 0 and found["ratio_all_cores"] > 0


def test_a_folder_without_five_minute_bars_is_refused(tmp_path: Path) -> None:
    recording(tmp_path / "A_USDT-1m.parquet", 1)
    with pytest.raises(DataError, match="no recorded 5m bars"):
        features.measure_features([tmp_path], lambda _: None)


def test_a_feature_that_differs_is_named() -> None:
    bars = random_bars(2, 1_050)
    ours = compute_features(bars, SETTINGS)
    theirs = pandas_features(bars.select("symbol", "high", "low", "close", "volume").to_pandas(), SETTINGS)
    assert set(theirs.columns) == set(NAMES)
    assert compare(ours, theirs)["differs"] == {}
    theirs["rsi"] += 0.01
    differs = compare(ours, theirs)["differs"]
    assert isinstance(differs, dict)
    assert set(differs) == {"rsi"}
