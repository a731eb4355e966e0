"""Intents and orders: written before anything is sent, moved along the listed steps only.

The quantity of an order comes from `trades`, never from what the exchange says of its status.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError

from trade_pipeline.errors import IllegalTransition, LedgerError
from trade_pipeline.ledger import rows
from trade_pipeline.ledger.base import LedgerPart, lock_account
from trade_pipeline.ledger.coverage import check_protects_alone, check_sell_is_covered
from trade_pipeline.ledger.folding import book_into_positions
from trade_pipeline.ledger.leases import check_lease
from trade_pipeline.ledger.order_fills import refresh_filled
from trade_pipeline.ledger.order_rows import NEW_EVENT, change_order, locked_order, order_named
from trade_pipeline.ledger.records import Intent, Lease, Order, OrderEvent
from trade_pipeline.ledger.tables import fills, intents, order_events, orders
from trade_pipeline.schemas.order_states import FINISHED_AT_EXCHANGE, NEVER_SENT, check_step, merge
from trade_pipeline.schemas.trading import LIVE_STATES, OrderRequest, OrderState, Role, Side, VenueOrder

_KEEP_INTENT = upsert(intents).on_conflict_do_nothing()
_NEW_ORDER = insert(orders).returning(orders)
_INTENT = select(intents).where(intents.c.intent_id == bindparam("intent_id"))
_LIVE = (
    select(orders)
    .where(orders.c.account == bindparam("account"), orders.c.state.in_(LIVE_STATES))
    .order_by(orders.c.planned_at, orders.c.symbol, orders.c.role, orders.c.client_order_id)
)


class OrderBook(LedgerPart):
    def plan_order(
        self, intent: Intent, request: OrderRequest, attempt: int = 0, *, beside: str | None = None
    ) -> Order:
        """Commit intent and order as PLANNED; the first half of writing ahead.

        `beside`: client id of the one live protective order whose coins this one shares (`schemas.trading.Role`).
        LedgerError if the attempt exists, if an order of this (account, symbol, role) or intent is live or UNKNOWN,
        or if the account's live sells would exceed the managed position.
        """
        _check_belongs(intent, request)
        try:
            with self._database.transaction() as connection:
                # Nothing is sent before `mark_sent`, whose commit takes this one along to the disk.
                lock_account(connection, intent.account, in_haste=True)
                check_protects_alone(connection, intent.account, intent.symbol, intent.role, beside)
                if request.side == Side.SELL:
                    check_sell_is_covered(connection, intent.account, request, intent.role)
                connection.execute(_KEEP_INTENT, rows.intent_values(intent))
                return insert_order(connection, intent, request, attempt, self._now())
        except IntegrityError as error:
            raise LedgerError(
                "an order of this role, this attempt or this client order id is there already",
                thing=f"{intent.symbol} {intent.role} intent {intent.intent_id} attempt {attempt}",
                value=request.client_order_id,
                repair="Resolve the live or UNKNOWN order first; a replacement is a new attempt with a new id.",
            ) from error

    def mark_sent(self, client_order_id: str, lease: Lease, margin_s: float) -> Order:
        """PLANNED -> SENT, committed before the request leaves; LeaseLost unless the lease holds for `margin_s`."""
        with self._database.transaction() as connection:
            check_lease(connection, lease, margin_s, self._clock())
            order = locked_order(connection, client_order_id)
            if order.account != lease.account:
                raise LedgerError("the lease is another account's", thing=order.account, value=lease.account)
            check_step(order.state, OrderState.SENT, thing=client_order_id)
            now = self._now()
            evidence = f"lease {lease.token} of {lease.holder}"
            return change_order(connection, order, OrderState.SENT, evidence, now, sent_at=now)

    def abandon(self, client_order_id: str, reason: str) -> Order:
        """PLANNED -> ABANDONED: it will not be sent."""
        return self._step(client_order_id, OrderState.ABANDONED, reason)

    def mark_unknown(self, client_order_id: str, evidence: str) -> Order:
        """SENT -> UNKNOWN. Where somebody has learned more since, the state stays."""
        return self._step(client_order_id, OrderState.UNKNOWN, evidence, keeps=frozenset(OrderState) - NEVER_SENT)

    def mark_rejected(self, client_order_id: str, evidence: str) -> Order:
        """-> REJECTED, on the exchange's word only: a network error is never a rejection."""
        return self._step(client_order_id, OrderState.REJECTED, evidence)

    def mark_pending_cancel(self, client_order_id: str, evidence: str) -> Order:
        """-> PENDING_CANCEL. An order that finished meanwhile stays so: look at the state that is returned."""
        return self._step(client_order_id, OrderState.PENDING_CANCEL, evidence, keeps=FINISHED_AT_EXCHANGE)

    def mark_cancel_refused(self, client_order_id: str, evidence: str) -> Order:
        """PENDING_CANCEL -> OPEN or, with fills, PARTIALLY_FILLED: the exchange refused the cancel."""
        with self._database.transaction() as connection:
            order = locked_order(connection, client_order_id)
            state = OrderState.PARTIALLY_FILLED if order.filled else OrderState.OPEN
            if order.state != OrderState.PENDING_CANCEL:
                raise IllegalTransition("no cancel is under way", thing=client_order_id, value=str(order.state))
            return change_order(connection, order, state, evidence, self._now())

    def mark_absent(self, client_order_id: str, evidence: str) -> Order:
        """UNKNOWN -> ABSENT: it never reached the exchange (RELIABILITY rule 3 says what proves that)."""
        return self._step(client_order_id, OrderState.ABSENT, evidence)

    def _step(
        self,
        client_order_id: str,
        following: OrderState,
        evidence: str,
        *,
        keeps: frozenset[OrderState] = frozenset(),
    ) -> Order:
        """One listed step. An order that is there already, or in a state of `keeps`, stays as it is."""
        with self._database.transaction() as connection:
            order = locked_order(connection, client_order_id)
            if not _moves(order.state, following, keeps):
                return order
            check_step(order.state, following, thing=client_order_id)
            return change_order(connection, order, following, evidence, self._now())

    def apply_venue_order(self, account: str, venue_order: VenueOrder, evidence: str) -> Order:
        """Take over what the exchange says: its id, and the state unless the read is stale.

        A contradiction (life in an order that was REJECTED or ABSENT, two different ends) keeps the state, stores
        the exchange's id so that fills are ours, and raises IllegalTransition. Trades are booked by `book_trades`.
        """
        with self._database.transaction() as connection:
            order, refused = self._take_over(connection, account, venue_order, evidence)
        if refused is not None:
            raise refused
        return order

    def _take_over(
        self, connection: Connection, account: str, venue_order: VenueOrder, evidence: str
    ) -> tuple[Order, IllegalTransition | None]:
        """See `apply_venue_order`; the contradiction is returned, so that what was written is committed."""
        lock_account(connection, account)
        order = locked_order(connection, venue_order.client_order_id)
        _check_same_order(order, account, venue_order)
        state, refused = order.state, None
        try:
            state = merge(order.state, venue_order.state, thing=order.client_order_id)
        except IllegalTransition as error:
            if order.state in NEVER_SENT:
                raise
            refused, evidence = error, f"contradiction: {venue_order.state} by {evidence}"
        return self._acknowledge(connection, order, venue_order.order_id, state, evidence), refused

    def _acknowledge(
        self, connection: Connection, order: Order, venue_order_id: str, state: OrderState, evidence: str
    ) -> Order:
        first_time = order.venue_order_id is None
        now = self._now()
        told_before = order.last_evidence == evidence or not evidence.startswith("contradiction")
        if state == order.state and not first_time and told_before:
            return order
        if first_time:
            order = change_order(
                connection,
                order,
                state,
                evidence,
                now,
                venue_order_id=venue_order_id,
                acknowledged_at=order.acknowledged_at or now,
            )
            # Its trades may have been booked before we knew that they were ours.
            if _has_fills(connection, order):
                book_into_positions(connection, order.account, {order.symbol}, now, from_start={order.symbol})
                order = refresh_filled(connection, order, now)
            return order
        return change_order(connection, order, state, evidence, now)

    def order(self, client_order_id: str) -> Order | None:
        with self._database.reading() as connection:
            return order_named(connection, client_order_id)

    def orders_named(self, client_order_ids: Sequence[str]) -> dict[str, Order]:
        """Those of the orders that are in the ledger, by client order id."""
        query = select(orders).where(orders.c.client_order_id.in_(client_order_ids))
        with self._database.reading() as connection:
            return {row.client_order_id: rows.order_from(row) for row in connection.execute(query)}

    def order_by_venue_id(self, account: str, symbol: str, venue_order_id: str) -> Order | None:
        query = select(orders).where(
            orders.c.account == account, orders.c.symbol == symbol, orders.c.venue_order_id == venue_order_id
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return rows.order_from(row) if row else None

    def _order_by_any_venue_id(self, venue_order_id: str) -> Order | None:
        """The newest order with this id at the exchange, of whatever symbol."""
        query = select(orders).where(orders.c.venue_order_id == venue_order_id)
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(orders.c.planned_at.desc()).limit(1)).one_or_none()
        return rows.order_from(row) if row else None

    def order_events(self, client_order_id: str) -> list[OrderEvent]:
        """An order's history, oldest first."""
        query = select(order_events).where(order_events.c.client_order_id == client_order_id)
        with self._database.reading() as connection:
            return [
                OrderEvent(row.client_order_id, row.at, OrderState(row.state), row.evidence, row.venue_order_id)
                for row in connection.execute(query.order_by(order_events.c.id))
            ]

    def live_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Orders that may still change the position, PLANNED and UNKNOWN ones included; oldest first."""
        query = _LIVE if symbol is None else _LIVE.where(orders.c.symbol == symbol)
        with self._database.reading() as connection:
            return [rows.order_from(row) for row in connection.execute(query, {"account": account})]

    def orders(self, account: str, since: datetime | None = None, limit: int = 1000) -> list[Order]:
        """Newest first."""
        query = select(orders).where(orders.c.account == account)
        if since is not None:
            query = query.where(orders.c.planned_at >= since)
        order = (orders.c.planned_at.desc(), orders.c.symbol, orders.c.role, orders.c.client_order_id)
        query = query.order_by(*order).limit(limit)
        with self._database.reading() as connection:
            return [rows.order_from(row) for row in connection.execute(query)]

    def intent(self, intent_id: str) -> Intent | None:
        with self._database.reading() as connection:
            row = connection.execute(_INTENT, {"intent_id": intent_id}).one_or_none()
        return rows.intent_from(row) if row else None

    def newest_entry_intent(self, account: str, symbol: str) -> Intent | None:
        """The last reason to buy the symbol: where its stop distance and its sleeves come from."""
        query = select(intents).where(
            intents.c.account == account, intents.c.symbol == symbol, intents.c.role == str(Role.ENTRY)
        )
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(intents.c.created_at.desc()).limit(1)).one_or_none()
        return rows.intent_from(row) if row else None


def _moves(current: OrderState, following: OrderState, keeps: frozenset[OrderState]) -> bool:
    """Whether a step is to be taken at all."""
    may_go = current == OrderState.SENT and following == OrderState.UNKNOWN
    return current != following and (may_go or current not in keeps)


def _check_belongs(intent: Intent, request: OrderRequest) -> None:
    if (intent.symbol, intent.side) != (request.symbol, request.side):
        raise LedgerError(
            "intent and request differ in symbol or side",
            thing=f"intent {intent.intent_id}",
            value=f"{request.symbol} {request.side}",
            repair="Build the request from the intent.",
        )


def insert_order(connection: Connection, intent: Intent, request: OrderRequest, attempt: int, now: datetime) -> Order:
    values = rows.request_values(request) | {
        "intent_id": intent.intent_id,
        "attempt": attempt,
        "account": intent.account,
        "role": str(intent.role),
        "state": str(OrderState.PLANNED),
        "filled": Decimal(0),
        "quote_filled": Decimal(0),
        "planned_at": now,
        "updated_at": now,
        "last_evidence": intent.reason,
    }
    row = connection.execute(_NEW_ORDER, values).one()
    event = {"client_order_id": request.client_order_id, "at": now, "state": row.state, "evidence": intent.reason}
    connection.execute(NEW_EVENT, event)
    return rows.order_from(row)


def _check_same_order(order: Order, account: str, venue_order: VenueOrder) -> None:
    request = order.request
    same = (order.account, order.symbol, request.side) == (account, venue_order.symbol, venue_order.side)
    if not same or order.venue_order_id not in {None, venue_order.order_id}:
        raise LedgerError(
            "the exchange's order is another one than ours of this client id",
            thing=order.client_order_id,
            value=f"{venue_order.symbol} {venue_order.side} {venue_order.order_id}",
            repair="Halt the symbol's entries and compare with `trade-pipeline explain`.",
        )


def _has_fills(connection: Connection, order: Order) -> bool:
    query = select(fills.c.trade_id).where(
        fills.c.account == order.account,
        fills.c.symbol == order.symbol,
        fills.c.venue_order_id == order.venue_order_id,
    )
    return connection.execute(query.limit(1)).one_or_none() is not None
