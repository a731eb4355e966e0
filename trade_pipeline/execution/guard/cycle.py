"""One cycle of the guard: read, decide, act, write down what is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import LeaseHeld, LeaseLost, LedgerUnavailable, TradePipelineError
from trade_pipeline.execution.control import record_positions
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.guard.protect import (
    Action,
    Do,
    Watch,
    actions,
    exit_request,
    stop_price,
    stop_request,
    unprotected,
)
from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.execution.journal import import_journal
from trade_pipeline.execution.locks import lock_after_exit
from trade_pipeline.execution.reconcile import (
    Reconciliation,
    judge_residuals,
    judge_shortfalls,
    reconcile,
)
from trade_pipeline.execution.snapshot import equity_point
from trade_pipeline.execution.submit import WOULD_TRIGGER, acquire_lease, cancel, send
from trade_pipeline.ledger.records import Event, Intent, Lease, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import BookTop, OrderState, Position, Role, Side

EQUITY_INTERVAL_S = 60.0
ENTRY_BEFORE = timedelta(minutes=5)
"""An entry is planned before its first fill; clocks of exchange and ledger may differ."""
REFUSALS_COUNTED_MAX = 6
"""Refusals double the pause before the next try, up to 2 to the power of 5 seconds."""
FALLBACK_DISTANCE_RATIO = Decimal("0.02")
"""Stop distance of a position that no entry of ours explains, as a share of its average price."""


@dataclass
class Guard:
    """The guard's memory between cycles; everything that must last is in the ledger or on the exchange."""

    desk: Desk
    holder: str
    account_read_at: datetime | None = None
    swept_at: datetime | None = None
    equity_at: datetime | None = None
    last: Reconciliation | None = None
    written_view: object = None
    unprotected_since: dict[str, datetime] = field(default_factory=dict)
    alarmed: set[str] = field(default_factory=set)
    """Unprotected symbols of which an event has told."""
    distances: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Symbol -> (amount, stop distance): worked out again when the position's amount changes."""
    refused: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    """Symbol -> (refusals in a row, when to try again): what the exchange refuses is not repeated every second."""

    def cycle(self) -> list[str]:
        """Run once; returns one line for each thing done. Raises TradePipelineError when a part is down."""
        said = self._read_account()
        watch = self._watch()
        pending = [] if self.desk.flatten_is_under_way() else self._due(watch)
        if pending:
            said += self._act(pending)
        self._note_unprotected(watch)
        self._write_positions(watch)
        self._record_equity(watch.tops)
        self.desk.ledger.heartbeat("guard", {"positions": len(watch.positions), "pending": len(pending)})
        return said

    def _read_account(self) -> list[str]:
        now, exits = self.desk.now(), self.desk.settings.exits
        if self.account_read_at and now - self.account_read_at < timedelta(seconds=exits.account_interval_s):
            return []
        imported = import_journal(self.desk.ledger, self.desk.home)
        full = imported > 0 or self.swept_at is None or now - self.swept_at > timedelta(seconds=exits.sweep_interval_s)
        found = reconcile(self.desk, at_start=self.account_read_at is None, full=full)
        before = self.last
        judge_residuals(self.desk, found.residuals, before.residuals if before else {})
        judge_shortfalls(self.desk, found.shortfalls, before.shortfalls if before else {})
        self.account_read_at, self.last = now, found
        self.swept_at = now if full else self.swept_at
        return [f"booked {found.new_fills} fills"] if found.new_fills else []

    def _watch(self) -> Watch:
        desk = self.desk
        positions = desk.ledger.positions(desk.account)
        rules = desk.venue.markets()
        symbols = [position.symbol for position in positions if position.symbol in rules]
        live = desk.ledger.live_orders(desk.account)
        return Watch(
            now=desk.now(),
            positions=positions,
            live_orders=live,
            rules=rules,
            tops=desk.venue.book_tops(symbols) if symbols else {},
            stops={p.symbol: stop_price(p, self._distance(p), rules[p.symbol]) for p in positions if p.symbol in rules},
            expired_entries=frozenset(order.client_order_id for order in live if self._has_expired(order)),
            reading=self.last.reading if self.last else None,
        )

    def _distance(self, position: Position) -> Decimal:
        known = self.distances.get(position.symbol)
        if known is None or known[0] != position.amount:
            known = (position.amount, self._distance_by_entries(position))
            self.distances[position.symbol] = known
        return known[1]

    def _distance_by_entries(self, position: Position) -> Decimal:
        """Stop distance of the newest entry that bought something; one that was refused changes no stop."""
        desk = self.desk
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

    def _due(self, watch: Watch) -> list[Action]:
        """What is to be done, without what the exchange has just refused."""
        return [
            action
            for action in actions(watch, self.desk.settings.exits)
            if action.symbol not in self.refused or self.refused[action.symbol][1] <= watch.now
        ]

    def _has_expired(self, order: Order) -> bool:
        if order.role != Role.ENTRY:
            return False
        intent = self.desk.ledger.intent(order.intent_id)
        return intent is not None and intent.expires_at is not None and intent.expires_at <= self.desk.now()

    def _act(self, pending: list[Action]) -> list[str]:
        urgent = any(action.do == Do.EXIT for action in pending) or self._overdue()
        try:
            # Placing a first stop lets a running entry plan finish; an exit, or a stop long missing, does not wait.
            lease = acquire_lease(self.desk, self.holder, for_exit=urgent, wait_s=2.0 if urgent else 0.5)
        except LeaseHeld:
            return []
        try:
            # The lease was waited for: what was seen before it is old.
            return [self._try(action, lease) for action in self._due(self._watch())]
        finally:
            self.desk.ledger.release_lease(lease)

    def _try(self, action: Action, lease: Lease) -> str:
        """One symbol's failure never keeps the others without a stop (RELIABILITY 25)."""
        try:
            return self._do(action, lease)
        except (LedgerUnavailable, LeaseLost):
            raise
        except TradePipelineError as error:
            self._note_refusal(action, str(error))
            return f"{action.symbol}: {action.do} failed: {error}"

    def _note_refusal(self, action: Action, reason: str) -> None:
        count = min(self.refused.get(action.symbol, (0, self.desk.now()))[0] + 1, REFUSALS_COUNTED_MAX)
        self.refused[action.symbol] = (count, self.desk.now() + timedelta(seconds=2 ** (count - 1)))
        if count in {1, REFUSALS_COUNTED_MAX}:
            desk, detail = self.desk, {"action": str(action.do), "reason": reason}
            desk.ledger.record_event(
                Event(desk.now(), "protection_refused", "error", desk.account, action.symbol, detail=detail)
            )

    def _do(self, action: Action, lease: Lease) -> str:
        if action.order is not None:
            cancelled = cancel(self.desk, action.order, action.reason)
            if is_live(cancelled.state):
                return f"{action.symbol}: cancel of {cancelled.client_order_id} not confirmed"
            if action.do == Do.CANCEL or cancelled.filled > action.order.filled:
                return f"{action.symbol}: cancelled {cancelled.client_order_id}, {action.reason}"
        if action.do == Do.CANCEL:
            return f"{action.symbol}: nothing to cancel"
        order = self._exit(action, lease) if action.do == Do.EXIT else self._place(action, lease)
        if order.state == OrderState.REJECTED:
            self._note_refusal(action, order.last_evidence)
        else:
            self.refused.pop(action.symbol, None)
        return f"{action.symbol}: {action.do} {order.client_order_id} {order.state}: {action.reason}"

    def _place(self, action: Action, lease: Lease) -> Order:
        desk = self.desk
        intent = self._intent(action, Role.PROTECT)
        named = client_order_id(desk.prefix, desk.account, intent.intent_id, 0)
        rules = desk.venue.markets()[action.symbol]
        order = send(desk, lease, intent, stop_request(action, named, rules, desk.settings.exits))
        if order.state == OrderState.REJECTED and order.last_evidence.startswith(WOULD_TRIGGER):
            return self._exit(action, lease)  # "Stop price would trigger immediately" means exit now (TRADING 14).
        return order

    def _exit(self, action: Action, lease: Lease) -> Order:
        desk = self.desk
        intent = self._intent(action, Role.EXIT)
        named = client_order_id(desk.prefix, desk.account, intent.intent_id, 0)
        order = send(desk, lease, intent, exit_request(action, named, desk.venue.markets()[action.symbol]))
        if order.state not in {OrderState.REJECTED, OrderState.ABANDONED}:
            lock_after_exit(desk, order)
        return order

    def _intent(self, action: Action, role: Role) -> Intent:
        desk, now = self.desk, self.desk.now()
        held = desk.ledger.sleeves(desk.account, action.symbol)
        shares = _shares(held)
        return Intent(
            intent_id=intent_id(desk.account, f"guard|{action.reason}|{now.isoformat()}", action.symbol, role),
            account=desk.account,
            decision_id=None,
            symbol=action.symbol,
            role=role,
            side=Side.SELL,
            amount=action.amount,
            strategy="+".join(sorted(shares)),
            sleeves=shares,
            reason="stop loss" if role == Role.PROTECT else action.reason,
            decision_price=action.stop,
            stop_distance=None,
            created_at=now,
        )

    def _overdue(self) -> bool:
        limit = timedelta(seconds=self.desk.settings.exits.unprotected_s_max / 2)
        return any(self.desk.now() - since > limit for since in self.unprotected_since.values())

    def _note_unprotected(self, watch: Watch) -> None:
        """Remember since when a position has no stop; say so once when it lasts too long (TRADING 17)."""
        naked = unprotected(watch, self.desk.settings.exits)
        limit = timedelta(seconds=self.desk.settings.exits.unprotected_s_max)
        before = self.unprotected_since
        self.unprotected_since = {symbol: before.get(symbol, watch.now) for symbol in naked}
        self.alarmed &= naked
        for symbol, since in self.unprotected_since.items():
            age = watch.now - since
            if age > limit and symbol not in self.alarmed:
                self.alarmed.add(symbol)
                detail = {"since": since.isoformat()}
                event = Event(watch.now, "position_unprotected", "critical", self.desk.account, symbol, detail=detail)
                self.desk.ledger.record_event(event)

    def _write_positions(self, watch: Watch) -> None:
        """For `flatten`, which works without a database; written only when what is held or rests has changed."""
        view = (
            tuple((position.symbol, position.amount) for position in watch.positions),
            tuple(order.client_order_id for order in watch.live_orders),
        )
        if view != self.written_view:
            record_positions(self.desk.home, self.desk.ledger, self.desk.account, watch.now)
            self.written_view = view

    def _record_equity(self, tops: Mapping[str, BookTop]) -> None:
        now = self.desk.now()
        if self.last is None or (self.equity_at and now - self.equity_at < timedelta(seconds=EQUITY_INTERVAL_S)):
            return
        reading = self.desk.venue.account()
        self.desk.ledger.record_equity(equity_point(self.desk, reading, tops))
        self.equity_at = now


def run_once(guard: Guard) -> list[str]:
    """A cycle that survives what a part's outage raises; the next one tries again."""
    try:
        return guard.cycle()
    except TradePipelineError as error:
        return [f"{type(error).__name__}: {error}"]


def _shares(held: dict[str, Decimal]) -> dict[str, Decimal]:
    """Sleeves as shares that add up to 1; the last name takes what rounding leaves."""
    positive = {name: amount for name, amount in held.items() if amount > 0}
    total = sum(positive.values(), Decimal(0))
    if total <= 0:
        return {"unattributed": Decimal(1)}
    *first, last = sorted(positive)
    shares = {name: (positive[name] / total).quantize(Decimal("1e-12")) for name in first}
    shares[last] = 1 - sum(shares.values(), Decimal(0))
    return shares
