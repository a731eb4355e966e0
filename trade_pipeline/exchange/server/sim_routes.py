"""Admin endpoints of the simulation: faults, state, and which recorded bar a minute is. Token required."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from trade_pipeline.exchange.server.answers import Json, dec
from trade_pipeline.exchange.server.context import Context


def add_fault(context: Context, body: object, now_ms: int) -> Json:
    """Raises ValueError that names the wrong key or value."""
    if not isinstance(body, dict):
        # A ValueError like every other mistake in a fault: the caller answers 400 to it.
        raise ValueError("the body must be a JSON object")  # noqa: TRY004
    return asdict(context.faults.add(body, now_ms))


def clear_faults(context: Context) -> Json:
    count = len(context.faults.active)
    context.faults.clear()
    return {"cleared": count}


def state(context: Context, now_ms: int) -> Json:
    world = context.world
    world.advance_all(now_ms)
    memory = world.engine.state
    return {
        "serverTime": now_ms,
        "market": context.description,
        "listed": world.market.listed(now_ms),
        "openOrders": sum(1 for _ in memory.all_open_orders()),
        "orders": len(memory.orders),
        "trades": sum(len(trades) for trades in memory.trades.values()),
        "balances": {
            asset: {"free": dec(memory.balances.free(asset)), "locked": dec(memory.balances.locked(asset))}
            for asset in memory.balances.assets()
        },
        "faults": [asdict(fault) for fault in context.faults.active],
    }


def mapping(context: Context, query: dict[str, str]) -> Json:
    """Which recorded bar a minute is: the whole mapping, and of `minute` (ISO UTC or ms) the bar of `symbol`.

    Raises ValueError for a minute that cannot be read.
    """
    replay = context.replay
    if replay is None:
        return {"kind": "seeded"} | context.description
    answer: Json = {"kind": "replay", **context.description}
    if "minute" in query:
        minute = _minute(query["minute"])
        answer["bar"] = replay.recorded_time(query.get("symbol", ""), minute)
    return answer


def _minute(text: str) -> int:
    if text.isdigit():
        return int(text) // 60_000
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) // 60
