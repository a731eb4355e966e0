"""What kinds of differences there are, and one of them as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """Of a difference. The table in docs/trading.md says what each means and what to do."""

    POSITION_SHORT = "position_short"
    POSITION_LONG = "position_long"
    BALANCE_RESIDUAL = "balance_residual"
    BAD_BALANCE = "bad_balance"
    MARKET_MISSING = "market_missing"
    FOREIGN_ORDER = "foreign_order"
    FOREIGN_TRADE = "foreign_trade"
    ORPHAN_ORDER = "orphan_order"
    MISSING_ORDER = "missing_order"
    ORDER_DIFFERS = "order_differs"
    BAD_ORDER = "bad_order"
    BAD_TRADE = "bad_trade"
    HISTORY_TRUNCATED = "history_truncated"
    PROTECTION_MISSING = "protection_missing"


class Outcome(StrEnum):
    """What became of a conflict. FOUND and HALTED are open; the others are over, until it changes."""

    FOUND = "found"
    HALTED = "halted"
    RESOLVED = "resolved"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Key:
    """What makes two sights the same conflict. `reference`: an order's or a trade's id, else empty."""

    kind: str
    subject: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference as it is now. `subject` is a symbol or an asset, the amounts are in its units.

    `dust`: below one step of its symbol; recorded, never acted upon.
    """

    key: Key
    ledger_amount: Decimal | None = None
    exchange_amount: Decimal | None = None
    dust: bool = False
    detail: Mapping[str, object] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return Kind(self.key.kind)

    @property
    def subject(self) -> str:
        return self.key.subject

    @property
    def gap(self) -> Decimal:
        """Exchange less ledger."""
        return (self.exchange_amount or Decimal(0)) - (self.ledger_amount or Decimal(0))
