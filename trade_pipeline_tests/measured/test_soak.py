"""A soak in compressed time: the real jobs under a virtual clock, and a record that tells of a run that was cut."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trade_pipeline.bench.compressed_soak import STEP_MINUTES, measure_compressed, recorded_soak
from trade_pipeline.errors import DataError
from trade_pipeline.measured.virtual_clock import VirtualClock


def test_bars_of_the_past_are_decided_and_executed_without_waiting_for_them(tmp_path: Path) -> None:
    lines: list[str] = []
    found = measure_compressed(3, 2, tmp_path / "record", lines.append)
    assert len(lines) == 3
    assert all("sen" in line for line in lines), "each was executed: orders sent, or nothing to send"
    first, last = found.samples[0], found.samples[-1]
    assert (first.bars, last.bars, found.bars) == (1, 3, 2)
    assert last.rows["ledger.outcomes"] == 9, "recorded, gate, execute"
    assert last.rows["public.runs"] >= 6
    assert set(last.memory_mb) == {"worker", "exchange", "postgres"}
    assert min(last.memory_mb.values()) > 1
    assert STEP_MINUTES == 5
    assert recorded_soak(tmp_path / "record") == found


def test_a_record_whose_last_line_was_cut_is_told_without_it(tmp_path: Path) -> None:
    record = tmp_path / "record"
    with pytest.raises(DataError, match="0 samples"):
        recorded_soak(record)
    at = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    empty: dict[str, object] = {name: {} for name in ("rows", "table_bytes", "files", "folder_bytes")}
    lines = [{"at": at, "bars": bar, "latency_p50_s": 1.0, "memory_mb": {"worker": 300.0}, **empty} for bar in (1, 11)]
    record.write_text("\n".join(json.dumps(line) for line in lines) + '\n{"at": "2026')
    assert recorded_soak(record).bars == 10


def test_a_virtual_clock_runs_on_from_where_it_was_put_in_every_process(tmp_path: Path) -> None:
    clock, other = VirtualClock(tmp_path / "clock"), VirtualClock(tmp_path / "clock")
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    clock.put_to(moment)
    first = other.now()
    assert moment <= first < moment + timedelta(seconds=5)
    assert other.now_ms() <= clock.now_ms()
