"""The exchange with moods: it forgets orders for good, and refuses every new stop of a symbol for some time.

What it has forgotten it neither lists, finds nor cancels any more, and it locks nothing for it; its trades stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from trade_pipeline.errors import FilterViolation, OrderNotFound, OrderRefused
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import Order
from trade_pipeline.faults.clock import EPOCH, Clock
from trade_pipeline.faults.exchange import Exchange, Path
from trade_pipeline.schemas.trading import OrderRequest, OrderType, VenueOrder

_WAITING = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)
_REFUSALS: dict[str, tuple[type[OrderRefused], int, str]] = {
    "filter": (FilterViolation, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS"),
    "count": (OrderRefused, -2010, "Too many stops are open for this account."),
}
REFUSALS = tuple(_REFUSALS)
LOTS = 10**7
"""Volume of a market that lets everything be filled."""


class MoodyExchange(Exchange):
    """Forgets and refuses what it is told to."""

    def __init__(self, engine: Engine, paths: Iterable[Path], clock: Clock, plain_stops: Mapping[str, bool]) -> None:
        self.forgotten: set[str] = set()
        """The exchange's ids of orders that it has forgotten."""
        self.refusing: dict[str, tuple[datetime, str]] = {}
        """Symbol -> until when its stops are refused, and how."""
        self.falling: dict[str, tuple[datetime, float]] = {}
        """Symbol -> when its price jumps, and to which share of itself."""
        self.was_moody = False
        """A simulation has one mood: it happens where there is a stop, and then no more."""
        self.trouble_until = EPOCH
        """Until then nobody can do anything about what this exchange does."""
        super().__init__(engine, paths, clock, plain_stops)

    def catch_up(self) -> None:
        super().catch_up()
        for symbol, (at, ratio) in [*self.falling.items()]:
            # Two trades in one millisecond are one to the engine: then a moment later.
            if at <= self.clock.now() and self._played_ms < self.clock.now_ms():
                del self.falling[symbol]
                self.jump(symbol, ratio)

    def create(self, request: OrderRequest) -> VenueOrder:
        self._refuse(request)
        return super().create(request)

    def cancel_replace(self, client_order_id: str, request: OrderRequest) -> VenueOrder:
        """Filters are looked at before the old order is cancelled."""
        self._refuse(request)
        return super().cancel_replace(client_order_id, request)

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        self._refuse(below)
        return super().create_pair(above, below)

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        found = super().order(symbol, client_order_id)
        if found.order_id in self.forgotten:
            raise OrderNotFound("Order does not exist.", thing=symbol, value=client_order_id)
        return found

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        return [order for order in super().orders(symbol, since) if order.order_id not in self.forgotten]

    def _refuse(self, request: OrderRequest) -> None:
        until, why = self.refusing.get(request.symbol, (EPOCH, ""))
        if request.type in _WAITING and self.clock.now() < until:
            kind, code, text = _REFUSALS[why]
            raise kind(text, thing=request.symbol, value=code)

    def forget(self, order: Order) -> None:
        """The order is gone, with the other leg of its list, as if it had never been."""
        listed = self.engine.state.lists[order.list_id].order_ids if order.list_id > 0 else [order.id]
        self.engine.cancel(order.symbol, self.clock.now_ms(), order_id=order.id)
        self.forgotten.update(map(str, listed))

    def refuse_stops(self, symbol: str, seconds: float, why: str) -> None:
        self.refusing[symbol] = (self.clock.now() + timedelta(seconds=seconds), why)

    def fall(self, symbol: str, ratio: float, seconds: float) -> None:
        """The price jumps to `ratio` of itself, `seconds` from now."""
        self.falling[symbol] = (self.clock.now() + timedelta(seconds=seconds), ratio)

    def stand_still(self) -> None:
        """No price moves any more, everything that is due can be filled, and nothing is refused."""
        self.refusing.clear()
        self.falling.clear()
        for path in self.paths.values():
            path.frozen = True
            path.volume = max(path.volume, LOTS)
