"""Judges what ledger and exchange say after the last disaster. Pure: evidence in, judgements out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trade_pipeline.ledger.records import Intent, Order
from trade_pipeline.schemas.order_states import is_live
from trade_pipeline.schemas.trading import OrderState

_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reading of both sides. Balances are totals by asset without zeros; ids are client order ids."""

    ledger_balances: Mapping[str, Decimal]
    exchange_balances: Mapping[str, Decimal]
    ledger_open: frozenset[str]
    exchange_open: frozenset[str]
    ledger_fills: int
    exchange_trades: int
    exchange_sent: tuple[str, ...]
    """Every order with our prefix that the exchange has from this time; one that it has twice is here twice."""
    orders: tuple[Order, ...]
    intents: Mapping[str, Intent]
    unprotected: tuple[str, ...]
    """Symbols of managed positions above the exchange's minimum for which no protective order rests."""
    executed_since_quiet: bool
    not_proven: tuple[str, ...] = ()
    """What the ledger's own proof found: broken links, projections that do not follow from events."""


@dataclass(frozen=True, slots=True)
class Judgement:
    name: str
    passed: bool
    found: str


def judge(seen: Evidence) -> list[Judgement]:
    """One judgement per promise."""
    return [
        _balances(seen),
        _open_orders(seen),
        _fills(seen),
        _doubled(seen),
        _per_intent(seen),
        _resolved(seen),
        _protected(seen),
        _none_of("the ledger proves itself", list(seen.not_proven), "chain, projections and invariants"),
        Judgement(
            "decisions go on",
            seen.executed_since_quiet,
            "one was executed after the last disaster" if seen.executed_since_quiet else "none was executed since",
        ),
    ]


def _balances(seen: Evidence) -> Judgement:
    assets = sorted({*seen.ledger_balances, *seen.exchange_balances})
    zero = Decimal(0)
    differing = [
        f"{asset}: ledger {seen.ledger_balances.get(asset, zero)}, exchange {seen.exchange_balances.get(asset, zero)}"
        for asset in assets
        if seen.ledger_balances.get(asset, zero) != seen.exchange_balances.get(asset, zero)
    ]
    return _none_of("the ledger's balances equal the exchange's", differing, f"{len(assets)} assets, to the last digit")


def _open_orders(seen: Evidence) -> Judgement:
    differing = [f"only in the ledger: {item}" for item in sorted(seen.ledger_open - seen.exchange_open)]
    differing += [f"only on the exchange: {item}" for item in sorted(seen.exchange_open - seen.ledger_open)]
    return _none_of("open orders are the same on both sides", differing, f"{len(seen.exchange_open)} orders")


def _fills(seen: Evidence) -> Judgement:
    same = seen.ledger_fills == seen.exchange_trades
    return Judgement("every trade is booked once", same, f"ledger {seen.ledger_fills}, exchange {seen.exchange_trades}")


def _doubled(seen: Evidence) -> Judgement:
    known = {order.client_order_id for order in seen.orders}
    wrong = [f"{item} {count} times" for item, count in Counter(seen.exchange_sent).items() if count > 1]
    wrong += [f"{item} is not in the ledger" for item in seen.exchange_sent if item not in known]
    return _none_of("no order is doubled or unknown to us", wrong, f"{len(seen.exchange_sent)} orders sent")


def _per_intent(seen: Evidence) -> Judgement:
    live: Counter[str] = Counter(order.intent_id for order in seen.orders if is_live(order.state))
    filled: dict[str, Decimal] = {}
    for order in seen.orders:
        filled[order.intent_id] = filled.get(order.intent_id, Decimal(0)) + order.filled
    wrong = [f"{intent} has {count} live orders" for intent, count in live.items() if count > 1]
    wrong += [
        f"{intent} wanted {seen.intents[intent].amount} and got {amount}"
        for intent, amount in filled.items()
        if intent in seen.intents and amount > seen.intents[intent].amount
    ]
    return _none_of("one order per intent, and never more than it wanted", wrong, f"{len(filled)} intents")


def _resolved(seen: Evidence) -> Judgement:
    states = (OrderState.UNKNOWN, OrderState.SENT, OrderState.PENDING_CANCEL)
    left = [f"{order.client_order_id} is {order.state}" for order in seen.orders if order.state in states]
    return _none_of("no order's state is open to doubt", left, f"{len(seen.orders)} orders")


def _protected(seen: Evidence) -> Judgement:
    return _none_of("every managed position is protected", list(seen.unprotected), "all")


def _none_of(name: str, wrong: list[str], otherwise: str) -> Judgement:
    if not wrong:
        return Judgement(name, True, otherwise)
    more = f" and {len(wrong) - _SHOWN_MAX} more" if len(wrong) > _SHOWN_MAX else ""
    return Judgement(name, False, "; ".join(wrong[:_SHOWN_MAX]) + more)
