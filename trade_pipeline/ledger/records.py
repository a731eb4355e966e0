"""The ledger's rows as frozen values. No SQL here: anybody may import this module without a database.

Those of breakers, conflicts and guards are in `watch_records` and are named here too.

Money is Decimal and exact, times are UTC. Maps are str -> Decimal unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trade_pipeline.ledger.watch_records import BreakerState, Conflict, ExitState, GuardVerdict, RecoveryCount
from trade_pipeline.schemas.trading import FlowKind, OrderRequest, OrderState, Role, Side, TargetKind

__all__ = [
    "BreakerState",
    "ClosedTrade",
    "Conflict",
    "Decision",
    "EquityPoint",
    "Event",
    "ExitState",
    "Fill",
    "Flow",
    "GuardVerdict",
    "Heartbeat",
    "Intent",
    "Lease",
    "Lock",
    "Order",
    "OrderEvent",
    "Outcome",
    "RecoveryCount",
    "Target",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """One evaluation of one closed bar for one account. `inputs`: table -> {"version", "hash", "rows"}."""

    decision_id: str
    account: str
    mode: str
    as_of: datetime
    decided_at: datetime
    run_id: str
    partition: str
    settings_hash: str
    code_version: str
    snapshot_id: str
    inputs: Mapping[str, Mapping[str, object]]
    expires_at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """What a decision wants for a symbol. `quantity` in base, `price` and `stop_distance` in quote.

    `sleeves` is strategy -> base quantity and adds up to `quantity`.
    """

    decision_id: str
    symbol: str
    kind: TargetKind
    quantity: Decimal | None
    price: Decimal | None
    stop_distance: Decimal | None
    score: float | None
    weight: float | None
    strategy: str
    sleeves: Mapping[str, Decimal]
    expires_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Why an order is to be sent; committed before it. `sleeves` is strategy -> share and adds up to 1."""

    intent_id: str
    account: str
    decision_id: str | None
    symbol: str
    role: Role
    side: Side
    amount: Decimal
    strategy: str
    sleeves: Mapping[str, Decimal]
    reason: str
    decision_price: Decimal | None
    stop_distance: Decimal | None
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt of an intent. `filled` (base) and `quote_filled` come from booked trades only."""

    client_order_id: str
    intent_id: str
    attempt: int
    account: str
    symbol: str
    role: Role
    request: OrderRequest
    state: OrderState
    venue_order_id: str | None
    filled: Decimal
    quote_filled: Decimal
    planned_at: datetime
    sent_at: datetime | None
    acknowledged_at: datetime | None
    updated_at: datetime
    last_evidence: str

    @property
    def remaining(self) -> Decimal:
        """Base amount that may still be filled, never below 0."""
        return max(self.request.amount - self.filled, Decimal(0))


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One entry of an order's history; `state` is the state after it."""

    client_order_id: str
    at: datetime
    state: OrderState
    evidence: str
    venue_order_id: str | None


@dataclass(frozen=True, slots=True)
class Fill:
    """One booked trade. `managed`: it belongs to an order of ours.

    `fee_quote` is the fee in quote at the fill's time; None while nobody has said what the fee's asset was worth.
    """

    account: str
    symbol: str
    trade_id: str
    client_order_id: str | None
    venue_order_id: str
    side: Side
    price: Decimal
    amount: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None
    at: datetime
    managed: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """A change of a balance that is no fill. `amount` is signed; (account, kind, asset, reference) is unique."""

    account: str
    asset: str
    kind: FlowKind
    amount: Decimal
    at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class Lock:
    """No entries for (strategy, symbol) until `until`, or until it is unlocked."""

    account: str
    strategy: str
    symbol: str
    reason: str
    locked_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send orders for an account. `token` grows with every acquisition, forever."""

    account: str
    holder: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Equity at one moment, in quote. `fees_quote` and `realised_quote` are totals since the opening."""

    account: str
    at: datetime
    equity_quote: Decimal
    cash_quote: Decimal
    positions_quote: Decimal
    realised_quote: Decimal
    unrealised_quote: Decimal
    fees_quote: Decimal
    peak_quote: Decimal


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """From flat to flat (a residue of at most 2 % of the largest amount counts as flat), at average cost.

    `amount` is the base amount sold; `profit_quote` is net of `fees_quote`.
    """

    account: str
    symbol: str
    opened_at: datetime
    closed_at: datetime
    amount: Decimal
    entry_price: Decimal
    exit_price: Decimal
    profit_quote: Decimal
    fees_quote: Decimal
    exit_reason: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something a person should be able to find later. `severity`: info, warning, error, critical."""

    at: datetime
    kind: str
    severity: str
    account: str
    symbol: str | None = None
    decision_id: str | None = None
    client_order_id: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a decision came at a stage (`gate`, `plan`, `submit`, ...) and why it went no further."""

    decision_id: str
    stage: str
    outcome: str
    at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of a process."""

    process: str
    at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)
