"""Many answers of an exchange at once: orders that it lists, and trades of many symbols, in few transactions.

What one answer needs is in `submit`. Who dies within a batch has written none of it; the next look finds it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from trade_pipeline.errors import LedgerError, LedgerUnavailable, MalformedAnswer, VenueError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.sending.submit import apply, book, halt, pages, trades_of
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import VenueOrder, VenueTrade

BATCH = 100
"""Orders in one transaction: an exit that waits for the account's lock waits for no more than these."""
TRADES_BATCH = 1000
Gathered = tuple[VenueOrder, Sequence[VenueTrade]]


def list_open(desk: Desk, symbols: Callable[[], Collection[str]]) -> tuple[list[VenueOrder], dict[str, str]]:
    """Every open order, and symbol -> why of those whose orders cannot be read.

    One order that cannot be read spoils the whole list: then each of `symbols` is asked for by itself. Raises
    VenueError where the exchange does not answer.
    """
    try:
        return desk.venue.open_orders(), {}
    except MalformedAnswer:
        found: list[VenueOrder] = []
        unreadable: dict[str, str] = {}
        for symbol in sorted(symbols()):
            try:
                found += desk.venue.open_orders(symbol)
            except MalformedAnswer as error:
                unreadable[symbol] = str(error)
        return found, unreadable


def apply_all(desk: Desk, found: Sequence[tuple[VenueOrder, Order]], evidence: str) -> dict[str, str]:
    """`submit.apply` for many orders, each with what the ledger knows of it; symbol -> why of unreadable trades.

    An order that contradicts itself halts its symbol, one whose trades cannot be read stays as it is, and neither keeps
    another from being written. Raises VenueError where the exchange does not answer; what was read before is written.
    """
    starts = tuple((answer.symbol, answer.created_at) for answer, known in found if answer.filled > known.filled)
    last = desk.ledger.last_trade_ids(desk.account, starts) if starts else {}
    gathered: list[Gathered] = []
    unreadable: dict[str, str] = {}
    try:
        for answer, known in found:
            try:
                trades = trades_of(desk, answer, known, last.get((answer.symbol, answer.created_at)))
            except MalformedAnswer as error:
                unreadable[answer.symbol] = str(error)
                continue
            if trades is not None:
                gathered.append((answer, trades))
    except VenueError:
        _settle_all(desk, gathered, evidence)
        raise
    _settle_all(desk, gathered, evidence)
    return unreadable


def _settle_all(desk: Desk, gathered: Sequence[Gathered], evidence: str) -> None:
    for first in range(0, len(gathered), BATCH):
        batch = gathered[first : first + BATCH]
        try:
            refused = desk.ledger.settle_all(desk.account, batch, evidence, prefix=desk.prefix)
        except LedgerUnavailable:
            raise
        except LedgerError:
            # One of them is not what it says: each by itself, so that the others are written.
            for answer, _ in batch:
                apply(desk, answer, evidence)
        else:
            for answer, contradiction in refused:
                halt(desk, answer.symbol, str(contradiction), answer.client_order_id)


def book_all_new(
    desk: Desk, symbols: Collection[str], *, since: datetime | None = None
) -> tuple[dict[str, int], dict[str, str]]:
    """`submit.book_new_trades` for many symbols: symbol -> how many were new, and symbol -> why of unreadable ones.

    Raises VenueError where the exchange does not answer; what was read before that is booked.
    """
    if not symbols:
        return {}, {}
    last = desk.ledger.last_trade_ids(desk.account, tuple((symbol, since) for symbol in sorted(symbols)))
    new: Counter[str] = Counter(dict.fromkeys(symbols, 0))
    read: list[VenueTrade] = []
    unreadable: dict[str, str] = {}
    try:
        for symbol in sorted(symbols):
            try:
                for page in pages(desk, symbol, last.get((symbol, since))):
                    read += page
                    if len(read) >= TRADES_BATCH:
                        new.update(_booked(desk, read))
                        read = []
            except MalformedAnswer as error:
                unreadable[symbol] = str(error)
    except VenueError:
        _booked(desk, read)
        raise
    new.update(_booked(desk, read))
    return dict(new), unreadable


def _booked(desk: Desk, trades: Sequence[VenueTrade]) -> Counter[str]:
    return Counter(fill.symbol for fill in book(desk, trades))
