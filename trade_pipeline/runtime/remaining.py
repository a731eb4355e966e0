"""What a stop leaves on the exchange, and the stop policies. Works on what the exchange itself says."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal

from stamina.instrumentation import set_on_retry_hooks

from trade_pipeline.errors import LedgerError
from trade_pipeline.execution.control import read_positions
from trade_pipeline.execution.emergency.flatten import FlattenReport, flatten
from trade_pipeline.execution.rounding import is_dust
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.environment import exchange_url
from trade_pipeline.schemas.trading import OrderType, Side, VenueOrder
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import secrets_from
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.trading import StopPolicy
from trade_pipeline.venues.factory import trading_venue
from trade_pipeline.venues.protocols import TradingVenue

STOP_COVERS_RATIO = Decimal("0.98")
"""A stop is rounded down to the exchange's step, and a fee in the coin itself cannot be sold."""

_STOPS = (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)


def venue_of(home: Home, settings: Settings) -> TradingVenue:
    """The exchange as this home's stack trades on it, asked from a terminal: its retries are no lines for a person."""
    set_on_retry_hooks(())
    return trading_venue(settings, secrets_from(os.environ, home), exchange_url(settings), home.budgets)


def apply_policy(policy: StopPolicy, home: Home, settings: Settings, report: Callable[[str], None]) -> None:
    """`keep` leaves everything, `cancel_entries` cancels our resting buys, `flatten` sells our positions."""
    if policy == "cancel_entries":
        cancel_entries(home, settings, report)
    elif policy == "flatten":
        for line in flatten_home(home, settings).lines():
            report(line)


def flatten_home(home: Home, settings: Settings) -> FlattenReport:
    """Sells what is ours with nothing but the exchange, the home and the settings. Raises VenueError, GateClosed."""
    with closing(venue_of(home, settings)) as venue:
        return flatten(home, settings, venue)


def cancel_entries(home: Home, settings: Settings, report: Callable[[str], None]) -> None:
    """Cancels every resting buy of this installation. The guard books what was filled meanwhile."""
    with closing(venue_of(home, settings)) as venue:
        for order in our_orders(venue, settings):
            if order.side is Side.BUY:
                venue.cancel(order.symbol, order.client_order_id)
                report(f"cancelled the buy of {order.amount - order.filled} {order.symbol}")


def our_orders(venue: TradingVenue, settings: Settings) -> list[VenueOrder]:
    prefix = settings.execution.installation_prefix
    return [order for order in venue.open_orders() if order.client_order_id.startswith(prefix)]


def what_remains(home: Home, settings: Settings) -> list[str]:
    """One sentence for each managed position (does its stop rest?) and each open order."""
    managed = _managed(home, settings)
    with closing(venue_of(home, settings)) as venue:
        orders = our_orders(venue, settings)
        rules = venue.markets()
        tops = venue.book_tops([symbol for symbol, _ in managed]) if managed else {}
    stops: dict[str, Decimal] = {}
    for order in orders:
        if order.side is Side.SELL and order.type in _STOPS:
            stops[order.symbol] = stops.get(order.symbol, Decimal(0)) + order.amount - order.filled
    lines = []
    for symbol, amount in managed:
        known = symbol in rules and symbol in tops
        residue = known and is_dust(amount, tops[symbol].bid, rules[symbol])
        lines.append(_position_line(symbol, amount, stops.get(symbol, Decimal(0)), residue))
    lines += [
        f"open order: {order.side} {order.amount - order.filled} {order.symbol} {order.type} {order.client_order_id}"
        for order in orders
        if order.type not in _STOPS
    ]
    return lines or ["nothing remains open on the exchange"]


def _position_line(symbol: str, amount: Decimal, resting: Decimal, residue: bool) -> str:
    held = f"{amount.normalize():f} {symbol}"
    if residue:
        return f"residue: {held}, below what the exchange lets us sell"
    if not resting:
        return f"open position: {held}, NO STOP RESTS"
    covered = resting >= amount * STOP_COVERS_RATIO
    return f"open position: {held}, {'its stop rests' if covered else f'its stop covers only {resting}'}"


def _managed(home: Home, settings: Settings) -> list[tuple[str, Decimal]]:
    """From the ledger; from the guard's record while the database is away."""
    ledger = Ledger(secrets_from(os.environ, home).ledger_url)
    try:
        return [(position.symbol, position.amount) for position in ledger.positions(settings.account)]
    except LedgerError:
        recorded = read_positions(home)
        return [(item.symbol, item.amount) for item in recorded.positions.values() if item.amount] if recorded else []
    finally:
        ledger.close()
