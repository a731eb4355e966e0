"""Orders of ours that traded and that the ledger has never heard of (RELIABILITY statement 4).

An order that still rests is seen in the list of open orders and taken in from there. One that has ended shows only by
its fills: they name an exchange id that belongs to no order of ours, and the list of the symbol's orders says whose it
was.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.errors import LedgerError, LedgerUnavailable, VenueError
from trade_pipeline.execution.conflicts.history import History
from trade_pipeline.execution.conflicts.kinds import Finding, Key, Kind, Outcome
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.emergency.journal import unbooked_files
from trade_pipeline.execution.ids import is_ours
from trade_pipeline.execution.sending.submit import halt
from trade_pipeline.schemas.trading import OrderType, Role, Side, VenueOrder

LOOK_BACK = timedelta(hours=24)
"""Unexplained fills older than this are left as they are; an order is looked for this long before its first fill."""
FILLS_MAX = 200
"""How many of a symbol's newest fills are looked through."""
STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def adopt_forgotten(desk: Desk, symbols: Iterable[str]) -> tuple[str, ...]:
    """Take in the orders behind fills that nobody explains, if they have our prefix; their client order ids.

    An order that cannot be taken in halts its symbol. Asks the exchange only where such fills exist, so that a
    symbol without foreign trades costs nothing. What the exchange does not answer is asked again at the next sweep.
    """
    if unbooked_files(desk.home):
        return ()  # A flatten without the database wrote its orders down; they are imported first.
    adopted: list[str] = []
    for symbol in sorted(symbols):
        newest = desk.ledger.fills(desk.account, symbol, limit=FILLS_MAX)
        strange = {f.venue_order_id: f.at for f in newest if not f.managed and f.at > desk.now() - LOOK_BACK}
        if not strange:
            continue
        try:
            listed = desk.venue.orders(symbol, min(strange.values()) - LOOK_BACK)
        except VenueError:
            continue
        for found in listed:
            if found.order_id in strange and is_ours(found.client_order_id, desk.prefix) and _adopt(desk, found):
                adopted.append(found.client_order_id)
    return tuple(adopted)


def role_of(found: VenueOrder) -> Role:
    """What an order must have been for, by its side and type."""
    if found.side == Side.BUY:
        return Role.ENTRY
    return Role.PROTECT if found.type in STOPS else Role.EXIT


def take_in(desk: Desk, found: VenueOrder) -> bool:
    """An order that rests with our prefix and without an intent: adopted, or its symbol halts. True: adopted."""
    return not unbooked_files(desk.home) and _adopt(desk, found)


def _adopt(desk: Desk, found: VenueOrder) -> bool:
    policy = desk.settings.positions.orphan_order
    finding = Finding(
        Key(Kind.ORPHAN_ORDER, found.symbol, found.client_order_id),
        Decimal(0),
        found.amount,
        detail={"side": str(found.side), "type": str(found.type), "order_id": found.order_id},
    )
    why = "the setting positions.orphan_order says so"
    if policy == "adopt":
        try:
            desk.ledger.adopt_order(desk.account, found, role=role_of(found), reason="adopted: it was unknown to us")
        except LedgerUnavailable:
            raise
        except LedgerError as error:
            why = str(error)
        else:
            _tell(desk, finding, policy, Outcome.RESOLVED, "an intent was written for it")
            return True
    halt(desk, found.symbol, f"order {found.client_order_id} has our prefix and no intent: {why}", None)
    _tell(desk, finding, policy, Outcome.HALTED, why)
    return False


def _tell(desk: Desk, finding: Finding, policy: str, outcome: Outcome, why: str) -> None:
    """Whoever sees it first writes it down, once."""
    history = History()
    history.read(desk)
    if history.of(finding.key) is None:
        history.write(desk, finding, policy, Outcome.FOUND)
        history.write(desk, finding, policy, outcome, {"why": why})
