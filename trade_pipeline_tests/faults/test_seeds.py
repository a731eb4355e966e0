"""Seeds through the real code: nothing breaks, every kind of fault is hit, and one seed has one trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.faults.campaign import collect, every_single_crash, told
from trade_pipeline.faults.record import Record
from trade_pipeline.faults.scenario import MarketPlan, Scenario, Wish, make_scenario
from trade_pipeline.faults.stage import Stage
from trade_pipeline.schemas.trading import TargetKind
from trade_pipeline_tests.faults.permanent_seeds import PERMANENT

PARTS = 4
SEEDS = range(200)
# In parts, so that they can be played beside each other; which lines run at all the first part of the seeds sees.
IN_PARTS = pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.no_cover) for part in range(1, PARTS))]
)


def a_whole_life(plain_stops: bool) -> Scenario:
    """Without faults: an entry, its stop, a larger entry, a moved stop, and the way out."""
    btc = SymbolSpec("BTC/USDT", 2, 5)
    market = MarketPlan(btc, 9_000_000, 0.0005, 400_000, plain_stops, seed=11)
    weights = ("0.04", "0.08")
    rises = [[Wish("BTC/USDT", TargetKind.SET, Decimal(weight))] for weight in weights]
    decisions = [*rises, [Wish("BTC/USDT", TargetKind.FLAT)]]
    return Scenario(0, [market], {"USDT": Decimal(10_000)}, None, decisions, (), ())


@pytest.mark.long
@IN_PARTS
def test_two_hundred_seeds_break_nothing_and_hit_every_kind_of_fault(
    stage: Stage, part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The part that is played last sees what all have hit."""
    plays = [stage.play(make_scenario(seed)) for seed in SEEDS[part::PARTS]]
    campaign = collect(plays)
    assert [(played.seed, str(played.violations[0])) for played in campaign.failed] == []

    records = records_of_all_workers(tmp_path_factory)
    written = records / f"{part}.unfinished"
    for played in plays:
        Record(written).add(played)
    written.replace(records / f"{part}.played")
    done = sorted(records.glob("*.played"))
    if len(done) == PARTS:
        everything = collect(played for path in done for played in Record(path).read(SEEDS))
        assert everything.played == set(SEEDS)
        assert everything.never_hit == []


def records_of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the suite: workers have folders of their own in a common one."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "two_hundred_seeds"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("seed", sorted(PERMANENT))
def test_what_a_seed_once_found_stays_repaired(stage: Stage, seed: int) -> None:
    assert stage.play(make_scenario(seed)).violations == (), PERMANENT[seed]


@pytest.mark.long
@pytest.mark.no_cover
@IN_PARTS
@pytest.mark.parametrize("plain_stops", [True, False])
def test_a_death_at_any_single_boundary_breaks_nothing(stage: Stage, plain_stops: bool, part: int) -> None:
    survived, broken, played = [], [], 0
    for crash, one in every_single_crash(stage, a_whole_life(plain_stops), part, PARTS, last=plain_stops):
        played += 1
        survived += [] if one.hits.get("crash") else [str(crash)]
        broken += [(str(crash), str(violation)) for violation in one.violations]

    assert broken == []
    assert survived == []
    assert played * PARTS > (100 if plain_stops else 60), "the scenario passes too few boundaries to prove anything"


def test_a_seed_has_one_trace_whatever_was_played_before(stage: Stage) -> None:
    alone = stage.play(make_scenario(7))
    stage.play(make_scenario(8))

    assert stage.play(make_scenario(7)).trace_hash == alone.trace_hash


def test_a_seed_has_one_trace_in_every_process_and_a_record_goes_on_where_it_was_cut(
    stage: Stage, tmp_path: Path
) -> None:
    here = {seed: stage.play(make_scenario(seed)).trace_hash for seed in (7, 8)}
    record = tmp_path / "record"
    command = [sys.executable, "-m", "trade_pipeline.cli", "faults", "--first", "7", "--record", str(record), "--json"]

    def campaign(*options: str) -> dict[str, Any]:
        answer = subprocess.run([*command, *options], capture_output=True, text=True, timeout=180, check=True)
        found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        return found

    two = campaign("--seeds", "2", "--jobs", "2")
    record.write_text(record.read_text() + '{"seed": 9, "viol')
    again = campaign("--seeds", "2")

    assert {found.seed: found.trace_hash for found in Record(record).read(range(20))} == here
    assert [(one["seeds"], one["violations"], one["cut_short"]) for one in (two, again)] == [(2, 0, False)] * 2
    assert again["hits"] == two["hits"]
    assert again["took_s"] == 0


def test_a_scenario_says_what_it_does() -> None:
    calm: Scenario = replace(make_scenario(7), injections=(), crashes=())

    assert told(calm) == "no fault at all"
    assert make_scenario(7) == make_scenario(7)
