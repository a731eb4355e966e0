"""`quality report` counts what is wrong with files and with the lake, and ends in one object as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trade_pipeline.cli import main
from trade_pipeline.commands.quality import of_bars
from trade_pipeline.market_data.lake import Lake
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import load_settings, write_settings_in_force
from trade_pipeline.settings.market import SimulatedExchangeSettings
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.made_bars import MINUTE, START, bars_of, random_bars, random_closes


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(["quality", "report", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two hundred minutes, one of them three times and one impossible."""
    bars = bars_of("BTC/USDT", random_closes(200, 5).tolist())
    plain = bars.select(date="open_time", open="open", high="high", low="low", close="close", volume="volume")
    copies = [plain[50].with_columns(volume=pl.lit(volume)) for volume in (1.0, 2.0)]
    bad = plain[90].with_columns(low=pl.lit(-1.0))
    path = tmp_path / "BTC_USDT-1m.parquet"
    pl.concat([plain[:51], *copies, plain[51:90], bad, plain[91:]]).write_parquet(path)
    return path


def test_a_file_is_counted_by_rule_in_one_object(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(report(capsys, "--file", str(file), "--json").splitlines()[-1])
    assert told["rows"] == 202 == told["accepted"] + told["repaired"] + told["quarantined"]
    assert (told["repaired"], told["quarantined"], told["filled"]) == (1, 3, 1)
    assert told["rules"] == {"duplicate": 2, "non_positive_price": 1}
    assert told["quarantined_by_rule"] == {"duplicate": 2, "non_positive_price": 1}
    assert told["repaired_by_rule"] == {"duplicate": 1, "filled for quarantined": 1}
    assert "above 0" in told["held"]


def test_several_files_are_added_up_with_each_inside(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(report(capsys, "--file", str(file), "--file", str(file), "--json"))
    assert (told["rows"], told["rules"]["duplicate"], len(told["files"])) == (404, 4, 2)


def test_rows_that_are_no_bars_are_noted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("open", "high", "low", "close", "volume")
    nobody = (pl.when(pl.int_range(pl.len()) == 20).then(float("nan")).otherwise(name).alias(name) for name in names)
    pl.read_parquet(file).with_columns(nobody).write_parquet(file)
    told = json.loads(report(capsys, "--file", str(file), "--json"))
    assert (told["rows"], told["notes"]) == (201, {"empty_rows": 1})


def test_people_get_a_table(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = report(capsys, "--file", str(file))
    assert "quarantined" in told and "duplicate 2" in told and file.name in told


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["quality", "report", "--file", str(tmp_path / "BTC_USDT-1m.csv")])
    assert ended.value.code == 2
    assert "there is no such file" in capsys.readouterr().err


def test_without_a_file_the_lake_is_judged_by_symbol(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home.at(tmp_path)
    write_settings_in_force(home, load_settings(None, overrides={"home": str(tmp_path)}, environ={}))
    with pytest.raises(SystemExit):
        main(["quality", "report", "--home", str(tmp_path)])
    assert "holds no bars yet" in capsys.readouterr().err
    hole = (pl.col("symbol") == "S01/USDT") & (pl.col("open_time") == START + MINUTE * 40)
    Lake(home.lake).append("raw_bars", random_bars(3, 300).filter(~hole), known_at=START + MINUTE * 300)
    told = json.loads(report(capsys, "--home", str(tmp_path), "--json"))
    assert (told["rows"], told["rules"], told["missing"]) == (899, {"gap": 1}, 1)
    assert [item["symbol"] for item in told["files"]] == ["S00/USDT", "S01/USDT", "S02/USDT"]


def test_the_lake_of_a_replay_is_judged_as_its_decisions_are() -> None:
    bars = random_bars(1, 300).filter(pl.col("open_time") != START + MINUTE * 250)
    replay = SimulatedExchangeSettings(replay=Path("bars"))
    (live,), (replayed,) = of_bars(bars, Settings()), of_bars(bars, Settings(exchange=replay))
    assert live.held is not None
    assert (replayed.held, replayed.rules, replayed.score) == (None, {"gap": 1}, 1.0)
