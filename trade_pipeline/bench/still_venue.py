"""An exchange in memory for benchmarks: it answers at once, so that what is measured is our own work and the ledger's.

Buys that are immediate or cancel fill whole and pay their fee in base; everything else rests. `trade` fills a part of
what rests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import OrderNotFound, OrderRefused
from trade_pipeline.schemas.trading import (
    AccountReading,
    Balance,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    Side,
    TimeInForce,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.venues.capabilities import CAPABILITIES, VenueCapabilities
from trade_pipeline.venues.unified_answers import acknowledged_order

FEE_RATE = Decimal("0.001")
ASK, BID = Decimal("100.02"), Decimal("100.00")
QUOTE = "USDT"
_RESTING = frozenset({OrderState.OPEN, OrderState.PARTIALLY_FILLED})


def symbols_of(count: int) -> tuple[str, ...]:
    return tuple(f"C{number:04d}/{QUOTE}" for number in range(count))


def rules_of(symbol: str) -> MarketRules:
    base, quote = symbol.split("/")
    return MarketRules(
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


@dataclass
class StillVenue:
    """Keeps the promises of `venues.protocols.TradingVenue`."""

    now: Callable[[], datetime]
    symbols: tuple[str, ...]
    totals: dict[str, Decimal] = field(default_factory=lambda: {QUOTE: Decimal(10**9)})
    book: dict[str, VenueOrder] = field(default_factory=dict)
    done: dict[str, list[VenueTrade]] = field(default_factory=dict)
    trades_made: int = 0

    def __post_init__(self) -> None:
        self._rules = {symbol: rules_of(symbol) for symbol in self.symbols}

    @property
    def capabilities(self) -> VenueCapabilities:
        return CAPABILITIES["binance"]

    def server_time(self) -> datetime:
        return self.now()

    def markets(self) -> dict[str, MarketRules]:
        return self._rules

    def account(self) -> AccountReading:
        zero = Decimal(0)
        return AccountReading({asset: Balance(asset, total, zero) for asset, total in self.totals.items()}, self.now())

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        many, now = Decimal(1000), self.now()
        return {symbol: BookTop(symbol, BID, many, ASK, many, BID, now) for symbol in symbols}

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        """Without their trades, which no exchange tells with its list."""
        resting = [order for order in self.book.values() if order.state in _RESTING]
        return [replace(order, trades=()) for order in resting if symbol in {None, order.symbol}]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        try:
            return self.book[client_order_id]
        except KeyError:
            raise OrderNotFound("no such order", thing=symbol, value=client_order_id) from None

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        return [order for order in self.book.values() if order.symbol == symbol]

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]:
        first = int(from_id or 0)
        return [trade for trade in self.done.get(symbol, ()) if int(trade.trade_id) >= first][:limit]

    def create(self, request: OrderRequest) -> VenueOrder:
        taken = acknowledged_order(request, str(1000 + len(self.book)), self.now())
        order = replace(taken, venue_status="NEW")
        self.book[request.client_order_id] = order
        return self.trade(order, request.amount) if request.time_in_force == TimeInForce.IOC else order

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        cancelled = replace(self.order(symbol, client_order_id), state=OrderState.CANCELED)
        self.book[client_order_id] = cancelled
        return cancelled

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        raise OrderRefused("no benchmark replaces orders in one step", thing=symbol)

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        raise OrderRefused("no benchmark sends order lists", thing=above.symbol)

    def trade(self, order: VenueOrder, amount: Decimal) -> VenueOrder:
        """The market trades `amount` of an order."""
        base, quote = order.symbol.split("/")
        buys = order.side == Side.BUY
        price, sign = (ASK, 1) if buys else (BID, -1)
        fee, fee_asset = (amount * FEE_RATE, base) if buys else (amount * price * FEE_RATE, quote)
        self.trades_made += 1
        at = self.now() + timedelta(microseconds=self.trades_made)
        made = VenueTrade(
            order.symbol, str(self.trades_made), order.order_id, order.side, price, amount, fee, fee_asset, at, False
        )
        self.done.setdefault(order.symbol, []).append(made)
        for asset, change in ((base, sign * amount), (quote, -sign * amount * price), (fee_asset, -fee)):
            self.totals[asset] = self.totals.get(asset, Decimal(0)) + change
        filled = order.filled + amount
        state = OrderState.FILLED if filled == order.amount else OrderState.PARTIALLY_FILLED
        order = replace(order, state=state, filled=filled, trades=(*order.trades, made))
        self.book[order.client_order_id] = order
        return order

    def close(self) -> None:
        pass
