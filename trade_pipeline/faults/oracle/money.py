"""Balances, positions, profit and sleeves: invariants 1, 2, 24, 25 and 27."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from trade_pipeline.faults.oracle.book import FillRow
from trade_pipeline.faults.oracle.breakers import WHOLE_ACCOUNT, entries_are_stopped
from trade_pipeline.faults.oracle.case import Case
from trade_pipeline.faults.oracle.violations import Violation

ZERO = Decimal(0)
BALANCE_FLOWS = frozenset({"opening", "deposit", "withdrawal", "conversion", "reward", "funding", "residual"})
"""Flows that move a balance. Adoptions and adjustments only say which coins are managed."""
MANAGING_FLOWS = frozenset({"adoption", "adjustment"})
PROFIT_TOLERANCE = Decimal("1e-12")
"""Share of the turnover that may be lost to the division of an average cost, which no decimal holds exactly."""


def invariant_01_every_balance_is_explained(case: Case) -> Iterator[Violation]:
    """Opening + typed flows + fills - fees = free + locked, per asset, exactly. Judged when all is quiet.

    What somebody else put in or took out may stay unexplained only while entries are halted because of it, or where
    it is less than a step of the asset's market, and only to the last digit of what was moved: a fill that is missing
    or counted twice is never excused.
    """
    if not case.quiet:
        return
    explained, moved = booked_balances(case), moved_by_others(case)
    for asset in sorted(explained.keys() | set(case.truth.engine.state.balances.assets())):
        gap = case.truth.total(asset) - explained.get(asset, ZERO)
        halted = any(entries_are_stopped(case.book, symbol, case.now) for symbol in _symbols_of(case, asset))
        excused = halted or abs(gap) < step_of(case, asset)
        if gap != 0 and not (excused and gap == moved[asset]):
            yield Violation(
                "invariant_01",
                "opening + flows + fills - fees = free + locked",
                asset,
                f"the ledger explains {explained.get(asset, ZERO)}, the exchange holds {case.truth.total(asset)}, "
                f"others moved {moved[asset]} that no flow books, entries are {'halted' if halted else 'not halted'}",
            )


def invariant_02_managed_position_is_our_fills_and_adoptions(case: Case) -> Iterator[Violation]:
    """Position = signed fills of our orders + adoptions - fees in that asset, from the ledger's own rows."""
    expected = managed_positions(case)
    rows = {row.symbol: row.amount for row in case.book.positions}
    for symbol in sorted(expected.keys() | rows.keys()):
        if expected.get(symbol, ZERO) != rows.get(symbol, ZERO):
            yield Violation(
                "invariant_02",
                "managed position = signed fills + adoptions - fees in that asset",
                symbol,
                f"fills and flows give {expected.get(symbol, ZERO)}, the position says {rows.get(symbol, ZERO)}",
            )


def invariant_24_profit_fees_and_flows_explain_the_equity(case: Case) -> Iterator[Violation]:
    """Change of equity = realised + unrealised - fees + flows.

    The mark cancels out: what our fills moved in quote must equal realised - cost of what is held - fees. That holds
    for every way to account for a fee in base, as long as it is counted once.
    """
    moved, turnover, open_cases = _quote_moved(case)
    for row in case.book.positions:
        if row.symbol in open_cases:
            continue
        said = row.realised_total_quote - row.cost_quote - row.fees_total_quote
        if abs(said - moved[row.symbol]) > PROFIT_TOLERANCE * (turnover[row.symbol] + 1):
            yield Violation(
                "invariant_24",
                "change of equity = realised + unrealised - fees + flows",
                row.symbol,
                f"fills moved {moved[row.symbol]} of quote, realised - cost - fees says {said}",
            )


def invariant_25_sleeves_add_up_to_the_position(case: Case) -> Iterator[Violation]:
    """The strategies' sleeves of a symbol add up to its managed position."""
    sleeves: dict[str, Decimal] = defaultdict(Decimal)
    for row in case.book.sleeves:
        sleeves[row.symbol] += row.amount
    rows = {row.symbol: row.amount for row in case.book.positions}
    for symbol in sorted(sleeves.keys() | rows.keys()):
        if sleeves.get(symbol, ZERO) != rows.get(symbol, ZERO):
            yield Violation(
                "invariant_25",
                "sleeves add up to the managed position",
                symbol,
                f"sleeves hold {sleeves.get(symbol, ZERO)}, the position {rows.get(symbol, ZERO)}",
            )


def invariant_27_nothing_is_below_zero(case: Case) -> Iterator[Violation]:
    """No free or locked balance, no booked cash, position or sleeve below 0."""
    balances = case.truth.engine.state.balances
    found = [(asset, "free at the exchange", balances.free(asset)) for asset in balances.assets()]
    found += [(asset, "locked at the exchange", balances.locked(asset)) for asset in balances.assets()]
    found += [(row.symbol, "position", row.amount) for row in case.book.positions]
    found += [(f"{row.symbol} {row.strategy}", "sleeve", row.amount) for row in case.book.sleeves]
    for subject, name, amount in found:
        if amount < 0:
            yield Violation("invariant_27", "no balance below 0", subject, f"{name} is {amount}")


def booked_balances(case: Case) -> dict[str, Decimal]:
    """Asset -> what the ledger's flows and fills add up to."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for flow in case.book.flows:
        if flow.kind in BALANCE_FLOWS:
            sums[flow.asset] += flow.amount
    for fill in case.book.fills:
        base, quote = fill.symbol.split("/")
        sign = _sign(fill)
        sums[base] += sign * fill.amount
        sums[quote] -= sign * fill.amount * fill.price
        sums[fill.fee_asset] -= fill.fee
    return sums


def moved_by_others(case: Case) -> dict[str, Decimal]:
    """Asset -> what came in or went out without a trade and without a flow of the ledger's that books it."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for asset in case.truth.engine.state.balances.assets():
        sums[asset] += case.truth.total(asset)
    for flow in case.book.flows:
        if flow.kind in BALANCE_FLOWS:
            sums[flow.asset] -= flow.amount
    for trade in case.truth.trades.values():
        base, quote = trade.symbol.split("/")
        sign = 1 if trade.side == "buy" else -1
        sums[base] -= sign * trade.amount
        sums[quote] += sign * trade.amount * trade.price
        sums[trade.fee_asset] += trade.fee
    return sums


def managed_positions(case: Case) -> dict[str, Decimal]:
    """Symbol -> managed amount, from the fills of our orders, their fees, adoptions and adjustments."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for fill in our_fills(case):
        sums[fill.symbol] += _sign(fill) * fill.amount
        fees[fill.fee_asset] += fill.fee
    for flow in case.book.flows:
        if flow.kind in MANAGING_FLOWS and flow.symbol is not None:
            sums[flow.symbol] += flow.amount
    return {symbol: amount - fees.get(case.truth.base(symbol), ZERO) for symbol, amount in sums.items()}


def our_fills(case: Case) -> list[FillRow]:
    """Booked fills that belong to an order of ours."""
    ours = {(order.symbol, order.venue_order_id) for order in case.book.orders}
    return [fill for fill in case.book.fills if (fill.symbol, fill.venue_order_id) in ours]


def _quote_moved(case: Case) -> tuple[dict[str, Decimal], dict[str, Decimal], set[str]]:
    """Symbol -> quote that our fills moved, fees valued; -> turnover; symbols where a value is not known (yet)."""
    moved: dict[str, Decimal] = defaultdict(Decimal)
    turnover: dict[str, Decimal] = defaultdict(Decimal)
    unknown: set[str] = set()
    for fill in our_fills(case):
        base, quote = fill.symbol.split("/")
        if fill.fee_asset not in {base, quote}:
            unknown.add(f"{fill.fee_asset}/{quote}")  # its own position pays fees of others
        moved[fill.symbol] -= _sign(fill) * fill.amount * fill.price
        turnover[fill.symbol] += fill.amount * fill.price
        if fill.fee_asset == quote:
            moved[fill.symbol] -= fill.fee
        elif fill.fee_asset != base and fill.fee_quote is None:
            unknown.add(fill.symbol)
        elif fill.fee_asset != base:
            moved[fill.symbol] -= fill.fee_quote or ZERO
    for flow in case.book.flows:
        if flow.kind in MANAGING_FLOWS and flow.symbol is not None:
            if flow.price is None:
                unknown.add(flow.symbol)
            moved[flow.symbol] -= flow.amount * (flow.price or ZERO)
    return moved, turnover, unknown


def step_of(case: Case, asset: str) -> Decimal:
    """The smallest amount of the asset that any market of it trades; 0 where it is no base."""
    return min((spec.step for spec in case.truth.engine.specs.values() if spec.base == asset), default=ZERO)


def _symbols_of(case: Case, asset: str) -> list[str]:
    """Symbols whose base it is; any symbol for an asset that is no base, as the quote asset."""
    symbols = [symbol for symbol in case.truth.engine.specs if symbol.split("/", maxsplit=1)[0] == asset]
    return symbols or [WHOLE_ACCOUNT]


def _sign(fill: FillRow) -> int:
    return 1 if fill.side == "buy" else -1
