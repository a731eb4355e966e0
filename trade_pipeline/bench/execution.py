"""What execution and ledger can do: trades sent, positions reconciled, targets planned, fills booked, rows proven.

The floors are 2,000 position updates and 20 trades a minute, the aim is 1,000 updates a second. Everything is the
real code on a real PostgreSQL that syncs each commit to its disk; only the exchange is a table in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from trade_pipeline.bench.bookkeeping import UPDATES_PER_MIN_FLOOR, UPDATES_PER_S_AIM, Sizes, measure_bookkeeping
from trade_pipeline.bench.desk import entry, in_haste, open_desk, partial_exit, stop, targets_for
from trade_pipeline.bench.measure import Report
from trade_pipeline.bench.still_venue import StillVenue
from trade_pipeline.execution.conflicts.compare import compare
from trade_pipeline.execution.conflicts.settle import sides_of
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.planning.plan import plan_orders
from trade_pipeline.execution.planning.situation import situation_now
from trade_pipeline.execution.readback.reconcile import Reconciliation, reconcile
from trade_pipeline.execution.sending.submit import send
from trade_pipeline.ledger.records import Intent
from trade_pipeline.schemas.trading import OrderRequest

TRADES_PER_MIN_FLOOR = 20.0
AMOUNT = Decimal(10)
LEASE_S = 600.0


def measure_execution(ledger_url: str, tell: Callable[[str], None], sizes: Sizes | None = None) -> Report:
    """All rows, on an empty migrated ledger that is thrown away afterwards."""
    sizes = sizes or Sizes()
    report = Report("execution", tell)
    with open_desk(ledger_url, sizes.positions) as (desk, venue):
        _trades(report, desk, venue.symbols[: sizes.trades])
        with in_haste(desk.ledger, ledger_url):
            _send(desk, venue.symbols[sizes.trades :], entry, AMOUNT)
            _send(desk, venue.symbols, stop, AMOUNT / 2)
        _plan(report, desk, venue)
        with in_haste(desk.ledger, ledger_url):
            _send(desk, venue.symbols, partial_exit, AMOUNT / 4)
        quiet = _reconcile_quiet(report, desk, venue)
        _reconcile_moved(report, desk, venue, quiet)
        measure_bookkeeping(report, desk.ledger, ledger_url, venue.symbols, sizes)
    report.summary = {
        "updates_per_s": round(report.named("reconcile moved").per_s, 1),
        "fills_per_s": round(report.named("book").per_s, 1),
        "trades_per_min": round(report.named("trade").per_s * 60, 1),
    }
    return report


def _trades(report: Report, desk: Desk, symbols: Sequence[str]) -> None:
    """Intent, order, lease, request, answer, fill: the whole way of a trade, synced to the disk at each step."""
    with report.row("trade", len(symbols), "trades", floor_per_min=TRADES_PER_MIN_FLOOR):
        _send(desk, symbols, entry, AMOUNT)


def _send(
    desk: Desk,
    symbols: Sequence[str],
    make: Callable[[Desk, str, Decimal], tuple[Intent, OrderRequest]],
    amount: Decimal,
) -> None:
    lease = desk.ledger.acquire_lease(desk.account, "bench", LEASE_S)
    for symbol in symbols:
        send(desk, lease, *make(desk, symbol, amount))
    desk.ledger.release_lease(lease)


def _reconcile_quiet(report: Report, desk: Desk, venue: StillVenue) -> Reconciliation:
    count = len(venue.symbols)
    with report.row("reconcile quiet", count, "positions", floor_per_min=UPDATES_PER_MIN_FLOOR):
        quiet = reconcile(desk)
    assert not quiet.residuals and quiet.new_fills == 0, "nothing has moved"
    _compare(report, desk, quiet)
    return quiet


def _reconcile_moved(report: Report, desk: Desk, venue: StillVenue, quiet: Reconciliation) -> None:
    """Every position was sold in part since the last look: read, booked, folded into position, sleeves and balance."""
    count = len(venue.symbols)
    for order in venue.open_orders():
        if order.stop_price is None:
            venue.trade(order, Decimal(1))
    with report.row(
        "reconcile moved", count, "updates", floor_per_min=UPDATES_PER_MIN_FLOOR, aim_per_s=UPDATES_PER_S_AIM
    ):
        moved = reconcile(desk, before=quiet)
    assert len(moved.changed) == count and not moved.residuals, "every position has moved, and all of it is explained"


def _compare(report: Report, desk: Desk, quiet: Reconciliation) -> None:
    sides = sides_of(desk, quiet)
    with report.row("compare", len(sides.positions), "positions"):
        found = compare(sides)
    assert not [finding for finding in found if finding.kind != "protection_missing"], found


def _plan(report: Report, desk: Desk, venue: StillVenue) -> None:
    """Every position is to grow, and every target has an order of its own."""
    targets = targets_for(desk, venue.symbols, "bench-decision", AMOUNT * 2)
    settings = desk.settings
    with report.row("read for a plan", len(targets), "targets"):
        situation = situation_now(desk, targets, None)
    with report.row("plan", len(targets), "targets", floor_per_min=UPDATES_PER_MIN_FLOOR):
        plan = plan_orders(targets, situation, settings.execution, settings.exits, settings.portfolio)
    assert len(plan.orders) == len(targets), next(iter(plan.verdicts.values()))
