"""An order's state and its fills in one transaction: nobody ever sees the end of an order without what it did."""

from __future__ import annotations

from collections.abc import Sequence

from trade_pipeline.errors import IllegalTransition
from trade_pipeline.ledger.order_rows import locked_order
from trade_pipeline.ledger.orders import OrderBook
from trade_pipeline.ledger.records import Order
from trade_pipeline.ledger.trades import TradeBook
from trade_pipeline.schemas.trading import VenueOrder, VenueTrade


class SettlementBook(OrderBook, TradeBook):
    def settle(
        self, account: str, venue_order: VenueOrder, trades: Sequence[VenueTrade], evidence: str, *, prefix: str
    ) -> tuple[Order, IllegalTransition | None]:
        """`apply_venue_order` and `book_trades` at once. Returns the order, and the contradiction if there is one.

        Between two transactions a filled stop would look like a position that is still there, and be sold again.
        """
        with self._database.transaction() as connection:
            order, refused = self._take_over(connection, account, venue_order, evidence)
            if trades:
                self._book(connection, account, trades, prefix, {})
                order = locked_order(connection, order.client_order_id)
        return order, refused
