"""Orders, trades and order lists as the exchange keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from trade_pipeline.schemas.trading import OrderType, Side, TimeInForce

ZERO = Decimal(0)

OPEN_STATUSES = frozenset({"NEW", "PARTIALLY_FILLED"})
ALGO_TYPES = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
MARKET_TYPES = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})
"""Types that have no limit price: they take what the book offers."""
STOP_TYPES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


class CancelRestriction(StrEnum):
    """In which state an order must be for a cancel to succeed."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request for an order, already parsed but not yet checked. Amounts in base, prices and spend in quote."""

    symbol: str
    side: Side
    type: OrderType
    amount: Decimal | None = None
    quote_amount: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    client_order_id: str | None = None


@dataclass(slots=True)
class Order:
    """One order. Mutable, and changed only by the engine."""

    id: int
    list_id: int
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    quote_amount: Decimal
    price: Decimal
    stop_price: Decimal
    time_in_force: TimeInForce
    created_ms: int
    updated_ms: int
    working_ms: int
    status: str = "NEW"
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    locked: Decimal = ZERO
    """Of the quote asset for a buy, of the base asset for a sell."""
    triggered: bool = False

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> Decimal:
        return self.amount - self.filled

    @property
    def waits_for_trigger(self) -> bool:
        return self.type in ALGO_TYPES and not self.triggered

    @property
    def is_working(self) -> bool:
        return not self.waits_for_trigger


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of one order; (symbol, id) is unique and ids grow with time."""

    symbol: str
    id: int
    order_id: int
    list_id: int
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int
    is_maker: bool

    @property
    def quote(self) -> Decimal:
        return self.price * self.amount


@dataclass(slots=True)
class OrderList:
    """An OCO: two orders of which the first to act ends the other."""

    id: int
    client_list_id: str
    symbol: str
    order_ids: tuple[int, int]
    created_ms: int
    updated_ms: int
    status: str = "EXECUTING"
    """EXECUTING or ALL_DONE."""


@dataclass(frozen=True, slots=True)
class Step:
    """The market at one step of the path: a trade and the book around it. Ints are ticks and lots.

    `average` is the volume-weighted price of the last minutes (PERCENT_PRICE_BY_SIDE, NOTIONAL), `spread` the
    distance of best bid and ask, `gap` that of neighbouring levels.
    """

    at_ms: int
    price: int
    volume: int
    buyer_is_maker: bool
    spread: int
    gap: int
    average: int


@dataclass(slots=True)
class Changes:
    """What has changed since the last save."""

    orders: dict[int, Order] = field(default_factory=dict)
    lists: dict[int, OrderList] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    assets: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.orders or self.lists or self.trades or self.assets)
