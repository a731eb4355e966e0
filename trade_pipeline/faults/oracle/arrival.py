"""Notes what was true when a request reached the exchange: what the ledger had committed, who held the lease.

The simulator's transport calls `look` for each request for a new order before it takes effect. The answers come from
a connection of the judge's own, so they do not depend on what the sender believes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.faults.oracle.book import BookReader
from trade_pipeline.faults.oracle.case import Arrival
from trade_pipeline.faults.oracle.truth import Truth
from trade_pipeline.schemas.trading import OrderRequest, Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """In quote, at the last trades: this symbol's and the account's if everything that buys were filled."""

    worst_symbol: Decimal
    worst_total: Decimal
    equity: Decimal


class ArrivalDesk:
    """One per simulation. `prefix` is the installation's, `quote` the asset that equity is counted in."""

    def __init__(self, engine: Engine, reader: BookReader, *, account: str, prefix: str, quote: str) -> None:
        self._engine = engine
        self._reader = reader
        self._account = account
        self._prefix = prefix
        self._quote = quote
        self._count = 0

    def look(self, request: OrderRequest, *, holder: str | None, left_at: datetime, now: datetime) -> Arrival:
        """The arrival of `request`, not yet accepted. `holder` is the lease name of the process that sent it."""
        self._count += 1
        seen = self._reader.at_arrival(self._account, request.client_order_id)
        exposure = self._exposure(request)
        return Arrival(
            number=self._count,
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=str(request.side),
            type=str(request.type),
            amount=request.amount,
            price=request.price,
            stop_price=request.stop_price,
            left_at=left_at,
            arrived_at=now,
            accepted=False,
            holder=holder,
            booked_state=seen.state,
            lease_holder=seen.lease_holder,
            lease_until=seen.lease_until,
            worst_symbol_quote=exposure.worst_symbol,
            worst_total_quote=exposure.worst_total,
            equity_quote=exposure.equity,
        )

    def _exposure(self, request: OrderRequest) -> Exposure:
        truth = Truth(self._engine, self._prefix)
        worst: dict[str, Decimal] = {}
        held = ZERO
        for symbol, amount in truth.bought.items():
            there = max(min(amount, truth.total(truth.base(symbol))), ZERO)
            worst[symbol] = there * (truth.mark(symbol) or ZERO)
            held += worst[symbol]
        for order in truth.our_open:
            if order.side is Side.BUY:
                worst[order.symbol] = worst.get(order.symbol, ZERO) + order.remaining * order.price
        if request.side is Side.BUY:
            price = request.price or truth.mark(request.symbol) or ZERO
            worst[request.symbol] = worst.get(request.symbol, ZERO) + request.amount * price
        equity = truth.total(self._quote) + held
        return Exposure(worst.get(request.symbol, ZERO), sum(worst.values(), ZERO), equity)
