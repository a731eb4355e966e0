"""What the account is worth now, and the point of the equity curve that says so (TRADING rule 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.returns import carried_peak
from trade_pipeline.ledger.records import EquityPoint
from trade_pipeline.schemas.trading import AccountReading, BookTop, Position

READS_MAX = 3
"""How often the ledger is read again when something was booked while it was read."""


def equity_point(desk: Desk, reading: AccountReading, tops: Mapping[str, BookTop]) -> EquityPoint:
    """Managed cash + managed positions at best bid, now, in quote; flows are taken out of its peak."""
    before = desk.ledger.last_equity(desk.account)
    for _ in range(READS_MAX):
        positions = desk.ledger.positions(desk.account)
        point = _point(desk, reading, tops, positions)
        # A sale that is booked between two reads would count twice, and the peak would keep it.
        if desk.ledger.positions(desk.account) == positions:
            break
    return replace(point, peak_quote=carried_peak(before, point))


def _point(
    desk: Desk, reading: AccountReading, tops: Mapping[str, BookTop], positions: Iterable[Position]
) -> EquityPoint:
    cash, held = managed_cash(desk, reading), positions_quote(positions, tops)
    return EquityPoint(
        account=desk.account,
        at=desk.now(),
        equity_quote=cash + held,
        cash_quote=cash,
        positions_quote=held,
        realised_quote=desk.ledger.realised(desk.account),
        unrealised_quote=held - sum((position.cost_quote for position in positions), Decimal(0)),
        fees_quote=desk.ledger.fees_paid(desk.account),
        peak_quote=cash + held,
    )


def managed_cash(desk: Desk, reading: AccountReading) -> Decimal:
    """Cash as the ledger has booked it, like the positions: a fill that it does not know yet counts on neither side.

    The exchange's own balance beside the ledger's positions would count a sale twice until it is booked, and the
    peak that drawdowns are measured from would keep the mistake.
    """
    quote = desk.settings.market.quote_asset
    return desk.ledger.expected_balances(desk.account).get(quote, reading.total(quote))


def positions_quote(positions: Iterable[Position], tops: Mapping[str, BookTop]) -> Decimal:
    """Positions at best bid; one without a bid counts at its average cost, never at 0."""
    held = list(positions)
    at = marks(held, tops)
    return sum((position.amount * at[position.symbol] for position in held), Decimal(0))


def marks(positions: Iterable[Position], tops: Mapping[str, BookTop]) -> dict[str, Decimal]:
    """Symbol -> what a held coin counts for, in quote: the best bid, else what it cost on average."""
    found: dict[str, Decimal] = {}
    for position in positions:
        top = tops.get(position.symbol)
        found[position.symbol] = top.bid if top and top.bid > 0 else (position.average_price or Decimal(0))
    return found
