"""What should rest or be sold under each position, and what is to be done about the difference. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trade_pipeline.execution.guard.requests import offers_stops
from trade_pipeline.execution.guard.run import WORDS, ExitRun, is_held_back
from trade_pipeline.execution.guard.switching import Protection, protection_of, takes_profit
from trade_pipeline.execution.guard.views import View
from trade_pipeline.execution.planning.plan import REDUCING, UNRESOLVED
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import (
    PROTECTIVE,
    AccountReading,
    BookTop,
    MarketRules,
    OrderState,
    Position,
    Role,
)
from trade_pipeline.settings.exits import ExitSettings

CANCEL_AGAIN_AFTER = timedelta(seconds=3)
"""A cancel that nobody confirmed for this long is sent again: cancelling twice does no harm, waiting does."""
MOVED_EVERY = timedelta(seconds=5)
"""A resting stop follows the price no more often: the guard itself watches what lies in between."""
RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL})


class Do(StrEnum):
    PLACE = "place"
    CANCEL = "cancel"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do. PLACE and EXIT first cancel `orders`; `amount` in base, `level` (the stop) in quote."""

    do: Do
    symbol: str
    reason: str
    orders: tuple[Order, ...] = ()
    amount: Decimal = Decimal(0)
    level: Decimal = Decimal(0)
    kind: Protection = "stop"
    """Which protection a PLACE places."""
    target: Decimal | None = None
    """Where the take-profit of a PLACE stands, in quote."""
    run: ExitRun | None = None
    """The exit that an EXIT is a step of."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the guard sees at one moment. `views`: symbol -> what the rules want of its position."""

    now: datetime
    positions: Sequence[Position]
    live_orders: Sequence[Order]
    rules: Mapping[str, MarketRules]
    tops: Mapping[str, BookTop]
    views: Mapping[str, View]
    expired_entries: frozenset[str] = frozenset()
    """Client order ids of live entries whose intent has expired."""
    reading: AccountReading | None = None
    earlier: AccountReading | None = None
    """What the last two readings of the account leave to us, without what orders of others lock; together they bound
    the positions that have not changed since."""
    sales_that_wait: frozenset[str] = frozenset()
    """Symbols whose sale the exchange has just refused: meanwhile a stop may rest."""

    def own(self, symbol: str) -> list[Order]:
        """Live orders that sell the symbol's position."""
        return [o for o in self.live_orders if o.symbol == symbol and o.role in REDUCING]


def actions(watch: Watch, exits: ExitSettings) -> list[Action]:
    """Exits first: whoever runs out of time has done what matters most."""
    held = {position.symbol: position for position in watch.positions}
    found: list[Action] = []
    for position in watch.positions:
        if (action := _for_position(watch, position, exits)) is not None:
            found.append(action)
    for order in watch.live_orders:
        if order.state == OrderState.PENDING_CANCEL and watch.now - order.updated_at > CANCEL_AGAIN_AFTER:
            found.append(Action(Do.CANCEL, order.symbol, "its cancel was never confirmed", (order,)))
        if order.state in UNRESOLVED:
            continue
        if order.client_order_id in watch.expired_entries:
            found.append(Action(Do.CANCEL, order.symbol, "the entry has expired", (order,)))
        elif order.role in PROTECTIVE and order.symbol not in held:
            found.append(Action(Do.CANCEL, order.symbol, "a stop without a position", (order,)))
    rank = {Do.EXIT: 0, Do.PLACE: 1, Do.CANCEL: 2}
    return sorted(found, key=lambda action: (rank[action.do], action.symbol))


def _for_position(watch: Watch, position: Position, exits: ExitSettings) -> Action | None:
    symbol = position.symbol
    rules, view, mine = watch.rules.get(symbol), watch.views.get(symbol), watch.own(symbol)
    if rules is None or not rules.active or view is None or any(order.state in UNRESOLVED for order in mine):
        return None
    total = amount_down(_there(watch, position, rules), rules)
    selling = [order for order in mine if order.role == Role.EXIT]
    resting = [order for order in mine if order.role in PROTECTIVE]
    free = _to_protect(watch, position, rules, total, mine)
    if symbol in watch.sales_that_wait and not selling:
        return _protection(watch, symbol, free, resting, exits) if is_above_stop(watch, symbol) else None
    if view.run is not None and (sale := _sale(watch, symbol, view.run, total, mine, exits)) is not None:
        return sale
    if selling and view.run is None:
        return None  # Somebody else sells; its remainder is protected once it is done.
    if view.run is not None and not selling and not is_dust(*_to_sell(watch, view.run, total, rules), rules):
        return None  # The sale is about to be sent; a stop would only lock its coins.
    return _protection(watch, symbol, free, resting, exits)


def _sale(
    watch: Watch, symbol: str, run: ExitRun, total: Decimal, mine: Sequence[Order], exits: ExitSettings
) -> Action | None:
    """The next order of an exit, if the present one has had its time."""
    rules, top = watch.rules[symbol], watch.tops.get(symbol)
    amount, last = _to_sell(watch, run, total, rules)
    selling = tuple(order for order in mine if order.role == Role.EXIT)
    if selling and run.sent_in_step > 0:
        return None  # Its time is not over.
    if is_dust(amount, last, rules):
        # Dust never blocks an exit (RELIABILITY 16): what still waits for it has to go.
        return Action(Do.CANCEL, symbol, "what is left of it is residue", selling) if selling else None
    if top is not None and is_held_back(run, exits, top.bid, watch.now):
        return None
    # Only what locks coins that are to be sold has to go; a stop under what is kept may stay.
    locked = max((order.remaining for order in mine if order.role in PROTECTIVE), default=Decimal(0))
    in_the_way = tuple(o for o in mine if o.role == Role.EXIT or locked + amount > total)
    return Action(Do.EXIT, symbol, f"{WORDS[run.reason]} at {last:f}", in_the_way, amount, last, run=run)


def _to_sell(watch: Watch, run: ExitRun, total: Decimal, rules: MarketRules) -> tuple[Decimal, Decimal]:
    """How much an exit has left to sell (base), and the price that it is worth (quote).

    Nothing, where what is to be kept is all that is left: somebody else may have sold the rest.
    """
    top = watch.tops.get(rules.symbol)
    last = top.last if top is not None and top.last > 0 else run.reference
    return amount_down(max(total - run.keep, Decimal(0)), rules), last


def _to_protect(watch: Watch, position: Position, rules: MarketRules, total: Decimal, mine: Sequence[Order]) -> Decimal:
    """What is not being sold. Where the last two readings differ, what rests is right if it lies between them."""
    selling = sum((order.remaining for order in mine if order.role == Role.EXIT), Decimal(0))
    newest = amount_down(_there(watch, position, rules, at_once=True), rules)
    rests = max((order.remaining for order in mine if order.role in PROTECTIVE), default=Decimal(0))
    return min(max(rests, min(newest, total) - selling), total - selling)


def _protection(
    watch: Watch, symbol: str, amount: Decimal, resting: Sequence[Order], exits: ExitSettings
) -> Action | None:
    rules, view = watch.rules[symbol], watch.views[symbol]
    amount, orders = amount_down(min(amount, rules.amount_max), rules), tuple(resting)
    if is_dust(amount, _sold_at(watch, symbol, exits), rules):
        # Below the minimum it is residue: no stop (RELIABILITY 16); one that rests has become wrong.
        return Action(Do.CANCEL, symbol, "the rest is below the exchange's minimum", orders) if orders else None
    if not offers_stops(rules):
        return None  # The guard itself sells at the price; an order that only looks like a stop would be sent at once.
    stops = [order for order in resting if not takes_profit(order)]
    if len(stops) > 1:
        older = min(stops, key=lambda order: order.planned_at)
        return Action(Do.CANCEL, symbol, "another stop has taken its place", (older,))
    reason = _why_place(watch, view, amount, resting, exits)
    if reason is None:
        return None
    return Action(Do.PLACE, symbol, reason, orders, amount, view.stop, view.rest, view.target)


def _sold_at(watch: Watch, symbol: str, exits: ExitSettings) -> Decimal:
    """What a stop would get at its limit (quote); less, where the price has fallen below it already."""
    top, limit = watch.tops.get(symbol), watch.views[symbol].stop * (1 - exits.stop_limit_offset_ratio)
    return min(limit, top.last) if top is not None and top.last > 0 else limit


def _why_place(watch: Watch, view: View, amount: Decimal, resting: Sequence[Order], exits: ExitSettings) -> str | None:
    """Why what rests is not what should rest; None: it is."""
    kind = protection_of(resting)
    if kind is None:
        return "no stop rests"
    stop = next((order for order in resting if not takes_profit(order)), None)
    if stop is None:
        sells = any(_sells_now(order, watch.tops.get(order.symbol)) for order in resting)
        return None if sells else "the stop beside the take-profit has ended"
    if kind != view.rest:
        return f"protection switches from {kind} to {view.rest}"
    if wrong := [order for order in resting if order.remaining != amount]:
        return f"the {'take-profit' if takes_profit(wrong[0]) else 'stop'} covers {wrong[0].remaining} of {amount}"
    moves = (_why_move(watch, view, order, exits) for order in resting)
    return next((why for why in moves if why is not None), None)


def _why_move(watch: Watch, view: View, order: Order, exits: ExitSettings) -> str | None:
    """Why an order's trigger is not where it should be. A stop that has trailed is moved up only, and not often."""
    now, profit = order.request.stop_price, takes_profit(order)
    level = view.target if profit else view.stop
    if now == level or level is None:
        return None
    if now is None:
        return "it has no trigger"
    if not profit and not view.trailing:
        return f"the stop belongs at {level:f}"
    if watch.now - order.planned_at < MOVED_EVERY:
        return None
    far_enough = abs(level - now) > exits.trailing.move_ratio_min * now
    # A target also comes nearer with time.
    return f"it follows to {level:f}" if far_enough and (level > now or profit) else None


def _sells_now(profit: Order, top: BookTop | None) -> bool:
    """Whether the price has reached a take-profit and is within its limit: the exchange is at it."""
    trigger, limit = profit.request.stop_price, profit.request.price
    if top is None or trigger is None:
        return False
    return trigger <= top.last and (limit is None or limit <= top.last)


def unprotected(watch: Watch, exits: ExitSettings, denied: Collection[str] = ()) -> set[str]:
    """Symbols with a position worth a stop and none on the exchange, whatever the reason.

    `denied`: client order ids that the exchange says it has not; they protect nothing. Not symbols where no stop can
    rest: there this watch is the protection.
    """
    stops = [o for o in watch.live_orders if o.role in PROTECTIVE and not takes_profit(o)]
    stops = [o for o in stops if o.client_order_id not in denied]
    resting = {o.symbol for o in stops if o.state in RESTING}
    naked: set[str] = set()
    for position in watch.positions:
        rules, view = watch.rules.get(position.symbol), watch.views.get(position.symbol)
        if rules is None or view is None or position.symbol in resting or not offers_stops(rules):
            continue
        amount = _there(watch, position, rules)
        if not is_dust(amount, _sold_at(watch, position.symbol, exits), rules):
            naked.add(position.symbol)
    return naked


def is_above_stop(watch: Watch, symbol: str) -> bool:
    """Whether the last trade is above where the stop belongs, so that the exchange takes one."""
    top = watch.tops.get(symbol)
    return top is not None and top.last > watch.views[symbol].stop


def _there(watch: Watch, position: Position, rules: MarketRules, *, at_once: bool = False) -> Decimal:
    """At most how much is there for us: coins that somebody sold by hand, or that another's order locks, cannot be
    stopped (RELIABILITY 27).

    Believed when two readings in a row say so: one answer without a balance must neither take a good stop away nor hold
    an exit up. `at_once`: the newest alone, for what need not be sent on a doubt.
    """
    readings = [one for one in (watch.reading, watch.earlier) if one is not None and one.at > position.updated_at]
    if not readings or (len(readings) < 2 and not at_once):
        return position.amount
    return min(position.amount, max(one.total(rules.base) for one in (readings[:1] if at_once else readings)))
