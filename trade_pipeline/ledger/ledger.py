"""The book of decisions, orders and money: the one class through which everybody reads and writes it.

    decisions.py  decisions, snapshots, targets, outcomes, claims
    leases.py     who may send for an account
    orders.py     intents and orders; adoption.py takes in those that nobody here made
    settlement.py an order's end and its fills at once
    trades.py     booking trades and flows; fills.py reads them and the expected balances
    positions.py  positions, sleeves, closed trades
    notes.py      locks, equity, events, heartbeats
    kept_checks.py what a decision's checks said, when Dagster's run is gone
    verify.py     the proof of chain, projections and invariants
    watching.py   breakers, conflicts, exits' memory, verdicts of buy guards, recoveries

Records are in `records.py`. Every method is one transaction and raises LedgerUnavailable when the server does not
answer within seconds. An instance connects at its first call, may be shared by threads and survives a fork.
"""

from __future__ import annotations

from sqlalchemy import text

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.adoption import AdoptionBook
from trade_pipeline.ledger.base import utc_now
from trade_pipeline.ledger.decisions import DecisionBook
from trade_pipeline.ledger.kept_checks import KeptCheckBook
from trade_pipeline.ledger.leases import LeaseBook
from trade_pipeline.ledger.notes import NoteBook
from trade_pipeline.ledger.positions import PositionBook
from trade_pipeline.ledger.rows import plain
from trade_pipeline.ledger.settlement import SettlementBook
from trade_pipeline.ledger.verify import VerifyBook
from trade_pipeline.ledger.watching import WatchBook

__all__ = ["Ledger", "utc_now"]


class Ledger(
    DecisionBook,
    LeaseBook,
    AdoptionBook,
    SettlementBook,
    PositionBook,
    NoteBook,
    WatchBook,
    KeptCheckBook,
    VerifyBook,
):
    """See the module. `now` stamps rows; leases go by the database's clock.

    `database_now` stands in for that clock in virtual time; `watch` is told of every commit, and
    `connections` is another ledger whose connections serve this one (see `Database`).
    """

    def migrate(self) -> None:
        """Create or update the ledger's schema; safe to run by several starters at once, and again."""
        from trade_pipeline.ledger.migrate import migrate

        with self._database.transaction() as connection:
            migrate(connection)

    def ping(self) -> None:
        """Return if the server answers; LedgerUnavailable otherwise."""
        with self._database.reading() as connection:
            connection.execute(text("SELECT 1"))

    def explain(self, order_id: str) -> dict[str, object]:
        """An order's chain, back to the decision and its inputs and on to the position, as JSON-ready data.

        `order_id` is a client order id or the exchange's. Keys: order, intent, order_events, fills, position, sleeves,
        and decision, snapshot, target, targets_count, outcomes (null or empty for an order without a decision).
        LedgerError if the ledger has no such order.
        """
        order = self.order(order_id) or self._order_by_any_venue_id(order_id)
        if order is None:
            raise LedgerError(
                "no order has this id, neither as client order id nor as the exchange's",
                thing=f"order {order_id}",
                repair="`trade-pipeline explain` without an id lists the newest orders.",
            )
        intent = self.intent(order.intent_id)
        decision = self.decision(intent.decision_id) if intent and intent.decision_id else None
        targets = self.targets(decision.decision_id) if decision else []
        chain = {
            "order": order,
            "intent": intent,
            "decision": decision,
            "snapshot": self.snapshot(decision.snapshot_id) if decision else None,
            "target": next((target for target in targets if target.symbol == order.symbol), None),
            "targets_count": len(targets),
            "outcomes": self.outcomes(decision.decision_id) if decision else [],
            "order_events": self.order_events(order.client_order_id),
            "fills": self.fills(order.account, order.symbol, order.client_order_id)[::-1],
            "position": self.position(order.account, order.symbol),
            "sleeves": self.sleeves(order.account, order.symbol),
        }
        return {name: plain(part) for name, part in chain.items()}
