"""Which stops should rest, and what is to be done about the difference. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trade_pipeline.execution.plan import UNRESOLVED
from trade_pipeline.execution.rounding import amount_down, is_dust, on_step
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import (
    AccountReading,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    OrderType,
    Position,
    Role,
    Side,
)
from trade_pipeline.settings.exits import ExitSettings

CANCEL_AGAIN_AFTER = timedelta(seconds=3)
"""A cancel that nobody confirmed for this long is sent again: cancelling twice does no harm, waiting does."""
RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL})


class Do(StrEnum):
    PLACE = "place"
    CANCEL = "cancel"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. PLACE and EXIT first cancel `order` when there is one; `amount` in base, `stop` in quote."""

    do: Do
    symbol: str
    reason: str
    order: Order | None = None
    amount: Decimal = Decimal(0)
    stop: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the guard sees at one moment. `stops`: symbol -> price at which its position is to be sold."""

    now: datetime
    positions: Sequence[Position]
    live_orders: Sequence[Order]
    rules: Mapping[str, MarketRules]
    tops: Mapping[str, BookTop]
    stops: Mapping[str, Decimal]
    expired_entries: frozenset[str] = frozenset()
    """Client order ids of live entries whose intent has expired."""
    reading: AccountReading | None = None
    """The last reading of the account; it bounds the positions that have not changed since."""


def actions(watch: Watch, exits: ExitSettings) -> list[Action]:
    """Exits first: whoever runs out of time has done what matters most."""
    held = {position.symbol: position for position in watch.positions}
    found: list[Action] = []
    for position in watch.positions:
        if (action := _for_position(watch, position, exits)) is not None:
            found.append(action)
    for order in watch.live_orders:
        if order.state == OrderState.PENDING_CANCEL and watch.now - order.updated_at > CANCEL_AGAIN_AFTER:
            found.append(Action(Do.CANCEL, order.symbol, "its cancel was never confirmed", order))
        if order.state in UNRESOLVED:
            continue
        if order.client_order_id in watch.expired_entries:
            found.append(Action(Do.CANCEL, order.symbol, "the entry has expired", order))
        elif order.role == Role.PROTECT and order.symbol not in held:
            found.append(Action(Do.CANCEL, order.symbol, "a stop without a position", order))
    rank = {Do.EXIT: 0, Do.PLACE: 1, Do.CANCEL: 2}
    return sorted(found, key=lambda action: (rank[action.do], action.symbol))


def _for_position(watch: Watch, position: Position, exits: ExitSettings) -> Action | None:
    symbol = position.symbol
    rules, top, stop = watch.rules.get(symbol), watch.tops.get(symbol), watch.stops.get(symbol)
    mine = [o for o in watch.live_orders if o.symbol == symbol and o.role in {Role.PROTECT, Role.EXIT}]
    if rules is None or stop is None or any(o.role == Role.EXIT or o.state in UNRESOLVED for o in mine):
        return None
    resting = mine[0] if mine else None
    amount = amount_down(min(position.amount, _there(watch, position, rules), rules.amount_max), rules)
    if is_dust(amount, stop * (1 - exits.stop_limit_offset_ratio), rules):
        # Below the minimum it is residue: no stop (RELIABILITY 16); one that rests has become wrong.
        return Action(Do.CANCEL, symbol, "the rest is below the exchange's minimum", resting) if resting else None
    last = top.last if top is not None else None
    if resting is None:
        if last is not None and 0 < last <= stop:
            return Action(Do.EXIT, symbol, f"last trade {last} at or below the stop {stop}", None, amount, stop)
        return Action(Do.PLACE, symbol, "no stop rests", None, amount, stop)
    limit = resting.request.price
    if limit is not None and last is not None and 0 < last < limit:
        return Action(Do.EXIT, symbol, f"the stop's limit {limit} was gapped by {last}", resting, amount, stop)
    if resting.remaining != amount or resting.request.stop_price != stop:
        return Action(Do.PLACE, symbol, f"the stop covers {resting.remaining} of {amount}", resting, amount, stop)
    return None


def unprotected(watch: Watch, exits: ExitSettings) -> set[str]:
    """Symbols with a position worth a stop and none on the exchange, whatever the reason."""
    resting = {o.symbol for o in watch.live_orders if o.role == Role.PROTECT and o.state in RESTING}
    naked: set[str] = set()
    for position in watch.positions:
        rules, stop = watch.rules.get(position.symbol), watch.stops.get(position.symbol)
        if rules is None or stop is None or position.symbol in resting:
            continue
        amount = min(position.amount, _there(watch, position, rules))
        if not is_dust(amount, stop * (1 - exits.stop_limit_offset_ratio), rules):
            naked.add(position.symbol)
    return naked


def _there(watch: Watch, position: Position, rules: MarketRules) -> Decimal:
    """At most how much is in the account: coins that somebody sold by hand cannot be stopped (RELIABILITY 27)."""
    if watch.reading is None or watch.reading.at <= position.updated_at:
        return position.amount
    return watch.reading.total(rules.base)


def stop_price(position: Position, distance: Decimal, rules: MarketRules) -> Decimal:
    """Average entry price less the distance that sizing used, on the price grid and never below one tick."""
    average = position.average_price or Decimal(0)
    return max(on_step(average - distance, rules.price_tick), rules.price_tick)


def stop_request(action: Action, client_id: str, rules: MarketRules, exits: ExitSettings) -> OrderRequest:
    """The stop order of a PLACE. TRADING 15: STOP_LOSS where offered, else STOP_LOSS_LIMIT with an offset."""
    plain = OrderType.STOP_LOSS in rules.order_types
    limit = on_step(action.stop * (1 - exits.stop_limit_offset_ratio), rules.price_tick)
    return OrderRequest(
        client_order_id=client_id,
        symbol=action.symbol,
        side=Side.SELL,
        type=OrderType.STOP_LOSS if plain else OrderType.STOP_LOSS_LIMIT,
        amount=action.amount,
        price=None if plain else limit,
        stop_price=action.stop,
    )


def exit_request(action: Action, client_id: str, rules: MarketRules) -> OrderRequest:
    """The market order of an EXIT; never with a price."""
    amount = amount_down(min(action.amount, rules.market_amount_max), rules)
    return OrderRequest(client_id, action.symbol, Side.SELL, OrderType.MARKET, amount)
