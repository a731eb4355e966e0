"""How far below its entry a position is stopped: what sizing used, as the entries' intents tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import Event
from trade_pipeline.schemas.trading import Position, Role

ENTRY_BEFORE = timedelta(minutes=5)
"""An entry is planned before its first fill; clocks of exchange and ledger may differ."""
FALLBACK_DISTANCE_RATIO = Decimal("0.02")
"""Stop distance of a position that no entry of ours explains, as a share of its average price."""


@dataclass
class Distances:
    """Symbol -> (amount, distance in quote): worked out again when the position's amount changes."""

    known: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def of(self, desk: Desk, position: Position) -> Decimal:
        known = self.known.get(position.symbol)
        if known is None or known[0] != position.amount:
            known = (position.amount, by_entries(desk, position))
            self.known[position.symbol] = known
        return known[1]


def by_entries(desk: Desk, position: Position) -> Decimal:
    """Stop distance of the newest entry that bought something; one that was refused changes no stop."""
    for order in desk.ledger.orders(desk.account, position.opened_at and position.opened_at - ENTRY_BEFORE):
        if order.symbol == position.symbol and order.role == Role.ENTRY and order.filled > 0:
            intent = desk.ledger.intent(order.intent_id)
            if intent is not None and intent.stop_distance:
                return intent.stop_distance
    # The list of orders is bounded; a position held for very long may have its entry beyond it.
    newest = desk.ledger.newest_entry_intent(desk.account, position.symbol)
    if newest is not None and newest.stop_distance:
        return newest.stop_distance
    distance = (position.average_price or Decimal(0)) * FALLBACK_DISTANCE_RATIO
    detail = {"distance": f"{distance:f}", "reason": "no entry of ours says how far the stop is"}
    event = Event(desk.now(), "stop_distance_assumed", "warning", desk.account, position.symbol, detail=detail)
    desk.ledger.record_event(event)
    return distance
