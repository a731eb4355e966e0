"""Recorded files, read and judged: their order, their errors, and what is made of files of trades."""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.quality.recordings import AT_ONCE, judged_file, judged_files
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import bars_of, random_closes

SETTINGS = QualitySettings()


def recording(folder: Path, base: str, bars: int) -> Path:
    path = folder / f"{base}_USDT-1m.parquet"
    made = bars_of(f"{base}/USDT", random_closes(bars, 5).tolist())
    made.select("open", "high", "low", "close", "volume", date="open_time").write_parquet(path)
    return path


def test_files_come_in_the_order_given_however_long_each_takes(tmp_path: Path) -> None:
    sizes = [3000, 10, 2000, 10, 10, 1000]
    files = [recording(tmp_path, f"S{number}", bars) for number, bars in enumerate(sizes)]
    judged = list(judged_files(files, SETTINGS))
    assert [item.bars.path for item in judged] == files
    assert [item.verdict.rows for item in judged] == sizes
    alone = [judged_file(file, SETTINGS) for file in files]
    assert all(a.verdict.bars.equals(b.verdict.bars) for a, b in zip(judged, alone, strict=True))


def test_those_before_a_file_that_cannot_be_read_are_given_and_none_after_it(tmp_path: Path) -> None:
    broken = tmp_path / "BAD_USDT-1m.parquet"
    broken.write_bytes(b"no parquet")
    files = [recording(tmp_path, "A", 50), recording(tmp_path, "B", 50), broken, recording(tmp_path, "C", 50)]
    seen = []
    with pytest.raises(ReplayFileError, match="cannot be read"):
        for item in judged_files(files, SETTINGS):
            seen.append(item.bars.symbol)
    assert seen == ["A/USDT", "B/USDT"]


def test_who_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    files = [recording(tmp_path, f"S{number}", 50) for number in range(3 * AT_ONCE)]
    coming = judged_files(files, SETTINGS)
    assert next(coming).bars.symbol == "S0/USDT"
    coming.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("recordings")]


def test_trades_are_judged_as_the_bars_that_they_make(tmp_path: Path) -> None:
    path = tmp_path / "XBTEUR.csv"
    path.write_text("".join(f"{1_700_000_000 + 20 * n},{100 + n % 3},0.5\n" for n in range(90)))
    judged = judged_file(path, SETTINGS)
    assert judged.trades is not None and judged.trades.rows == 90
    assert judged.verdict.rows == judged.bars.bars.height == 31
    assert judged.verdict.bars.select(pl.col("volume").sum()).item() == 45.0
