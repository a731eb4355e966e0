"""What may cross the wire: invariants 6, 9, 15, 16, 17 and 26."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from trade_pipeline.exchange.engine.orders import Order
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.faults.oracle.breakers import BreakerSpan, breaker_spans, entries_are_stopped
from trade_pipeline.faults.oracle.case import Arrival, Case
from trade_pipeline.faults.oracle.violations import Violation
from trade_pipeline.schemas.trading import Side

LIMIT_TOLERANCE = Decimal("1.02")
"""A quantity is frozen at the decision's price; by its arrival the last trade may be a little higher."""
ON_THE_WAY_S = 1.0
"""A request that takes longer was delayed by a fault."""
FILTER_REFUSALS = ("-1013", "-1111", "-1100", "-1106", "-1102")
"""Codes by which the exchange says that a request was malformed, off the grid or below the minimum."""
OF_HOW_MANY = "MAX_NUM"
"""Filters of this name count what rests: an order that they refuse is well-formed."""


def invariant_06_every_order_has_an_earlier_intent(case: Case) -> Iterator[Violation]:
    """When a request arrived, its intent and its order, already SENT, were committed."""
    for arrival in case.arrivals:
        if arrival.booked_state is None or arrival.booked_state in {"PLANNED", "ABANDONED"}:
            detail = f"at its arrival the ledger had it as {arrival.booked_state or 'nothing'}"
            yield Violation(
                "invariant_06", "intent and SENT are committed before the send", arrival.client_order_id, detail
            )
    for order in case.truth.ours:
        if order.client_order_id in case.ids_that_crossed - case.book.order_by_client_id.keys():
            detail = f"the exchange has it as {order.id}, the ledger does not"
            yield Violation("invariant_06", "every order of ours has an intent", order.client_order_id, detail)


def invariant_06_a_stray_order_is_adopted_or_halts(case: Case) -> Iterator[Violation]:
    """An order with our prefix that none of our requests made is the ledger's in the end, or stops its symbol."""
    for order in case.truth.ours:
        strange = order.client_order_id not in case.ids_that_crossed
        if not case.quiet or not strange or order.client_order_id in case.book.order_by_client_id:
            continue
        if not entries_are_stopped(case.book, order.symbol, case.now):
            detail = f"{order.status} {order.symbol}, neither adopted nor halted"
            yield Violation("invariant_06", "a stray order is adopted or halts", order.client_order_id, detail)


def invariant_09_no_increase_while_the_breaker_is_open(case: Case) -> Iterator[Violation]:
    """No buy leaves while a breaker of its account or symbol is open; an instant that ties is given away."""
    for span in breaker_spans(case.book.events):
        for arrival in case.arrivals:
            if arrival.side == "buy" and arrival.accepted and span.covers(arrival.symbol, arrival.left_at):
                detail = f"buy of {arrival.symbol} at {arrival.left_at:%H:%M:%S.%f}, {span}"
                yield Violation(
                    "invariant_09", "no increase while the breaker is open", arrival.client_order_id, detail
                )


def invariant_09_resting_entries_are_cancelled(case: Case) -> Iterator[Violation]:
    """A buy that rests when a breaker opens has ended 5 s later, counted from the last disturbance's end."""
    for span in breaker_spans(case.book.events):
        for order in case.truth.ours:
            if order.side is Side.BUY and _late_to_end(case, span, order):
                detail = f"{order.status} {order.amount} {order.symbol}, {span}"
                yield Violation(
                    "invariant_09", "entries are cancelled within 5 s of the opening", order.client_order_id, detail
                )


def invariant_15_no_order_whose_worst_case_exceeds_a_limit(case: Case) -> Iterator[Violation]:
    """If this buy and all that rest were filled, symbol and account would stay within their share of equity."""
    limits = case.limits
    for arrival in case.arrivals:
        if arrival.side != "buy" or not arrival.accepted:
            continue
        for name, worst, share in (
            (arrival.symbol, arrival.worst_symbol_quote, limits.position_weight_max),
            ("the account", arrival.worst_total_quote, limits.total_weight_max),
        ):
            allowed = share * arrival.equity_quote * LIMIT_TOLERANCE
            if worst > allowed:
                detail = f"{name} could reach {worst:.2f}, {share} of {arrival.equity_quote:.2f} is allowed"
                yield Violation(
                    "invariant_15", "no order whose worst case exceeds a limit", arrival.client_order_id, detail
                )


def invariant_16_every_request_is_on_the_grid(case: Case) -> Iterator[Violation]:
    """Amount and prices on their steps, notional above the minimum at the price that the exchange values it at."""
    for arrival in case.arrivals:
        spec = case.truth.engine.specs.get(arrival.symbol)
        problem = _off_grid(spec, arrival) if spec else "the exchange does not list the symbol"
        if problem or _says_malformed(arrival.refusal):
            yield Violation(
                "invariant_16", "on step and above the minimum", arrival.client_order_id, problem or arrival.refusal
            )


def _says_malformed(refusal: str) -> bool:
    return refusal.startswith(FILTER_REFUSALS) and OF_HOW_MANY not in refusal


def invariant_17_only_the_lease_holder_sends(case: Case) -> Iterator[Violation]:
    """Whose request reached the exchange's book held the account's newest lease when it left, and it had not run out.

    A request that was on its way for long may arrive after its sender has given the lease back: then the lease's
    end is compared with the time it left, and a successor's lease proves nothing.
    """
    for arrival in case.arrivals:
        if arrival.holder is None or not arrival.accepted:
            continue
        if arrival.lease_holder != arrival.holder:
            if (arrival.arrived_at - arrival.left_at).total_seconds() > ON_THE_WAY_S:
                continue
            detail = f"sent by {arrival.holder}, the lease is {arrival.lease_holder or 'nobody'}'s"
        elif arrival.lease_until is None or arrival.lease_until <= arrival.left_at:
            detail = f"left at {arrival.left_at:%H:%M:%S.%f}, the lease ended {arrival.lease_until:%H:%M:%S.%f}"
        else:
            continue
        yield Violation("invariant_17", "only the holder of the lease sends", arrival.client_order_id, detail)


def invariant_26_no_order_for_an_old_decision(case: Case) -> Iterator[Violation]:
    """No buy for an expired decision, no order at all for one that a newer decision had superseded."""
    decisions = {decision.decision_id: decision for decision in case.book.decisions}
    for arrival in case.arrivals:
        order = case.book.order_by_client_id.get(arrival.client_order_id)
        intent = case.book.intent_by_id.get(order.intent_id) if order else None
        decision = decisions.get(intent.decision_id or "") if intent else None
        if order is None or decision is None:
            continue
        sent_at = min(order.sent_at or arrival.left_at, arrival.left_at)
        newer = [item for item in case.book.decisions if item.as_of > decision.as_of and item.decided_at < sent_at]
        if newer:
            detail = f"sent at {sent_at:%H:%M:%S.%f} for {decision.as_of:%H:%M}, {newer[-1].as_of:%H:%M} was decided"
        elif decision.expires_at < sent_at and arrival.side == "buy":
            detail = f"sent at {sent_at:%H:%M:%S.%f}, the decision expired at {decision.expires_at:%H:%M:%S}"
        else:
            continue
        yield Violation("invariant_26", "no order for an old decision", arrival.client_order_id, detail)


def _late_to_end(case: Case, span: BreakerSpan, order: Order) -> bool:
    """Whether the order rested at the opening and still did (or ended only) after the time allowed."""
    created, ended = _at(order.created_ms), case.now if order.is_open else _at(order.updated_ms)
    if not created < span.opened_at or not span.names(order.symbol):
        return False
    until = min(ended, span.closed_at or ended)
    return until > span.opened_at and case.undisturbed_since(span.opened_at, until) > case.limits.breaker_cancel_s_max


def _off_grid(spec: SymbolSpec, arrival: Arrival) -> str:
    for name, price in (("price", arrival.price), ("stop price", arrival.stop_price)):
        if price is not None and (price <= 0 or price % spec.tick):
            return f"{name} {price} is off the tick {spec.tick}"
    if arrival.amount <= 0 or arrival.amount % spec.step:
        return f"amount {arrival.amount} is off the step {spec.step}"
    value = arrival.price or arrival.stop_price
    if value is not None and value * arrival.amount < spec.notional_min:
        return f"worth {value * arrival.amount} of quote, the minimum is {spec.notional_min}"
    return ""


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)
