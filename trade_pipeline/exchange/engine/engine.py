"""The matching engine: one account against the market's steps. A plain object without I/O, clock or randomness.

Whoever holds it (server, backtest, fault simulator) feeds it the steps of each symbol's path in order and passes
the time with every request. The same calls give the same state, to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trade_pipeline.exchange.engine import filters, rejections, requests, settlement
from trade_pipeline.exchange.engine.book import RealBook
from trade_pipeline.exchange.engine.matching import Matcher, is_triggered
from trade_pipeline.exchange.engine.orders import ZERO, CancelRestriction, NewOrder, Order, Step, Trade
from trade_pipeline.exchange.engine.settlement import Fees
from trade_pipeline.exchange.engine.state import Cursor, State
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.schemas.trading import OrderType, Side


class Engine:
    """Price-time priority of our orders against a synthetic book; all amounts exact Decimals.

    Raises `Rejected` with the exchange's code and message for whatever the exchange would refuse.
    """

    def __init__(
        self,
        specs: Iterable[SymbolSpec],
        state: State,
        fees: Fees,
        *,
        volume_share_max: Decimal = Decimal("0.25"),
        real_book: RealBook | None = None,
    ) -> None:
        self.specs: dict[str, SymbolSpec] = {spec.symbol: spec for spec in specs}
        self.state = state
        self.fees = fees
        self.matcher = Matcher(state, fees, volume_share_max, real_book)

    @classmethod
    def opened(
        cls,
        specs: Iterable[SymbolSpec],
        balances: Mapping[str, Decimal],
        *,
        fee_rate: Decimal = Decimal("0.001"),
        fee_asset: str | None = None,
        volume_share_max: Decimal = Decimal("0.25"),
    ) -> Engine:
        """A fresh engine with these balances: what tests, backtests and fault simulators start from."""
        fees = Fees(fee_rate, fee_rate, fee_asset)
        return cls(specs, State.opening(balances), fees, volume_share_max=volume_share_max)

    def spec(self, symbol: str) -> SymbolSpec:
        spec = self.specs.get(symbol)
        if spec is None:
            raise rejections.invalid_symbol()
        return spec

    def on_step(self, symbol: str, step: Step) -> None:
        """Play one step of the symbol's path against its open orders. Steps before the cursor are ignored."""
        cursor = self.state.cursors.get(symbol)
        if cursor is None or step.at_ms > cursor.step.at_ms:
            self.matcher.play(self.spec(symbol), step)

    def place(self, request: NewOrder, now_ms: int) -> Order:
        """Accept an order, let it trade, and leave what can rest. Raises Rejected."""
        spec, cursor = self.validate(request)
        filters.check_counts(spec, [request.type], self.state.open_orders(spec.symbol))
        order = self.new_order(request, now_ms)
        self._check_balance(spec, cursor, order)
        settlement.relock(self.state, spec, order)
        self.state.touch(order)
        if not order.waits_for_trigger:
            self.matcher.take(spec, cursor, order, now_ms)
        return order

    def validate(self, request: NewOrder) -> tuple[SymbolSpec, Cursor]:
        """Everything that can be refused before balances are looked at; what order/test does. Raises Rejected."""
        spec = self.spec(request.symbol)
        requests.check_fields(request)
        cursor = self.state.cursors.get(request.symbol)
        if cursor is None:
            raise rejections.market_closed()
        filters.check_order(spec, request, spec.price(cursor.step.average))
        if request.client_order_id is not None:
            known = self.state.by_client_id(request.symbol, request.client_order_id)
            if known is not None and known.is_open:
                raise rejections.duplicate_order()
        probe = self.new_order(request, 0)
        if probe.waits_for_trigger and is_triggered(probe, spec.price(cursor.step.price)):
            raise rejections.would_trigger()
        if request.type is OrderType.LIMIT_MAKER and self._crosses(spec, cursor, probe):
            raise rejections.would_match()
        return spec, cursor

    def cancel(
        self,
        symbol: str,
        now_ms: int,
        *,
        order_id: int | None = None,
        client_id: str | None = None,
        only_in: CancelRestriction | None = None,
    ) -> Order:
        """Cancel one open order (and, of an OCO, the other leg with it). Raises Rejected -2011.

        `only_in`: the order must be in this state, so that nobody cancels what was filled since they looked.
        """
        spec = self.spec(symbol)
        order = self.find(symbol, order_id=order_id, client_id=client_id)
        if order is None or not order.is_open:
            raise rejections.unknown_order()
        if only_in is not None and (order.filled > 0) is (only_in is CancelRestriction.ONLY_NEW):
            raise rejections.cancel_restricted()
        self.matcher.end(spec, order, "CANCELED", now_ms)
        if order.list_id > 0:
            for other_id in self.state.lists[order.list_id].order_ids:
                other = self.state.orders[other_id]
                if other.is_open:
                    self.matcher.end(spec, other, "CANCELED", now_ms)
        return order

    def cancel_all(self, symbol: str, now_ms: int) -> list[Order]:
        """Cancel every open order of a symbol. Raises Rejected -2011 when there is none."""
        orders = self.state.open_orders(self.spec(symbol).symbol)
        if not orders:
            raise rejections.unknown_order()
        for order in orders:
            if order.is_open:
                self.cancel(symbol, now_ms, order_id=order.id)
        return orders

    def find(self, symbol: str, *, order_id: int | None = None, client_id: str | None = None) -> Order | None:
        """By the exchange's id, or the newest order of the symbol with this client id; both must agree if given."""
        if order_id is not None:
            order = self.state.orders.get(order_id)
            if order is None or order.symbol != symbol or client_id not in {None, order.client_order_id}:
                return None
            return order
        return self.state.by_client_id(symbol, client_id) if client_id is not None else None

    def trades(self, symbol: str) -> list[Trade]:
        """All fills of a symbol, oldest first."""
        return self.state.trades.get(symbol, [])

    def new_order(self, request: NewOrder, now_ms: int, *, list_id: int = -1) -> Order:
        """An order object for a request, with the next id; not yet known to the state."""
        order_id = self.state.next_order_id()
        order = Order(
            id=order_id, list_id=list_id, client_order_id=request.client_order_id or f"x-sim-{order_id}",
            symbol=request.symbol, side=request.side, type=request.type, amount=request.amount or ZERO,
            quote_amount=request.quote_amount or ZERO, price=request.price or ZERO,
            stop_price=request.stop_price or ZERO, time_in_force=requests.resting_time_in_force(request),
            created_ms=now_ms, updated_ms=now_ms, working_ms=now_ms,
        )  # fmt: skip
        if order.waits_for_trigger:
            order.working_ms = -1
        return order

    def _crosses(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> bool:
        return bool(self.matcher.plan_take(spec, cursor, order))

    def _check_balance(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> None:
        balances = self.state.balances
        if order.side is Side.SELL:
            enough = order.amount <= balances.free(spec.base)
        elif order.type is OrderType.MARKET:
            cost = self._market_cost(spec, cursor, order)
            enough = cost <= balances.free(spec.quote)
        else:
            enough = settlement.lock_needed(order) <= balances.free(spec.quote)
        if not enough:
            raise rejections.insufficient_balance()

    def _market_cost(self, spec: SymbolSpec, cursor: Cursor, order: Order) -> Decimal:
        """What a market buy would cost: its rest beyond the book is valued at the best ask."""
        if order.quote_amount:
            return order.quote_amount
        fills = self.matcher.plan_take(spec, cursor, order)
        cost = sum((spec.price(level.price) * spec.amount(level.amount) for level in fills), ZERO)
        covered = sum(level.amount for level in fills)
        return cost + spec.price(cursor.step.price) * (order.amount - spec.amount(covered))
