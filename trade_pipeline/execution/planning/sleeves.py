"""Which strategies an order trades for, and for how much of it each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trade_pipeline.schemas.trading import Side


def sleeve_shares(
    wanted: Mapping[str, Decimal], held: Mapping[str, Decimal], strategy: str, side: Side
) -> dict[str, Decimal]:
    """Whose trade it is: each strategy's part of the difference between wanted and held sleeves; adds up to 1.

    Only differences in the order's direction count; the last strategy takes what rounding leaves.
    """
    sign = 1 if side == Side.BUY else -1
    names = sorted(set(wanted) | set(held))
    gaps = {name: sign * (wanted.get(name, Decimal(0)) - held.get(name, Decimal(0))) for name in names}
    gaps = {name: gap for name, gap in gaps.items() if gap > 0}
    total = sum(gaps.values(), Decimal(0))
    if total <= 0:
        return {strategy or "unattributed": Decimal(1)}
    *first, last = sorted(gaps)
    shares = {name: (gaps[name] / total).quantize(Decimal("1e-12")) for name in first}
    shares[last] = 1 - sum(shares.values(), Decimal(0))
    return shares
