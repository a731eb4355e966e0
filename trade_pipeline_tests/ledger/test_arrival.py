"""Fills may arrive in any order, split in any way, and repeated: one position follows."""

from __future__ import annotations

import secrets
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, Position, Role, Side, VenueTrade
from trade_pipeline_tests.fakes import make_intent, make_request, make_trade, make_venue_order
from trade_pipeline_tests.ledger.flow import PREFIX

HISTORY = (
    make_trade(1, "1", amount=Decimal("0.3"), price=Decimal("100"), fee=Decimal("0.0003"), fee_asset="BTC"),
    make_trade(2, "1", amount=Decimal("0.7"), price=Decimal("101"), fee=Decimal("0.0707"), at=make_trade(1).at),
    make_trade(3, "2", amount=Decimal("0.5"), price=Decimal("103"), side=Side.SELL, fee=Decimal("0.05")),
    make_trade(4, "3", amount=Decimal("1"), price=Decimal("99"), fee=Decimal("0.01"), fee_asset="BNB"),
    make_trade(10, "4", amount=Decimal("1.4"), price=Decimal("97"), side=Side.SELL),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=st.permutations(HISTORY), cut=st.integers(0, len(HISTORY)), repeated=st.booleans())
def test_any_order_of_arrival_gives_the_same_position(
    ledger: Ledger, arrivals: list[VenueTrade], cut: int, repeated: bool
) -> None:
    """Each example has an account of its own in the one database."""
    reference = book(ledger, [list(HISTORY)])

    seen = book(ledger, [arrivals[:cut], arrivals if repeated else arrivals[cut:]])

    assert seen == reference


def book(ledger: Ledger, batches: list[list[VenueTrade]]) -> tuple[object, ...]:
    """Everything that follows from the fills, without the names that differ between two accounts."""
    account = f"a{secrets.token_hex(6)}"
    plan_orders(ledger, account)
    for batch in batches:
        ledger.book_trades(account, batch, prefix=PREFIX)
    position = ledger.position(account, "BTC/USDT")
    assert isinstance(position, Position)
    kept = (position.amount, position.cost_quote, position.realised_quote, position.fees_quote, position.opened_at)
    closed = [(trade.closed_at, trade.profit_quote) for trade in ledger.closed_trades(account)]
    filled = sorted((order.venue_order_id or "", order.filled, order.state) for order in ledger.orders(account))
    return kept, closed, filled, ledger.sleeves(account, "BTC/USDT"), ledger.expected_balances(account)


def plan_orders(ledger: Ledger, account: str) -> None:
    """Four orders as the exchange knows them. Their quantities are above what a plan may sell before the fills are
    booked, so the position that covers them is adopted first."""
    at = HISTORY[0].at.replace(hour=1)
    ledger.adopt(account, "BTC/USDT", Decimal("5"), Decimal("90"), at, "cover")
    for number, side, role, share in (
        (1, Side.BUY, Role.ENTRY, "1"),
        (2, Side.SELL, Role.EXIT, "0.5"),
        (3, Side.BUY, Role.ENTRY, "1"),
        (4, Side.SELL, Role.EXIT, "1.4"),
    ):
        client_order_id = f"{PREFIX}{secrets.token_hex(14)}"
        changes = {"side": side, "amount": Decimal(share)}
        sleeves = {"a": Decimal("0.25"), "b": Decimal("0.75")}
        intent = make_intent(secrets.token_hex(8), account=account, role=role, sleeves=sleeves, **changes)
        request = make_request(client_order_id, **changes)
        ledger.plan_order(intent, request)
        lease = ledger.acquire_lease(account, "test", 30)
        ledger.mark_sent(client_order_id, lease, 1)
        ledger.release_lease(lease)
        ledger.apply_venue_order(account, make_venue_order(request, str(number)), "created")
        # Ended without all of its quantity known: the next order of the role may be planned, late fills are legal.
        ledger.mark_pending_cancel(client_order_id, "test")
        ended = make_venue_order(request, str(number), OrderState.CANCELED)
        ledger.apply_venue_order(account, ended, "cancelled")
