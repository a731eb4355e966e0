"""Ledger against exchange, as one pure comparison: values in, findings out, every list walked once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.conflicts.kinds import Finding, Key, Kind
from trade_pipeline.execution.ids import is_ours
from trade_pipeline.execution.readback.sanity import BadOrder
from trade_pipeline.execution.rounding import is_dust
from trade_pipeline.ledger.records import Event, Fill, Order
from trade_pipeline.schemas.trading import (
    PROTECTIVE,
    AccountReading,
    MarketRules,
    OrderState,
    OrderType,
    Position,
    Role,
    VenueOrder,
)

ZERO = Decimal(0)
GUARDING = PROTECTIVE | {Role.EXIT}
UNREADABLE = "unreadable"
"""In place of the id of an order that cannot be read."""
_UNPRICED = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})


@dataclass(frozen=True, slots=True)
class Sides:
    """What both sides say at one moment. The ledger was read after the exchange."""

    now: datetime
    prefix: str
    quote: str
    dust_quote: Decimal
    unprotected_for: timedelta
    positions: Sequence[Position]
    expected: Mapping[str, Decimal]
    """Asset -> balance as the ledger explains it."""
    live: Sequence[Order]
    reading: AccountReading
    open_orders: Sequence[VenueOrder]
    rules: Mapping[str, MarketRules]
    journaled: frozenset[str] = frozenset()
    """Client order ids in a journal of `flatten` that the ledger has not booked yet."""
    denied: Collection[str] = ()
    bad_balances: Mapping[str, str] = field(default_factory=dict)
    bad_orders: Sequence[BadOrder] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Symbol -> why its orders or trades cannot be read."""
    foreign_fills: Sequence[Fill] = ()
    bad_trades: Sequence[Event] = ()
    """What the ledger said of trades that it refused, or has booked with other content."""


def compare(sides: Sides) -> list[Finding]:
    """Every difference, in the order in which they are told. Nothing is decided here."""
    return [
        *_bad_answers(sides),
        *_missing_markets(sides),
        *_missing_coins(sides),
        *_residuals(sides),
        *_orders(sides),
        *_trades(sides),
        *_unprotected(sides),
    ]


def _bad_answers(sides: Sides) -> Iterator[Finding]:
    for asset, why in sides.bad_balances.items():
        yield Finding(Key(Kind.BAD_BALANCE, asset), sides.expected.get(asset), None, detail={"why": why})
    for bad in sides.bad_orders:
        order = bad.order
        detail = {"why": bad.why, "client_order_id": order.client_order_id}
        yield Finding(Key(Kind.BAD_ORDER, order.symbol, order.order_id), None, None, detail=detail)
    for symbol, why in sides.unreadable.items():
        yield Finding(Key(Kind.BAD_ORDER, symbol, UNREADABLE), None, None, detail={"why": why})


def _missing_markets(sides: Sides) -> Iterator[Finding]:
    for position in sides.positions:
        if position.symbol not in sides.rules:
            base = _base(position.symbol)
            yield Finding(Key(Kind.MARKET_MISSING, position.symbol), position.amount, sides.reading.total(base))


def _missing_coins(sides: Sides) -> Iterator[Finding]:
    """Managed coins that the account does not hold. Two symbols of one base share what is there."""
    left: dict[str, Decimal] = {}
    for position in sides.positions:
        base = _base(position.symbol)
        if base in sides.bad_balances or position.updated_at >= sides.reading.at:
            continue
        there = left.get(base, sides.reading.total(base))
        left[base] = max(there - position.amount, ZERO)
        if there < position.amount:
            dust = position.amount - there < _step(sides, position.symbol)
            yield Finding(Key(Kind.POSITION_SHORT, position.symbol), position.amount, there, dust)


def _residuals(sides: Sides) -> Iterator[Finding]:
    """Balances that opening + flows + fills - fees do not explain (RELIABILITY invariant 1)."""
    held = {_base(position.symbol) for position in sides.positions}
    for asset in sorted(sides.expected.keys() | sides.reading.balances.keys()):
        there, expected = sides.reading.total(asset), sides.expected.get(asset, ZERO)
        if there == expected or asset in sides.bad_balances:
            continue
        kind = Kind.POSITION_LONG if asset in held and there > expected else Kind.BALANCE_RESIDUAL
        if asset == sides.quote:
            dust = abs(there - expected) <= sides.dust_quote
        else:
            dust = abs(there - expected) < _step(sides, f"{asset}/{sides.quote}")
        yield Finding(Key(kind, asset), expected, there, dust)


def _orders(sides: Sides) -> Iterator[Finding]:
    live = {order.client_order_id: order for order in sides.live}
    for listed in sides.open_orders:
        known = live.get(listed.client_order_id)
        if known is not None:
            yield from _order_differs(known, listed)
        elif not is_ours(listed.client_order_id, sides.prefix) and listed.client_order_id not in sides.journaled:
            yield Finding(
                Key(Kind.FOREIGN_ORDER, listed.symbol, listed.order_id),
                ZERO,
                listed.amount - listed.filled,
                detail={"side": str(listed.side), "type": str(listed.type), "client_order_id": listed.client_order_id},
            )
    for named in sides.denied:
        if (order := live.get(named)) is not None:
            detail = {"role": str(order.role), "state": str(order.state)}
            yield Finding(Key(Kind.MISSING_ORDER, order.symbol, named), order.remaining, ZERO, detail=detail)


def _order_differs(known: Order, listed: VenueOrder) -> Iterator[Finding]:
    """The same id and another order; or one whose trades the ledger has not all been given."""
    sent = known.request
    pairs = {
        "symbol": (sent.symbol, listed.symbol),
        "side": (sent.side, listed.side),
        "amount": (sent.amount, listed.amount),
        "stop price": (sent.stop_price, listed.stop_price),
    }
    if sent.type not in _UNPRICED:
        pairs["price"] = (sent.price, listed.price)
    differing = {name: f"sent {ours}, listed {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs}
    if differing:
        key = Key(Kind.ORDER_DIFFERS, sent.symbol, known.client_order_id)
        yield Finding(key, sent.amount, listed.amount, detail=differing)
    elif listed.filled > known.filled:
        # The exchange's list of trades does not reach back to all of its fills: none are invented (statement 11).
        yield Finding(Key(Kind.HISTORY_TRUNCATED, sent.symbol, known.client_order_id), known.filled, listed.filled)


def _trades(sides: Sides) -> Iterator[Finding]:
    for fill in sides.foreign_fills:
        detail = {"side": str(fill.side), "price": f"{fill.price:f}", "order_id": fill.venue_order_id}
        yield Finding(Key(Kind.FOREIGN_TRADE, fill.symbol, fill.trade_id), ZERO, fill.amount, detail=detail)
    for event in sides.bad_trades:
        detail = {"why": f"trade {event.detail['trade_id']}: {event.detail['why']}"}
        yield Finding(Key(Kind.BAD_TRADE, event.symbol or "", str(event.detail["trade_id"])), detail=detail)


def _unprotected(sides: Sides) -> Iterator[Finding]:
    """Positions worth a stop that have been there for longer than they may be without one (TRADING 17)."""
    resting = {listed.client_order_id for listed in sides.open_orders}
    guarded = {
        order.symbol
        for order in sides.live
        if order.role in GUARDING
        and order.client_order_id not in sides.denied
        and (order.client_order_id in resting or order.state != OrderState.OPEN)
    }
    for position in sides.positions:
        rules, price = sides.rules.get(position.symbol), position.average_price
        if position.symbol in guarded or rules is None or not rules.active or not price:
            continue
        there = min(position.amount, sides.reading.total(rules.base))
        if sides.now - position.updated_at > sides.unprotected_for and not is_dust(there, price, rules):
            yield Finding(Key(Kind.PROTECTION_MISSING, position.symbol), position.amount, ZERO)


def _base(symbol: str) -> str:
    return symbol.split("/", maxsplit=1)[0]


def _step(sides: Sides, symbol: str) -> Decimal:
    """Below one step nothing can be traded; what has no market has no step."""
    rules = sides.rules.get(symbol)
    return rules.amount_step if rules is not None else ZERO
