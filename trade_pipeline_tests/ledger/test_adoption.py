"""Positions and orders that the ledger did not make become its own, once and on the record."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from trade_pipeline.errors import LedgerError
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderState, Role
from trade_pipeline_tests.fakes import START, make_request, make_trade, make_venue_order
from trade_pipeline_tests.ledger.flow import PREFIX, buy, open_order

D = Decimal
LATER = START + timedelta(hours=1)


def held(ledger: Ledger) -> Decimal:
    position = ledger.position("main", "BTC/USDT")
    return position.amount if position else D(0)


def test_released_coins_leave_the_position_and_no_balance(ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")
    balances = ledger.expected_balances("main")

    assert ledger.adjust_position("main", "BTC/USDT", D("-0.5"), None, LATER, "sold by hand")
    assert not ledger.adjust_position("main", "BTC/USDT", D("-0.5"), None, LATER, "sold by hand")

    assert held(ledger) == D("1.5")
    assert ledger.expected_balances("main") == balances
    assert ledger.realised("main") == 0


def test_coins_released_at_a_price_realise_the_difference_and_end_the_position(ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")

    ledger.adjust_position("main", "BTC/USDT", D(-2), D(110), LATER, "sold by hand")

    assert held(ledger) == 0
    assert ledger.realised("main") == D(20)
    position = ledger.position("main", "BTC/USDT")
    assert position is None or position.opened_at is None


def test_an_adjustment_survives_a_rebuild(ledger: Ledger) -> None:
    buy(ledger, 1, "2", "100")
    ledger.adjust_position("main", "BTC/USDT", D("-0.5"), None, LATER, "one")
    ledger.adjust_position("main", "BTC/USDT", D("0.2"), D(90), LATER, "two", "trend")
    before = (held(ledger), ledger.sleeves("main", "BTC/USDT"))

    ledger.rebuild_positions("main")

    assert (held(ledger), ledger.sleeves("main", "BTC/USDT")) == before == (D("1.7"), before[1])


def test_an_order_with_our_prefix_that_nobody_knows_is_adopted_with_its_trades(ledger: Ledger) -> None:
    request = make_request(PREFIX + "f" * 28, amount=D(2))
    ledger.book_trades("main", [make_trade(1, "77", amount=D(1))], prefix=PREFIX)

    order = ledger.adopt_order("main", make_venue_order(request, "77"), role=Role.ENTRY, reason="found at start")

    assert (order.state, order.filled, order.venue_order_id) == (OrderState.PARTIALLY_FILLED, D(1), "77")
    assert held(ledger) == D(1)
    assert [event.state for event in ledger.order_events(order.client_order_id)][:3] == ["PLANNED", "SENT", "UNKNOWN"]
    assert ledger.adopt_order("main", make_venue_order(request, "77"), role=Role.ENTRY, reason="again") == order


def test_a_second_live_order_of_a_role_is_not_adopted(ledger: Ledger) -> None:
    open_order(ledger, 1)
    stray = make_venue_order(make_request(PREFIX + "f" * 28), "77")

    with pytest.raises(LedgerError, match="BTC/USDT entry"):
        ledger.adopt_order("main", stray, role=Role.ENTRY, reason="found at start")
