"""The book of decisions, orders and money: the one class through which everybody reads and writes it.

Signatures first; the implementation follows in this room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from trade_pipeline.ledger.records import (
    ClosedTrade,
    Decision,
    EquityPoint,
    Event,
    Fill,
    Flow,
    Heartbeat,
    Intent,
    Lease,
    Lock,
    Order,
    OrderEvent,
    Outcome,
    Target,
)
from trade_pipeline.schemas.trading import (
    AccountReading,
    AccountSnapshot,
    OrderRequest,
    Position,
    VenueOrder,
    VenueTrade,
)


def utc_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


class Ledger:
    """Connects lazily, is safe after a fork; every method is one transaction; LedgerUnavailable when nobody answers."""

    def __init__(self, url: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self.url = url
        self._now = now

    def close(self) -> None: raise NotImplementedError
    def migrate(self) -> None: raise NotImplementedError
    def ping(self) -> None: raise NotImplementedError

    # decisions
    def record_snapshot(self, snapshot: AccountSnapshot) -> None: raise NotImplementedError
    def snapshot(self, snapshot_id: str) -> AccountSnapshot | None: raise NotImplementedError
    def record_decision(self, decision: Decision, snapshot: AccountSnapshot, targets: Sequence[Target]) -> bool:
        """False if the decision was there already."""
        raise NotImplementedError
    def decision(self, decision_id: str) -> Decision | None: raise NotImplementedError
    def newest_decision(self, account: str) -> Decision | None: raise NotImplementedError
    def decisions_between(self, account: str, since: datetime, until: datetime) -> list[Decision]: raise NotImplementedError
    def targets(self, decision_id: str) -> list[Target]: raise NotImplementedError
    def record_outcome(self, decision_id: str, stage: str, outcome: str, detail: Mapping[str, object] | None = None) -> None:
        raise NotImplementedError
    def outcomes(self, decision_id: str) -> list[Outcome]: raise NotImplementedError
    def claim(self, decision_id: str, job: str, run_id: str) -> None:
        """Raises AlreadyClaimed unless we are the first (the same run_id may claim again)."""
        raise NotImplementedError

    # leases
    def acquire_lease(self, account: str, holder: str, ttl_s: float, for_exit: bool = False) -> Lease: raise NotImplementedError
    def release_lease(self, lease: Lease) -> None: raise NotImplementedError
    def exit_is_waiting(self, lease: Lease) -> bool: raise NotImplementedError

    # orders
    def plan_order(self, intent: Intent, request: OrderRequest, attempt: int = 0) -> Order:
        """Sells above the managed position less live sells are refused too (LedgerError)."""
        raise NotImplementedError
    def mark_sent(self, client_order_id: str, lease: Lease, margin_s: float) -> Order: raise NotImplementedError
    def abandon(self, client_order_id: str, reason: str) -> Order: raise NotImplementedError
    def apply_venue_order(self, account: str, venue_order: VenueOrder, evidence: str) -> Order:
        """Does not book `venue_order.trades`: call book_trades with them."""
        raise NotImplementedError
    def mark_unknown(self, client_order_id: str, evidence: str) -> Order:
        """SENT -> UNKNOWN; if somebody already learned more, the state stays."""
        raise NotImplementedError
    def mark_rejected(self, client_order_id: str, evidence: str) -> Order: raise NotImplementedError
    def mark_pending_cancel(self, client_order_id: str, evidence: str) -> Order:
        """An order that is finished meanwhile stays so: look at the state that is returned."""
        raise NotImplementedError
    def mark_cancel_refused(self, client_order_id: str, evidence: str) -> Order:
        """PENDING_CANCEL -> OPEN or PARTIALLY_FILLED."""
        raise NotImplementedError
    def mark_absent(self, client_order_id: str, evidence: str) -> Order: raise NotImplementedError
    def order(self, client_order_id: str) -> Order | None: raise NotImplementedError
    def order_by_venue_id(self, account: str, symbol: str, venue_order_id: str) -> Order | None: raise NotImplementedError
    def order_events(self, client_order_id: str) -> list[OrderEvent]: raise NotImplementedError
    def live_orders(self, account: str, symbol: str | None = None) -> list[Order]: raise NotImplementedError
    def orders(self, account: str, since: datetime | None = None, limit: int = 1000) -> list[Order]:
        """Newest first."""
        raise NotImplementedError
    def intent(self, intent_id: str) -> Intent | None: raise NotImplementedError
    def newest_entry_intent(self, account: str, symbol: str) -> Intent | None: raise NotImplementedError

    # trades and money
    def book_trades(
        self, account: str, trades: Sequence[VenueTrade], *, prefix: str, prices: Mapping[str, Decimal] | None = None
    ) -> list[Fill]:
        """`prices`: fee asset -> its price in quote. Trades at or before the opening reading are not booked."""
        raise NotImplementedError
    def last_trade_id(self, account: str, symbol: str) -> str | None: raise NotImplementedError
    def fills(
        self, account: str, symbol: str | None = None, client_order_id: str | None = None, limit: int = 1000
    ) -> list[Fill]:
        """Newest first."""
        raise NotImplementedError
    def record_opening(self, account: str, reading: AccountReading) -> bool: raise NotImplementedError
    def book_flow(self, flow: Flow) -> bool: raise NotImplementedError
    def adopt(self, account: str, symbol: str, amount: Decimal, price: Decimal, at: datetime, reference: str) -> bool:
        """Makes coins that are already in the account managed; balances do not change."""
        raise NotImplementedError
    def expected_balances(self, account: str) -> dict[str, Decimal]: raise NotImplementedError
    def positions(self, account: str) -> list[Position]: raise NotImplementedError
    def position(self, account: str, symbol: str) -> Position | None: raise NotImplementedError
    def sleeves(self, account: str, symbol: str) -> dict[str, Decimal]: raise NotImplementedError
    def rebuild_positions(self, account: str) -> None: raise NotImplementedError
    def realised(self, account: str) -> Decimal: raise NotImplementedError
    def fees_paid(self, account: str) -> Decimal: raise NotImplementedError
    def closed_trades(self, account: str, since: datetime | None = None) -> list[ClosedTrade]: raise NotImplementedError

    # locks, equity, events, heartbeats
    def lock(self, lock: Lock) -> None: raise NotImplementedError
    def unlock(self, account: str, strategy: str, symbol: str) -> None: raise NotImplementedError
    def locks(self, account: str, at: datetime) -> list[Lock]: raise NotImplementedError
    def record_equity(self, point: EquityPoint) -> None: raise NotImplementedError
    def equity(self, account: str, since: datetime | None = None) -> list[EquityPoint]: raise NotImplementedError
    def peak(self, account: str) -> Decimal | None: raise NotImplementedError
    def record_event(self, event: Event) -> None: raise NotImplementedError
    def events(self, account: str, since: datetime | None = None, limit: int = 200) -> list[Event]:
        """Newest first."""
        raise NotImplementedError
    def heartbeat(self, process: str, detail: Mapping[str, object] | None = None) -> None: raise NotImplementedError
    def heartbeats(self) -> list[Heartbeat]: raise NotImplementedError

    def explain(self, order_id: str) -> dict[str, object]:
        """JSON-ready: decision, snapshot, target, outcomes, intent, order, events, fills, position, sleeves."""
        raise NotImplementedError
