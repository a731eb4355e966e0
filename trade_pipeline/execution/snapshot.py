"""What a decision, and the equity curve, know of the account at one moment (TRADING rules 2 and 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline.schemas.trading import AccountReading, AccountSnapshot, BookTop, Position


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
    equity = _cash(desk, reading) + positions_quote(positions, tops)
    known_peak = desk.ledger.peak(desk.account)
    content = f"{desk.account}|{reading.at.isoformat()}|{equity}|{[(p.symbol, str(p.amount)) for p in positions]}"
    return AccountSnapshot(
        snapshot_id=hashlib.blake2b(content.encode(), digest_size=16).hexdigest(),
        account=desk.account,
        at=reading.at,
        quote_asset=quote,
        quote_free=reading.free(quote),
        quote_total=reading.total(quote),
        equity_quote=equity,
        peak_equity_quote=max(equity, known_peak) if known_peak is not None else equity,
        positions={position.symbol: position.amount for position in positions},
        open_entries=_open_entries(desk),
        marks={symbol: top.bid for symbol, top in tops.items()},
    )


def _open_entries(desk: Desk) -> dict[str, Decimal]:
    """Signed unfilled amounts of orders that are to change the position, by symbol."""
    amounts: dict[str, Decimal] = {}
    for order in desk.ledger.live_orders(desk.account):
        if order.role == "protect":
            continue
        signed = order.remaining if order.request.side == "buy" else -order.remaining
        amounts[order.symbol] = amounts.get(order.symbol, Decimal(0)) + signed
    return amounts


def _cash(desk: Desk, reading: AccountReading) -> Decimal:
    """Cash as the ledger has booked it, like the positions: a fill that it does not know yet counts on neither side.

    The exchange's own balance beside the ledger's positions would count a sale twice until it is booked, and the
    peak that drawdowns are measured from would keep the mistake.
    """
    quote = desk.settings.market.quote_asset
    return desk.ledger.expected_balances(desk.account).get(quote, reading.total(quote))


def positions_quote(positions: list[Position], tops: Mapping[str, BookTop]) -> Decimal:
    """Positions at best bid; one without a bid counts at its average cost, never at 0."""
    total = Decimal(0)
    for position in positions:
        top = tops.get(position.symbol)
        mark = top.bid if top and top.bid > 0 else (position.average_price or Decimal(0))
        total += position.amount * mark
    return total


def equity_point(desk: Desk, reading: AccountReading, tops: Mapping[str, BookTop]) -> EquityPoint:
    """One point of the equity curve, in quote."""
    positions = desk.ledger.positions(desk.account)
    cash = _cash(desk, reading)
    held = positions_quote(positions, tops)
    cost = sum((position.cost_quote for position in positions), Decimal(0))
    known_peak = desk.ledger.peak(desk.account)
    equity = cash + held
    return EquityPoint(
        account=desk.account,
        at=desk.now(),
        equity_quote=equity,
        cash_quote=cash,
        positions_quote=held,
        realised_quote=desk.ledger.realised(desk.account),
        unrealised_quote=held - cost,
        fees_quote=desk.ledger.fees_paid(desk.account),
        peak_quote=max(equity, known_peak) if known_peak is not None else equity,
    )
