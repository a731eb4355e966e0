"""`up --mode live` and `preflight` as a user meets them: refused with a table, and nothing is started."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trade_pipeline.cli import main
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.root import Settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TRADE_PIPELINE", "DAGSTER")):
            monkeypatch.delenv(name)


def _call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_live_without_keys_is_refused_with_a_table_and_nothing_is_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert _call("up", "--mode", "live", "--home", str(tmp_path / "h")) == 2
    output = capfd.readouterr()
    assert "Preflight of live trading" in output.out
    assert "trading keys are set" in output.err
    assert "the key cannot withdraw" in output.err
    home = Home.at(tmp_path / "h")
    assert not home.secrets.exists()
    assert not home.postgres.exists()


def test_preflight_says_as_json_what_failed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _call("preflight", "--json", "--home", str(tmp_path), "--confirm", "market.symbols") == 2
    found = json.loads(capfd.readouterr().out)
    assert not found["passed"]
    by_name = {item["check"]: item for item in found["checks"]}
    assert not by_name["trading keys are set"]["passed"]
    assert by_name["the UI is closed"]["passed"]
    assert "market.symbols" not in by_name["risky settings are confirmed"]["found"]
    assert all(item["repair"] for item in found["checks"] if not item["passed"])


def test_live_with_the_address_of_a_simulated_exchange_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADE_PIPELINE_EXCHANGE_URL", "http://127.0.0.1:18080")
    assert _call("preflight", "--json", "--home", str(tmp_path)) == 2
    by_name = {item["check"]: item for item in json.loads(capfd.readouterr().out)["checks"]}
    assert not by_name["orders go to the exchange itself"]["passed"]


def test_the_home_of_a_simulation_is_no_home_for_live_and_its_keys_are_no_keys(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = Home.at(tmp_path)
    write_settings_in_force(home, Settings())
    home.secrets.write_text("TRADE_PIPELINE_EXCHANGE_API_KEY=k\nTRADE_PIPELINE_EXCHANGE_API_SECRET=s\n")
    assert _call("preflight", "--json", "--home", str(tmp_path)) == 2
    by_name = {item["check"]: item for item in json.loads(capfd.readouterr().out)["checks"]}
    assert not by_name["the home has traded in no other mode"]["passed"]
    assert not by_name["trading keys are set"]["passed"]


def test_a_live_home_is_not_continued_as_a_simulation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_settings_in_force(Home.at(tmp_path), Settings(mode="live"))
    assert _call("up", "--home", str(tmp_path)) == 2
    assert "book of a live account" in capfd.readouterr().err


def test_a_recording_is_not_played_as_paper(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    recording = str(tmp_path / "bars")
    assert _call("up", "--mode", "paper", "--replay", recording, "--home", str(tmp_path)) == 2
    assert "a recording is named" in capfd.readouterr().err


def test_an_exchange_is_not_named_for_the_simulation(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _call("up", "--exchange", "kraken", "--home", str(tmp_path)) == 2
    assert "Add `--mode paper`" in capfd.readouterr().err


def test_a_paper_feed_is_of_this_machine_or_the_exchanges_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADE_PIPELINE__PAPER__FEED_URL", "https://api.example.com")
    assert _call("up", "--mode", "paper", "--home", str(tmp_path)) == 2
    assert "no address of this machine" in capfd.readouterr().err


def test_the_table_is_whole_in_a_pipe_and_folded_in_a_narrow_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert _call("preflight", "--home", str(tmp_path)) == 2
    piped = capfd.readouterr().out
    rows = [[cell.strip() for cell in text.split("│")[1:-1]] for text in piped.splitlines() if "│" in text]
    assert _call("preflight", "--json", "--home", str(tmp_path)) == 2
    found = json.loads(capfd.readouterr().out)["checks"]
    assert rows == [
        [item["check"], "passed" if item["passed"] else "FAILED", item["found"], item["repair"]] for item in found
    ]
    monkeypatch.setenv("COLUMNS", "80")
    assert _call("preflight", "--home", str(tmp_path)) == 2
    narrow = capfd.readouterr().out
    assert "…" not in narrow
    cells = [[cell.strip() for cell in text.split("│")[1:-1]] for text in narrow.splitlines() if "│" in text]
    told = "".join(row[3] for row in cells).replace(" ", "")
    assert told == "".join(item["repair"] for item in found).replace(" ", "")
