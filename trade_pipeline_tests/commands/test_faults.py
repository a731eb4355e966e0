"""`faults`: its last line is the same object for seeds, one seed and the exhaustive run; contradictions are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.cli import main
from trade_pipeline.faults import exhaust
from trade_pipeline.faults.kinds import Fault
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.scenario import Scenario
from trade_pipeline.faults.stage import Stage

KEYS = {
    *("seeds", "plays", "violations", "failed_seeds", "hits", "never_hit", "orders", "fills", "jobs", "cut_short"),
    *("seeds_per_s", "seeds_per_s_and_job", "took_s"),
}
SEED = 3


@pytest.fixture
def only_three_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the hundreds that there are."""
    every = exhaust.all_of

    def some(stage: Stage, base: Scenario, pairs: int) -> Iterator[tuple[Sequence[exhaust.Thing], Played]]:
        return islice(every(stage, base, pairs), 3)

    monkeypatch.setattr(exhaust, "all_of", some)


def faults(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["faults", *options])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last line as JSON."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def check_never_hit(told: dict[str, Any]) -> None:
    assert told["hits"]
    assert set(told["never_hit"]) == {str(fault) for fault in Fault} - set(told["hits"])


def test_a_campaign_is_told(ledger_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = faults("--seeds", "2", "--first", str(SEED), "--ledger-url", ledger_url, "--json")
    told = said(capsys)
    assert set(told) == KEYS
    assert (code, told["violations"], told["seeds"], told["plays"]) == (0, 0, 2, 2)
    assert told["seeds_per_s"] > 0
    check_never_hit(told)


def test_one_seed_is_told_by_the_same_keys(ledger_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = faults("--seed", str(SEED), "--ledger-url", ledger_url, "--json")
    told = said(capsys)
    assert set(told) == KEYS | {"seed", "trace_hash", "repeatable"}
    assert (code, told["violations"], told["seeds"], told["plays"]) == (0, 0, 1, 2)
    assert (told["seed"], told["repeatable"]) == (SEED, True)
    assert told["seeds_per_s"] > 0
    check_never_hit(told)


def test_an_exhaustive_run_is_told_by_the_same_keys(
    ledger_url: str, capsys: pytest.CaptureFixture[str], only_three_plays: None
) -> None:
    code = faults("--exhaust", "1", "--first", str(SEED), "--ledger-url", ledger_url, "--json")
    told = said(capsys)
    assert set(told) == KEYS
    assert (code, told["violations"], told["seeds"], told["plays"]) == (0, 0, 1, 3)
    assert told["seeds_per_s"] > 0
    check_never_hit(told)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--seed", "1", "--seeds", "5"), ("--seed", "--seeds")),
        (("--seed", "1", "--exhaust", "1"), ("--seed", "--exhaust")),
        (("--seed", "1", "--jobs", "2", "--record", "x"), ("--seed", "--jobs, --record")),
        (("--exhaust", "1", "--jobs", "2"), ("--exhaust", "--jobs")),
        (("--exhaust", "1", "--seeds", "2"), ("--exhaust", "--seeds")),
        (("--exhaust", "1", "--record", "x"), ("--exhaust", "--record")),
        (("--jobs", "2", "--ledger-url", "postgresql://x/y"), ("--jobs", "--ledger-url")),
        (("--pairs", "5"), ("--pairs", "--exhaust")),
    ],
)
def test_options_that_contradict_each_other_are_refused_by_name(
    options: tuple[str, ...],
    named: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert faults(*options) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"Invalid value for {named[0]}: " in told
    assert named[1] in told.split("Invalid value")[1]
    assert list(tmp_path.iterdir()) == [], "nothing was begun"
