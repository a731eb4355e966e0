"""The account read back: open orders, fills, balances; UNKNOWN resolved; what nobody explains is named.

Two passes at most. Nothing here sends or cancels: repeating it with a still market changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.ids import is_ours
from trade_pipeline.execution.locks import lock_if_stopped
from trade_pipeline.execution.readback.balances import residuals_of, shortfalls_of
from trade_pipeline.execution.readback.forgotten import LOOK_BACK, adopt_forgotten, take_in
from trade_pipeline.execution.readback.look_up import look_up_all
from trade_pipeline.execution.readback.sanity import BadOrder, bad_balances, sort_orders, with_expected
from trade_pipeline.execution.readback.take_over import apply_all, book_all_new, list_open
from trade_pipeline.execution.recovery import count
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import PROTECTIVE, AccountReading, OrderState, VenueOrder

__all__ = ["Reconciliation", "reconcile", "residuals_of", "shortfalls_of"]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one reconciliation saw. `residuals`: asset -> exchange less ledger, in units of the asset."""

    reading: AccountReading
    """With the ledger's own balance where the exchange's is impossible."""
    open_orders: tuple[VenueOrder, ...]
    new_fills: int
    changed: tuple[str, ...]
    residuals: dict[str, Decimal] = field(default_factory=dict)
    shortfalls: dict[str, Decimal] = field(default_factory=dict)
    """Symbol -> managed base amount that is not in the account: somebody sold it by hand."""
    denied: tuple[str, ...] = ()
    """Client order ids of live orders that the exchange acknowledged once and now says it has not."""
    bad_balances: Mapping[str, str] = field(default_factory=dict)
    """Asset -> what is wrong with its balance."""
    bad_orders: tuple[BadOrder, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Symbol -> why its open orders or its trades cannot be read. Nothing was assumed of it; the others went on."""


def reconcile(
    desk: Desk, *, at_start: bool = False, full: bool = False, before: Reconciliation | None = None
) -> Reconciliation:
    """Bring the ledger up to the exchange. `at_start`: every SENT is UNKNOWN. `full`: trades of every known symbol.

    A quiet cycle costs one reading of the account and one list of open orders. What differs as it did `before` was
    looked into then: it costs no further reads until the next full sweep. Raises VenueError, LedgerUnavailable.
    """
    told = desk.venue.account()
    wrong = bad_balances(told)
    if not wrong and before is None:
        desk.ledger.record_opening(desk.account, told)
    listed, unreadable = list_open(desk, lambda: _known_symbols(desk))
    good, bad = sort_orders(listed)
    live = desk.ledger.live_orders(desk.account)
    changed = _apply_open(desk, good, live, unreadable)
    seen = {order.client_order_id for order in good} | {item.order.client_order_id for item in bad}
    looked_up = look_up_all(desk, [o for o in live if o.client_order_id not in seen], at_start=at_start)
    changed |= looked_up.changed
    residuals = residuals_of(desk, told)
    known_gaps = before.residuals if before is not None and not full else {}
    fills = _book(desk, _symbols_to_read(desk, _fresh(residuals, known_gaps), changed, full), full, unreadable)
    if fills or changed:
        residuals = residuals_of(desk, told)
    if _fresh(residuals, known_gaps):
        # A fill between the two readings looks like a residual: read once more before believing it.
        told = desk.venue.account()
        wrong = bad_balances(told)
        residuals = residuals_of(desk, told)
        fills += _book(desk, _symbols_to_read(desk, residuals, set(), False), True, unreadable)
        residuals = residuals_of(desk, told)
    _lock_what_was_stopped(desk, [order for order in live if order.role in PROTECTIVE])
    return Reconciliation(
        reading=with_expected(told, wrong, desk.ledger.expected_balances(desk.account) if wrong else {}),
        open_orders=tuple(good),
        new_fills=fills,
        changed=tuple(sorted(changed)),
        residuals=residuals,
        shortfalls=shortfalls_of(desk, told),
        denied=tuple(looked_up.denied),
        bad_balances=wrong,
        bad_orders=tuple(bad),
        unreadable=unreadable,
    )


def _known_symbols(desk: Desk) -> set[str]:
    """Symbols of which something is or may be ours."""
    held = {position.symbol for position in desk.ledger.positions(desk.account)}
    return held | {order.symbol for order in desk.ledger.live_orders(desk.account)}


def _apply_open(
    desk: Desk, open_orders: Iterable[VenueOrder], live: Iterable[Order], unreadable: dict[str, str]
) -> set[str]:
    known = {order.client_order_id: order for order in live}
    changed: set[str] = set()
    moved: list[tuple[VenueOrder, Order]] = []
    for found in open_orders:
        before = known.get(found.client_order_id)
        if before is None and is_ours(found.client_order_id, desk.prefix):
            before = desk.ledger.order(found.client_order_id)
            if before is None and take_in(desk, found):
                changed.add(found.symbol)
        if before is None or before.state == OrderState.PLANNED:
            continue  # PLANNED: its sender is between commit and answer; SENT is what it writes before it sends.
        if before.state != found.state or before.filled != found.filled or before.venue_order_id is None:
            moved.append((found, before))
            changed.add(found.symbol)
    unreadable |= apply_all(desk, moved, "listed as open")
    for _, before in moved:
        if before.state == OrderState.UNKNOWN:
            count(desk, "look_up", "OutcomeUnknown", "resolve", recovered=True)
    return changed


def _lock_what_was_stopped(desk: Desk, stops: Sequence[Order]) -> None:
    """A stop may have been filled by trades that were read for another reason than its look-up."""
    now = desk.ledger.orders_named(tuple(order.client_order_id for order in stops)) if stops else {}
    for order in stops:
        lock_if_stopped(desk, order, now.get(order.client_order_id, order))


def _fresh(gaps: Mapping[str, Decimal], before: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Residuals that are not as they were the last time."""
    return {asset: gap for asset, gap in gaps.items() if before.get(asset) != gap}


def _symbols_to_read(desk: Desk, gaps: Mapping[str, Decimal], changed: set[str], full: bool) -> set[str]:
    """Trades cost weight: read them only where balance or orders changed (TRADING, the simulated Binance)."""
    quote = desk.settings.market.quote_asset
    bases = {f"{asset}/{quote}" for asset in gaps if asset != quote}
    if not full and (bases or not gaps):
        return changed | bases
    known = {position.symbol for position in desk.ledger.positions(desk.account)}
    recent = {order.symbol for order in desk.ledger.orders(desk.account, desk.now() - timedelta(hours=1))}
    return changed | bases | known | recent


def _book(desk: Desk, symbols: Iterable[str], full: bool, unreadable: dict[str, str]) -> int:
    listed = desk.venue.markets()
    # A sweep looks behind the newest booked trade too: one by hand may lie before one of ours whose answer came first.
    since = desk.now() - LOOK_BACK if full else None
    booked, bad = book_all_new(desk, [symbol for symbol in symbols if symbol in listed], since=since)
    unreadable |= bad
    adopt_forgotten(desk, [symbol for symbol, count in booked.items() if count or full])
    return sum(booked.values())
