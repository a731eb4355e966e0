"""What trading has made of the equity, when money also comes and goes. Pure.

Profit net of fees (realised + unrealised - fees) moves with trading only. What the equity changed beyond it is a flow:
a deposit, a withdrawal, a trade by hand, coins adopted or released (RELIABILITY invariant 24). So no list of flows is
needed, and none can be missing from it.
"""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.ledger.records import EquityPoint

ROUNDING_QUOTE = Decimal("0.000001")
"""Below this a flow is what average costs leave when they are cut."""


def net_profit(point: EquityPoint) -> Decimal:
    """Profit of trading since the opening, net of fees, in quote."""
    return point.realised_quote + point.unrealised_quote - point.fees_quote


def flow_between(before: EquityPoint, after: EquityPoint) -> Decimal:
    """Quote that came (positive) or went (negative) between two points without being made or lost."""
    flow = (after.equity_quote - before.equity_quote) - (net_profit(after) - net_profit(before))
    return flow if abs(flow) > ROUNDING_QUOTE else Decimal(0)


def change_ratio(before: EquityPoint, after: EquityPoint) -> Decimal:
    """What trading made of the money that was there, as a share of it; -1 when all of it was lost.

    Money that came in between counts as there from the start, money that went as there until the end: chaining these
    is the time-weighted return. 0 where no money was there.
    """
    invested = before.equity_quote + max(flow_between(before, after), Decimal(0))
    if invested <= 0:
        return Decimal(0)
    return max((net_profit(after) - net_profit(before)) / invested, Decimal(-1))


def carried_peak(before: EquityPoint | None, after: EquityPoint) -> Decimal:
    """The peak to compare `after` with, in quote: the one before, scaled by what a flow did to the equity.

    Who withdraws half of the money has half of the peak left, and so the same drawdown. An account that was empty
    begins anew.
    """
    if before is None:
        return after.equity_quote
    peak = max(before.peak_quote, before.equity_quote)
    flow = flow_between(before, after)
    if flow:
        had = before.equity_quote if flow > 0 else after.equity_quote - flow
        if had <= 0 or had + flow <= 0:
            return after.equity_quote
        peak *= (had + flow) / had
    return max(peak, after.equity_quote)
