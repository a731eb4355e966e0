"""Reads the facts of a preflight from the exchange, the ledger and the settings. Sends nothing, changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypeVar

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.preflight.facts import Facts, KeyFacts
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.protocols import TradingVenue

CLOCK_READS = 3
_OUR_SHAPE = re.compile("[0-9a-f]{32}")

T = TypeVar("T")


class FactReader:
    """One reading. A fact that cannot be read becomes a trouble, never an exception and never a pass."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        *,
        exchange_url: str | None,
        home_mode: str | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._settings = settings
        self._home = home
        self._exchange_url = exchange_url
        self._home_mode = home_mode
        self._now = now or (lambda: datetime.now(UTC))
        self._troubles: dict[str, str] = {}

    def read(self, venue: TradingVenue | None, ledger: Ledger | None, confirmed: Collection[str] = ()) -> Facts:
        """`venue` None: there are no keys. `ledger` None: its database is our own and starts with the stack."""
        known: dict[str, Any] = {}
        if venue is not None:
            offset = self._try("clock", lambda: self._offset(venue))
            known |= {
                "key": self._try("key", lambda: key_facts(venue)),
                "clock_offset_ms": offset[0] if offset else None,
                "clock_uncertainty_ms": offset[1] if offset else 0.0,
                "account_kind": self._try("account", lambda: _account_kind(venue)),
                "foreign_orders": self._try("orders", lambda: self._foreign(venue)),
            }
        else:
            self._troubles |= dict.fromkeys(("key", "clock", "account", "orders"), "there is no key to ask with")
        if ledger is not None:
            known["lease_holder"] = self._try("lease", lambda: other_guard(ledger, self._settings, self._home))
        return Facts(
            settings=self._settings,
            keys_present=venue is not None,
            exchange_url=self._exchange_url,
            home_mode=self._home_mode,
            confirmed=frozenset(confirmed),
            troubles=dict(self._troubles),
            **known,
        )

    def _try(self, fact: str, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except TradePipelineError as error:
            self._troubles[fact] = str(error)
            return None

    def _offset(self, venue: TradingVenue) -> tuple[float, float]:
        """Milliseconds by which the exchange's clock is ahead, and how well that is known."""
        step_ms = venue.capabilities.clock_step_s * 500
        best: tuple[float, float] | None = None
        for _ in range(CLOCK_READS):
            asked_at = self._now()
            theirs = venue.server_time()
            answered_at = self._now()
            half_ms = (answered_at - asked_at).total_seconds() * 500
            offset_ms = (theirs - asked_at).total_seconds() * 1000 - half_ms
            if best is None or half_ms < best[1]:
                best = (offset_ms, half_ms)
        assert best is not None
        # Some exchanges tell their time in whole seconds: no answer is better than half of one.
        return best[0], best[1] + step_ms

    def _foreign(self, venue: TradingVenue) -> int:
        prefix = self._settings.execution.installation_prefix
        identities = [order.client_order_id for order in venue.open_orders()]
        return sum(1 for item in identities if _OUR_SHAPE.fullmatch(item) and not item.startswith(prefix))


def key_facts(venue: TradingVenue) -> KeyFacts | None:
    """None where the venue has no way of asking. Raises VenueError."""
    ask = getattr(venue, "permissions", None)
    if ask is None:
        return None
    said = ask()
    return KeyFacts(said.can_withdraw, said.can_trade, said.ip_restricted, said.source)


def _account_kind(venue: TradingVenue) -> str | None:
    ask = getattr(venue, "account_kind", None)
    return str(ask()) if ask is not None else None


def guard_holder(home: Home) -> str:
    """The name under which this home's guard holds its instance lease."""
    return f"guard:{home.root}"


def other_guard(ledger: Ledger, settings: Settings, home: Home) -> str | None:
    """Who else guards the account now, by the ledger; None when nobody does. Raises LedgerError."""
    holder = ledger.lease_holder(f"{settings.account}/guard")
    return None if holder in (None, guard_holder(home)) else holder
