"""What of an exchange's answer cannot be true: balances below zero, orders that contradict themselves or each other.

Pure. What is wrong is named and left out; everything else goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trade_pipeline.schemas.trading import AccountReading, Balance, VenueOrder


@dataclass(frozen=True, slots=True)
class BadOrder:
    """A listed order that nobody may act upon. `why`: what is wrong, with the value."""

    order: VenueOrder
    why: str


def bad_balances(reading: AccountReading) -> dict[str, str]:
    """Asset -> what is wrong with its balance."""
    found: dict[str, str] = {}
    for asset, balance in reading.balances.items():
        for name, value in (("free", balance.free), ("locked", balance.locked)):
            if not value.is_finite() or value < 0:
                found[asset] = f"{name} is {value}"
    return found


def with_expected(reading: AccountReading, bad: Mapping[str, str], expected: Mapping[str, Decimal]) -> AccountReading:
    """The reading with the ledger's own balance where the exchange's is impossible: stops still know what is there."""
    if not bad:
        return reading
    zero = Decimal(0)
    stood_in = {asset: Balance(asset, max(expected.get(asset, zero), zero), zero) for asset in bad}
    return replace(reading, balances={**reading.balances, **stood_in})


def sort_orders(open_orders: Sequence[VenueOrder]) -> tuple[list[VenueOrder], list[BadOrder]]:
    """Listed orders that can be believed, and the others."""
    times = Counter((order.symbol, order.client_order_id) for order in _distinct(open_orders))
    good: list[VenueOrder] = []
    bad: list[BadOrder] = []
    for order in _distinct(open_orders):
        why = _wrong_with(order)
        if why is None and times[order.symbol, order.client_order_id] > 1:
            why = "the same client order id is listed for two orders"
        good.append(order) if why is None else bad.append(BadOrder(order, why))
    return good, bad


def _distinct(open_orders: Sequence[VenueOrder]) -> list[VenueOrder]:
    """The same order listed twice is a doubled row, no contradiction; the later row is the newer one."""
    return list({(order.symbol, order.order_id): order for order in open_orders}.values())


def _wrong_with(order: VenueOrder) -> str | None:
    numbers = {"amount": order.amount, "filled": order.filled, "price": order.price, "stop price": order.stop_price}
    for name, value in numbers.items():
        if value is not None and (not value.is_finite() or value < 0):
            return f"its {name} is {value}"
    if order.amount <= 0:
        return f"its amount is {order.amount}"
    return f"{order.filled} of {order.amount} are filled" if order.filled > order.amount else None
