"""What the exit guard did, shown in Dagster. The guard is a process of its own and needs nothing from here."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.schedules import SENSOR_STATUS

GUARD = "guard"
"""Name under which the exit guard signs its heartbeats."""
SHOWN_EVERY = timedelta(minutes=1)
EVENTS_SHOWN_MAX = 20

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
    protected = {order.symbol for order in orders if order.role == "protect"}
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


@dg.sensor(
    name="exit_watch",
    minimum_interval_seconds=5,
    default_status=SENSOR_STATUS,
    description="Shows what the exit guard did: an observation a minute, and on every change.",
)
def exit_watch(context: dg.SensorEvaluationContext, stack: Stack) -> dg.SensorResult | dg.SkipReason:
    now = datetime.now(UTC)
    seen = observe(stack.open, now)
    state = json.dumps({name: value for name, value in seen.items() if name != "guard_age_s"}, sort_keys=True)
    shown_at, _, shown = (context.cursor or "").partition("|")
    is_due = not shown_at or now - datetime.fromisoformat(shown_at) >= SHOWN_EVERY
    if shown == state and not is_due:
        return dg.SkipReason("Nothing has changed.")
    observation = dg.AssetObservation(asset_key=exits.key, metadata=seen)  # type: ignore[arg-type]  # plain values
    return dg.SensorResult(asset_events=[observation], cursor=f"{now.isoformat()}|{state}")
