"""What a decision knows of the account at one moment (TRADING rule 2)."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.equity import equity_point
from trade_pipeline.schemas.trading import PROTECTIVE, AccountSnapshot


def take_snapshot(desk: Desk) -> AccountSnapshot:
    """Balances from the exchange, managed positions from the ledger, marks from the book.

    Equity = managed cash + managed positions at best bid, in quote. Raises VenueError when the exchange does not
    answer: a decision without a snapshot is no decision.
    """
    reading = desk.venue.account()
    desk.ledger.record_opening(desk.account, reading)
    positions = desk.ledger.positions(desk.account)
    tops = desk.venue.book_tops([position.symbol for position in positions]) if positions else {}
    quote = desk.settings.market.quote_asset
    worth = equity_point(desk, reading, tops)
    content = (
        f"{desk.account}|{reading.at.isoformat()}|{worth.equity_quote}|{[(p.symbol, str(p.amount)) for p in positions]}"
    )
    return AccountSnapshot(
        snapshot_id=hashlib.blake2b(content.encode(), digest_size=16).hexdigest(),
        account=desk.account,
        at=reading.at,
        quote_asset=quote,
        quote_free=reading.free(quote),
        quote_total=reading.total(quote),
        equity_quote=worth.equity_quote,
        peak_equity_quote=worth.peak_quote,
        positions={position.symbol: position.amount for position in positions},
        open_entries=_open_entries(desk),
        marks={symbol: top.bid for symbol, top in tops.items()},
    )


def _open_entries(desk: Desk) -> dict[str, Decimal]:
    """Signed unfilled amounts of orders that are to change the position, by symbol."""
    amounts: dict[str, Decimal] = {}
    for order in desk.ledger.live_orders(desk.account):
        if order.role in PROTECTIVE:
            continue
        signed = order.remaining if order.request.side == "buy" else -order.remaining
        amounts[order.symbol] = amounts.get(order.symbol, Decimal(0)) + signed
    return amounts
