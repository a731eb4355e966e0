"""The exit guard as Dagster sees it: what it did, and one cycle of it here when its process has gone silent.

The guard is a process of its own and needs nothing from this file.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from trade_pipeline.defs.jobs import live_tags
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.schedules import SENSOR_STATUS
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.schemas.trading import PROTECTIVE

GUARD = "guard"
"""Name under which the exit guard signs its heartbeats."""
SHOWN_EVERY = timedelta(minutes=1)
EVENTS_SHOWN_MAX = 20
SILENT_S = 15.0
"""A guard without a sign of life for this long is stood in for while positions are open."""

exits = dg.AssetSpec(
    "exits",
    group_name="execution",
    description="Stops and exits, as the exit guard keeps them. The guard works with or without Dagster.",
    kinds={"postgres"},
    owners=["team:trading"],
)


def observe(stack: OpenStack, now: datetime) -> dict[str, object]:
    """Age of the guard's last sign of life, positions, their stops, and what happened in the last hour."""
    account = stack.settings.account
    positions = stack.ledger.positions(account)
    orders = stack.ledger.live_orders(account)
    protected = {order.symbol for order in orders if order.role in PROTECTIVE}
    beats = {beat.process: beat for beat in stack.ledger.heartbeats() if GUARD in beat.process}
    events = stack.ledger.events(account, now - timedelta(hours=1), limit=EVENTS_SHOWN_MAX)
    ages = [(now - beat.at).total_seconds() for beat in beats.values()]
    return {
        "guard_age_s": min(ages) if ages else -1.0,
        "positions": len(positions),
        "stops_resting": len(protected),
        "unprotected": sorted(position.symbol for position in positions if position.symbol not in protected),
        "events": [
            f"{event.at:%H:%M:%S} {event.severity} {event.kind} {event.symbol or ''}".strip() for event in events
        ],
    }


@dg.op(name="guard_cycle", description="One cycle of the exit guard, in its stead.")
def guard_cycle(stack: Stack) -> list[str]:
    return run_once(Guard(stack.open.desk, holder="exit_watch"))


@dg.job(
    name="stand_in_for_guard",
    executor_def=dg.in_process_executor,
    tags=live_tags("execute", 30),
    description="Stops and exits once, because the exit guard's process is silent.",
)
def stand_in_for_guard() -> None:
    guard_cycle()


@dg.sensor(
    name="exit_watch",
    job=stand_in_for_guard,
    minimum_interval_seconds=5,
    default_status=SENSOR_STATUS,
    description="Shows what the exit guard did: an observation a minute, and on every change.",
)
def exit_watch(context: dg.SensorEvaluationContext, stack: Stack) -> dg.SensorResult:
    now = datetime.now(UTC)
    seen = observe(stack.open, now)
    state = json.dumps({name: value for name, value in seen.items() if name != "guard_age_s"}, sort_keys=True)
    shown_at, _, shown = (context.cursor or "").partition("|")
    is_due = not shown_at or now - datetime.fromisoformat(shown_at) >= SHOWN_EVERY
    requests = [dg.RunRequest(run_key=f"stand_in:{now.isoformat()}")] if must_stand_in(seen) else []
    if shown == state and not is_due:
        return dg.SensorResult(run_requests=requests, cursor=context.cursor)
    observation = dg.AssetObservation(asset_key=exits.key, metadata=seen)  # type: ignore[arg-type]  # plain values
    return dg.SensorResult(run_requests=requests, asset_events=[observation], cursor=f"{now.isoformat()}|{state}")


def must_stand_in(seen: dict[str, object]) -> bool:
    """Positions are open and the guard is silent. A guard that never spoke is one that is still starting."""
    age, positions = seen["guard_age_s"], seen["positions"]
    assert isinstance(age, float) and isinstance(positions, int), "made by observe"
    return positions > 0 and age > SILENT_S
