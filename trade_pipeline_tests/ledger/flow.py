"""The steps that most tests of the ledger begin with."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Order
from trade_pipeline.schemas.trading import AccountReading, Balance, OrderState, Role, Side
from trade_pipeline_tests.fakes import START, make_intent, make_request, make_trade, make_venue_order

PREFIX = "7c01"


def sent_order(ledger: Ledger, number: int = 1, **changes: object) -> Order:
    """A planned and sent order; `changes` go to intent and request alike, as far as each has the field."""
    both = {name: changes[name] for name in ("symbol", "side", "amount") if name in changes}
    intent = make_intent(
        f"intent-{number}",
        **both,
        **{
            key: value
            for key, value in changes.items()
            if key in {"role", "sleeves", "reason", "strategy", "decision_id"}
        },
    )
    request = make_request(f"{PREFIX}{number:028x}", **both)
    ledger.plan_order(intent, request)
    lease = ledger.acquire_lease("main", "test", 30)
    order = ledger.mark_sent(request.client_order_id, lease, 1)
    ledger.release_lease(lease)
    return order


def open_order(ledger: Ledger, number: int = 1, **changes: object) -> Order:
    """As `sent_order`, and known to the exchange as order `number`."""
    order = sent_order(ledger, number, **changes)
    return ledger.apply_venue_order("main", make_venue_order(order.request, str(number)), "created")


def finish(ledger: Ledger, order: Order, state: OrderState = OrderState.CANCELED) -> Order:
    assert order.venue_order_id is not None
    return ledger.apply_venue_order("main", make_venue_order(order.request, order.venue_order_id, state), "test")


def buy(ledger: Ledger, number: int, amount: str, price: str, **changes: object) -> None:
    """One complete purchase by an order of its own."""
    fee = {key: changes.pop(key) for key in ("fee", "fee_asset", "at") if key in changes}
    open_order(ledger, number, amount=Decimal(amount), **changes)
    trade = make_trade(number, str(number), amount=Decimal(amount), price=Decimal(price), **fee)
    ledger.book_trades("main", [trade], prefix=PREFIX)


def sell(ledger: Ledger, number: int, amount: str, price: str, **changes: object) -> None:
    """One complete sale by an order of its own."""
    fee = {key: changes.pop(key) for key in ("fee", "fee_asset", "at") if key in changes}
    open_order(ledger, number, amount=Decimal(amount), side=Side.SELL, **({"role": Role.EXIT} | changes))
    trade = make_trade(number, str(number), amount=Decimal(amount), price=Decimal(price), side=Side.SELL, **fee)
    ledger.book_trades("main", [trade], prefix=PREFIX)


def opening(**balances: str) -> AccountReading:
    """What the exchange held an hour before START."""
    at = START - timedelta(hours=1)
    return AccountReading(
        {asset: Balance(asset, Decimal(amount), Decimal(0)) for asset, amount in balances.items()}, at
    )


def amount_of(ledger: Ledger, symbol: str = "BTC/USDT") -> Decimal:
    position = ledger.position("main", symbol)
    return position.amount if position else Decimal(0)
