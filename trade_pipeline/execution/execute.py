"""One decision, executed once: claim, gate, plan, cancel, plan again from fills, send, confirm, record.

TRADING rules 2 to 5 and 11; delivery of runs is at least once, so the claim comes first and the loser ends green.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from trade_pipeline.errors import AlreadyClaimed, LeaseHeld, LedgerError, TradePipelineError, VenueError
from trade_pipeline.execution.breaker.state import increases_stopped
from trade_pipeline.execution.buy_guards.ask import ask_guards
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.planning.plan import Plan, PlannedOrder, plan_orders
from trade_pipeline.execution.planning.situation import situation_now
from trade_pipeline.execution.planning.verdict import Verdict
from trade_pipeline.execution.readback.reconcile import reconcile
from trade_pipeline.execution.recovery import answer_for, count, next_step, open_what_was_forgotten
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.execution.sending.cancelling import cancel
from trade_pipeline.execution.sending.replacement import send_or_replace
from trade_pipeline.execution.sending.submit import acquire_lease, send
from trade_pipeline.execution.witness import note_head
from trade_pipeline.ledger.records import Decision, Lease, Order, Target
from trade_pipeline.redaction import redacted
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side

JOB = "execute"
LEASE_WAIT_S = 3.0
CONFIRM_POLL_S = 0.2
REASONS_TOLD_MAX = 3
FORGOTTEN_WITHIN = timedelta(hours=1)
"""How long ago a run may have died between an order's end and the breaker that it asks for."""
UNFILLED_ENDS = frozenset({OrderState.EXPIRED, OrderState.CANCELED})
"""How an order that was to be filled at once ends when it was not filled whole."""


class GateVerdict(Protocol):
    """What the caller's gate says of a decision: no reasons, open."""

    @property
    def reasons(self) -> tuple[str, ...]: ...


Gate = Callable[[Decision], GateVerdict]


@dataclass(frozen=True, slots=True)
class Execution:
    """What became of a decision. `latency_s`: nominal close of the bar to the last acknowledged first submission."""

    decision_id: str
    outcome: str
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
    latency_s: float | None = None
    slippage: dict[str, Decimal] = field(default_factory=dict)
    """Client order id -> how much worse than the decision's price it was filled, as a share of that price."""

    def detail(self) -> dict[str, object]:
        """As the ledger and the UI keep it."""
        return {
            "verdicts": {symbol: verdict.detail() for symbol, verdict in self.verdicts.items()},
            "orders": [
                {"client_order_id": o.client_order_id, "symbol": o.symbol, "state": str(o.state)} for o in self.orders
            ],
            "slippage": {named: f"{ratio:.6f}" for named, ratio in self.slippage.items()},
            "latency_s": self.latency_s,
        }


def execute_decision(desk: Desk, decision_id: str, *, run_id: str, gate: Gate) -> Execution:
    """Send what the decision asks for. Raises LedgerError for a decision that does not exist."""
    decision = desk.ledger.decision(decision_id)
    if decision is None:
        raise LedgerError("no such decision", thing=decision_id, repair="`status` names the newest one.")
    try:
        desk.ledger.claim(decision_id, JOB, run_id)
    except AlreadyClaimed:
        return Execution(decision_id, "already claimed by another run: nothing to do here")
    try:
        result = _execute(desk, decision, run_id, gate)
    except Exception as error:
        # Why nothing more was done belongs to the decision, not only to a run's log; a claim without it says nothing.
        told = str(error) if isinstance(error, TradePipelineError) else redacted(f"{type(error).__name__}: {error}")
        with suppress(TradePipelineError):
            desk.ledger.record_outcome(decision_id, JOB, f"failed: {told}")
        raise
    desk.ledger.record_outcome(decision_id, JOB, result.outcome, result.detail())
    note_head(desk.home, desk.ledger)
    return result


def _execute(desk: Desk, decision: Decision, run_id: str, gate: Gate) -> Execution:
    newest = desk.ledger.newest_decision(desk.account)
    if newest is not None and newest.decision_id != decision.decision_id:
        return Execution(decision.decision_id, f"superseded by the decision of {newest.as_of:%H:%M}: nothing sent")
    if desk.flatten_is_under_way():
        return Execution(decision.decision_id, "flatten is under way: nothing sent")
    reconcile(desk)
    open_what_was_forgotten(desk, FORGOTTEN_WITHIN)
    targets = desk.ledger.targets(decision.decision_id)
    stopped = _why_no_increase(desk, decision, gate)
    try:
        lease = acquire_lease(desk, f"execute:{run_id}", for_exit=False, wait_s=LEASE_WAIT_S)
    except LeaseHeld as error:
        return Execution(decision.decision_id, f"the account is busy: {error.message}")
    try:
        plan, orders = _plan_and_send(desk, decision, targets, stopped, lease)
    finally:
        desk.ledger.release_lease(lease)
    confirmed = _confirm(desk, orders)
    sentence, latency_s = _sentence(plan, confirmed, stopped), _latency(decision, confirmed)
    slippage = _slippage(plan, confirmed)
    return Execution(decision.decision_id, sentence, dict(plan.verdicts), confirmed, latency_s, slippage)


def _why_no_increase(desk: Desk, decision: Decision, gate: Gate) -> str | None:
    """The first reason that stops orders which increase exposure; reductions never ask (TRADING 11)."""
    age = desk.now() - decision.as_of
    if (reason := desk.pause_reason()) is not None:
        return f"paused: {reason}"
    if age > timedelta(seconds=desk.settings.execution.decision_age_s_max):
        return f"the decision is {age.total_seconds():.0f} s old"
    reasons = gate(decision).reasons
    return f"the gate is closed: {'; '.join(reasons)}" if reasons else None


def _plan_now(desk: Desk, targets: Sequence[Target], stopped: str | None) -> Plan:
    settings = desk.settings
    situation = situation_now(desk, targets, stopped)
    return plan_orders(targets, situation, settings.execution, settings.exits, settings.portfolio)


def _plan_and_send(
    desk: Desk, decision: Decision, targets: Sequence[Target], stopped: str | None, lease: Lease
) -> tuple[Plan, tuple[Order, ...]]:
    plan = _plan_now(desk, targets, stopped)
    desk.ledger.record_outcome(decision.decision_id, "plan", f"{len(plan.orders)} orders, {len(plan.cancels)} cancels")
    if plan.cancels:
        for order in plan.cancels:
            cancel(desk, order, f"in the way of decision {decision.decision_id}")
        plan = _plan_now(desk, targets, stopped)
    sales = [item for item in plan.orders if item.intent.side == Side.SELL] if plan.short_of_room else []
    # A sale that has not filled makes no room; one that has, does: the increases are planned again from fills.
    sold, unsold = _send_all(desk, lease, sales)
    if sales:
        plan = _increases_of(_plan_now(desk, targets, stopped), plan, sales)
    plan = ask_guards(desk, decision, plan)
    sent, refused = _send_all(desk, lease, [item for item in plan.orders if item not in sales])
    return replace(plan, verdicts={**plan.verdicts, **unsold, **refused}), (*sold, *sent)


def _increases_of(again: Plan, first: Plan, sales: Sequence[PlannedOrder]) -> Plan:
    """The first plan's sales, which are sent, with the increases of the second."""
    done = {item.intent.symbol for item in sales}
    buys = [item for item in again.orders if item.intent.side == Side.BUY and item.intent.symbol not in done]
    return replace(again, orders=(*sales, *buys), verdicts={**again.verdicts, **{s: first.verdicts[s] for s in done}})


def _send_all(desk: Desk, lease: Lease, orders: Sequence[PlannedOrder]) -> tuple[list[Order], dict[str, Verdict]]:
    """What was sent, and symbol -> why of what was not."""
    sent: list[Order] = []
    refused: dict[str, Verdict] = {}
    for planned in orders:
        if planned.intent.side == Side.BUY and desk.ledger.exit_is_waiting(lease):
            refused[planned.intent.symbol] = Verdict("none", "an exit waits for the account: entries stand back")
            continue
        if planned.intent.side == Side.BUY:
            # Orders before this one took their time: a breaker may have opened meanwhile.
            reason = increases_stopped(desk.ledger.breakers(desk.account), planned.intent.symbol)
            if reason is not None:
                refused[planned.intent.symbol] = Verdict("none", reason)
                continue
        try:
            orders_of = send_or_replace(desk, lease, planned.intent, planned.request)
            sent.extend(orders_of)
            sent.extend(_sell_the_rest(desk, lease, planned, orders_of[-1]))
        except LedgerError as error:
            refused[planned.intent.symbol] = Verdict("none", f"not sent: {error}")
    return sent, refused


def _sell_the_rest(desk: Desk, lease: Lease, planned: PlannedOrder, order: Order) -> list[Order]:
    """What a limit sale has left goes to the market: an exit is not put off for a better price (TRADING 14)."""
    request = planned.request
    if request.side != Side.SELL or order.state not in UNFILLED_ENDS:
        return []
    try:
        rules, top = desk.venue.markets().get(order.symbol), desk.venue.book_tops([order.symbol]).get(order.symbol)
    except VenueError:
        return []  # The guard looks after what is left; the other symbols' orders go on.
    if rules is None or top is None:
        return []
    rest = amount_down(min(order.remaining, rules.market_amount_max), rules)
    if is_dust(rest, top.bid, rules):
        return []
    attempt = order.attempt + 1
    named = client_order_id(desk.prefix, desk.account, planned.intent.intent_id, attempt)
    market = OrderRequest(named, order.symbol, Side.SELL, OrderType.MARKET, rest)
    return [send(desk, lease, planned.intent, market, attempt=attempt)]


def _confirm(desk: Desk, orders: Sequence[Order]) -> tuple[Order, ...]:
    """Wait for what is still open, at most `fill_wait_s_max`; the rest is the guard's."""
    deadline, failed = desk.monotonic() + desk.settings.execution.fill_wait_s_max, ""
    while True:
        now = tuple(desk.ledger.order(order.client_order_id) or order for order in orders)
        waiting = [o for o in now if is_live(o.state) or (o.state == OrderState.FILLED and o.remaining)]
        if not waiting or desk.monotonic() >= deadline:
            break
        desk.sleep(CONFIRM_POLL_S)
        try:
            reconcile(desk)
        except VenueError as error:
            # Reading back may fail; what was sent is in the ledger, and the guard reads on.
            step = next_step(error, 0, desk.settings.recovery, operation="read", left_s=deadline - desk.monotonic())
            failed = step.error
            if step.action == "halt":
                answer_for(desk, "confirm", step, None, recovered=False)
                return now
        except TradePipelineError:
            continue
        else:
            if failed:
                count(desk, "confirm", failed, "retry", recovered=True)
            failed = ""
    if failed:
        count(desk, "confirm", failed, "retry", recovered=False)
    return now


def _latency(decision: Decision, orders: Sequence[Order]) -> float | None:
    # The first submission of each intent counts (TRADING 20).
    first = [order.acknowledged_at for order in orders if order.attempt == 0]
    acknowledged = [at for at in first if at is not None]
    return (max(acknowledged) - decision.as_of).total_seconds() if acknowledged else None


def _sentence(plan: Plan, orders: Sequence[Order], stopped: str | None) -> str:
    if orders:
        filled = sum(order.filled > 0 for order in orders)
        return f"{len(orders)} orders sent, {filled} with fills"
    if stopped:
        return f"nothing sent: {stopped}"
    # What stands before the colon is the kind of reason; the rest differs from symbol to symbol.
    reasons = Counter(verdict.reason.split(":")[0] for verdict in plan.verdicts.values())
    told = [f"{count} {reason}" for reason, count in reasons.most_common(REASONS_TOLD_MAX)]
    return "nothing to send: " + (", ".join(told) or "no targets")


def _slippage(plan: Plan, orders: Sequence[Order]) -> dict[str, Decimal]:
    planned = {item.intent.intent_id: item for item in plan.orders}
    ratios = {order.client_order_id: slippage_ratio(planned[order.intent_id], order) for order in orders}
    return {named: ratio for named, ratio in ratios.items() if ratio is not None}


def slippage_ratio(planned: PlannedOrder, order: Order) -> Decimal | None:
    """How much worse than the decision price the order was filled, as a share of it; None without a fill."""
    decided = planned.intent.decision_price
    if not decided or not order.filled:
        return None
    price = order.quote_filled / order.filled
    sign = 1 if planned.intent.side == Side.BUY else -1
    return sign * (price - decided) / decided


def plan_dry_run(desk: Desk) -> tuple[Decision | None, Plan]:
    """What would be sent now for the newest decision, and why; sends and writes nothing."""
    decision = desk.ledger.newest_decision(desk.account)
    if decision is None:
        return None, Plan((), (), {})
    targets = desk.ledger.targets(decision.decision_id)
    reason = desk.pause_reason()
    return decision, _plan_now(desk, targets, f"paused: {reason}" if reason else None)
