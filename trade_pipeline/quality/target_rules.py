"""Defects of targets against the account and the settings: the last look before anything is planned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation, localcontext

import polars as pl

from trade_pipeline.quality.failures import failures, no_failures
from trade_pipeline.schemas.trading import AccountSnapshot
from trade_pipeline.settings.trading import PortfolioSettings

RULE = "targets_within_limits"
ROUNDING = Decimal("1e-9")
"""Relative slack for quantities that were divided by a price and rounded down."""


def targets_within_limits(
    targets: pl.DataFrame,
    *,
    as_of: datetime,
    expected: Sequence[str],
    snapshot: AccountSnapshot,
    settings: PortfolioSettings,
) -> pl.DataFrame:
    """FAILURES of a TARGETS frame: rows per symbol, kinds, numbers, weights, the total, sleeves.

    `expected` is what needs a row beside all that is held or has open orders. Weights are computed anew from
    quantity, price and the snapshot's equity; the column `weight` is not believed.
    """
    found = [
        *_coverage(targets, expected, snapshot),
        *(defect for row in targets.iter_rows(named=True) for defect in _row_defects(row, as_of, snapshot, settings)),
        *_total(targets, snapshot, settings),
    ]
    if not found:
        return no_failures()
    rows = pl.DataFrame(
        found, schema=dict.fromkeys(("symbol", "_column", "_value", "_limit", "_message"), pl.String()), orient="row"
    )
    return failures(
        rows,
        RULE,
        column=pl.col("_column"),
        value=pl.col("_value"),
        limit=pl.col("_limit"),
        message=pl.col("_message"),
    )


Defect = tuple[str | None, str, str, str, str]
"""symbol, column, value, limit, message."""


def _coverage(targets: pl.DataFrame, expected: Sequence[str], snapshot: AccountSnapshot) -> list[Defect]:
    """Exactly one row for every symbol in (expected, held, with open orders)."""
    counts: dict[str, int] = dict(targets.group_by("symbol").len().iter_rows())
    exposed = {
        symbol for part in (snapshot.positions, snapshot.open_entries) for symbol, amount in part.items() if amount
    }
    return [
        (symbol, "symbol", str(counts.get(symbol, 0)), "1", f"{symbol} has {counts.get(symbol, 0)} targets, not one")
        for symbol in sorted({*expected, *exposed, *counts})
        if counts.get(symbol, 0) != 1
    ]


def _row_defects(
    row: dict[str, object], as_of: datetime, snapshot: AccountSnapshot, settings: PortfolioSettings
) -> list[Defect]:
    """What is wrong with one target by itself."""
    symbol, kind, quantity = str(row["symbol"]), row["kind"], row["quantity"]
    found: list[Defect] = []
    if row["as_of"] != as_of:
        found.append((symbol, "as_of", str(row["as_of"]), str(as_of), f"{symbol} was decided for another bar"))
    for name in ("score", "weight"):
        number = row[name]
        if isinstance(number, float) and not abs(number) < float("inf"):
            found.append((symbol, name, str(number), "a number", f"{symbol} has {name} {number}"))
    fits = {
        "SET": isinstance(quantity, Decimal) and quantity > 0,
        "FLAT": isinstance(quantity, Decimal) and quantity == 0,
        "HOLD": quantity is None,
    }.get(str(kind), False)
    if not fits:
        limit = "SET above 0, FLAT 0, HOLD none"
        found.append((symbol, "quantity", str(quantity), limit, f"{symbol} is {kind} with quantity {quantity}"))
    elif kind == "SET":
        found += _size_defects(row, snapshot, settings)
    return found


def _size_defects(row: dict[str, object], snapshot: AccountSnapshot, settings: PortfolioSettings) -> list[Defect]:
    """Price, weight and sleeves of a SET."""
    symbol, quantity, price = str(row["symbol"]), row["quantity"], row["price"]
    assert isinstance(quantity, Decimal), f"{symbol}: checked by the caller"
    if not isinstance(price, Decimal) or price <= 0:
        return [(symbol, "price", str(price), "> 0", f"{symbol} is SET without a price")]
    found: list[Defect] = []
    with localcontext(prec=60):
        allowed = snapshot.equity_quote * settings.position_weight_max
        if quantity * price > allowed * (1 + ROUNDING):
            text = f"{symbol} is worth {quantity * price:.2f}, above {allowed:.2f} for one symbol"
            found.append((symbol, "quantity", f"{quantity * price:.4f}", f"<= {allowed:.4f}", text))
    added = _sleeves_total(row["sleeves"])
    if added != quantity:
        text = f"{symbol}: the sleeves add up to {added}, the target is {quantity}"
        found.append((symbol, "sleeves", str(added), str(quantity), text))
    return found


def _sleeves_total(text: object) -> Decimal | None:
    """Sum of the sleeves' quantities, or None where they cannot be read or one is negative."""
    try:
        amounts = [Decimal(amount) for amount in json.loads(str(text)).values()]
    except (ValueError, AttributeError, TypeError, InvalidOperation):
        return None
    if any(not amount.is_finite() or amount < 0 for amount in amounts):
        return None
    return sum(amounts, Decimal(0))


def _total(targets: pl.DataFrame, snapshot: AccountSnapshot, settings: PortfolioSettings) -> list[Defect]:
    """SETs and what HOLD symbols hold, together, unless nothing is increased."""
    total, increases = Decimal(0), False
    with localcontext(prec=60):
        for symbol, kind, quantity, price in targets.select("symbol", "kind", "quantity", "price").iter_rows():
            held = snapshot.positions.get(symbol, Decimal(0))
            held += max(snapshot.open_entries.get(symbol, Decimal(0)), Decimal(0))
            mark = price if price is not None else snapshot.marks.get(symbol, Decimal(0))
            if kind == "SET" and quantity is not None:
                total += quantity * mark
                increases = increases or quantity > held
            elif kind == "HOLD":
                total += max(held, Decimal(0)) * mark
        allowed = snapshot.equity_quote * settings.total_weight_max
        if not increases or total <= allowed * (1 + ROUNDING):
            return []
    text = f"all targets together are worth {total:.2f}, above {allowed:.2f}, and some buy more"
    return [(None, "quantity", f"{total:.4f}", f"<= {allowed:.4f}", text)]
