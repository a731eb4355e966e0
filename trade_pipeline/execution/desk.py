"""What everything in this room needs to trade one account, as one value; and who may trade now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from trade_pipeline.execution.control import flattening, paused
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.protocols import TradingVenue

EVERY = "*"
"""As a lock's strategy: a halt, no entries of the symbol by anybody. As its symbol: of any symbol."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Ledger, venue, settings, home and clock of one account."""

    ledger: Ledger
    venue: TradingVenue
    settings: Settings
    home: Home
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that only grow: what waits for something measures by it. In virtual time all three are injected."""

    @property
    def account(self) -> str:
        return self.settings.account

    @property
    def prefix(self) -> str:
        return self.settings.execution.installation_prefix

    def pause_reason(self) -> str | None:
        """Why entries are paused by hand, or None."""
        return paused(self.home)

    def flatten_is_under_way(self) -> bool:
        """While `flatten` sells, nobody else sends for the account."""
        return flattening(self.home)

    def halts(self) -> dict[str, str]:
        """Symbols (or EVERY) whose entries are halted, with the reason."""
        found = self.ledger.locks(self.account, self.now())
        return {lock.symbol: lock.reason for lock in found if lock.strategy == EVERY}
