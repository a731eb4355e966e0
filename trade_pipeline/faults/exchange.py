"""The exchange of a simulation: the real matching engine, a seeded price path, and the answers in our words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from trade_pipeline.errors import (
    CancelReplaceFailed,
    DuplicateClientOrderId,
    FilterViolation,
    InsufficientFunds,
    OrderNotFound,
    OrderRefused,
    TradePipelineError,
    WouldTriggerImmediately,
)
from trade_pipeline.exchange.engine import lists
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import CancelRestriction, NewOrder, Order, Step, Trade
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.faults.clock import EPOCH, Clock
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    OrderType,
    TimeInForce,
    VenueOrder,
    VenueTrade,
)

STEP_S = 2
FEE_RATE = Decimal("0.001")
_STATES = {
    "NEW": OrderState.OPEN,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
}
WITHOUT_PLAIN_STOPS = frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})


@dataclass
class Path:
    """One symbol's price, in ticks: a seeded walk that can be frozen, thinned and pushed."""

    spec: SymbolSpec
    price: int
    random: Random
    volatility: float
    volume: int
    drift: float = 0.0
    frozen: bool = False

    def step(self, at_ms: int) -> Step:
        """The next trade. Volume stays high enough that exits end, low enough that some orders fill in parts."""
        change = 0.0 if self.frozen else self.random.gauss(self.drift, self.volatility)
        before, self.price = self.price, max(10, round(self.price * (1 + change)))
        volume = max(4, round(self.volume * (1 if self.frozen else self.random.uniform(0.3, 1.7))))
        spread = max(1, self.price // 5000)
        return Step(at_ms, self.price, volume, self.price < before, spread, max(1, spread // 2), self.price)

    def push(self, ratio: float) -> None:
        self.price = max(10, round(self.price * ratio))


class Exchange:
    """One account's truth. What a process sees of it comes through `wire.Wire`."""

    def __init__(self, engine: Engine, paths: Iterable[Path], clock: Clock, plain_stops: Mapping[str, bool]) -> None:
        self.engine = engine
        self.paths = {path.spec.symbol: path for path in paths}
        self.clock = clock
        self.delisted: set[str] = set()
        self._plain_stops = plain_stops
        self._played_ms = clock.now_ms() - STEP_S * 1000
        self.catch_up()

    def catch_up(self) -> None:
        """Play the market up to now against what rests."""
        while self._played_ms + STEP_S * 1000 <= self.clock.now_ms():
            self._played_ms += STEP_S * 1000
            for symbol, path in self.paths.items():
                if symbol not in self.delisted:
                    self.engine.on_step(symbol, path.step(self._played_ms))

    def jump(self, symbol: str, ratio: float) -> None:
        """A gap: the next trade is at `ratio` times the last price, at once."""
        path = self.paths[symbol]
        path.push(ratio)
        self._played_ms = max(self._played_ms, self.clock.now_ms())
        for each in self.paths.values():
            if each.spec.symbol not in self.delisted:
                frozen, each.frozen = each.frozen, True
                self.engine.on_step(each.spec.symbol, each.step(self._played_ms))
                each.frozen = frozen

    def delist(self, symbol: str) -> None:
        """Open orders end, no price is quoted any more."""
        for order in self.engine.state.open_orders(symbol):
            if order.is_open:
                self.engine.cancel(symbol, self.clock.now_ms(), order_id=order.id)
        self.delisted.add(symbol)

    def create(self, request: OrderRequest) -> VenueOrder:
        """Raises what the exchange would refuse, as a typed error."""
        self._open_for(request.symbol)
        try:
            order = self.engine.place(_new(request), self.clock.now_ms())
        except Rejected as refusal:
            raise refused(refusal, request.symbol) from refusal
        return self.seen(order, with_trades=True)

    def cancel_replace(self, client_order_id: str, request: OrderRequest) -> VenueOrder:
        """Nothing is sent if the cancel fails; what became of the new order decides what is raised."""
        self._open_for(request.symbol)
        try:
            done = lists.cancel_replace(
                self.engine,
                _new(request),
                self.clock.now_ms(),
                stop_on_failure=True,
                client_id=client_order_id,
                only_in=CancelRestriction.ONLY_NEW,
            )
        except Rejected as refusal:
            raise refused(refusal, request.symbol) from refusal
        if isinstance(done.canceled, Rejected):
            raise CancelReplaceFailed(done.canceled.text, thing=request.symbol, value=-2022)
        if isinstance(done.placed, Rejected):
            raise refused(done.placed, request.symbol)
        assert done.placed is not None, "it is attempted after a cancel"
        return self.seen(done.placed, with_trades=True)

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        """An OCO: both legs or none."""
        self._open_for(above.symbol)
        try:
            _, lower, upper = lists.place_oco(self.engine, _new(above), _new(below), None, self.clock.now_ms())
        except Rejected as refusal:
            raise refused(refusal, above.symbol) from refusal
        return self.seen(upper), self.seen(lower)

    def _open_for(self, symbol: str) -> None:
        self.catch_up()
        if symbol in self.delisted:
            raise OrderRefused("Market is closed.", thing=symbol, value=-2010)

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        self.catch_up()
        try:
            return self.seen(self.engine.cancel(symbol, self.clock.now_ms(), client_id=client_order_id))
        except Rejected as refusal:
            raise OrderNotFound(refusal.text, thing=symbol, value=client_order_id) from refusal

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        self.catch_up()
        found = self.engine.find(symbol, client_id=client_order_id)
        if found is None:
            raise OrderNotFound("Order does not exist.", thing=symbol, value=client_order_id)
        return self.seen(found)

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        self.catch_up()
        found = [order for order in self.engine.state.orders.values() if order.symbol == symbol]
        return [self.seen(order) for order in found if _at(order.created_ms) >= since]

    def open_orders(self, symbol: str | None) -> list[VenueOrder]:
        self.catch_up()
        return [self.seen(o) for o in self.engine.state.all_open_orders() if symbol in {None, o.symbol}]

    def trades(self, symbol: str, from_id: str | None, limit: int) -> list[VenueTrade]:
        self.catch_up()
        found = [trade_seen(trade) for trade in self.engine.trades(symbol)]
        if from_id is None:
            return found[-limit:]
        return [trade for trade in found if int(trade.trade_id) >= int(from_id)][:limit]

    def account(self) -> AccountReading:
        self.catch_up()
        balances = self.engine.state.balances
        found = {a: Balance(a, balances.free(a), balances.locked(a)) for a in sorted(balances.assets())}
        return AccountReading({a: b for a, b in found.items() if b.total}, self.clock.now())

    def book_tops(self, symbols: Iterable[str]) -> dict[str, BookTop]:
        self.catch_up()
        found = {}
        for symbol in symbols:
            cursor = self.engine.state.cursors.get(symbol)
            if cursor is None or symbol in self.delisted:
                continue
            spec, step = self.engine.specs[symbol], cursor.step
            low = step.price if step.buyer_is_maker else max(1, step.price - step.spread)
            high = step.price + step.spread if step.buyer_is_maker else max(step.price, low + 1)
            depth = spec.amount(self.engine.matcher.available(cursor))
            found[symbol] = BookTop(
                symbol, spec.price(low), depth, spec.price(high), depth, spec.price(step.price), _at(step.at_ms)
            )
        return found

    def markets(self) -> dict[str, MarketRules]:
        return {symbol: self._rules(spec) for symbol, spec in self.engine.specs.items()}

    def _rules(self, spec: SymbolSpec) -> MarketRules:
        plain = self._plain_stops.get(spec.symbol, True)
        return MarketRules(
            symbol=spec.symbol,
            base=spec.base,
            quote=spec.quote,
            active=spec.symbol not in self.delisted,
            price_tick=spec.tick,
            price_min=spec.tick,
            price_max=spec.price_max,
            amount_step=spec.step,
            amount_min=spec.step,
            amount_max=spec.amount_max,
            market_amount_max=spec.market_amount_max,
            notional_min=spec.notional_min,
            order_types=WITHOUT_PLAIN_STOPS | ({"STOP_LOSS", "TAKE_PROFIT"} if plain else set()),
            maker_fee_rate=FEE_RATE,
            taker_fee_rate=FEE_RATE,
        )

    def seen(self, order: Order, *, with_trades: bool = False) -> VenueOrder:
        trades = self.engine.state.trades_of(order.id) if with_trades else []
        return VenueOrder(
            order_id=str(order.id),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            amount=order.amount,
            filled=order.filled,
            quote_filled=order.quote_filled,
            state=_STATES[order.status],
            venue_status=order.status,
            price=order.price or None,
            stop_price=order.stop_price or None,
            created_at=_at(order.created_ms),
            updated_at=_at(order.updated_ms),
            trades=tuple(trade_seen(trade) for trade in trades),
        )


def _new(request: OrderRequest) -> NewOrder:
    timed = request.type in {OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT}
    return NewOrder(
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        amount=request.amount,
        price=request.price,
        stop_price=request.stop_price,
        time_in_force=(request.time_in_force or TimeInForce.GTC) if timed else None,
        client_order_id=request.client_order_id,
    )


def trade_seen(trade: Trade) -> VenueTrade:
    return VenueTrade(
        symbol=trade.symbol,
        trade_id=str(trade.id),
        order_id=str(trade.order_id),
        side=trade.side,
        price=trade.price,
        amount=trade.amount,
        fee=trade.fee,
        fee_asset=trade.fee_asset,
        at=_at(trade.at_ms),
        is_maker=trade.is_maker,
    )


def refused(refusal: Rejected, symbol: str) -> TradePipelineError:
    """By the exchange's code and text, as the venue's own error map does it."""
    kind: type[OrderRefused] = OrderRefused
    if refusal.code == -1013:
        kind = FilterViolation
    elif "insufficient balance" in refusal.text:
        kind = InsufficientFunds
    elif "trigger immediately" in refusal.text:
        kind = WouldTriggerImmediately
    elif "Duplicate" in refusal.text:
        kind = DuplicateClientOrderId
    return kind(refusal.text, thing=symbol, value=refusal.code)


def _at(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)
