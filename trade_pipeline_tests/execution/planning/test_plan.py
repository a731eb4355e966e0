"""From targets to orders: the rules of what is sent, what is not, and why. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_pipeline.errors import BadTarget
from trade_pipeline.execution.planning.plan import Plan, Situation, plan_orders
from trade_pipeline.execution.planning.sleeves import sleeve_shares
from trade_pipeline.execution.rounding import amount_down, is_dust, limit_price, on_step
from trade_pipeline.ledger.records import Order, Target
from trade_pipeline.schemas.trading import MarketRules, OrderState, OrderType, Role, Side, TargetKind, TimeInForce
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline.settings.trading import ExecutionSettings, PortfolioSettings
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules, make_top
from trade_pipeline_tests.fakes import START, make_request, make_target

ETH = "ETH/USDT"
EXECUTION, EXITS, LIMITS = ExecutionSettings(), ExitSettings(), PortfolioSettings()


def situation(held: str = "0", **changes: object) -> Situation:
    now = START + timedelta(seconds=2)
    start = Situation(
        account="main",
        now=now,
        positions={BTC: Decimal(held)} if Decimal(held) else {},
        sleeves={BTC: {"trend": Decimal(held)}} if Decimal(held) else {},
        live_orders=(),
        rules={BTC: make_rules(), ETH: make_rules(ETH)},
        tops={BTC: make_top(BTC, now), ETH: make_top(ETH, now)},
        free_quote=Decimal(10_000),
        equity_quote=Decimal(10**9),
        marks={BTC: Decimal(100), ETH: Decimal(100)},
    )
    return replace(start, **changes)  # type: ignore[arg-type]  # a test names only what it is about


def flat(symbol: str = BTC) -> Target:
    return make_target(symbol=symbol, kind=TargetKind.FLAT, quantity=Decimal(0), sleeves={})


def plan(target: Target, at: Situation) -> Plan:
    return plan_orders([target], at, EXECUTION, EXITS, LIMITS)


def live(role: Role, side: Side, state: OrderState = OrderState.OPEN, amount: str = "1") -> Order:
    request = make_request(side=side, amount=Decimal(amount))
    return Order(request.client_order_id, "intent", 0, "main", BTC, role, request, state, "7", Decimal(0),
                 Decimal(0), START, START, START, START, "test")  # fmt: skip


def reason(planned: Plan, symbol: str = BTC) -> str:
    assert planned.orders == ()
    return planned.verdicts[symbol].reason


def test_an_entry_is_a_marketable_limit_that_ends_at_once() -> None:
    (order,) = plan(make_target(), situation()).orders
    assert (order.request.side, order.request.time_in_force) == (Side.BUY, TimeInForce.IOC)
    assert order.request.price == on_step(Decimal("100.02") * Decimal("1.002"), Decimal("0.01"))
    assert order.intent.expires_at is not None


def test_noise_inside_the_band_sends_nothing() -> None:
    assert "no-trade band" in reason(plan(make_target(quantity=Decimal("1.05")), situation("1")))
    assert plan(make_target(quantity=Decimal("1.2")), situation("1")).orders


def test_the_band_is_never_narrower_than_the_smallest_order() -> None:
    assert "no-trade band" in reason(plan(make_target(quantity=Decimal("0.05")), situation("0.01")))


def test_flat_needs_no_band() -> None:
    (order,) = plan(flat(), situation("0.06")).orders
    assert (order.request.side, order.request.amount) == (Side.SELL, Decimal("0.06"))


def test_hold_sells_nothing() -> None:
    target = make_target(kind=TargetKind.HOLD, quantity=None, sleeves={}, reason="quarantined")
    assert reason(plan(target, situation("1"))) == "hold: quarantined"


def test_flat_without_a_managed_position_sells_nothing_whatever_is_in_the_account() -> None:
    assert "flat" in reason(plan(flat(), situation("0", free_base={"BTC": Decimal(2)})))


def test_a_sale_is_bounded_by_what_is_free() -> None:
    (order,) = plan(flat(), situation("1", free_base={"BTC": Decimal("0.5")})).orders
    assert order.request.amount == Decimal("0.5")
    assert "is free on the exchange" in reason(plan(flat(), situation("1", free_base={})))


def test_residue_is_not_retried() -> None:
    assert "residue" in reason(plan(flat(), situation("0.0009")))


def test_buys_with_fees_never_exceed_the_free_quote() -> None:
    at = situation(free_quote=Decimal(150))
    planned = plan_orders([make_target(symbol=BTC), make_target(symbol=ETH)], at, EXECUTION, EXITS, LIMITS)
    spent = sum(item.request.amount * (item.request.price or 0) * Decimal("1.001") for item in planned.orders)
    assert len(planned.orders) == 2
    assert spent <= 150


def test_reductions_come_before_increases() -> None:
    planned = plan_orders([make_target(symbol=ETH), flat(BTC)], situation("1"), EXECUTION, EXITS, LIMITS)
    assert [item.request.side for item in planned.orders] == [Side.SELL, Side.BUY]


def selling(type_: OrderType, price: str | None, stop_price: str | None = None, role: Role = Role.PROTECT) -> Order:
    order = live(role, Side.SELL)
    prices = {"price": price and Decimal(price), "stop_price": stop_price and Decimal(stop_price)}
    return replace(order, request=replace(order.request, type=type_, **prices))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("sale", "told"),
    [
        (selling(OrderType.LIMIT_MAKER, "100.22"), "our sale at 100.22 is not above 100.22"),
        (selling(OrderType.TAKE_PROFIT_LIMIT, "100.1", "100.1"), "our sale at 100.1 is not above"),
        (selling(OrderType.TAKE_PROFIT, None, "100.2"), "our sale at 100.2 is not above"),
        (selling(OrderType.STOP_LOSS_LIMIT, "99", "100"), "the bid has reached our stop at 100"),
        (selling(OrderType.LIMIT, "200", role=Role.EXIT), "is selling it"),
    ],
)
def test_no_buy_of_ours_can_trade_with_a_sale_of_ours(sale: Order, told: str) -> None:
    said = reason(plan(make_target(quantity=Decimal(2)), situation("1", live_orders=[sale])))
    assert said.startswith("no trade with ourselves: ")
    assert told in said


@pytest.mark.parametrize(
    "sale",
    [
        selling(OrderType.STOP_LOSS_LIMIT, "94", "95"),
        selling(OrderType.STOP_LOSS, None, "95"),
        selling(OrderType.LIMIT_MAKER, "100.23"),
        selling(OrderType.TAKE_PROFIT_LIMIT, "110", "110"),
    ],
)
def test_a_sale_out_of_reach_stops_no_purchase(sale: Order) -> None:
    (order,) = plan(make_target(quantity=Decimal(2)), situation("1", live_orders=[sale])).orders
    assert order.request.side == Side.BUY


def test_what_stops_increases_lets_reductions_pass() -> None:
    stopped = situation("1", increases_stopped="the gate is closed", halts={BTC: "an order nobody explains"})
    assert plan(flat(), stopped).orders
    assert reason(plan(make_target(quantity=Decimal(2)), stopped)) == "entries halted: an order nobody explains"
    gate = situation("1", increases_stopped="the gate is closed")
    assert reason(plan(make_target(quantity=Decimal(2)), gate)) == "the gate is closed"
    assert plan(make_target(quantity=Decimal("0.5")), gate).orders


def test_an_expired_target_buys_nothing() -> None:
    late = situation(now=START + timedelta(seconds=61))
    assert "expired" in reason(plan(make_target(), late))


def test_an_entry_whose_stop_could_not_be_placed_is_not_opened() -> None:
    at = situation(rules={BTC: make_rules(notional_min=Decimal(85))})
    assert "too small to be protected" in reason(plan(make_target(stop_distance=Decimal(20)), at))


def test_an_entry_that_rests_is_cancelled_before_anything_else() -> None:
    resting = live(Role.ENTRY, Side.BUY)
    planned = plan(make_target(), situation(live_orders=(resting,)))
    assert (planned.cancels, planned.orders) == ((resting,), ())


def test_a_stop_is_cancelled_before_its_coins_are_sold() -> None:
    stop = live(Role.PROTECT, Side.SELL)
    planned = plan(flat(), situation("1", live_orders=(stop,)))
    assert (planned.cancels, planned.orders) == ((stop,), ())


def test_a_stop_stays_while_more_is_bought() -> None:
    stop = selling(OrderType.STOP_LOSS_LIMIT, "94", "95")
    planned = plan(make_target(quantity=Decimal(2)), situation("1", live_orders=(stop,)))
    assert planned.cancels == ()
    assert len(planned.orders) == 1


def test_an_order_that_nobody_knows_the_end_of_blocks_its_symbol_only() -> None:
    unknown = live(Role.ENTRY, Side.BUY, OrderState.UNKNOWN)
    at = situation(live_orders=(unknown,))
    planned = plan_orders([make_target(symbol=BTC), make_target(symbol=ETH)], at, EXECUTION, EXITS, LIMITS)
    assert [item.request.symbol for item in planned.orders] == [ETH]
    assert "UNKNOWN: resolved first" in planned.verdicts[BTC].reason


def test_a_symbol_that_is_not_traded_now_is_left_alone() -> None:
    at = situation("1", rules={BTC: make_rules(active=False)})
    assert "does not trade" in reason(plan(flat(), at))
    zero = situation("1", tops={BTC: make_top(BTC, START, "0")})
    assert "does not quote" in reason(plan(flat(), zero))


def test_every_symbol_has_a_verdict_and_every_id_is_its_decisions() -> None:
    planned = plan_orders([make_target(symbol=BTC), flat(ETH)], situation(), EXECUTION, EXITS, LIMITS)
    assert set(planned.verdicts) == {BTC, ETH}
    again = plan_orders([make_target(symbol=BTC), flat(ETH)], situation(), EXECUTION, EXITS, LIMITS)
    assert [o.request.client_order_id for o in planned.orders] == [o.request.client_order_id for o in again.orders]


def test_fills_are_shared_by_what_each_strategy_wants_more() -> None:
    wanted, held = {"a": Decimal(3), "b": Decimal(1)}, {"a": Decimal(0), "b": Decimal(2)}
    assert sleeve_shares(wanted, held, "a", Side.BUY) == {"a": Decimal(1)}
    assert sleeve_shares(wanted, held, "a", Side.SELL) == {"b": Decimal(1)}
    thirds = sleeve_shares({"a": Decimal(1), "b": Decimal(2)}, {}, "a", Side.BUY)
    assert sum(thirds.values()) == 1


prices = st.decimals("0.0001", "100000", allow_nan=False, places=8)
steps = st.sampled_from([Decimal("0.00000001"), Decimal("0.0001"), Decimal("0.01"), Decimal("0.5"), Decimal(1)])


@given(prices, steps)
def test_buy_limits_round_down_and_sell_limits_up_by_less_than_a_tick(price: Decimal, tick: Decimal) -> None:
    rules = make_rules(price_tick=tick)
    low, high = limit_price(price, Side.BUY, rules), limit_price(price, Side.SELL, rules)
    assert price - tick < low <= price <= high < price + tick
    assert low % tick == high % tick == 0


@given(prices, steps)
def test_amounts_round_down_onto_their_step(amount: Decimal, step: Decimal) -> None:
    rounded = amount_down(amount, make_rules(amount_step=step))
    assert amount - step < rounded <= amount
    assert rounded % step == 0


@given(
    held=st.decimals("0", "20", allow_nan=False, places=5),
    wanted=st.decimals("0", "20", allow_nan=False, places=8),
    price=st.decimals("0.05", "5000", allow_nan=False, places=2),
    quote=st.decimals("0", "20000", allow_nan=False, places=2),
    step=steps,
)
def test_every_planned_order_passes_the_exchanges_filters(
    held: Decimal, wanted: Decimal, price: Decimal, quote: Decimal, step: Decimal
) -> None:
    """RELIABILITY invariants 15 and 16."""
    rules: MarketRules = make_rules(amount_step=step, amount_min=step)
    at = situation(str(held), rules={BTC: rules}, tops={BTC: make_top(BTC, START, str(price))}, free_quote=quote)
    target = make_target(quantity=wanted, sleeves={"trend": wanted}, stop_distance=price / 50) if wanted else flat()
    for item in plan(target, at).orders:
        request = item.request
        assert request.price is not None
        assert request.amount % step == 0
        assert request.price % rules.price_tick == 0
        if request.side == Side.SELL:
            assert request.amount <= held
            assert not is_dust(request.amount, at.tops[BTC].bid, rules)
        else:
            assert request.amount * request.price * (1 + rules.taker_fee_rate) <= quote
            assert request.amount * request.price >= rules.notional_min


@pytest.mark.parametrize("field", ["quantity", "stop_distance", "price", "sleeves"])
@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "-1"])
def test_a_target_that_is_no_number_is_named_and_sends_nothing_while_others_go_on(field: str, value: str) -> None:
    number = Decimal(value)
    given: object = {"a": Decimal(1), "trend": number} if field == "sleeves" else number
    bad = replace(make_target(), **{field: given})  # type: ignore[arg-type]  # by name
    planned = plan_orders([bad, make_target(symbol=ETH)], situation(), EXECUTION, EXITS, LIMITS)

    assert [order.request.symbol for order in planned.orders] == [ETH]
    verdict = planned.verdicts[BTC]
    assert isinstance(verdict.error, BadTarget)
    assert (verdict.error.thing, verdict.error.value) == (BTC, value)
    assert verdict.error.repair
    assert field.rstrip("s").replace("_", " ") in verdict.reason
    assert json.loads(json.dumps(verdict.detail()))["error"]["thing"] == BTC


def test_flat_sells_whatever_numbers_come_with_it() -> None:
    nothing = Decimal("NaN")
    bad = replace(flat(), quantity=nothing, price=nothing, stop_distance=nothing, sleeves={"trend": nothing})
    (order,) = plan(bad, situation("1")).orders
    assert order.request.side == Side.SELL
    assert (order.intent.decision_price, order.intent.stop_distance) == (None, None), "the ledger gets no such number"
    assert order.intent.sleeves == {"trend": Decimal(1)}


@pytest.mark.parametrize("quantity", ["1e400", "1e999999"])
def test_a_number_beyond_all_arithmetic_is_one_symbol_s_trouble(quantity: str) -> None:
    planned = plan_orders(
        [make_target(quantity=Decimal(quantity)), make_target(symbol=ETH)],
        situation(free_quote=Decimal(10**9)),
        EXECUTION,
        EXITS,
        LIMITS,
    )
    assert ETH in {order.request.symbol for order in planned.orders}
    assert set(planned.verdicts) == {BTC, ETH}
