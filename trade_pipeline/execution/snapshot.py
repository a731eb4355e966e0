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
    equity = equity_quote(reading, positions, tops, desk.settings.market.quote_asset)
    quote = desk.settings.market.quote_asset
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


def equity_quote(
    reading: AccountReading, positions: list[Position], tops: Mapping[str, BookTop], quote: str
) -> Decimal:
    """Cash + positions at best bid; a position without a bid counts at its average cost, never at 0."""
    return reading.total(quote) + positions_quote(positions, tops)


def positions_quote(positions: list[Position], tops: Mapping[str, BookTop]) -> Decimal:
    total = Decimal(0)
    for position in positions:
        top = tops.get(position.symbol)
        mark = top.bid if top and top.bid > 0 else (position.average_price or Decimal(0))
        total += position.amount * mark
    return total


def equity_point(desk: Desk, reading: AccountReading, tops: Mapping[str, BookTop]) -> EquityPoint:
    """One point of the equity curve, in quote."""
    positions = desk.ledger.positions(desk.account)
    cash = reading.total(desk.settings.market.quote_asset)
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
