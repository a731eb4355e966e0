"""What can go wrong in a simulation, by name, and where: data only.

An injection says which fault happens at which crossing of its kind; a crash says at which boundary a process dies.
Both are fixed before a simulation starts, so that a failing one can be made smaller by leaving some out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Faults of the wire, the database and the world, each with a name that reports and hits use."""

    LOST_REQUEST = "lost_request"
    LOST_ANSWER = "lost_answer"
    LATE_EFFECT = "late_effect"
    DOUBLED_ANSWER = "doubled_answer"
    UNREADABLE_ANSWER = "unreadable_answer"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    CLOCK_SKEW = "clock_skew"
    MAINTENANCE = "maintenance"
    STALE_READ = "stale_read"
    NOT_FOUND_DELAY = "not_found_delay"
    TRUNCATED_TRADES = "truncated_trades"
    CLOSED_FOR_CANCELLED = "closed_for_cancelled"
    PARTIAL_FILL = "partial_fill"
    FEE_IN_BASE = "fee_in_base"
    FEE_IN_THIRD_ASSET = "fee_in_third_asset"
    PRICE_GAP = "price_gap"
    STOP_WOULD_TRIGGER = "stop_would_trigger"
    DELISTED = "delisted"
    MANUAL_SALE = "manual_sale"
    MANUAL_PURCHASE = "manual_purchase"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    FOREIGN_ORDER = "foreign_order"
    STRAY_ORDER = "stray_order"
    ORDER_FORGOTTEN = "order_forgotten"
    FORGOTTEN_BESIDE_FOREIGN = "forgotten_beside_foreign"
    STOPS_REFUSED = "stops_refused"
    FALL_WITHOUT_STOP = "fall_without_stop"
    DATABASE_REFUSES = "database_refuses"
    DATABASE_ANSWER_LOST = "database_answer_lost"
    DATABASE_AWAY = "database_away"
    STALL = "stall"
    SECOND_GUARD = "second_guard"
    INTERLEAVED = "interleaved"
    RUN_TWICE = "run_twice"
    LATE_RUN = "late_run"
    GATE_CLOSED = "gate_closed"
    LATE_CANDLE = "late_candle"
    REVISED_CANDLE = "revised_candle"
    CRASH = "crash"


ON_CHANGES = (
    Fault.LOST_REQUEST,
    Fault.LOST_ANSWER,
    Fault.LATE_EFFECT,
    Fault.DOUBLED_ANSWER,
    Fault.UNREADABLE_ANSWER,
    Fault.SERVER_ERROR,
    Fault.RATE_LIMITED,
    Fault.BANNED,
    Fault.CLOCK_SKEW,
    Fault.MAINTENANCE,
    Fault.INTERLEAVED,
)
"""Faults of a request that changes something: create, cancel, replace and pair."""

ON_READS = (
    Fault.STALE_READ,
    Fault.UNREADABLE_ANSWER,
    Fault.SERVER_ERROR,
    Fault.RATE_LIMITED,
    Fault.BANNED,
    Fault.MAINTENANCE,
    Fault.NOT_FOUND_DELAY,
    Fault.TRUNCATED_TRADES,
    Fault.CLOSED_FOR_CANCELLED,
    Fault.INTERLEAVED,
)

ON_COMMITS = (Fault.DATABASE_REFUSES, Fault.DATABASE_ANSWER_LOST, Fault.DATABASE_AWAY, Fault.STALL)

OF_THE_WORLD = (
    Fault.PRICE_GAP,
    Fault.DELISTED,
    Fault.MANUAL_SALE,
    Fault.MANUAL_PURCHASE,
    Fault.DEPOSIT,
    Fault.WITHDRAWAL,
    Fault.FOREIGN_ORDER,
    Fault.STRAY_ORDER,
    Fault.SECOND_GUARD,
    Fault.RUN_TWICE,
    Fault.LATE_RUN,
    Fault.GATE_CLOSED,
    Fault.LATE_CANDLE,
    Fault.REVISED_CANDLE,
)
"""What happens to the account, to the market or to the orchestration at a moment of virtual time."""


MOODS = (
    Fault.ORDER_FORGOTTEN,
    Fault.FORGOTTEN_BESIDE_FOREIGN,
    Fault.STOPS_REFUSED,
    Fault.FALL_WITHOUT_STOP,
)
"""Of the world too, and drawn by themselves: a stop has to rest, and the scenario sees to it."""


@dataclass(frozen=True, slots=True)
class Injection:
    """`fault` at the `nth` crossing of `channel` (create, cancel, replace, pair, account, open_orders, order, trades,
    tops, commit, or sent: the commit before a request leaves).

    For what happens to the world `channel` is "world" and `nth` the virtual second.
    """

    fault: Fault
    channel: str
    nth: int

    def __str__(self) -> str:
        return f"{self.fault} at {self.channel} {self.nth}"


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies at the `nth` passing of the boundary `point`, as `execute|mark_sent:before_commit`."""

    point: str
    nth: int

    def __str__(self) -> str:
        return f"crash at {self.point} {self.nth}"


class SimulatedCrash(BaseException):
    """kill -9 of the process that is running. Not an Exception: nothing may catch it and go on."""
