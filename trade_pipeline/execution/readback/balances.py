"""What the account holds against what the ledger explains; nothing here writes."""

from __future__ import annotations

from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.readback.sanity import bad_balances
from trade_pipeline.schemas.trading import AccountReading


def residuals_of(desk: Desk, reading: AccountReading) -> dict[str, Decimal]:
    """Asset -> what the exchange has beyond opening + flows + fills - fees (RELIABILITY invariant 1).

    An asset whose balance is impossible has none: the sanity of the answer is another question.
    """
    expected = desk.ledger.expected_balances(desk.account)
    assets = (set(expected) | set(reading.balances)) - set(bad_balances(reading))
    gaps = {asset: reading.total(asset) - expected.get(asset, Decimal(0)) for asset in assets}
    return {asset: gap for asset, gap in sorted(gaps.items()) if gap != 0}


def shortfalls_of(desk: Desk, reading: AccountReading) -> dict[str, Decimal]:
    """Symbol -> by how much its managed position exceeds what the account holds (RELIABILITY statement 27)."""
    held = desk.ledger.positions(desk.account)
    bad = bad_balances(reading)
    gaps = {
        p.symbol: p.amount - reading.total(base)
        for p in held
        if p.updated_at < reading.at and (base := p.symbol.split("/")[0]) not in bad
    }
    return {symbol: gap for symbol, gap in gaps.items() if gap > 0}
