"""How orders meet the market: takers walk the book of the step, resting orders fill when traded through,
stops trigger on the last trade.
"""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.exchange.engine import book, settlement
from trade_pipeline.exchange.engine.book import Level, RealBook
from trade_pipeline.exchange.engine.orders import MARKET_TYPES, STOP_TYPES, Order, Step
from trade_pipeline.exchange.engine.settlement import Fees
from trade_pipeline.exchange.engine.state import Cursor, State
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce


class Matcher:
    """Matches one account's orders against steps. Holds the rules, not the memory: that is `State`."""

    def __init__(self, state: State, fees: Fees, volume_share_max: Decimal, real_book: RealBook | None = None) -> None:
        """`real_book` is the depth of a market that is followed; without it depth is made of each step."""
        self._state = state
        self._real_book = real_book
        self._fees = fees
        self._share = volume_share_max

    def available(self, cursor: Cursor) -> int:
        """Lots that our orders may still take at the step where the symbol stands."""
        return max(0, int(cursor.step.volume * self._share) - cursor.taken)

    def side_of_book(self, spec: SymbolSpec, cursor: Cursor, side: Side, *, triggered: bool = False) -> list[Level]:
        """What an order of this side may take, best first; a stop where the last trade has set it off, or worse."""
        if self._real_book is not None:
            return self._real_book.levels(spec, side, cursor.step.price if triggered else None)
        return book.levels(cursor.step, side, self.available(cursor))

    @staticmethod
    def best(cursor: Cursor, side: Side) -> int:
        """Best price in ticks for an order of this side."""
        bid, ask = book.best_prices(cursor.step)
        return ask if side is Side.BUY else bid

    def play(self, spec: SymbolSpec, step: Step) -> None:
        """Let one step of the path act on the symbol's open orders."""
        cursor = Cursor(step)
        self._state.cursors[spec.symbol] = cursor
        self._state.last_prices[spec.symbol] = spec.price(step.price)
        if not self._state.has_open_orders(spec.symbol):
            return
        last = spec.price(step.price)
        for order in self._traded_through(spec.symbol, last, step.at_ms):
            self._fill_resting(spec, cursor, order)
        for order in self._state.open_orders(spec.symbol):
            waiting = order.is_open and order.waits_for_trigger and self._was_there(order.created_ms, step.at_ms)
            if waiting and is_triggered(order, last):
                self.trigger(spec, cursor, order)

    def trigger(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> None:
        """Turn a stop into a live order at the present step."""
        self.end_sibling(spec, order, cursor.step.at_ms)
        order.triggered = True
        order.working_ms = order.updated_ms = cursor.step.at_ms
        self._state.touch(order)
        self.take(spec, cursor, order, cursor.step.at_ms)

    def take(self, spec: SymbolSpec, cursor: Cursor, order: Order, at_ms: int) -> None:
        """Let an order take what it can from the book now; what cannot rest expires."""
        fills = self._affordable(spec, order, self.plan_take(spec, cursor, order))
        if order.time_in_force is TimeInForce.FOK and sum(level.amount for level in fills) < spec.lots(order.remaining):
            fills = []
        if fills and order.list_id > 0:
            self.end_sibling(spec, order, at_ms)
        for level in fills:
            cursor.taken += level.amount
            if self._real_book is not None:
                self._real_book.took(spec, order.side, level)
            settlement.settle(self._state, spec, order, level, at_ms, self._fees, maker=False)
        by_quote = order.type is OrderType.MARKET and order.quote_amount > 0
        if by_quote and fills:
            # Binance reports the executed amount as the original one and the order as filled.
            order.amount, order.status = order.filled, "FILLED"
        if order.is_open and (order.type in MARKET_TYPES or order.time_in_force is not TimeInForce.GTC):
            self.end(spec, order, "EXPIRED", at_ms)
        self._state.touch(order)
        self._finish_list(order, at_ms)

    def plan_take(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> list[Level]:
        """What the order would take from the book now, without taking it."""
        side = self.side_of_book(spec, cursor, order.side, triggered=order.triggered)
        if order.type is OrderType.MARKET and order.quote_amount > 0:
            spend = int(order.quote_amount.scaleb(spec.price_decimals + spec.amount_decimals))
            return book.walk_quote(side, spend)
        limit = None if order.type in MARKET_TYPES else spec.ticks(order.price)
        return book.walk(side, spec.lots(order.remaining), limit, order.side)

    def end(self, spec: SymbolSpec, order: Order, status: str, at_ms: int) -> None:
        """Close an order that is not filled: CANCELED or EXPIRED."""
        order.status = status
        order.updated_ms = at_ms
        settlement.release(self._state, spec, order)
        self._state.touch(order)
        self._finish_list(order, at_ms)

    def end_sibling(self, spec: SymbolSpec, order: Order, at_ms: int) -> None:
        """One leg of an OCO acts: the other expires, and the lock that they share passes to the one that acts."""
        if order.list_id < 0:
            return
        for order_id in self._state.lists[order.list_id].order_ids:
            other = self._state.orders[order_id]
            if other is not order and other.is_open:
                self.end(spec, other, "EXPIRED", at_ms)
        settlement.relock(self._state, spec, order)

    def _traded_through(self, symbol: str, last: Decimal, at_ms: int) -> list[Order]:
        """Resting orders whose price the trade went through, best price first, then oldest."""
        resting = [
            order
            for order in self._state.open_orders(symbol)
            if order.is_working
            and self._was_there(order.working_ms, at_ms)
            and (last < order.price if order.side is Side.BUY else last > order.price)
        ]
        return sorted(resting, key=lambda order: (-order.price if order.side is Side.BUY else order.price, order.id))

    def _was_there(self, since_ms: int, at_ms: int) -> bool:
        """A trade that is learned late, of a market that is followed, does nothing to an order placed after it."""
        return self._real_book is None or since_ms < at_ms

    def _fill_resting(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> None:
        amount = min(spec.lots(order.remaining), self.available(cursor))
        if amount <= 0 or not order.is_open:
            return
        at_ms = cursor.step.at_ms
        self.end_sibling(spec, order, at_ms)
        cursor.taken += amount
        level = Level(spec.ticks(order.price), amount)
        settlement.settle(self._state, spec, order, level, at_ms, self._fees, maker=True)
        self._finish_list(order, at_ms)

    def _affordable(self, spec: SymbolSpec, order: Order, fills: list[Level]) -> list[Level]:
        """A stop to buy may trigger above the price it was locked at: it takes what the balance still pays for."""
        if order.side is Side.SELL or order.type not in MARKET_TYPES:
            return fills
        money = self._state.balances.free(spec.quote) + order.locked
        kept: list[Level] = []
        for level in fills:
            amount = min(level.amount, int(money // (spec.price(level.price) * spec.amount(1))))
            if amount <= 0:
                break
            kept.append(Level(level.price, amount))
            money -= spec.price(level.price) * spec.amount(amount)
        return kept

    def _finish_list(self, order: Order, at_ms: int) -> None:
        if order.list_id < 0:
            return
        order_list = self._state.lists[order.list_id]
        if order_list.status == "EXECUTING" and not any(self._state.orders[i].is_open for i in order_list.order_ids):
            order_list.status = "ALL_DONE"
            order_list.updated_ms = at_ms
            self._state.touch_list(order_list)


def is_triggered(order: Order, last: Decimal) -> bool:
    """Stops trigger on the last trade: a stop loss when the market goes against, a take profit when it goes with."""
    falls = (order.type in STOP_TYPES) == (order.side is Side.SELL)
    return last <= order.stop_price if falls else last >= order.stop_price
