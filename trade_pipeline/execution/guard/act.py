"""Doing one action: cancel and confirm, recompute from fills, place or sell, and arm again what failed (TRADING 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.execution.desk import EVERY, Desk
from trade_pipeline.execution.exits.values import ExitReason
from trade_pipeline.execution.guard.memory import Memories
from trade_pipeline.execution.guard.protect import Action, Do
from trade_pipeline.execution.guard.requests import profit_request, stop_request
from trade_pipeline.execution.guard.run import WORDS, ExitRun, sale_request, steps_of
from trade_pipeline.execution.guard.switching import protection_of, takes_profit
from trade_pipeline.execution.guard.views import begin
from trade_pipeline.execution.ids import client_order_id, intent_id
from trade_pipeline.execution.locks import lock_before_exit
from trade_pipeline.execution.recovery import action_of, count, error_of
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.execution.sending.cancelling import cancel
from trade_pipeline.execution.sending.submit import send
from trade_pipeline.execution.sending.swap import NOT_SENT, replace_order, role_beside, send_pair
from trade_pipeline.ledger.records import Event, Intent, Lease, Lock, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side

CLOCKS_DIFFER = timedelta(seconds=5)
"""How far the clocks of guard and ledger may be apart."""


@dataclass
class Actor:
    """Acts for one cycle under the account's lease. `again` says what is due for a symbol as things stand now."""

    desk: Desk
    lease: Lease
    memories: Memories
    note_refusal: Callable[[Action, str], None]
    note_success: Callable[[Action], None]
    again: Callable[[str], Action | None]

    def do(self, action: Action) -> str:
        """One line that says what was done."""
        said: list[str] = []
        if self._is_one_step(action):
            return self._replace(action)
        if action.do == Do.PLACE and action.orders and protection_of(action.orders) != action.kind:
            # Written down first: a restart in between finds a switch that was not finished, and arms the stop.
            self._protection(action.symbol, "switching", switched=True)
        for order in action.orders:
            cancelled = cancel(self.desk, order, action.reason)
            if is_live(cancelled.state):
                return f"{action.symbol}: cancel of {cancelled.client_order_id} not confirmed"
            said.append(f"cancelled {cancelled.client_order_id}")
            if cancelled.filled > order.filled and action.do != Do.CANCEL:
                return self._recomputed(action)
        if action.do == Do.CANCEL:
            return f"{action.symbol}: {', '.join(said) or 'nothing to cancel'}, {action.reason}"
        order = self._sell(action) if action.do == Do.EXIT else self._place(action)
        if order.state not in NOT_SENT:
            self.note_success(action)
        elif action.run is None or action.run.urgent:
            self.note_refusal(action, order.last_evidence)
        if (meant := action_of(order)) in {"reduce", "fallback"}:
            count(self.desk, "guard", error_of(order), str(meant), recovered=False)
        return f"{action.symbol}: {action.do} {order.client_order_id} {order.state}: {action.reason}"

    def _recomputed(self, before: Action, why: str = "fills came before the cancel") -> str:
        """Things have changed meanwhile: what is due now follows from the fills (RELIABILITY 14)."""
        action = self.again(before.symbol)
        if action is None or action.orders:
            return f"{before.symbol}: {why}, {before.reason}"
        return self.do(action)

    def _is_one_step(self, action: Action) -> bool:
        """Whether a stop takes another one's place: where the exchange can, there is no moment without a stop.

        Not of a stop that is being filled: what it sells until it is gone would be sold again by the new one.
        """
        if action.do != Do.PLACE or action.kind != "stop" or len(action.orders) != 1:
            return False
        (old,) = action.orders
        return self.desk.venue.capabilities.cancel_replace and not takes_profit(old) and old.filled == 0

    def _replace(self, action: Action) -> str:
        (old,) = action.orders
        order = replace_order(self.desk, self.lease, old, *self._stop(action, role_beside(old)))
        if order.state not in NOT_SENT:
            self.note_success(action)
            return f"{action.symbol}: replaced {old.client_order_id} by {order.client_order_id}: {action.reason}"
        left = self.desk.ledger.order(old.client_order_id)
        if left is not None and left.filled > old.filled:
            return self._recomputed(action, "the stop was being filled")
        if left is not None and is_live(left.state):
            self.note_refusal(action, order.last_evidence)
            return f"{action.symbol}: {old.client_order_id} stays: {order.last_evidence}"
        if action_of(order) == "exit":
            sold = self._sell_instead(order, action)
            return f"{action.symbol}: exit {sold.client_order_id} {sold.state}: its stop was passed already"
        return self._recomputed(action, "the stop was gone before it was replaced")

    def _place(self, action: Action) -> Order:
        order = self._send_protection(action)
        if order.state == OrderState.REJECTED and action.kind == "profit":
            # Rolled back at once: a refused pair must not leave the position without its stop.
            due = self.again(action.symbol)
            if due is None or due.do != Do.PLACE or due.kind != "stop":
                return order
            action, order = due, self._send_protection(due)
        if action_of(order) == "exit":
            return self._sell_instead(order, action)
        if order.state not in NOT_SENT:
            self._protection(action.symbol, action.kind)
        return order

    def _send_protection(self, action: Action) -> Order:
        """The stop, alone or with its take-profit; returns the stop."""
        stop = self._stop(action, Role.PROTECT)
        if action.kind == "stop":
            return send(self.desk, self.lease, *stop)
        lower, _ = send_pair(self.desk, self.lease, stop, self._take_profit(action))
        return lower

    def _stop(self, action: Action, role: Role) -> tuple[Intent, OrderRequest]:
        intent, client_id = self._named(action, "stop", role, WORDS[ExitReason.STOP_LOSS])
        rules, exits = self.desk.venue.markets()[action.symbol], self.desk.settings.exits
        return intent, stop_request(action.symbol, action.amount, action.level, client_id, rules, exits)

    def _take_profit(self, action: Action) -> tuple[Intent, OrderRequest]:
        assert action.target is not None, "a take-profit is placed where there is a target"
        intent, client_id = self._named(action, "profit", Role.PROTECT_BESIDE, WORDS[ExitReason.TARGET])
        rules, exits = self.desk.venue.markets()[action.symbol], self.desk.settings.exits
        return intent, profit_request(action.symbol, action.amount, action.target, client_id, rules, exits)

    def _named(self, action: Action, kind: str, role: Role, words: str) -> tuple[Intent, str]:
        desk = self.desk
        cause = f"guard|{kind}|{action.reason}|{desk.now().isoformat()}"
        named = intent_id(desk.account, cause, action.symbol, role)
        return self._intent(action, named, role, words), client_order_id(desk.prefix, desk.account, named, 0)

    def _sell_instead(self, refused: Order, action: Action) -> Order:
        """Exit now: that is what "stop price would trigger immediately" means (TRADING 14)."""
        sold = self._sell_now(action)
        count(self.desk, "guard", error_of(refused), "exit", recovered=sold.state not in NOT_SENT)
        return sold

    def _sell_now(self, action: Action) -> Order:
        desk = self.desk
        run = begin(desk.account, action.symbol, ExitReason.STOP_LOSS, action.level, desk.now(), desk.settings.exits)
        return self._sell(
            replace(action, do=Do.EXIT, run=run, orders=(), reason="stop loss: its stop was passed already")
        )

    def _sell(self, action: Action) -> Order:
        """The next attempt of an exit, and at once another one where what was refused leaves something to send."""
        run = action.run
        assert run is not None, "an exit has a run"
        locked = self._lock(run, action.symbol)
        order = self._attempt(action)
        if order.state == OrderState.REJECTED and run.urgent:
            order = self._once_more(action, run.counted(self.desk.now()), order)
        if order.state in NOT_SENT and not run.urgent:
            for name in locked:
                self.desk.ledger.unlock(self.desk.account, name, action.symbol)
            self.note_refusal(action, order.last_evidence)
            self._arm_again(action)
        return order

    def _once_more(self, action: Action, run: ExitRun, refused: Order) -> Order:
        """At market what was off the grid; else what is there, where coins were missing."""
        if action_of(refused) == "fallback" and refused.request.type != OrderType.MARKET:
            last = replace(run, step=len(steps_of(run, self.desk.settings.exits)) - 1)
            order = self._attempt(replace(action, run=last))
        else:
            free = self._free(action.symbol)
            if not 0 < free < refused.request.amount or self._is_residue(action, free):
                return refused
            order = self._attempt(replace(action, amount=free, run=run))
        if order.state not in NOT_SENT and (meant := action_of(refused)) is not None:
            count(self.desk, "guard", error_of(refused), meant, recovered=True)
        return order

    def _attempt(self, action: Action) -> Order:
        """Send one order of the exit. Its number is written down before it is sent."""
        desk, run = self.desk, action.run
        assert run is not None, "an exit has a run"
        intent = desk.ledger.intent(run.intent_id)
        if intent is not None and action.amount > self._left(intent, run):
            # More to sell than it was meant for (a late fill of an entry): that is an intent of its own.
            anew = begin(desk.account, action.symbol, run.reason, run.reference, desk.now(), desk.settings.exits)
            run, intent = replace(anew, keep=run.keep, step=run.step, step_at=run.step_at), None
        if intent is None:
            intent = self._intent(action, run.intent_id, Role.EXIT, action.reason)
        self.memories.keep_run(desk, action.symbol, run.counted(desk.now()))
        named = client_order_id(desk.prefix, desk.account, run.intent_id, run.sent)
        rules, top = desk.venue.markets()[action.symbol], desk.venue.book_tops([action.symbol]).get(action.symbol)
        request = sale_request(run, desk.settings.exits, named, action.amount, top, rules)
        return send(desk, self.lease, intent, request, attempt=run.sent)

    def _left(self, intent: Intent, run: ExitRun) -> Decimal:
        """What earlier attempts have left of an intent's amount."""
        orders = self.desk.ledger.orders(self.desk.account, run.began_at - CLOCKS_DIFFER)
        filled = sum((order.filled for order in orders if order.intent_id == intent.intent_id), Decimal(0))
        return intent.amount - filled

    def _free(self, symbol: str) -> Decimal:
        """What no order locks, on the step (RELIABILITY 17)."""
        rules = self.desk.venue.markets()[symbol]
        return amount_down(self.desk.venue.account().free(rules.base), rules)

    def _is_residue(self, action: Action, amount: Decimal) -> bool:
        """Worth less than the exchange takes: not sent (RELIABILITY 16)."""
        desk, symbol = self.desk, action.symbol
        top = desk.venue.book_tops([symbol]).get(symbol)
        last = top.last if top is not None and top.last > 0 else action.level
        return is_dust(amount, last, desk.venue.markets()[symbol])

    def _lock(self, run: ExitRun, symbol: str) -> tuple[str, ...]:
        """Nobody buys back what is about to be sold (TRADING 13); the names that this has locked."""
        desk, now = self.desk, self.desk.now()
        if run.keep <= 0:
            return lock_before_exit(desk, symbol)
        # The rest stays with its strategies: only entries are held off, by a lock that is nobody's own.
        if symbol in desk.halts():
            return ()
        until = now + timedelta(seconds=desk.settings.exits.lock_cooldown_s)
        desk.ledger.lock(Lock(desk.account, EVERY, symbol, "partial exit", now, until))
        return (EVERY,)

    def _arm_again(self, action: Action) -> None:
        """The sale was refused: the stop goes back under the position at once, and the exit is decided anew later."""
        self.memories.keep_run(self.desk, action.symbol, None)
        due = self.again(action.symbol)
        if due is not None and due.do == Do.PLACE and not due.orders:
            self._send_protection(due)

    def _protection(self, symbol: str, kind: str, *, switched: bool = False) -> None:
        changes: dict[str, object] = {"protection": kind}
        if switched:
            changes["switched_at"] = self.desk.now()
            event = Event(self.desk.now(), "protection_switches", "info", self.desk.account, symbol)
            self.desk.ledger.record_event(event)
        self.memories.change(self.desk, symbol, **changes)

    def _intent(self, action: Action, named: str, role: Role, reason: str) -> Intent:
        desk = self.desk
        shares = shares_of(desk.ledger.sleeves(desk.account, action.symbol))
        return Intent(
            intent_id=named,
            account=desk.account,
            decision_id=None,
            symbol=action.symbol,
            role=role,
            side=Side.SELL,
            amount=action.amount,
            strategy="+".join(sorted(shares)),
            sleeves=shares,
            reason=reason,
            decision_price=action.level,
            stop_distance=None,
            created_at=desk.now(),
        )


def shares_of(held: dict[str, Decimal]) -> dict[str, Decimal]:
    """Sleeves as shares that add up to 1; the last name takes what rounding leaves."""
    positive = {name: amount for name, amount in held.items() if amount > 0}
    total = sum(positive.values(), Decimal(0))
    if total <= 0:
        return {"unattributed": Decimal(1)}
    *first, last = sorted(positive)
    shares = {name: (positive[name] / total).quantize(Decimal("1e-12")) for name in first}
    shares[last] = 1 - sum(shares.values(), Decimal(0))
    return shares
