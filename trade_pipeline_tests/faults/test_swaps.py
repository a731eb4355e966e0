"""One order in another's place, and two as a pair: whatever happens around these requests, nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.faults.kinds import ON_CHANGES, Crash, Fault, Injection
from trade_pipeline.faults.scenario import SWAP_POINTS, SWAPS, MarketPlan, Scenario, Wish
from trade_pipeline.faults.stage import Stage
from trade_pipeline.schemas.trading import TargetKind

# Which lines run at all is seen in test_seeds.
pytestmark = [pytest.mark.long, pytest.mark.no_cover]

AROUND = ("venue.replace", "venue.pair", "plan_order", "mark_sent", "settle", "save_exit_state")
NTH_MAX = 3


def swapping_life() -> Scenario:
    """Without faults: a rising price, under which stops are replaced, and near its target a pair that rests."""
    btc = SymbolSpec("BTC/USDT", 2, 5)
    market = MarketPlan(btc, 9_000_000, 0.0005, 400_000, plain_stops=True, seed=11, drift=0.002)
    exits = {
        "trailing": {"enabled": True, "distance_ratio": "0.008", "move_ratio_min": "0"},
        "take_profit": [{"after_minutes": 0, "profit_ratio": "0.03"}],
        "switching": {"enabled": True, "stop_threshold": "0.2", "profit_threshold": "0.6", "cooldown_s": 5},
    }
    bought = [Wish("BTC/USDT", TargetKind.SET, Decimal("0.05"))]
    held = [Wish("BTC/USDT", TargetKind.HOLD)]
    return Scenario(0, [market], {"USDT": Decimal(10_000)}, None, [bought, held, held], (), (), exits)


def test_a_death_at_any_boundary_around_a_swap_breaks_nothing(stage: Stage) -> None:
    base = swapping_life()
    passed = stage.play(base).points
    points = [point for point in passed if point.startswith("guard|") and point[6:].startswith(AROUND)]
    assert set(SWAP_POINTS) <= set(points)

    broken = []
    for point in points:
        for nth in range(1, min(passed[point], NTH_MAX) + 1):
            played = stage.play(replace(base, crashes=(Crash(point, nth),)))
            broken += [(point, nth, str(violation)) for violation in played.violations]

    assert broken == []


@pytest.mark.parametrize("channel", sorted(SWAPS))
def test_whatever_happens_to_a_swap_breaks_nothing(stage: Stage, channel: str) -> None:
    """Lost, late, doubled, refused, unreadable: at its first crossing and at its second."""
    for fault in ON_CHANGES:
        for nth in (1, 2):
            played = stage.play(replace(swapping_life(), injections=(Injection(fault, channel, nth),)))

            assert (fault, nth, played.violations) == (fault, nth, ())
            assert fault in played.hits or fault is Fault.INTERLEAVED or nth == 2
