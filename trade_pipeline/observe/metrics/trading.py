"""What the ledger knows of trading: decisions, positions, orders, breakers, conflicts, recoveries, equity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Order
from trade_pipeline.observe.metrics.table import Reading
from trade_pipeline.schemas.trading import PROTECTIVE, OrderState, OrderType, Role

STATES = ("CLOSED", "HALF_OPEN", "OPEN")
"""Of every breaker."""
ACCOUNT = "*"
_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED})
"""What the exchange has confirmed: a stop that is only planned protects nothing."""
_PROFITS = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


def decisions(ledger: Ledger, account: str, at: datetime) -> Iterator[Reading]:
    decision = ledger.newest_decision(account)
    if decision is not None:
        yield Reading("last_decision_age_seconds", (at - decision.as_of).total_seconds())
        yield Reading("last_decision_latency_seconds", (decision.decided_at - decision.as_of).total_seconds())


def positions(ledger: Ledger, account: str) -> Iterator[Reading]:
    """Positions with what protects them, and the orders that are open."""
    live = ledger.live_orders(account)
    held = [position for position in ledger.positions(account) if position.amount > 0]
    protections = {position.symbol: _protection(position.symbol, live) for position in held}
    yield Reading("positions", len(held))
    yield Reading("unprotected_positions", sum(found == "none" for found in protections.values()))
    for position in held:
        yield Reading("position_cost_quote", float(position.cost_quote), (position.symbol,))
        for name in ("stop", "profit", "none"):
            value = float(protections[position.symbol] == name)
            yield Reading("position_protection", value, (position.symbol, name))
    roles = Counter(order.role for order in live)
    yield from (Reading("open_orders", roles[role], (str(role),)) for role in Role)
    yield Reading("unknown_orders", sum(order.state is OrderState.UNKNOWN for order in live))


def _protection(symbol: str, live: Collection[Order]) -> str:
    """A stop, where there is one, says more than a take-profit that rests beside it."""
    found = [order for order in live if order.symbol == symbol and order.role in PROTECTIVE and order.state in _RESTING]
    if not found:
        return "none"
    return "profit" if all(order.request.type in _PROFITS for order in found) else "stop"


def troubles(ledger: Ledger, account: str, at: datetime) -> Iterator[Reading]:
    """Conflicts, breakers, locks, and what became of errors."""
    kinds = Counter(conflict.kind for conflict in ledger.open_conflicts(account))
    yield Reading("open_conflicts", kinds.total())
    yield from (Reading("open_conflicts_by_kind", count, (kind,)) for kind, count in sorted(kinds.items()))
    found = {ACCOUNT: "CLOSED"} | {row.scope: row.state for row in ledger.breakers(account)}
    for scope, state in found.items():
        named = "account" if scope == ACCOUNT else scope
        yield from (Reading("breaker_state", float(state == name), (named, name)) for name in STATES)
    yield Reading("locks", len(ledger.locks(account, at)))
    for row in ledger.recovery_totals():
        outcome = "recovered" if row.recovered else "failed"
        yield Reading("recoveries_total", row.count, (row.component, row.error, row.action, outcome))


def equity(ledger: Ledger, account: str, at: datetime) -> Iterator[Reading]:
    """Nothing before the first point of the curve."""
    point = ledger.last_equity(account)
    if point is None:
        return
    peak = max(point.peak_quote, point.equity_quote)
    yield Reading("drawdown_ratio", float(1 - point.equity_quote / peak) if peak > 0 else 0.0)
    yield Reading("equity_age_seconds", (at - point.at).total_seconds())
    for name in ("equity", "cash", "realised", "unrealised", "fees"):
        yield Reading(f"{name}_quote", float(getattr(point, f"{name}_quote")))
