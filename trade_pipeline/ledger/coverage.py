"""What a new order may take of a position: checked in the transaction that plans it, under the account's lock."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Connection, and_, case, func, select

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.tables import orders, positions
from trade_pipeline.schemas.trading import LIVE_STATES, PROTECTIVE, OrderRequest, Role, Side

ZERO = Decimal(0)


def check_protects_alone(connection: Connection, account: str, symbol: str, role: Role, beside: str | None) -> None:
    """LedgerError unless `beside` names exactly the protective orders that are live: none, or the one.

    Other roles have nothing beside them.
    """
    if role not in PROTECTIVE:
        return
    query = select(orders.c.client_order_id).where(
        orders.c.account == account,
        orders.c.symbol == symbol,
        orders.c.role.in_(PROTECTIVE),
        orders.c.state.in_(LIVE_STATES),
    )
    live = set(connection.execute(query).scalars())
    if live != ({beside} if beside else set()):
        raise LedgerError(
            "an order of this role is there already, or the one that it was to share its coins with is not",
            thing=f"{symbol} {role}",
            value=", ".join(sorted(live)) or "none live",
            repair="Resolve the live or UNKNOWN order first; look at what rests and decide again.",
        )


def check_sell_is_covered(connection: Connection, account: str, request: OrderRequest, role: Role) -> None:
    """Live sells never exceed the managed position (invariant 5, rule 15): coins of the user's own are not ours.

    Protective orders share their coins, so only the largest of them counts. A new one counts alone: the one beside
    it has the same size, or is gone once the new one is accepted - a stop that has become too large must be able to
    make way for a smaller one.
    """
    managed = select(positions.c.amount).where(positions.c.account == account, positions.c.symbol == request.symbol)
    held = connection.execute(managed).scalar_one_or_none() or ZERO
    left = func.greatest(orders.c.amount - orders.c.filled, 0)
    protects = orders.c.role.in_(PROTECTIVE)
    sums = select(
        func.coalesce(func.sum(case((protects, 0), else_=left)), 0),
        func.coalesce(func.max(case((protects, left), else_=0)), 0),
    ).where(
        and_(
            orders.c.account == account,
            orders.c.symbol == request.symbol,
            orders.c.side == str(Side.SELL),
            orders.c.state.in_(LIVE_STATES),
        )
    )
    selling, protecting = connection.execute(sums).one()
    wanted = selling + request.amount + (0 if role in PROTECTIVE else protecting)
    if wanted > held:
        raise LedgerError(
            f"the managed position is {held} and live sells take {selling + protecting} of it",
            thing=f"{request.symbol} sell {request.client_order_id}",
            value=str(request.amount),
            repair="Cancel and confirm the resting sell, book its trades, then size the sale from the position.",
        )
