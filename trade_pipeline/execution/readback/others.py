"""What open orders lock of the account, ours or somebody else's, and what is left of it for us. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from trade_pipeline.execution.ids import is_ours
from trade_pipeline.schemas.trading import AccountReading, Balance, OrderType, Side, VenueOrder

_WAITING = frozenset({"PENDING_NEW"})
"""A leg that begins with the fill of another order: listed, and locking nothing before."""
_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def open_to_us(reading: AccountReading, listed: Sequence[VenueOrder], prefix: str) -> AccountReading:
    """The account without what listed orders of others lock of it: the rest is all that we can stop or sell.

    Whose an order is, its client order id says (`prefix` is ours), not the ledger: one of ours that has ended since it
    was listed locks nothing.
    """
    ours = [order for order in listed if is_ours(order.client_order_id, prefix)]
    if len(ours) == len(listed):
        return reading
    theirs = [order for order in listed if not is_ours(order.client_order_id, prefix)]
    return replace(reading, balances={name: _without(one, theirs, ours) for name, one in reading.balances.items()})


def _without(balance: Balance, theirs: Sequence[VenueOrder], ours: Sequence[VenueOrder]) -> Balance:
    """Never below what is free and what our own orders lock: what others list may lock nothing (a leg that waits), be
    counted twice, or be older than the balance, and none of it may take our stop for somebody else's.
    """
    asset, locked = balance.asset, balance.locked
    return replace(balance, locked=max(locked - locked_by(theirs, asset), min(locked, locked_by(ours, asset))))


def locked_by(listed: Iterable[VenueOrder], asset: str) -> Decimal:
    """What open orders lock of an asset, in units of it. A stop and another order that share their coins count once."""
    stops: dict[tuple[object, ...], Decimal] = {}
    others: dict[tuple[object, ...], Decimal] = {}
    for found in listed:
        # The legs of an order list are made in the same moment for the same amount; one of them is a stop.
        made = (found.symbol, found.side, found.amount, found.created_at)
        kind = stops if found.type in _STOPS else others
        kind[made] = kind.get(made, Decimal(0)) + _locked(found, asset)
    none = Decimal(0)
    return sum((max(stops.get(made, none), others.get(made, none)) for made in {**stops, **others}), none)


def _locked(found: VenueOrder, asset: str) -> Decimal:
    if found.venue_status in _WAITING:
        return Decimal(0)
    base, quote = found.symbol.split("/")
    rest = found.amount - found.filled
    if found.side == Side.SELL:
        return rest if asset == base else Decimal(0)
    return rest * (found.price or found.stop_price or Decimal(0)) if asset == quote else Decimal(0)
