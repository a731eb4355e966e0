"""The account read back: open orders, fills, balances; UNKNOWN resolved; what nobody explains is named.

Two passes at most. Nothing here sends or cancels: repeating it with a still market changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.errors import OrderNotFound, VenueError
from trade_pipeline.execution.desk import EVERY, Desk
from trade_pipeline.execution.forgotten import adopt_forgotten
from trade_pipeline.execution.ids import is_ours
from trade_pipeline.execution.journal import unbooked_files
from trade_pipeline.execution.locks import lock_after_exit, lock_if_stopped
from trade_pipeline.execution.submit import apply, book_new_trades, halt
from trade_pipeline.ledger.records import Event, Order
from trade_pipeline.schemas.trading import AccountReading, OrderState, Role, VenueOrder

LOOK_UPS_BEFORE_ABSENT = 3
LOOK_UP_LAG_S = 5.0
"""How long after its acceptance bound an order may still be missing from look-ups."""
PLANNED_S_MAX = 2.0
"""A PLANNED order older than this belongs to a sender that died before it sent. One that merely stood still finds it
abandoned when it wakes, and sends nothing: a short time does no harm, and until then nobody else protects."""
MISSING_COINS = "coins are missing"
NOT_FOUND = "look_up_empty"
"""Kind of the event that counts an empty look-up."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What one reconciliation saw. `residuals`: asset -> exchange less ledger, in units of the asset."""

    reading: AccountReading
    open_orders: tuple[VenueOrder, ...]
    new_fills: int
    changed: tuple[str, ...]
    residuals: dict[str, Decimal] = field(default_factory=dict)
    shortfalls: dict[str, Decimal] = field(default_factory=dict)
    """Symbol -> managed base amount that is not in the account: somebody sold it by hand."""


def reconcile(desk: Desk, *, at_start: bool = False, full: bool = False) -> Reconciliation:
    """Bring the ledger up to the exchange. `at_start`: every SENT is UNKNOWN. `full`: trades of every known symbol."""
    reading = desk.venue.account()
    desk.ledger.record_opening(desk.account, reading)
    open_orders = desk.venue.open_orders()
    live = desk.ledger.live_orders(desk.account)
    changed = _apply_open(desk, open_orders, live)
    seen = {order.client_order_id for order in open_orders}
    changed |= _resolve_missing(desk, [order for order in live if order.client_order_id not in seen], at_start)
    fills = _book(desk, _symbols_to_read(desk, reading, changed, full), full)
    residuals = residuals_of(desk, reading)
    if residuals:
        # A fill between the two readings looks like a residual: read once more before believing it.
        reading = desk.venue.account()
        fills += _book(desk, _symbols_to_read(desk, reading, set(), True), full)
        residuals = residuals_of(desk, reading)
    for order in live:
        if order.role == Role.PROTECT:
            # A stop may have been filled by trades that were read for another reason than its look-up.
            lock_if_stopped(desk, order, desk.ledger.order(order.client_order_id) or order)
    return Reconciliation(
        reading, tuple(open_orders), fills, tuple(sorted(changed)), residuals, shortfalls_of(desk, reading)
    )


def residuals_of(desk: Desk, reading: AccountReading) -> dict[str, Decimal]:
    """Asset -> what the exchange has beyond opening + flows + fills - fees (RELIABILITY invariant 1)."""
    expected = desk.ledger.expected_balances(desk.account)
    assets = set(expected) | set(reading.balances)
    gaps = {asset: reading.total(asset) - expected.get(asset, Decimal(0)) for asset in assets}
    return {asset: gap for asset, gap in sorted(gaps.items()) if gap != 0}


def shortfalls_of(desk: Desk, reading: AccountReading) -> dict[str, Decimal]:
    """Symbol -> by how much its managed position exceeds what the account holds (RELIABILITY statement 27)."""
    held = desk.ledger.positions(desk.account)
    gaps = {p.symbol: p.amount - reading.total(p.symbol.split("/")[0]) for p in held if p.updated_at < reading.at}
    return {symbol: gap for symbol, gap in gaps.items() if gap > 0}


def _apply_open(desk: Desk, open_orders: Iterable[VenueOrder], live: Iterable[Order]) -> set[str]:
    known = {order.client_order_id: order for order in live}
    changed: set[str] = set()
    for found in open_orders:
        before = known.get(found.client_order_id) or desk.ledger.order(found.client_order_id)
        if before is None:
            if is_ours(found.client_order_id, desk.prefix) and not unbooked_files(desk.home):
                halt(desk, found.symbol, f"order {found.client_order_id} has our prefix and no intent", None)
            continue
        if before.state == OrderState.PLANNED:
            continue  # Its sender is between commit and answer; SENT is what it writes before it sends.
        if before.state != found.state or before.filled != found.filled or before.venue_order_id is None:
            apply(desk, found, "listed as open")
            changed.add(found.symbol)
    return changed


def _resolve_missing(desk: Desk, orders: Iterable[Order], at_start: bool) -> set[str]:
    changed: set[str] = set()
    for known in orders:
        order = known
        if order.state == OrderState.PLANNED:
            if desk.now() - order.planned_at > timedelta(seconds=PLANNED_S_MAX):
                desk.ledger.abandon(order.client_order_id, "its sender died before it sent")
            continue
        if order.state == OrderState.SENT:
            if not at_start and not _is_overdue(desk, order):
                continue
            order = desk.ledger.mark_unknown(order.client_order_id, "sent, and no answer was recorded")
        if _look_up(desk, order):
            changed.add(order.symbol)
    return changed


def _is_overdue(desk: Desk, order: Order) -> bool:
    """Whether a SENT order is older than any request that could still be under way."""
    bound_s = desk.settings.execution.recv_window_ms / 1000 + desk.settings.market.request_timeout_s + LOOK_UP_LAG_S
    return order.sent_at is None or desk.now() - order.sent_at > timedelta(seconds=bound_s)


def _look_up(desk: Desk, order: Order) -> bool:
    try:
        found = desk.venue.order(order.symbol, order.client_order_id)
    except OrderNotFound:
        return _not_found(desk, order)
    except VenueError:
        return False  # A network error is no evidence: the state stays (RELIABILITY invariant 18).
    _lock_after_protective_exit(desk, order, found)
    apply(desk, found, "looked up by client order id")
    return True


def _not_found(desk: Desk, order: Order) -> bool:
    """ABSENT only beyond the acceptance bound and lag, after three empty look-ups and without unexplained balances."""
    if order.state != OrderState.UNKNOWN:
        return False
    events = desk.ledger.events(desk.account, order.sent_at, limit=1000)
    named = order.client_order_id
    empty = 1 + sum(event.kind == NOT_FOUND and event.client_order_id == named for event in events)
    if empty <= LOOK_UPS_BEFORE_ABSENT:
        severity = "warning" if empty == 1 else "info"
        desk.ledger.record_event(Event(desk.now(), NOT_FOUND, severity, desk.account, order.symbol, None, named))
    if empty < LOOK_UPS_BEFORE_ABSENT or not _is_overdue(desk, order):
        return False
    book_new_trades(desk, order.symbol)
    if residuals_of(desk, desk.venue.account()).keys() & set(order.symbol.split("/")):
        return False
    desk.ledger.mark_absent(order.client_order_id, "never reached the exchange: bound passed, balances unchanged")
    return True


def _lock_after_protective_exit(desk: Desk, order: Order, found: VenueOrder) -> None:
    """TRADING 13: written before the fill is booked, so that no plan sees the sale without the lock."""
    if order.role != Role.PROTECT or found.filled <= 0:
        return
    lock_after_exit(desk, order)


def _symbols_to_read(desk: Desk, reading: AccountReading, changed: set[str], full: bool) -> set[str]:
    """Trades cost weight: read them only where balance or orders changed (TRADING, the simulated Binance)."""
    quote = desk.settings.market.quote_asset
    gaps = residuals_of(desk, reading)
    bases = {f"{asset}/{quote}" for asset in gaps if asset != quote}
    if not full and (bases or not gaps):
        return changed | bases
    known = {position.symbol for position in desk.ledger.positions(desk.account)}
    recent = {order.symbol for order in desk.ledger.orders(desk.account, desk.now() - timedelta(hours=1))}
    return changed | bases | known | recent


def _book(desk: Desk, symbols: Iterable[str], full: bool) -> int:
    listed = desk.venue.markets()
    booked = {symbol: book_new_trades(desk, symbol) for symbol in sorted(symbols) if symbol in listed}
    adopt_forgotten(desk, [symbol for symbol, count in booked.items() if count or full])
    return sum(booked.values())


def judge_shortfalls(desk: Desk, shortfalls: dict[str, Decimal], before: dict[str, Decimal]) -> None:
    """Coins that are missing twice in a row halt the symbol's entries until they are there again."""
    halts = desk.halts()
    for symbol in shortfalls.keys() & before.keys():
        halt(desk, symbol, f"{MISSING_COINS}: {shortfalls[symbol]:f} of the position were sold or moved by hand")
    for symbol, reason in halts.items():
        if symbol not in shortfalls and reason.startswith(MISSING_COINS):
            desk.ledger.unlock(desk.account, EVERY, symbol)


def judge_residuals(desk: Desk, residuals: dict[str, Decimal], before: dict[str, Decimal]) -> None:
    """A residual seen twice in a row halts entries until it is explained; one that is gone lifts its halt."""
    lasting = {asset: gap for asset, gap in residuals.items() if before.get(asset) == gap}
    halted = desk.halts().get(EVERY)
    if lasting and halted is None:
        text = ", ".join(f"{asset} {gap:+f}" for asset, gap in lasting.items())
        halt(desk, EVERY, f"balances differ from the ledger: {text}")
    elif not residuals and halted is not None and halted.startswith("balances differ"):
        desk.ledger.unlock(desk.account, EVERY, EVERY)
        detail = {"reason": "balances equal the ledger again"}
        desk.ledger.record_event(Event(desk.now(), "entries_resumed", "info", desk.account, detail=detail))
