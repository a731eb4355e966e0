"""What open orders lock of the account, ours or somebody else's, and what is left of it for us. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from trade_pipeline.execution.ids import is_ours
from trade_pipeline.schemas.trading import AccountReading, Balance, OrderType, Side, VenueOrder

_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def open_to_us(reading: AccountReading, listed: Sequence[VenueOrder], prefix: str) -> AccountReading:
    """The account without what listed orders of others lock of it: the rest is all that we can stop or sell.

    Whose an order is, its client order id says (`prefix` is ours), not the ledger: one of ours that has ended since it
    was listed locks nothing.
    """
    theirs = [order for order in listed if not is_ours(order.client_order_id, prefix)]
    if not theirs:
        return reading
    return replace(reading, balances={name: _without(one, theirs) for name, one in reading.balances.items()})


def _without(balance: Balance, theirs: Sequence[VenueOrder]) -> Balance:
    """Never below what is free: the list of orders and the balance are two answers, and one may be older."""
    return replace(balance, locked=max(balance.locked - locked_by(theirs, balance.asset), Decimal(0)))


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
    base, quote = found.symbol.split("/")
    rest = found.amount - found.filled
    if found.side == Side.SELL:
        return rest if asset == base else Decimal(0)
    return rest * (found.price or found.stop_price or Decimal(0)) if asset == quote else Decimal(0)
