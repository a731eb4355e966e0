"""Asks the guards about every purchase of a plan, keeps their verdicts, and takes out what they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from trade_pipeline.execution.buy_guards.guards import Facts, judge
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.planning.plan import Plan
from trade_pipeline.execution.planning.verdict import Verdict
from trade_pipeline.ledger.records import Decision, GuardVerdict
from trade_pipeline.schemas.trading import Side

FACTS = "facts"
"""Where a decision's detail keeps symbol -> feature -> value for the guards."""


def ask_guards(desk: Desk, decision: Decision, plan: Plan) -> Plan:
    """The plan without refused purchases. Sales are not asked about. Raises LedgerUnavailable: nothing is sent then."""
    buys = [item for item in plan.orders if item.request.side == Side.BUY]
    if not buys:
        return plan
    noted: Mapping[str, Mapping[str, Any]] = decision.detail.get(FACTS) or {}  # type: ignore[assignment]
    positions = desk.ledger.positions(desk.account)
    tops = desk.venue.book_tops([item.request.symbol for item in buys])
    held = frozenset(position.symbol for position in positions)
    cost = sum((position.cost_quote for position in positions), Decimal(0))
    verdicts: list[GuardVerdict] = []
    refused: dict[str, Verdict] = {}
    for item in buys:
        symbol = item.request.symbol
        price = item.request.amount * (item.request.price or Decimal(0))
        features = {name: float(value) for name, value in noted.get(symbol, {}).items() if value is not None}
        facts = Facts(symbol, features, tops.get(symbol), held, cost, price)
        mine = judge(decision.decision_id, facts, desk.settings.buy_guards, desk.now())
        verdicts += mine
        if against := [verdict for verdict in mine if not verdict.passed]:
            told = "; ".join(f"{verdict.guard}: {verdict.reason}, at most {verdict.limit}" for verdict in against)
            refused[symbol] = Verdict("none", f"a buy guard refuses: {told}")
        else:
            held, cost = held | {symbol}, cost + price
    desk.ledger.record_verdicts(verdicts)
    kept = tuple(item for item in plan.orders if item.request.symbol not in refused or item.request.side == Side.SELL)
    return replace(plan, orders=kept, verdicts={**plan.verdicts, **refused})
