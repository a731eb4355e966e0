"""No purchase is planned whose worst case exceeds a limit (RELIABILITY invariant 15). Pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.execution.planning.plan import Plan, Situation, plan_orders
from trade_pipeline.ledger.records import Order, Target
from trade_pipeline.schemas.trading import OrderState, OrderType, Role, Side
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline.settings.trading import ExecutionSettings, PortfolioSettings
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules, make_top
from trade_pipeline_tests.execution.planning.test_plan import ETH, flat, live, situation
from trade_pipeline_tests.fakes import START, make_target

LIMITS = PortfolioSettings(position_weight_max=Decimal("0.10"), total_weight_max=Decimal("0.60"))
NAMES = tuple(f"C{number}/USDT" for number in range(8))
EQUITY = Decimal(10_000)


def account(held: dict[str, str] | None = None, **changes: object) -> Situation:
    """10,000 in all, every coin at 100."""
    positions = {symbol: Decimal(amount) for symbol, amount in (held or {}).items()}
    symbols = {BTC, ETH, *NAMES}
    start = replace(
        situation(),
        positions=positions,
        rules={symbol: make_rules(symbol) for symbol in symbols},
        tops={symbol: make_top(symbol, START) for symbol in symbols},
        marks={symbol: Decimal(100) for symbol in positions},
        equity_quote=EQUITY,
    )
    return replace(start, **changes)  # type: ignore[arg-type]  # a test names only what it is about


def wants(symbol: str, quantity: str) -> Target:
    return make_target(symbol=symbol, quantity=Decimal(quantity), sleeves={"trend": Decimal(quantity)})


def plan(at: Situation, *targets: Target) -> Plan:
    return plan_orders(targets, at, ExecutionSettings(), ExitSettings(), LIMITS)


def cost(planned: Plan) -> Decimal:
    buys = [item.request for item in planned.orders if item.request.side == Side.BUY]
    return sum((request.amount * (request.price or 0) for request in buys), Decimal(0))


@pytest.mark.parametrize("quantity", ["10.1", "50", "1e30", "1e400"])
def test_one_purchase_is_cut_to_what_a_position_may_be_worth(quantity: str) -> None:
    planned = plan(account(), wants(BTC, quantity))
    assert EQUITY * Decimal("0.0999") < cost(planned) <= EQUITY / 10
    assert "position_weight_max 0.10" in planned.verdicts[BTC].reason


def test_an_entry_at_its_limit_is_cut_and_not_refused_when_the_price_has_moved() -> None:
    at = account(tops={BTC: make_top(BTC, START, "101")})
    (order,) = plan(at, wants(BTC, "10")).orders
    assert order.request.amount * (order.request.price or 0) <= EQUITY / 10
    assert order.request.amount > Decimal("9.8")


def test_what_is_held_counts_at_the_price_of_the_purchase() -> None:
    planned = plan(account({BTC: "8"}), wants(BTC, "12"))
    (order,) = planned.orders
    assert (8 + order.request.amount) * (order.request.price or 0) <= EQUITY / 10
    assert order.request.amount > Decimal("1.9")


def test_a_position_that_drift_carried_above_its_limit_is_only_reduced() -> None:
    at = account({BTC: "11"})
    planned = plan(at, wants(BTC, "13"))
    assert planned.orders == ()
    assert "position_weight_max 0.10 allows 1000.00 USDT" in planned.verdicts[BTC].reason
    (order,) = plan(at, wants(BTC, "5")).orders
    assert order.request.side == Side.SELL


@pytest.mark.parametrize("state", [OrderState.PLANNED, OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN])
def test_an_entry_whose_fate_is_not_known_counts_as_filled(state: OrderState) -> None:
    held = dict.fromkeys(NAMES[:6], "9")
    lost = buying(ETH, "5", state)
    free, planned = plan(account(held), wants(BTC, "9")), plan(account(held, live_orders=(lost,)), wants(BTC, "9"))
    assert cost(free) > 590
    assert cost(planned) <= 6000 - 5400 - 5 * 100
    assert "total_weight_max 0.60" in planned.verdicts[BTC].reason


def test_beyond_the_total_nothing_is_bought_and_sales_go_on() -> None:
    held = dict.fromkeys(NAMES[:7], "9")
    planned = plan(account(held), wants(BTC, "5"), flat(NAMES[0]))
    assert [item.request.side for item in planned.orders] == [Side.SELL]
    assert "total_weight_max 0.60 of 10000.00 USDT is used" in planned.verdicts[BTC].reason
    assert planned.short_of_room, "what the sale brings is room for the next plan"


def test_the_total_is_shared_so_that_a_moved_price_refuses_nobody() -> None:
    at = account(tops={symbol: make_top(symbol, START, "101") for symbol in NAMES})
    planned = plan(at, *(wants(symbol, "9.9") for symbol in NAMES[:6]), wants(NAMES[6], "0.5"))
    assert len(planned.orders) == 7
    assert EQUITY * Decimal("0.599") < cost(planned) <= EQUITY * Decimal("0.6")


def test_a_holding_without_any_price_counts_as_the_most_that_a_position_may_be() -> None:
    held = dict.fromkeys(NAMES[:5], "9.9") | {ETH: "1"}
    at = account(held)
    blind = replace(at, marks={symbol: mark for symbol, mark in at.marks.items() if symbol != ETH})
    assert cost(plan(at, wants(BTC, "9"))) > 890
    assert cost(plan(blind, wants(BTC, "9"))) <= 6000 - 4950 - 1000


def test_an_account_that_is_worth_nothing_buys_nothing() -> None:
    for equity in ("0", "-5"):
        assert plan(account(equity_quote=Decimal(equity)), wants(BTC, "1")).orders == ()


@given(
    held=st.lists(st.decimals(0, 15, places=3), min_size=8, max_size=8),
    wanted=st.lists(st.decimals("0.001", 40, places=3), min_size=8, max_size=8),
    lost=st.lists(st.decimals("0.001", 10, places=3), max_size=3),
    price=st.decimals("90", "110", places=2),
)
def test_no_plan_exceeds_a_limit(
    held: list[Decimal], wanted: list[Decimal], lost: list[Decimal], price: Decimal
) -> None:
    """The faults' oracle adds up the same from the exchange's side, with what moved between plan and arrival."""
    positions = {name: str(amount) for name, amount in zip(NAMES, held, strict=True) if amount}
    orders = tuple(buying(name, str(amount), OrderState.UNKNOWN) for name, amount in zip(NAMES, lost, strict=False))
    tops = {name: make_top(name, START, str(price)) for name in NAMES}
    marks = dict.fromkeys(positions, price)
    at = account(positions, live_orders=orders, tops=tops, marks=marks, free_quote=Decimal(10**6))
    planned = plan(at, *(wants(name, str(amount)) for name, amount in zip(NAMES, wanted, strict=True)))
    worst = {name: at.positions.get(name, Decimal(0)) * price for name in NAMES}
    for order in orders:
        worst[order.symbol] += order.request.amount * (order.request.price or 0)
    for item in planned.orders:
        if item.request.side == Side.BUY:
            worst[item.request.symbol] += item.request.amount * (item.request.price or 0)
            assert worst[item.request.symbol] <= EQUITY / 10
    if cost(planned):
        assert sum(worst.values()) <= EQUITY * Decimal("0.6")


def buying(symbol: str, amount: str, state: OrderState) -> Order:
    order = live(Role.ENTRY, Side.BUY, state, amount)
    request = replace(order.request, symbol=symbol, type=OrderType.LIMIT, price=Decimal(100), stop_price=None)
    return replace(order, symbol=symbol, request=request)
