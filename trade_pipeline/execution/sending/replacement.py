"""One more order in the place of a refused one: smaller, or at market (the table's `reduce` and `fallback`).

It is a new attempt of the same intent with an id of its own, sent once, and only if it is worth the exchange's
minimum. The refused one has ended before: nothing here repeats a request.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from trade_pipeline.errors import LedgerError, VenueError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.ids import client_order_id
from trade_pipeline.execution.recovery import action_of, count, error_of, overtaken
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.execution.sending.submit import send
from trade_pipeline.ledger.records import Intent, Lease, Order
from trade_pipeline.schemas.trading import MarketRules, OrderRequest, OrderState, OrderType, Role, Side


def send_or_replace(desk: Desk, lease: Lease, intent: Intent, request: OrderRequest) -> list[Order]:
    """`send`, and once more if the exchange's refusal leaves something to send. All orders, in their sequence.

    Raises only what precedes the first sending.
    """
    first = send(desk, lease, intent, request)
    action = action_of(first)
    if action == "exit":
        # For a protective order, which the guard places: nothing to sell stands behind this one.
        count(desk, "submit", error_of(first), action, recovered=False)
    if action not in {"reduce", "fallback"}:
        return [first]
    second = None
    try:
        if overtaken(desk, lease, intent) is None:
            second = _replaced(desk, lease, intent, first, action)
    except (VenueError, LedgerError):
        pass  # The next plan sees the position as it is.
    recovered = second is not None and second.state not in {OrderState.REJECTED, OrderState.ABANDONED}
    count(desk, "submit", error_of(first), action, recovered=recovered)
    return [first] if second is None else [first, second]


def _replaced(desk: Desk, lease: Lease, intent: Intent, refused: Order, action: str) -> Order | None:
    other = reduced(desk, refused.request) if action == "reduce" else at_market(desk, refused.request, intent.role)
    if other is None:
        return None
    attempt = refused.attempt + 1
    named = client_order_id(desk.prefix, desk.account, intent.intent_id, attempt)
    return send(desk, lease, intent, replace(other, client_order_id=named), attempt=attempt)


def reduced(desk: Desk, request: OrderRequest) -> OrderRequest | None:
    """The request with what the account covers now; None if that is not less, or too little. Raises VenueError."""
    rules = desk.venue.markets().get(request.symbol)
    price = request.price or _price(desk, request)
    if rules is None or price <= 0:
        return None
    free = desk.venue.account().free(rules.base if request.side == Side.SELL else rules.quote)
    covered = free if request.side == Side.SELL else free / (price * (1 + rules.taker_fee_rate))
    amount = amount_down(min(covered, _amount_max(request, rules)), rules)
    # An entry must be worth a stop below its price as well (RELIABILITY 18).
    worth = price if request.side == Side.SELL else price * (1 - desk.settings.portfolio.stop_distance_min_ratio * 2)
    if amount >= request.amount or is_dust(amount, worth, rules):
        return None
    return replace(request, amount=amount)


def at_market(desk: Desk, request: OrderRequest, role: Role) -> OrderRequest | None:
    """The sale as a market order; None for a purchase, for a protective order and for residue. Raises VenueError."""
    if request.side != Side.SELL or role != Role.EXIT or request.type == OrderType.MARKET:
        return None
    rules, price = desk.venue.markets().get(request.symbol), _price(desk, request)
    if rules is None or price <= 0:
        return None
    amount = amount_down(min(request.amount, rules.market_amount_max), rules)
    if is_dust(amount, price, rules):
        return None
    return OrderRequest(request.client_order_id, request.symbol, Side.SELL, OrderType.MARKET, amount)


def _price(desk: Desk, request: OrderRequest) -> Decimal:
    top = desk.venue.book_tops([request.symbol]).get(request.symbol)
    if top is None:
        return Decimal(0)
    return top.bid if request.side == Side.SELL else top.ask


def _amount_max(request: OrderRequest, rules: MarketRules) -> Decimal:
    return rules.market_amount_max if request.type == OrderType.MARKET else rules.amount_max
