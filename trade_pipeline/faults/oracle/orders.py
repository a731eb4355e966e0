"""One order, one truth: invariants 3, 4, 5, 7, 8, 14, 18 and what of 21 rows alone can show."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from itertools import pairwise

from trade_pipeline.exchange.engine.orders import Order
from trade_pipeline.faults.oracle.book import Book, OrderRow
from trade_pipeline.faults.oracle.case import Case
from trade_pipeline.faults.oracle.money import MANAGING_FLOWS
from trade_pipeline.faults.oracle.transitions import ENDED, LIVE, UNFILLED_ENDS, is_listed
from trade_pipeline.faults.oracle.truth import remaining_sells
from trade_pipeline.faults.oracle.violations import Violation
from trade_pipeline.schemas.trading import Side

ZERO = Decimal(0)
APPEND_ONLY = ("intents", "order_events", "fills", "flows", "decisions", "events")


def invariant_03_a_fill_is_booked_once_and_as_it_was(case: Case) -> Iterator[Violation]:
    """(account, symbol, trade id) is unique, and every booked fill is one that the exchange made."""
    seen: Counter[tuple[str, str]] = Counter()
    for fill in case.book.fills:
        key = fill.symbol, fill.trade_id
        seen[key] += 1
        trade = case.truth.trades.get(key)
        booked = (fill.venue_order_id, fill.side, fill.price, fill.amount, fill.fee, fill.fee_asset)
        made = trade and (str(trade.order_id), str(trade.side), trade.price, trade.amount, trade.fee, trade.fee_asset)
        if seen[key] > 1 or booked != made:
            problem = "booked twice" if seen[key] > 1 else f"booked as {booked}, the exchange made {made}"
            yield Violation("invariant_03", "a fill is booked once and as it was", " ".join(key), problem)


def invariant_04_filled_is_the_sum_of_fills(case: Case) -> Iterator[Violation]:
    """An order's filled amounts are those of its booked fills, never above its amount, never shrinking."""
    sums: dict[tuple[str, str], tuple[Decimal, Decimal]] = defaultdict(lambda: (ZERO, ZERO))
    for fill in case.book.fills:
        base, quote = sums[fill.symbol, fill.venue_order_id]
        sums[fill.symbol, fill.venue_order_id] = base + fill.amount, quote + fill.amount * fill.price
    for order in case.book.orders:
        key = order.symbol, order.venue_order_id or ""
        booked = sums[key] if order.venue_order_id else (ZERO, ZERO)
        before = case.memory.filled.get(order.client_order_id, ZERO)
        if (order.filled, order.quote_filled) != booked:
            yield _about_fills(order, f"filled {order.filled} for {order.quote_filled}, its fills are {booked}")
        if order.filled > order.amount:
            yield _about_fills(order, f"filled {order.filled} of {order.amount}")
        if order.filled < before:
            yield _about_fills(order, f"filled shrank from {before} to {order.filled}")
        case.memory.filled[order.client_order_id] = max(before, order.filled)


def invariant_05_one_live_order_per_role(case: Case) -> Iterator[Violation]:
    """At most one live or UNKNOWN order per intent and per (symbol, role), at the exchange and in the ledger."""
    known = case.book.order_by_client_id
    for place, keys in (
        ("live in the ledger", [(o.symbol, o.role, o.intent_id) for o in case.book.orders if o.state in LIVE]),
        ("open at the exchange", [_role(known, order) for order in _one_of_each_list(case.truth.our_open)]),
    ):
        roles = Counter(key[:2] for key in keys)
        intents = Counter(key[2] for key in keys)
        for subject, count in [*roles.items(), *intents.items()]:
            if count > 1:
                name = " ".join(subject) if isinstance(subject, tuple) else f"intent {subject}"
                yield Violation("invariant_05", "one live order per intent and role", name, f"{count} are {place}")


def invariant_05_sells_stay_within_the_managed_position(case: Case) -> Iterator[Violation]:
    """What our open sells may still sell is never above the managed position, by the exchange's own fills."""
    managed = defaultdict(lambda: ZERO, case.truth.bought)
    for flow in case.book.flows:
        if flow.kind in MANAGING_FLOWS and flow.symbol is not None:
            managed[flow.symbol] += flow.amount
    for symbol, amount in remaining_sells(case.truth.our_open).items():
        if amount > managed[symbol]:
            yield Violation(
                "invariant_05",
                "remaining sells stay within the managed position",
                symbol,
                f"open sells of {amount}, managed are {managed[symbol]}",
            )


def invariant_05_no_buy_crosses_a_sell_of_ours(case: Case) -> Iterator[Violation]:
    """No resting buy of ours at or above a working sell of ours."""
    working = [order for order in case.truth.our_open if order.is_working and order.price]
    for buy in (order for order in working if order.side is Side.BUY):
        for sell in (order for order in working if order.side is Side.SELL and order.symbol == buy.symbol):
            if buy.price >= sell.price:
                detail = f"buy {buy.client_order_id} at {buy.price}, sell {sell.client_order_id} at {sell.price}"
                yield Violation("invariant_05", "no buy of ours crosses a sell of ours", buy.symbol, detail)


def invariant_07_ids_are_one_to_one(case: Case) -> Iterator[Violation]:
    """One exchange id for a client id and the other way round, and both name the same order."""
    by_venue_id: Counter[tuple[str, str]] = Counter()
    for order in case.book.orders:
        if order.venue_order_id is None:
            continue
        by_venue_id[order.symbol, order.venue_order_id] += 1
        real = case.truth.engine.state.orders.get(int(order.venue_order_id))
        if by_venue_id[order.symbol, order.venue_order_id] > 1:
            detail = f"exchange id {order.venue_order_id} has two client ids"
        elif real is None or (real.client_order_id, real.symbol) != (order.client_order_id, order.symbol):
            detail = f"exchange id {order.venue_order_id} is {real.client_order_id if real else 'nothing'} there"
        else:
            continue
        yield Violation("invariant_07", "exchange id and client id are one to one", order.client_order_id, detail)


def invariant_08_only_listed_transitions(case: Case) -> Iterator[Violation]:
    """Every history begins with PLANNED, takes listed steps only and ends in the state that the order has."""
    for order in case.book.orders:
        history = case.book.history[order.client_order_id]
        states = [event.state for event in history]
        adopted = bool(history) and "adopt" in history[0].evidence
        steps = list(pairwise(states))
        wrong = [f"{before} -> {after}" for before, after in steps if not is_listed(before, after)]
        if not adopted and (not states or states[0] != "PLANNED"):
            wrong.insert(0, f"begins with {states[0] if states else 'nothing'}")
        if states and states[-1] != order.state:
            wrong.append(f"ends with {states[-1]}, the order is {order.state}")
        for detail in wrong:
            yield Violation("invariant_08", "only listed transitions", order.client_order_id, detail)


def invariant_14_nothing_is_sent_twice(case: Case) -> Iterator[Violation]:
    """No client id is accepted twice, and no intent gets another attempt while an earlier one may have traded."""
    for client_order_id, orders in case.truth.ours_by_client_id.items():
        if len(orders) > 1:
            detail = f"the exchange accepted it {len(orders)} times"
            yield Violation("invariant_14", "nothing is sent twice", client_order_id, detail)
    left: Counter[str] = Counter()
    for arrival in case.arrivals:
        left[arrival.client_order_id] += not arrival.certainly_refused
        if left[arrival.client_order_id] == 2:
            detail = "it crossed the wire again although the first request was not certainly refused"
            yield Violation("invariant_14", "nothing is sent twice", arrival.client_order_id, detail)
    yield from _attempts(case)


def invariant_14_no_sent_order_is_left_unresolved(case: Case) -> Iterator[Violation]:
    """When all is quiet no order is PLANNED or SENT: a restart and its cycles resolve them."""
    for order in case.book.orders:
        if case.quiet and order.state in {"PLANNED", "SENT"}:
            detail = f"still {order.state} since {order.planned_at:%H:%M:%S}"
            yield Violation("invariant_14", "every SENT is resolved after a restart", order.client_order_id, detail)


def invariant_18_no_end_without_proof(case: Case) -> Iterator[Violation]:
    """What the ledger calls ended is not open at the exchange, what it calls never executed is not there."""
    for order in case.book.orders:
        real = case.truth.ours_by_client_id.get(order.client_order_id)
        if order.state not in ENDED or not real:
            continue
        traded = sum((item.filled for item in real), ZERO)
        if any(item.is_open for item in real):
            detail = f"{order.state} in the ledger, open at the exchange"
        elif order.state in UNFILLED_ENDS and (traded or order.state != "REJECTED"):
            detail = f"{order.state} in the ledger, the exchange accepted it and filled {traded}"
        elif case.quiet and traded != order.filled:
            detail = f"{order.state} with {order.filled} filled, the exchange filled {traded}"
        else:
            continue
        yield Violation("invariant_18", "no end by a network error", order.client_order_id, detail)


def invariant_21_no_row_goes_away(case: Case) -> Iterator[Violation]:
    """Append-only tables never have fewer rows than before."""
    for table in APPEND_ONLY:
        now, before = len(_rows(case.book, table)), case.memory.rows.get(table, 0)
        if now < before:
            yield Violation("invariant_21", "the ledger is append-only", table, f"{before} rows became {now}")
        case.memory.rows[table] = now


def _attempts(case: Case) -> Iterator[Violation]:
    """A later attempt may only send what the earlier ones, all of them ended, have left of the intent's amount."""
    earlier: dict[str, list[Order]] = defaultdict(list)
    for row in sorted(case.book.orders, key=lambda item: item.attempt):
        real = case.truth.ours_by_client_id.get(row.client_order_id)
        if not real:
            continue
        done = earlier[row.intent_id]
        intent = case.book.intent_by_id.get(row.intent_id)
        open_then = [order.id for order in done if order.is_open or order.updated_ms > real[0].created_ms]
        left = (intent.amount if intent else row.amount) - sum((order.filled for order in done), ZERO)
        if done and (open_then or row.amount > left):
            detail = f"attempt {row.attempt} of {row.amount} while {left} were left, {len(open_then)} earlier ones open"
            yield Violation("invariant_14", "nothing is sent twice", f"intent {row.intent_id}", detail)
        done.append(real[0])


def _role(known: Mapping[str, OrderRow], order: Order) -> tuple[str, str, str]:
    row = known.get(order.client_order_id)
    return (order.symbol, row.role, row.intent_id) if row else (order.symbol, str(order.side), order.client_order_id)


def _one_of_each_list(orders: Sequence[Order]) -> list[Order]:
    """An OCO's two legs are one promise to the market: only its first leg stands for it."""
    lists: set[int] = set()
    kept = []
    for order in orders:
        if order.list_id <= 0 or order.list_id not in lists:
            kept.append(order)
        lists.add(order.list_id)
    return kept


def _about_fills(order: OrderRow, detail: str) -> Violation:
    return Violation("invariant_04", "filled is the sum of the order's fills", order.client_order_id, detail)


def _rows(book: Book, table: str) -> Sequence[object]:
    assert table in {item.name for item in fields(book)}, table
    rows: Sequence[object] = getattr(book, table)
    return rows
