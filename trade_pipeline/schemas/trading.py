"""Values that execution, venues, ledger and the simulated exchange exchange with each other.

Frozen, exact (Decimal), UTC. Nothing here knows a database, an HTTP client or a frame: bars, features and
signals are frames and have their pandera models beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    MARKET = "MARKET"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class Role(StrEnum):
    """What an order is for. At most one live or unknown order per (account, symbol, role).

    PROTECT_BESIDE shares its coins with the symbol's other protective order: it takes that one's place in one step of
    the exchange, or both are the legs of one order list. Never do both fill.
    """

    ENTRY = "entry"
    EXIT = "exit"
    PROTECT = "protect"
    PROTECT_BESIDE = "protect_beside"


PROTECTIVE = frozenset({Role.PROTECT, Role.PROTECT_BESIDE})


class OrderState(StrEnum):
    """States of an order in the ledger; the legal steps are in `execution.states`."""

    PLANNED = "PLANNED"
    ABANDONED = "ABANDONED"
    SENT = "SENT"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"


LIVE_STATES = frozenset(
    {
        OrderState.PLANNED,
        OrderState.SENT,
        OrderState.OPEN,
        OrderState.PARTIALLY_FILLED,
        OrderState.PENDING_CANCEL,
        OrderState.UNKNOWN,
    }
)
"""States in which an order may still change the position; UNKNOWN counts as live."""


class TargetKind(StrEnum):
    """What a decision wants for a symbol. Only FLAT sells a position; a missing row is HOLD."""

    SET = "SET"
    FLAT = "FLAT"
    HOLD = "HOLD"


class FlowKind(StrEnum):
    """Why a balance changed."""

    OPENING = "opening"
    FILL = "fill"
    FEE = "fee"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    CONVERSION = "conversion"
    REWARD = "reward"
    FUNDING = "funding"
    ADOPTION = "adoption"
    ADJUSTMENT = "adjustment"
    """A managed position became another one without a trade; like an adoption it moves no balance."""
    RESIDUAL = "residual"


@dataclass(frozen=True, slots=True)
class MarketRules:
    """One symbol's trading rules. Prices in quote per base, amounts in base, notionals in quote."""

    symbol: str
    base: str
    quote: str
    active: bool
    price_tick: Decimal
    price_min: Decimal
    price_max: Decimal
    amount_step: Decimal
    amount_min: Decimal
    amount_max: Decimal
    market_amount_max: Decimal
    notional_min: Decimal
    order_types: frozenset[str]
    maker_fee_rate: Decimal
    taker_fee_rate: Decimal


@dataclass(frozen=True, slots=True)
class BookTop:
    """Best bid and ask and the last trade of one symbol, with the exchange's time of the reading."""

    symbol: str
    bid: Decimal
    bid_amount: Decimal
    ask: Decimal
    ask_amount: Decimal
    last: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset's balance; what counts is always free + locked."""

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order exactly as it will be sent. `price` is None for market and plain stop orders."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """One fill as the exchange reports it; (account, symbol, trade_id) is unique."""

    symbol: str
    trade_id: str
    order_id: str
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime
    is_maker: bool


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the exchange reports it. `state` is already ours; `venue_status` is the raw word."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    filled: Decimal
    quote_filled: Decimal
    state: OrderState
    venue_status: str
    price: Decimal | None
    stop_price: Decimal | None
    created_at: datetime
    updated_at: datetime
    trades: tuple[VenueTrade, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountReading:
    """All balances at one moment of the exchange's clock."""

    balances: Mapping[str, Balance]
    at: datetime

    def total(self, asset: str) -> Decimal:
        balance = self.balances.get(asset)
        return balance.total if balance else Decimal(0)

    def free(self, asset: str) -> Decimal:
        balance = self.balances.get(asset)
        return balance.free if balance else Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """A managed position: our fills and adoptions less fees in the asset (TRADING rule 7).

    `cost_quote` is what the present amount cost on average, without quote fees;
    `fees_quote` are fees paid since the position was opened, in quote.
    """

    account: str
    symbol: str
    amount: Decimal
    cost_quote: Decimal
    realised_quote: Decimal
    fees_quote: Decimal
    opened_at: datetime | None
    updated_at: datetime

    @property
    def average_price(self) -> Decimal | None:
        return self.cost_quote / self.amount if self.amount else None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """What a decision knew of the account; stored with it, read again by its recomputation."""

    snapshot_id: str
    account: str
    at: datetime
    quote_asset: str
    quote_free: Decimal
    quote_total: Decimal
    equity_quote: Decimal
    peak_equity_quote: Decimal
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    """Managed amount in base by symbol."""
    open_entries: Mapping[str, Decimal] = field(default_factory=dict)
    """Signed unfilled amount of live entry and exit orders by symbol."""
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    """Best bid in quote by symbol at `at`."""
