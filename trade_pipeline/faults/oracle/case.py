"""What the judge looks at: the exchange's truth, the ledger's rows, and what crossed the wire between them.

A case is one moment of one simulation. `quiet` says that all faults have stopped, everything that was delayed has
arrived and the code under judgement has had its cycles to put things in order: promises about the end are judged
then, all others at every moment.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from trade_pipeline.faults.oracle.book import Book
from trade_pipeline.faults.oracle.truth import Truth


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request for a new order as it reached the exchange, and what the ledger said at that very moment.

    `left_at` is when it left its sender, `number` its place among all arrivals. `booked_state` is the order's state
    in the ledger, read by a connection of the judge's own (None: the ledger does not know the order), `lease_holder`
    and `lease_until` are the account's newest lease. `worst_symbol_quote` and `worst_total_quote` are the exposure
    of the symbol and of the account if this order and every resting buy were filled, `equity_quote` the equity at
    the last trades; all three come from the exchange's truth.
    """

    number: int
    client_order_id: str
    symbol: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    left_at: datetime
    arrived_at: datetime
    accepted: bool
    refusal: str = ""
    told: bool = True
    """Whether the sender got the exchange's answer; a lost request and a lost answer look the same to it."""
    holder: str | None = None
    booked_state: str | None = None
    lease_holder: str | None = None
    lease_until: datetime | None = None
    worst_symbol_quote: Decimal = Decimal(0)
    worst_total_quote: Decimal = Decimal(0)
    equity_quote: Decimal = Decimal(0)

    @property
    def certainly_refused(self) -> bool:
        """The exchange refused it and the sender knows: the only case in which it may be sent again."""
        return not self.accepted and self.told


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings that the promises name."""

    position_weight_max: Decimal
    total_weight_max: Decimal
    unprotected_s_max: float
    breaker_cancel_s_max: float = 5.0
    acceptance_bound_s: float = 15.0
    """After this an order that was sent and never seen cannot appear any more: window, time-out and look-up lag."""
    unknown_alert_s_max: float = 60.0
    """UNKNOWN older than this has an alert, or is resolved."""
    unknown_s_max: float = 900.0
    """UNKNOWN older than this is resolved: ten minutes where no bound exists, and cycles to act."""


@dataclass
class Memory:
    """What the judge remembers from one moment to the next of the same simulation."""

    filled: dict[str, Decimal] = field(default_factory=dict)
    """Client order id -> largest filled amount seen in the ledger."""
    rows: dict[str, int] = field(default_factory=dict)
    """Append-only table -> most rows seen."""
    unprotected_since: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    account: str
    now: datetime
    truth: Truth
    book: Book
    limits: Limits
    arrivals: Sequence[Arrival] = ()
    disturbances: Sequence[tuple[datetime, datetime]] = ()
    """When faults were at work: from, until. Promises with a time limit count it from the last one's end."""
    quiet: bool = False
    sends_after_quiet: int = 0
    """New orders and cancels that crossed the wire in the repeated cycle after everything had settled."""
    untradable: frozenset[str] = frozenset()
    """Symbols that the exchange has delisted or halted: nothing can be done about them."""
    memory: Memory = field(default_factory=Memory)

    def undisturbed_since(self, since: datetime, until: datetime | None = None) -> float:
        """Seconds from `since`, or from the end of the last disturbance after it, to `until` (now)."""
        until = until or self.now
        start = max([since, *(end for begin, end in self.disturbances if begin <= until and end > since)])
        return max((until - start).total_seconds(), 0.0)

    @cached_property
    def ids_that_crossed(self) -> Set[str]:
        return {arrival.client_order_id for arrival in self.arrivals}
