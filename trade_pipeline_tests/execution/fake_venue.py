"""An exchange in memory that fills at once, and fails on request. Hand-written: the tests say what it does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import (
    CancelReplaceFailed,
    InsufficientFunds,
    OrderNotFound,
    OutcomeUnknown,
    TradePipelineError,
)
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.venues.capabilities import VenueCapabilities, capabilities_of

BTC = "BTC/USDT"
FEE_RATE = Decimal("0.001")
RESTING = {OrderState.OPEN, OrderState.PARTIALLY_FILLED}


def make_rules(symbol: str = BTC, **changes: object) -> MarketRules:
    base, quote = symbol.split("/")
    rules = MarketRules(
        symbol=symbol,
        base=base,
        quote=quote,
        active=True,
        price_tick=Decimal("0.01"),
        price_min=Decimal("0.01"),
        price_max=Decimal("1000000"),
        amount_step=Decimal("0.001"),
        amount_min=Decimal("0.001"),
        amount_max=Decimal("9000"),
        market_amount_max=Decimal("500"),
        notional_min=Decimal("5"),
        order_types=frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT"}),
        maker_fee_rate=FEE_RATE,
        taker_fee_rate=FEE_RATE,
    )
    return replace(rules, **changes)  # type: ignore[arg-type]  # a test names only what it is about


def make_top(symbol: str, at: datetime, price: str = "100") -> BookTop:
    middle, many = Decimal(price), Decimal(1000)
    return BookTop(symbol, middle, many, middle + Decimal("0.02"), many, middle, at)


@dataclass
class FakeVenue:
    """Buys pay their fee in base, sells in quote; limit IOC and market orders fill at the best price."""

    now: Callable[[], datetime]
    totals: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    symbols: tuple[str, ...] = (BTC,)
    prices: dict[str, str] = field(default_factory=dict)
    share_filled: Decimal = Decimal(1)
    created: list[OrderRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    book: dict[str, VenueOrder] = field(default_factory=dict)
    faults: dict[str, list[TradePipelineError]] = field(default_factory=lambda: defaultdict(list))
    """Method (create, create_after, replace, replace_half, pair, cancel, account...) -> errors of its next calls.

    `_after`: its effect is kept; `_half`: the cancel's is.
    """
    all_trades: list[VenueTrade] = field(default_factory=list)
    answers_name_trades: bool = True
    rules: dict[str, MarketRules] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    pairs: dict[str, str] = field(default_factory=dict)
    """Leg of a pair -> the other leg."""
    capabilities: VenueCapabilities = field(default_factory=lambda: capabilities_of("binance"))
    tops: dict[str, BookTop] = field(default_factory=dict)
    """Books that a test has made by hand; the others follow `prices`."""

    def server_time(self) -> datetime:
        return self.now()

    def markets(self) -> dict[str, MarketRules]:
        return {symbol: self.rules.get(symbol) or make_rules(symbol) for symbol in self.symbols}

    def account(self) -> AccountReading:
        self._fail("account")
        locked = self._locked()
        balances = {a: Balance(a, total - locked.get(a, Decimal(0)), locked.get(a, Decimal(0)))
                    for a, total in self.totals.items()}  # fmt: skip
        return AccountReading(balances, self.now())

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        made = {symbol: make_top(symbol, self.now(), self.prices.get(symbol, "100")) for symbol in symbols}
        return {symbol: self.tops.get(symbol, top) for symbol, top in made.items()}

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        self._fail("open_orders")
        return [order for order in self.book.values() if order.state in RESTING and symbol in {None, order.symbol}]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        self._fail("order")
        if client_order_id not in self.book:
            raise OrderNotFound("no such order", thing=client_order_id)
        return self.book[client_order_id]

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        return [order for order in self.book.values() if order.symbol == symbol]

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]:
        found = [t for t in self.all_trades if t.symbol == symbol and int(t.trade_id) >= int(from_id or 0)]
        return found[:limit]

    def create(self, request: OrderRequest) -> VenueOrder:
        self.created.append(request)
        self._fail("create")
        self._check_funds(request)
        order = self._new(request)
        if request.type == OrderType.MARKET or request.time_in_force == TimeInForce.IOC:
            share = Decimal(1) if request.type == OrderType.MARKET else self.share_filled
            if share:  # an order that meets nothing has no trade, not one of nothing
                order = self.fill(order.client_order_id, request.amount * share)
            if order.filled < order.amount:
                order = self._set(order, state=OrderState.EXPIRED)
        self._fail("create_after")
        return order if self.answers_name_trades else replace(order, trades=())

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        self.cancelled.append(client_order_id)
        self._fail("cancel")
        order = self.order(symbol, client_order_id)
        if order.state not in RESTING:
            raise OrderNotFound("unknown order sent", thing=client_order_id)
        order = self._end(order, OrderState.CANCELED)
        self._fail("cancel_after")
        return order

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        """Nothing is sent if the cancel fails; if only the new order fails, the old one is gone."""
        self.replaced.append(client_order_id)
        self._fail("replace")
        old = self.order(symbol, client_order_id)
        if old.state not in RESTING or old.filled > 0:
            raise CancelReplaceFailed("Order cancel-replace failed.", thing=client_order_id)
        self._end(self.book[client_order_id], OrderState.CANCELED)
        self._fail("replace_half")
        self.created.append(request)
        order = self._new(request)
        self._fail("replace_after")
        return order

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        self.created += [above, below]
        self._fail("pair")
        self._check_funds(above)
        self.pairs |= {above.client_order_id: below.client_order_id, below.client_order_id: above.client_order_id}
        orders = self._new(above), self._new(below)
        self._fail("pair_after")
        return orders

    def close(self) -> None:
        pass

    def fill(self, client_order_id: str, amount: Decimal | None = None) -> VenueOrder:
        """The market trades `amount` (all that is open) of an order."""
        order = self.book[client_order_id]
        base, quote = order.symbol.split("/")
        top = make_top(order.symbol, self.now(), self.prices.get(order.symbol, "100"))
        amount = order.amount - order.filled if amount is None else amount
        price = top.ask if order.side == Side.BUY else top.bid
        buys = order.side == Side.BUY
        fee, fee_asset = (amount * FEE_RATE, base) if buys else (amount * price * FEE_RATE, quote)
        trade_id = str(len(self.all_trades) + 1)
        at = self.now() + timedelta(milliseconds=len(self.all_trades) + 1)
        trade = VenueTrade(order.symbol, trade_id, order.order_id, order.side, price, amount, fee, fee_asset, at, False)
        self.all_trades.append(trade)
        sign = 1 if buys else -1
        self._add(base, sign * amount)
        self._add(quote, -sign * amount * price)
        self._add(fee_asset, -fee)
        filled = order.filled + amount
        state = OrderState.FILLED if filled == order.amount else OrderState.PARTIALLY_FILLED
        done = order.quote_filled + amount * price
        self._end_other(order, OrderState.EXPIRED)
        return self._set(order, state=state, filled=filled, quote_filled=done, trades=(*order.trades, trade))

    def _new(self, request: OrderRequest) -> VenueOrder:
        order = VenueOrder(
            order_id=str(1000 + len(self.book)),
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            amount=request.amount,
            filled=Decimal(0),
            quote_filled=Decimal(0),
            state=OrderState.OPEN,
            venue_status="NEW",
            price=request.price,
            stop_price=request.stop_price,
            created_at=self.now(),
            updated_at=self.now(),
        )
        self.book[request.client_order_id] = order
        return order

    def _set(self, order: VenueOrder, **changes: object) -> VenueOrder:
        changed = replace(order, **changes)  # type: ignore[arg-type]  # field names of the caller
        self.book[order.client_order_id] = changed
        return changed

    def _end(self, order: VenueOrder, state: OrderState) -> VenueOrder:
        self._end_other(order, state)
        return self._set(order, state=state)

    def _end_other(self, order: VenueOrder, state: OrderState) -> None:
        """The first leg of a pair that acts ends the other."""
        other = self.book.get(self.pairs.get(order.client_order_id, ""))
        if other is not None and other.state in RESTING:
            self._set(other, state=state)

    def _check_funds(self, request: OrderRequest) -> None:
        base, quote = request.symbol.split("/")
        asset = quote if request.side == Side.BUY else base
        price = request.price or Decimal(self.prices.get(request.symbol, "100"))
        needed = request.amount * price if request.side == Side.BUY else request.amount
        free = self.totals.get(asset, Decimal(0)) - self._locked().get(asset, Decimal(0))
        if needed > free:
            raise InsufficientFunds("free balance does not cover the order", thing=asset, value=str(free))

    def _locked(self) -> dict[str, Decimal]:
        locked: dict[str, Decimal] = defaultdict(Decimal)
        for order in self.book.values():
            first = self.pairs.get(order.client_order_id, "") < order.client_order_id
            if order.state in RESTING and order.side == Side.SELL and first:
                locked[order.symbol.split("/")[0]] += order.amount - order.filled
        return locked

    def _add(self, asset: str, amount: Decimal) -> None:
        self.totals[asset] = self.totals.get(asset, Decimal(0)) + amount

    def _fail(self, method: str) -> None:
        if self.faults[method]:
            raise self.faults[method].pop(0)


def lost() -> OutcomeUnknown:
    return OutcomeUnknown("the connection was cut")
