"""What the verdict is given to judge: a position counts as protected by a stop alone."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from trade_pipeline.ledger.records import Order
from trade_pipeline.runtime.chaos.evidence import unprotected
from trade_pipeline.schemas.trading import BookTop, OrderRequest, OrderState, OrderType, Position, Role, Side
from trade_pipeline_tests.exchange.paper.scripted_market import SYMBOL, rules

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
TOP = BookTop(SYMBOL, Decimal(100), Decimal(1), Decimal(101), Decimal(1), Decimal(100), NOW)


def position(amount: str = "1") -> Position:
    return Position("main", SYMBOL, Decimal(amount), Decimal(100), Decimal(0), Decimal(0), NOW, NOW)


def resting(kind: OrderType, role: Role = Role.PROTECT, side: Side = Side.SELL) -> Order:
    request = OrderRequest("one", SYMBOL, side, kind, Decimal(1))
    return Order(
        "one", "i1", 0, "main", SYMBOL, role, request, OrderState.OPEN, "1", Decimal(0), Decimal(0),
        NOW, NOW, NOW, NOW, "test",
    )  # fmt: skip


def found(held: Position, *orders: Order, open_ids: frozenset[str] = frozenset({"one"})) -> tuple[str, ...]:
    return unprotected([held], orders, open_ids, {SYMBOL: rules()}, {SYMBOL: TOP})


@pytest.mark.parametrize("kind", [OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT])
@pytest.mark.parametrize("role", [Role.PROTECT, Role.PROTECT_BESIDE])
def test_a_resting_stop_protects(kind: OrderType, role: Role) -> None:
    assert found(position(), resting(kind, role)) == ()


@pytest.mark.parametrize("kind", [OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT, OrderType.LIMIT_MAKER])
@pytest.mark.parametrize("role", [Role.PROTECT, Role.PROTECT_BESIDE])
def test_a_lone_take_profit_leaves_the_way_down_open(kind: OrderType, role: Role) -> None:
    assert found(position(), resting(kind, role)) == (SYMBOL,)


def test_a_stop_to_buy_an_exit_and_one_that_does_not_rest_protect_nothing() -> None:
    assert found(position(), resting(OrderType.STOP_LOSS, side=Side.BUY)) == (SYMBOL,)
    assert found(position(), resting(OrderType.STOP_LOSS, Role.EXIT)) == (SYMBOL,)
    assert found(position(), resting(OrderType.STOP_LOSS), open_ids=frozenset()) == (SYMBOL,)


def test_what_is_too_small_to_be_sold_needs_no_stop() -> None:
    assert found(position("0.0000001")) == ()
