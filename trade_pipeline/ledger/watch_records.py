"""Rows of what watches over trading: breakers, conflicts, exits' memory, verdicts of guards, recoveries. No SQL.

Money is Decimal and exact, times are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A circuit breaker of the account (scope "*") or of one symbol. `state`: CLOSED, OPEN or HALF_OPEN.

    `dimension` says what opened it; `stage` counts the steps of its return.
    """

    account: str
    scope: str
    state: str
    dimension: str
    reason: str
    opened_at: datetime | None
    changed_at: datetime
    stage: int = 0
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A difference between ledger and exchange, or what became of it: several rows share a `conflict_id`.

    `subject` is a symbol or an asset, the amounts are in its units. `outcome`: found, then resolved, halted, ignored.
    """

    conflict_id: str
    account: str
    subject: str
    kind: str
    ledger_amount: Decimal | None
    exchange_amount: Decimal | None
    strategy: str
    outcome: str
    at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExitState:
    """What the exit engine remembers of a position. `protection`: stop, profit, switching or none."""

    account: str
    symbol: str
    opened_at: datetime
    highest: Decimal | None
    trailing_active: bool
    protection: str
    switched_at: datetime | None
    stages_done: int
    updated_at: datetime
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """What one buy guard said of one symbol of a decision; `value` and `limit` as people read them."""

    decision_id: str
    symbol: str
    guard: str
    passed: bool
    value: str
    limit: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RecoveryCount:
    """How often an error of a component was answered by an action on a day, and whether that helped."""

    day: date
    component: str
    error: str
    action: str
    recovered: bool
    count: int
