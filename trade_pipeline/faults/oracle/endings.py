"""What must be true once the faults are over, and what has a time limit: invariants 12, 13, 22 and 23."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from trade_pipeline.exchange.engine.orders import Order
from trade_pipeline.faults.oracle.breakers import breaker_spans, entries_are_stopped
from trade_pipeline.faults.oracle.case import Case
from trade_pipeline.faults.oracle.money import managed_positions, step_of
from trade_pipeline.faults.oracle.transitions import LIVE
from trade_pipeline.faults.oracle.truth import PROTECTIVE_TYPES
from trade_pipeline.faults.oracle.violations import Violation
from trade_pipeline.schemas.trading import Side

ZERO = Decimal(0)
WORTH_PROTECTING = Decimal("1.2")
"""Multiple of the minimum notional: a stop's limit lies below its trigger, the trigger below the price."""
IN_DOUBT = frozenset({"SENT", "UNKNOWN", "ABSENT"})
ALARMS = frozenset({"warning", "error", "critical"})


def invariant_12_reconciling_twice_sends_nothing(case: Case) -> Iterator[Violation]:
    """Another cycle on a still market, after everything had settled, sent neither order nor cancel."""
    if case.quiet and case.sends_after_quiet:
        detail = f"{case.sends_after_quiet} requests crossed the wire"
        yield Violation("invariant_12", "reconciling twice sends nothing", case.account, detail)


def invariant_13_after_quiet_the_ledger_is_the_exchange(case: Case) -> Iterator[Violation]:
    """Open orders, their fills, every fill and every managed position agree, or a breaker is open and says so."""
    if not case.quiet or any(span.closed_at is None for span in breaker_spans(case.book.events)):
        return
    booked = {(fill.symbol, fill.trade_id) for fill in case.book.fills}
    for key, trade in case.truth.trades.items():
        order = case.truth.engine.state.orders[trade.order_id]
        if case.truth.is_ours(order) and not _is_a_stray(case, order) and key not in booked:
            yield _differs(" ".join(key), f"a fill of {trade.amount} at {trade.price} is not booked")
    live = {order.client_order_id: order for order in case.book.orders if order.state in LIVE}
    there = {order.client_order_id: order for order in case.truth.our_open if not _is_a_stray(case, order)}
    for client_order_id in sorted(live.keys() | there.keys()):
        row, real = live.get(client_order_id), there.get(client_order_id)
        if row is None or real is None:
            states = f"{row.state if row else 'ended'} in the ledger, {real.status if real else 'not open'} there"
            yield _differs(client_order_id, states)
        elif row.filled != real.filled:
            yield _differs(client_order_id, f"filled {row.filled} in the ledger, {real.filled} there")
    yield from _coins(case)


def invariant_22_unknown_resolves_or_alerts(case: Case) -> Iterator[Violation]:
    """An UNKNOWN that outlives its bound has been said aloud; one that outlives the longest bound is too old."""
    for order in case.book.orders:
        if order.state != "UNKNOWN":
            continue
        unknown = (event.at for event in case.book.history[order.client_order_id] if event.state == "UNKNOWN")
        since = max(unknown, default=order.planned_at)
        age_s = case.undisturbed_since(since)
        told = any(
            event.client_order_id == order.client_order_id and event.severity in ALARMS for event in case.book.events
        )
        if age_s > (case.limits.unknown_s_max if told else case.limits.unknown_alert_s_max):
            detail = f"UNKNOWN for {age_s:.0f} s after the faults, {'alerted' if told else 'no alert'}"
            yield Violation("invariant_22", "UNKNOWN resolves or alerts", order.client_order_id, detail)


def invariant_23_no_position_stays_unprotected(case: Case) -> Iterator[Violation]:
    """No managed position above the minimum without a resting stop or an exit for longer than its limit.

    The time counts from the last disturbance's end: while the exchange is away nobody can protect anything. While
    the outcome of a sale is unknown, nothing may be sent beside it before the exchange's acceptance bound has passed:
    then the time counts from there. A sale that an empty book fills piece by piece is at work: the time counts from
    its last piece. Coins that somebody else has sold need no stop, nor does a symbol that the
    exchange no longer trades.
    """
    since = case.memory.unprotected_since
    naked = {symbol for symbol, amount in managed_positions(case).items() if _is_naked(case, symbol, amount)}
    for symbol in [*since]:
        if symbol not in naked:
            del since[symbol]
    for symbol in sorted(naked):
        began = max([since.setdefault(symbol, case.now), *_in_doubt_until(case, symbol), *_sold_at(case, symbol)])
        age_s = case.undisturbed_since(began)
        if age_s > case.limits.unprotected_s_max:
            detail = f"{managed_positions(case)[symbol]} without a stop for {age_s:.1f} s"
            yield Violation("invariant_23", "no position stays unprotected", symbol, detail)


def _in_doubt_until(case: Case, symbol: str) -> Iterator[datetime]:
    """When each sale of the symbol without a known outcome could be replaced."""
    for order in case.book.orders:
        if order.symbol == symbol and order.side == "sell" and order.state in IN_DOUBT and order.sent_at is not None:
            yield order.sent_at + timedelta(seconds=case.limits.acceptance_bound_s)


def _sold_at(case: Case, symbol: str) -> Iterator[datetime]:
    """When the exchange last sold some of the symbol for an order of ours."""
    trades = case.truth.engine.trades(symbol)
    ours = (trade.at_ms for trade in reversed(trades) if trade.side is Side.SELL and case.truth.is_our_trade(trade))
    for at_ms in islice(ours, 1):
        yield datetime.fromtimestamp(at_ms / 1000, UTC)


def _is_naked(case: Case, symbol: str, booked: Decimal) -> bool:
    """By the smaller of what the ledger manages, what our fills bought and what is still there and not locked by
    anybody else's order."""
    truth = case.truth
    spec, mark = truth.engine.specs.get(symbol), truth.mark(symbol)
    if spec is None or mark is None or symbol in case.untradable:
        return False
    amount = min(booked, truth.total(spec.base) - truth.locked_by_others(spec.base))
    if any(order.symbol == symbol and _reduces(order) for order in truth.our_open):
        return False
    amount -= amount % spec.step
    return amount * mark >= spec.notional_min * WORTH_PROTECTING


def _reduces(order: Order) -> bool:
    return order.side is Side.SELL and (order.type in PROTECTIVE_TYPES or order.is_working or order.list_id > 0)


def _is_a_stray(case: Case, order: Order) -> bool:
    """Not ours although it has our prefix, and not adopted: invariant 6 speaks of it."""
    named = order.client_order_id
    return named not in case.ids_that_crossed and named not in case.book.order_by_client_id


def _coins(case: Case) -> Iterator[Violation]:
    """No managed coins that the account does not have, from one step on: sold by hand, they are to be seen as drift."""
    for symbol, amount in managed_positions(case).items():
        there = case.truth.total(case.truth.base(symbol))
        missing = amount - there
        drifts = missing > 0 and missing >= step_of(case, case.truth.base(symbol))
        if drifts and not entries_are_stopped(case.book, symbol, case.now):
            yield _differs(symbol, f"{amount} are managed, the exchange has {there}, and entries are not halted")


def _differs(subject: str, detail: str) -> Violation:
    return Violation("invariant_13", "after quiet the ledger is the exchange", subject, detail)
