"""What the guard writes down beside acting: positions without a stop, the file for `flatten`, the equity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trade_pipeline.execution.conflicts.kinds import Kind
from trade_pipeline.execution.control import record_positions
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.equity import equity_point
from trade_pipeline.execution.guard.protect import Watch, unprotected
from trade_pipeline.execution.witness import write_head
from trade_pipeline.ledger.records import Event
from trade_pipeline.schemas.trading import AccountReading, BookTop

EQUITY_INTERVAL_S = 60.0


@dataclass
class Upkeep:
    """Remembers what it has told already. Losing it costs a repeated line, nothing more."""

    equity_at: datetime | None = None
    written_view: object = None
    unprotected_since: dict[str, datetime] = field(default_factory=dict)
    alarmed: set[str] = field(default_factory=set)
    """Unprotected symbols of which an event has told."""

    said_no_pairs: bool = False

    def say_what_is_not_offered(self, desk: Desk) -> None:
        """Switching needs the exchange's order lists; without them the stop rests and the target is watched here."""
        wanted = desk.settings.exits.switching.enabled and not desk.venue.capabilities.oco
        if wanted and not self.said_no_pairs:
            self.said_no_pairs = True
            detail = {"reason": "the exchange has no order lists: the stop rests, the guard watches the target"}
            event = Event(desk.now(), "switching_not_offered", "warning", desk.account, detail=detail)
            desk.ledger.record_event(event)

    def overdue(self, desk: Desk) -> bool:
        """Whether a position has been without a stop for half of what is allowed."""
        limit = timedelta(seconds=desk.settings.exits.unprotected_s_max / 2)
        return any(desk.now() - since > limit for since in self.unprotected_since.values())

    def weight(self, desk: Desk) -> dict[str, int]:
        """What the exchange has counted of our address this minute, where it says so."""
        ask = getattr(desk.venue, "used_weight", None)
        told = ask() if ask is not None else None
        return {} if told is None else {"used_weight": told.used, "weight_limit": told.limit}

    def note_unprotected(self, desk: Desk, watch: Watch) -> None:
        """Remember since when a position has no stop; say so once when it lasts too long (TRADING 17)."""
        open_now = desk.ledger.open_conflicts(desk.account) if watch.positions else []
        denied = {str(row.detail.get("reference")) for row in open_now if row.kind == Kind.MISSING_ORDER}
        naked = unprotected(watch, desk.settings.exits, denied)
        limit = timedelta(seconds=desk.settings.exits.unprotected_s_max)
        before = self.unprotected_since
        self.unprotected_since = {symbol: before.get(symbol, watch.now) for symbol in naked}
        self.alarmed &= naked
        for symbol, since in self.unprotected_since.items():
            if watch.now - since > limit and symbol not in self.alarmed:
                self.alarmed.add(symbol)
                detail = {"since": since.isoformat()}
                event = Event(watch.now, "position_unprotected", "critical", desk.account, symbol, detail=detail)
                desk.ledger.record_event(event)

    def write_positions(self, desk: Desk, watch: Watch) -> None:
        """For `flatten`, which works without a database; written only when what is held or rests has changed."""
        view = (
            tuple((position.symbol, position.amount) for position in watch.positions),
            tuple(order.client_order_id for order in watch.live_orders),
        )
        if view != self.written_view:
            record_positions(desk.home, desk.ledger, desk.account, watch.now)
            self.written_view = view

    def record_equity(self, desk: Desk, tops: Mapping[str, BookTop], reading: AccountReading | None = None) -> None:
        """Once a minute, from the last reading of the account: asking again would cost weight and tell nothing new."""
        now = desk.now()
        if self.equity_at and now - self.equity_at < timedelta(seconds=EQUITY_INTERVAL_S):
            return
        desk.ledger.record_equity(equity_point(desk, reading or desk.venue.account(), tops))
        write_head(desk.home, desk.ledger)
        self.equity_at = now
