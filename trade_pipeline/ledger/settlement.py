"""An order's state and its fills in one transaction: nobody ever sees the end of an order without what it did."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from trade_pipeline.errors import IllegalTransition
from trade_pipeline.ledger.base import lock_account
from trade_pipeline.ledger.order_rows import Change, change_orders, locked_order, locked_orders
from trade_pipeline.ledger.orders import OrderBook
from trade_pipeline.ledger.records import Order
from trade_pipeline.ledger.trade_checks import refusal, report_refused, sort_trades
from trade_pipeline.ledger.trades import TradeBook
from trade_pipeline.schemas.order_states import merge
from trade_pipeline.schemas.trading import OrderState, VenueOrder, VenueTrade

Answer = tuple[VenueOrder, Sequence[VenueTrade]]


class SettlementBook(OrderBook, TradeBook):
    def settle(
        self, account: str, venue_order: VenueOrder, trades: Sequence[VenueTrade], evidence: str, *, prefix: str
    ) -> tuple[Order, IllegalTransition | None]:
        """`apply_venue_order` and `book_trades` at once. Returns the order, and the contradiction if there is one.

        Between two transactions a filled stop would look like a position that is still there, and be sold again. For
        the same reason an order with a trade that cannot be booked keeps its state: BadTrade, after the others.
        """
        good, wrong = sort_trades(trades)
        refused = None
        with self._database.transaction() as connection:
            if wrong:
                report_refused(connection, account, wrong, self._now())
            else:
                order, refused = self._take_over(connection, account, venue_order, evidence)
            if good:
                self._book(connection, account, good, prefix, {})
            order = locked_order(connection, venue_order.client_order_id)
        if wrong:
            raise refusal(wrong)
        return order, refused

    def settle_all(
        self, account: str, answers: Sequence[Answer], evidence: str, *, prefix: str
    ) -> list[tuple[VenueOrder, IllegalTransition]]:
        """`settle` for many orders, each once, in one transaction. Returns those that contradict what is known.

        LedgerError, and nothing written, where one of them is another order than ours of its client id, or has a trade
        that cannot be booked.
        """
        trades, wrong = sort_trades(trade for _, its_trades in answers for trade in its_trades)
        if wrong:
            raise refusal(wrong)
        refusals = []
        with self._database.transaction() as connection:
            lock_account(connection, account)
            for answer in self._step_all(connection, account, [answer for answer, _ in answers], evidence):
                _, refused = self._take_over(connection, account, answer, evidence)
                if refused is not None:
                    refusals.append((answer, refused))
            if trades:
                self._book(connection, account, trades, prefix, {})
        return refusals

    def _step_all(
        self, connection: Connection, account: str, answers: Sequence[VenueOrder], evidence: str
    ) -> list[VenueOrder]:
        """Take the plain steps of orders that are acknowledged, all at once; the answers that are not plain."""
        known = locked_orders(connection, [answer.client_order_id for answer in answers])
        changes, others = [], []
        for answer in answers:
            order = known.get(answer.client_order_id)
            state = _plain_step(account, order, answer)
            if order is None or state is None:
                others.append(answer)
            elif state != order.state:
                changes.append(Change(order, state, evidence))
        change_orders(connection, changes, self._now())
        return others


def _plain_step(account: str, order: Order | None, answer: VenueOrder) -> OrderState | None:
    """The state that an answer leaves a known and acknowledged order in; None where there is more to it."""
    if order is None or order.venue_order_id != answer.order_id:
        return None
    if (order.account, order.symbol, order.request.side) != (account, answer.symbol, answer.side):
        return None
    try:
        return merge(order.state, answer.state, thing=order.client_order_id)
    except IllegalTransition:
        return None
