"""Whether a purchase could trade with a sale of our own (RELIABILITY invariant 5)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import OrderType, Role, Side

STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


def meets_own_sale(orders: Iterable[Order], price: Decimal, bid: Decimal) -> str | None:
    """Why a purchase up to `price` could trade with a live sale of ours, or None (RELIABILITY invariant 5).

    A stop below the market is in no book; one that the bid has reached may be, any moment.
    """
    for order in orders:
        request = order.request
        if request.side == Side.BUY:
            continue
        if order.role == Role.EXIT:
            return f"no trade with ourselves: exit {order.client_order_id} is selling it"
        if request.type in STOPS:
            if request.stop_price is not None and request.stop_price >= bid:
                return f"no trade with ourselves: the bid has reached our stop at {request.stop_price.normalize():f}"
            continue
        sold_at = request.price or request.stop_price
        if sold_at is not None and sold_at <= price:
            return f"no trade with ourselves: our sale at {sold_at.normalize():f} is not above {price.normalize():f}"
    return None
