"""One cycle of the guard: read, decide, act, write down what is held."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import LeaseHeld, LeaseLost, LedgerUnavailable, TradePipelineError, VenueError
from trade_pipeline.execution.breaker.watch import BreakerWatch
from trade_pipeline.execution.conflicts.settle import Conflicts
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.emergency.journal import import_journal
from trade_pipeline.execution.equity import equity_point
from trade_pipeline.execution.exits.values import ExitReason
from trade_pipeline.execution.guard.act import Actor
from trade_pipeline.execution.guard.distances import Distances
from trade_pipeline.execution.guard.memory import Memories, with_run
from trade_pipeline.execution.guard.protect import Action, Do, Watch, actions, is_above_stop
from trade_pipeline.execution.guard.refusals import TOLD_AT, Refusals
from trade_pipeline.execution.guard.switching import offers_pairs
from trade_pipeline.execution.guard.upkeep import Upkeep
from trade_pipeline.execution.guard.views import Sight, View, begin, look, simple_view
from trade_pipeline.execution.planning.plan import REDUCING
from trade_pipeline.execution.readback.others import open_to_us
from trade_pipeline.execution.readback.reconcile import Reconciliation, reconcile
from trade_pipeline.execution.recovery import count
from trade_pipeline.execution.sending.submit import acquire_lease
from trade_pipeline.execution.witness import note_head
from trade_pipeline.ledger.records import BreakerState, Event, Lease, Order
from trade_pipeline.schemas.trading import AccountReading, BookTop, MarketRules, Position, Role


@dataclass
class Guard:
    """The guard's memory between cycles; everything that must last is in the ledger or on the exchange."""

    desk: Desk
    holder: str
    account_read_at: datetime | None = None
    swept_at: datetime | None = None
    last: Reconciliation | None = None
    memories: Memories = field(default_factory=Memories)
    distances: Distances = field(default_factory=Distances)
    upkeep: Upkeep = field(default_factory=Upkeep)
    conflicts: Conflicts = field(default_factory=Conflicts)
    breaker: BreakerWatch = field(default_factory=BreakerWatch)
    marks: dict[str, BookTop] = field(default_factory=dict)
    """What was last bid for each symbol: one that is not quoted for a moment must not make a peak."""
    refusals: Refusals = field(default_factory=Refusals)
    """What the exchange refuses is not repeated every second."""
    earlier: AccountReading | None = None
    """What was open to us when the account was read before the last time."""
    failed: str | None = None
    """The error of the turn before this one."""

    def cycle(self) -> list[str]:
        """Run once; returns one line for each thing done. Raises TradePipelineError when a part is down."""
        desk = self.desk
        said: list[str] = []
        if self.last is None:
            # What the ledger knows of needs its stop, also while the account cannot be read: asked again below.
            with suppress(VenueError):
                said = self._read_account()
        watch, did = self._watch_and_act()
        said += did
        if self._account_is_due():
            # After the stops, because reading may be slow when the exchange is busy; then once more with what it told.
            said += self._read_account()
            watch, did = self._watch_and_act()
            said += did
        said += self._judge_breaker(watch)
        self.upkeep.say_what_is_not_offered(desk)
        self.upkeep.note_unprotected(desk, watch)
        self.upkeep.write_positions(desk, watch)
        self.upkeep.record_equity(desk, self.marks, self.last.reading if self.last else None)
        self.memories.forget_others(desk, {position.symbol for position in watch.positions})
        counted = {"positions": len(watch.positions), "done": len(said), **self.upkeep.weight(desk)}
        desk.ledger.heartbeat("guard", counted)
        if said:
            note_head(desk.home, desk.ledger)
        return said

    def _watch_and_act(self) -> tuple[Watch, list[str]]:
        watch = self._watch()
        pending = [] if self.desk.flatten_is_under_way() else self._due(watch)
        return watch, self._act(pending) if pending else []

    def _judge_breaker(self, watch: Watch) -> list[str]:
        """After the stops: what opens now takes the entries that rest with it, in the same turn (TRADING 12)."""
        reading = self.last.reading if self.last else None
        worth = None if reading is None else lambda: equity_point(self.desk, reading, self.marks)
        changed = self.breaker.judge(self.desk, watch.tops, worth)
        if any(self.breaker.is_open_for(state.scope) for state in changed):
            self._watch_and_act()
        return [_told(state) for state in changed]

    def judge_breaker_without_exchange(self) -> list[str]:
        """An exchange that does not answer, or has banned us, opens the breaker now and not when it is back."""
        try:
            return [_told(state) for state in self.breaker.judge(self.desk, {})]
        except TradePipelineError:
            return []

    def _account_is_due(self) -> bool:
        interval = timedelta(seconds=self.desk.settings.exits.account_interval_s)
        return self.account_read_at is None or self.desk.now() - self.account_read_at >= interval

    def _read_account(self) -> list[str]:
        now, exits = self.desk.now(), self.desk.settings.exits
        imported = import_journal(self.desk.ledger, self.desk.home)
        full = imported > 0 or self.swept_at is None or now - self.swept_at > timedelta(seconds=exits.sweep_interval_s)
        found = reconcile(self.desk, at_start=self.account_read_at is None, full=full, before=self.last)
        settled = self.conflicts.settle(self.desk, found, full=full)
        for symbol in settled.exits:
            self._ask_to_exit(symbol)
        self.earlier = self._open_to_us()
        self.account_read_at, self.last = now, settled.found
        self.swept_at = now if full else self.swept_at
        return [f"booked {found.new_fills} fills"] if found.new_fills else []

    def _open_to_us(self) -> AccountReading | None:
        """The account as it was last read, without the coins that orders of others lock."""
        return open_to_us(self.last.reading, self.last.open_orders, self.desk.prefix) if self.last else None

    def _ask_to_exit(self, symbol: str) -> None:
        """Begin an exit of what is managed and there: the next look at the position carries it out."""
        desk, now = self.desk, self.desk.now()
        position = desk.ledger.position(desk.account, symbol)
        if position is None or position.amount <= 0 or position.opened_at is None:
            return
        self.memories.read(desk)
        state = self.memories.of(desk, position, now)
        last = position.average_price or Decimal(0)
        run = begin(desk.account, symbol, ExitReason.LIQUIDATION, last, now, desk.settings.exits)
        self.memories.keep(desk, replace(state, detail=with_run(state.detail, run)))

    def _watch(self) -> Watch:
        """What is held and rests now, and what the rules want of it; what they remember is written down."""
        desk = self.desk
        positions = desk.ledger.positions(desk.account)
        rules = desk.venue.markets()
        known = [position for position in positions if position.symbol in rules]
        live = desk.ledger.live_orders(desk.account)
        quoted = sorted({position.symbol for position in known} | (self.breaker.symbols_to_watch() & rules.keys()))
        tops = desk.venue.book_tops(quoted) if quoted else {}
        self.marks |= {symbol: top for symbol, top in tops.items() if top.bid > 0}
        self.memories.read(desk)
        return Watch(
            now=desk.now(),
            positions=positions,
            live_orders=live,
            rules=rules,
            tops=tops,
            views={position.symbol: self._look(position, live, rules, tops) for position in known},
            expired_entries=frozenset(order.client_order_id for order in live if self._has_expired(order)),
            reading=self._open_to_us(),
            earlier=self.earlier,
        )

    def _look(
        self, position: Position, live: list[Order], rules: Mapping[str, MarketRules], tops: Mapping[str, BookTop]
    ) -> View:
        desk, symbol = self.desk, position.symbol
        distance = self.distances.of(desk, position)
        now = desk.now()
        sight = Sight(
            position=position,
            distance=distance,
            atr=distance / desk.settings.portfolio.stop_atr_multiple,
            rules=rules[symbol],
            top=tops.get(symbol),
            orders=[o for o in live if o.symbol == symbol and o.role in REDUCING],
            now=now,
            may_begin=not desk.flatten_is_under_way(),
            may_begin_calmly=not self.refusals.waits(symbol, Do.EXIT, now),
            pairs=offers_pairs(desk.venue.capabilities, rules[symbol]),
        )
        if not position.average_price or position.opened_at is None:
            return simple_view(sight)
        view, state = look(sight, self.memories.of(desk, position, now), desk.settings.exits)
        self.memories.keep(desk, state)
        return view

    def _due(self, watch: Watch) -> list[Action]:
        """What is to be done, without what the exchange has just refused.

        A sale that waits lets a stop rest meanwhile, where the price is above it; where it is not, it hardly waits.
        """
        naked = {symbol: not is_above_stop(watch, symbol) for symbol in watch.views}
        watch = replace(watch, sales_that_wait=self.refusals.sales_that_wait(naked, watch.now))
        due = actions(watch, self.desk.settings.exits)
        return [action for action in due if not self.refusals.holds_back(action, watch.now)]

    def _has_expired(self, order: Order) -> bool:
        if order.role != Role.ENTRY:
            return False
        if self.breaker.is_open_for(order.symbol):
            return True
        intent = self.desk.ledger.intent(order.intent_id)
        return intent is not None and intent.expires_at is not None and intent.expires_at <= self.desk.now()

    def _act(self, pending: list[Action]) -> list[str]:
        urgent = any(map(self._does_not_wait, pending)) or self.upkeep.overdue(self.desk)
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

    def _does_not_wait(self, action: Action) -> bool:
        """An exit, and an entry that rests although its breaker is open: within 5 s it is gone (TRADING 12)."""
        stopped = (order.role == Role.ENTRY and self.breaker.is_open_for(order.symbol) for order in action.orders)
        return action.do == Do.EXIT or (action.do == Do.CANCEL and any(stopped))

    def _try(self, action: Action, lease: Lease) -> str:
        """One symbol's failure never keeps the others without a stop (RELIABILITY 25)."""
        actor = Actor(self.desk, lease, self.memories, self._note_refusal, self.refusals.forget, self._again)
        try:
            return actor.do(action)
        except (LedgerUnavailable, LeaseLost):
            raise
        except TradePipelineError as error:
            self._note_refusal(action, str(error))
            return f"{action.symbol}: {action.do} failed: {error}"

    def _again(self, symbol: str) -> Action | None:
        """What is due for one symbol as the ledger has it now, whatever was refused before."""
        due = [action for action in actions(self._watch(), self.desk.settings.exits) if action.symbol == symbol]
        return due[0] if due else None

    def _note_refusal(self, action: Action, reason: str) -> None:
        desk = self.desk
        if self.refusals.note(action, desk.now()) in TOLD_AT:
            detail = {"action": str(action.do), "reason": reason}
            desk.ledger.record_event(
                Event(desk.now(), "protection_refused", "error", desk.account, action.symbol, detail=detail)
            )


def run_once(guard: Guard) -> list[str]:
    """A cycle that survives what a part's outage raises; the next one tries again."""
    try:
        said = guard.cycle()
    except TradePipelineError as error:
        _note(guard, error)
        return [f"{type(error).__name__}: {error}", *guard.judge_breaker_without_exchange()]
    except Exception as error:
        # A defect in one turn must not end the watch: it is told, and the next turn tries again.
        where = traceback.extract_tb(error.__traceback__)[-1]
        return [f"defect: {type(error).__name__}: {error} ({where.filename}:{where.lineno})"]
    _note(guard, None)
    return said


def _note(guard: Guard, error: TradePipelineError | None) -> None:
    """A turn that failed was recovered from if the next one did not."""
    desk, before = guard.desk, guard.failed
    guard.breaker.note_turn(desk.now(), error)
    guard.failed = type(error).__name__ if isinstance(error, VenueError) else None
    if before is not None:
        count(desk, "guard", before, "retry", recovered=error is None)


def _told(breaker: BreakerState) -> str:
    return f"breaker {breaker.scope} {breaker.state}: {breaker.reason}"
