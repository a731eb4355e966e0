"""`verify-ledger` as a user and a script meet it: what it says, its JSON and its exit code."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from trade_pipeline.cli import main
from trade_pipeline.execution.witness import NAME, write_head
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.commands.test_conflicts import home
from trade_pipeline_tests.fakes import START
from trade_pipeline_tests.ledger.flow import buy

__all__ = ["home"]


def verify(home: Path, *options: str) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["verify-ledger", "--home", str(home), *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def watched(home: Path, ledger: Ledger) -> None:
    """What the guard does each minute."""
    ledger.record_equity(EquityPoint("main", START, *[Decimal(1)] * 7))
    write_head(Home.at(home), ledger)


def test_a_ledger_before_its_first_guard_is_proven_and_its_tail_is_not(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    buy(ledger, 1, "2", "100")
    assert verify(home) == 0
    told = capsys.readouterr().out
    assert "the tail was not checked" in told
    assert told.splitlines()[-1].startswith(f"proven: {ledger.chain_head().number} links")


def test_a_proven_ledger_is_told_as_json(home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    buy(ledger, 1, "2", "100")
    watched(home, ledger)
    assert verify(home, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    head = ledger.chain_head()
    assert (said["proven"], said["tail_checked"], said["findings"]) == (True, True, [])
    assert (said["rows"], said["head"]) == (head.number, {"number": head.number, "hash": head.hash})
    assert said["accounts"] == ["main"]


def test_a_changed_row_is_named_and_the_exit_code_is_1(
    home: Path, ledger: Ledger, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    buy(ledger, 1, "2", "100")
    watched(home, ledger)
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text("UPDATE ledger.cash SET amount = 7 WHERE asset = 'USDT'"))
    assert verify(home) == 1
    told = capsys.readouterr().out
    assert told.startswith("projection differs: cash main USDT: ")
    assert told.splitlines()[-1].startswith("1 finding: ")
    assert verify(home, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["proven"] is False
    assert [finding["place"] for finding in said["findings"]] == ["cash main USDT"]


def test_a_note_of_the_head_that_is_gone_is_a_finding_with_its_repair(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(home, ledger)
    note = Home.at(home).control / NAME
    note.unlink()
    assert verify(home) == 1
    told = capsys.readouterr().out
    assert told.startswith(f"head not noted: {note}: ")
    assert "let the stack run for a minute" in told
    assert verify(home, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["tail_checked"], [item["kind"] for item in said["findings"]]) == (False, ["head not noted"])


def test_a_note_that_was_spoilt_is_one_sentence_and_exit_code_2(
    home: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(home, ledger)
    (Home.at(home).control / NAME).write_text("{}")
    assert verify(home) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_a_removed_head_of_the_chain_is_a_finding_and_no_error(
    home: Path, ledger: Ledger, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(home, ledger)
    with create_engine(ledger_url).begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM ledger.chain_head"))
    assert verify(home) == 1
    assert capsys.readouterr().out.startswith("head removed: chain_head: ")
