"""`ingest` keeps recorded bars with source, the moment we learned them, and revisions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.cli import main
from trade_pipeline.commands.ingest import keep
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.quality.recordings import judged_file
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import bars_of, random_closes
from trade_pipeline_tests.shared import shared_path

KNOWN_AT = datetime(2026, 3, 2, tzinfo=UTC)
SETTINGS = QualitySettings()


def written(path: Path, close: float | None = None) -> Path:
    bars = bars_of("BTC/USDT", random_closes(200, 5).tolist())
    plain = bars.select(date="open_time", open="open", high="high", low="low", close="close", volume="volume")
    if close is not None:
        plain = plain.with_columns(
            high=pl.lit(close), close=pl.when(pl.int_range(pl.len()) == 90).then(pl.lit(close)).otherwise("close")
        )
    plain.write_parquet(path)
    return path


def test_the_same_file_again_adds_nothing_and_a_changed_bar_is_a_revision(tmp_path: Path) -> None:
    lake, file = Lake(tmp_path / "lake"), tmp_path / "BTC_USDT-1m.parquet"
    first = keep(lake, judged_file(written(file), SETTINGS), KNOWN_AT)
    assert (first["rows_added"], first["rows_revised"]) == (200, 0)
    again = keep(lake, judged_file(file, SETTINGS), KNOWN_AT + timedelta(hours=1))
    assert (again["rows_added"], again["rows_revised"]) == (0, 0)
    day = lake.days("recorded_bars")
    stored = lake.history("recorded_bars", day)
    assert stored.select(pl.col("source", "length_s").unique()).row(0) == ("recorded", 60)
    assert stored.get_column("known_at").unique().to_list() == [KNOWN_AT]
    top = float(stored.select(pl.max("high")).item())
    changed = keep(lake, judged_file(written(file, top), SETTINGS), KNOWN_AT + timedelta(hours=2))
    assert changed["rows_added"] == 0 and int(str(changed["rows_revised"])) > 0
    assert lake.history("recorded_bars", day).get_column("revision").max() == 1


def test_what_was_quarantined_is_kept_with_its_reason(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    told = keep(lake, judged_file(shared_path("data/bittrex/BTC_DOGE-5.json.gz"), SETTINGS), KNOWN_AT)
    kept = lake.read("recorded_quarantine", lake.days("recorded_quarantine"))
    assert kept.height == 209 == told["quarantined"]
    assert kept.get_column("reason").str.contains("the fullest stays").all()


def test_the_command_says_what_was_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home.at(tmp_path / "home")
    write_settings_in_force(home, load_settings(None, overrides={"home": str(home.root)}, environ={}))
    file = written(tmp_path / "BTC_USDT-1m.parquet")
    for added in (200, 0):
        with pytest.raises(SystemExit) as ended:
            main(["ingest", str(file), "--home", str(home.root), "--json"])
        assert ended.value.code == 0
        assert json.loads(capsys.readouterr().out)["rows_added"] == added
