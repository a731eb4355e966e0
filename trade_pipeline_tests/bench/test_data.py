"""The benchmark of data on a small recording: its rows are measured, its ratio follows from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trade_pipeline.bench import data
from trade_pipeline.errors import DataError
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import bars_of, random_closes


def recording(folder: Path) -> Path:
    bars = bars_of("A/USDT", random_closes(500, seed=3).tolist())
    path = folder / "A_USDT-1m.parquet"
    bars.select("open_time", "open", "high", "low", "close", "volume").rename({"open_time": "date"}).write_parquet(path)
    return path


def test_it_measures_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "SYMBOLS", 3)
    monkeypatch.setattr(data, "FETCHES", 1)
    monkeypatch.setattr(data, "SCANNED", 5)
    lines: list[str] = []
    report = data.measure_data([recording(tmp_path)], QualitySettings(), lines.append)
    found = json.loads(report.as_json())
    assert (found["bars"], found["files"]) == (500, 1)
    assert found["ratio"] == pytest.approx(found["ingest_s"] / found["polars_s"], rel=0.05)
    assert found["rows"]["fetch"]["count"] == 3
    assert found["rows"]["scan"]["count"] == 5
    assert found["rows"]["scan again"]["cpu_s"] > 0
    assert found["rows"]["scan again"]["served_cpu_s"] >= 0
    assert "served_cpu_s" not in found["rows"]["ingest"]
    assert len(lines) == 5


def test_a_folder_without_bars_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match="no recorded bars"):
        data.measure_data([tmp_path], QualitySettings(), print)
