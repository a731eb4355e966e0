"""What `status` knows of a stack at one moment, as frozen values. No reading here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class LastDecision:
    """`latency_s` counts from the bar's close to the decision, `order_latency_s` to the exchange's answer."""

    decision_id: str
    as_of: datetime
    latency_s: float
    order_latency_s: float | None
    orders: int
    why: str
    """What came of it; why nothing was traded when nothing was."""


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """Amounts in base, prices and profit in quote. None: not known now."""

    symbol: str
    amount: Decimal
    entry: Decimal | None
    mark: Decimal | None
    profit_quote: Decimal | None
    stop: Decimal | None
    """Where the stop rests or, while a take-profit rests in its place, where the guard watches it."""
    strategy: str
    target: Decimal | None = None
    high: Decimal | None = None
    """The highest price since the entry, where the stop trails it."""
    rests: str = "stop"
    """Which protection rests on the exchange: stop, profit or none. By the guard's record alone: order (one rested,
    of which kind is not known) or unknown."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    client_order_id: str
    symbol: str
    side: str
    role: str
    state: str
    amount: Decimal
    filled: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    age_s: float


@dataclass(frozen=True, slots=True)
class Money:
    """All in quote. Profits are net of fees, unrealised included; `drawdown_ratio` is from the highest equity."""

    equity_quote: Decimal
    profit_today_quote: Decimal
    profit_total_quote: Decimal
    fees_quote: Decimal
    drawdown_ratio: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class FailedCheck:
    asset: str
    check: str
    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """`sign` is the sign of life that is nearest to its limit, with its age; None where no watchdog looks."""

    name: str
    state: str
    process_id: int
    restarts: int
    uptime_s: float
    sign: str | None = None
    sign_age_s: float | None = None
    sign_limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class LockLine:
    strategy: str
    symbol: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """One reading. `unavailable` names the parts that did not answer; what they know is missing then."""

    at: datetime
    mode: str
    account: str
    home: str
    running: bool
    started_at: datetime | None
    ui_url: str | None
    next_bar_at: datetime
    paused: str | None
    decision: LastDecision | None = None
    money: Money | None = None
    positions: tuple[HeldPosition, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    locks: tuple[LockLine, ...] = ()
    failed_checks: tuple[FailedCheck, ...] = ()
    alerts: tuple[str, ...] = ()
    breakers: tuple[str, ...] = ()
    """Circuit breakers that are not closed, one line each."""
    conflicts: tuple[str, ...] = ()
    """Open differences between ledger and exchange, one line each."""
    processes: tuple[ProcessLine, ...] = ()
    lost_ticks: tuple[datetime, ...] = ()
    unavailable: tuple[str, ...] = field(default_factory=tuple)
    last_log_at: datetime | None = None
    """Of a stack that does not run: when it last wrote to one of its logs."""

    @property
    def stopped(self) -> bool:
        """Nothing of it runs: neither its `up` nor a process that was left behind."""
        return not self.running and not any(item.process_id for item in self.processes)

    @property
    def book_known(self) -> bool:
        """Whether decision, money, orders, locks and breakers were read; else their emptiness says nothing."""
        return "database" not in self.unavailable
