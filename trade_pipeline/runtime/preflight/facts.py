"""What the preflight knows, as frozen values. What could not be read is None, with the reason in `troubles`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trade_pipeline.settings.root import Settings


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the exchange says of our key. None: it does not say, which counts as the worse answer."""

    can_withdraw: bool | None
    can_trade: bool | None
    ip_restricted: bool | None
    source: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the checks judge. `exchange_url` is an address that stands in for the exchange's own."""

    settings: Settings
    keys_present: bool
    exchange_url: str | None
    home_mode: str | None = None
    """Mode of the last stack in this home; None for a new one."""
    key: KeyFacts | None = None
    clock_offset_ms: float | None = None
    """The exchange's clock minus ours, by the quickest of a few answers."""
    clock_uncertainty_ms: float = 0.0
    """Half of that answer's round trip."""
    account_kind: str | None = None
    lease_holder: str | None = None
    """Who holds the account's guard lease in the ledger now, if it is not this home."""
    foreign_orders: int | None = None
    """Open orders that carry another installation's prefix."""
    confirmed: frozenset[str] = frozenset()
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By fact: why it could not be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table. `repair` is empty where the check passed."""

    check: str
    passed: bool
    found: str
    repair: str = ""
