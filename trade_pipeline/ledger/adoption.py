"""Orders with our prefix that the ledger does not know: taken in, so that nothing of ours is left to itself."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import lock_account
from trade_pipeline.ledger.coverage import check_protects_alone
from trade_pipeline.ledger.order_rows import change_order
from trade_pipeline.ledger.orders import OrderBook, insert_order
from trade_pipeline.ledger.records import Intent, Order
from trade_pipeline.ledger.tables import intents
from trade_pipeline.schemas.trading import OrderRequest, OrderState, Role, VenueOrder

ADOPTED = "adopted"
"""The sleeve of what nobody's decision explains."""


class AdoptionBook(OrderBook):
    def adopt_order(self, account: str, venue_order: VenueOrder, *, role: Role, reason: str) -> Order:
        """Make an order that rests on the exchange an intent and an order of ours, in the state that it has there.

        RELIABILITY statement 4. Its trades become managed; book them after this. An order that is known is returned
        as it is. LedgerError where another order of this role is live: two of a role cannot both be ours.
        """
        named = venue_order.client_order_id
        known = self.order(named)
        if known is not None:
            return known
        now = self._now()
        intent = Intent(
            intent_id=hashlib.blake2b(f"adopted|{account}|{named}".encode(), digest_size=16).hexdigest(),
            account=account,
            decision_id=None,
            symbol=venue_order.symbol,
            role=role,
            side=venue_order.side,
            amount=venue_order.amount,
            strategy=ADOPTED,
            sleeves={ADOPTED: Decimal(1)},
            reason=reason,
            decision_price=venue_order.price,
            stop_distance=None,
            created_at=now,
        )
        request = OrderRequest(
            named,
            venue_order.symbol,
            venue_order.side,
            venue_order.type,
            venue_order.amount,
            venue_order.price,
            venue_order.stop_price,
        )
        try:
            with self._database.transaction() as connection:
                lock_account(connection, account)
                check_protects_alone(connection, account, venue_order.symbol, role, None)
                connection.execute(insert(intents).values(rows.intent_values(intent)))
                order = insert_order(connection, intent, request, 0, now)
                for state in (OrderState.SENT, OrderState.UNKNOWN):
                    order = change_order(connection, order, state, "found on the exchange", now)
        except IntegrityError as error:
            found = self.order(named)
            if found is not None:
                return found
            raise LedgerError(
                "an order of this role is live already, so this one cannot be adopted",
                thing=f"{venue_order.symbol} {role}",
                value=named,
                repair="Cancel one of the two on the exchange; entries of the symbol halt until then.",
            ) from error
        self.apply_venue_order(account, venue_order, reason)
        adopted = self.order(named)
        assert adopted is not None, "it was committed above"
        return adopted
