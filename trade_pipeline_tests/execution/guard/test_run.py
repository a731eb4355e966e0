"""The steps of an exit: limit that waits, immediate or cancel, market; each with its time and its limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from trade_pipeline.execution.exits.values import ExitReason
from trade_pipeline.execution.guard.run import ExitRun, advanced, is_held_back, sale_request, tactic_of
from trade_pipeline.execution.guard.views import begin
from trade_pipeline.schemas.trading import OrderRequest, OrderType, TimeInForce
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline_tests.execution.fake_venue import BTC, make_rules, make_top
from trade_pipeline_tests.fakes import START

EXITS = ExitSettings()
RUN = begin("main", BTC, ExitReason.TARGET, Decimal(100), START, EXITS)


def after(run: ExitRun, seconds: float, *, resting: bool = False, exits: ExitSettings = EXITS) -> ExitRun:
    return advanced(run, exits, START + timedelta(seconds=seconds), resting=resting)


def request(run: ExitRun, exits: ExitSettings = EXITS, price: str = "100") -> OrderRequest:
    return sale_request(run, exits, "c" * 32, Decimal("1.0005"), make_top(BTC, START, price), make_rules())


def test_a_limit_waits_at_the_offer_then_an_immediate_one_takes_the_bid_then_it_is_the_market() -> None:
    first = request(RUN)
    assert (first.type, first.time_in_force, first.price) == (OrderType.LIMIT, TimeInForce.GTC, Decimal("100.02"))
    second = request(replace(RUN, step=1))
    assert (second.type, second.time_in_force, second.price) == (OrderType.LIMIT, TimeInForce.IOC, Decimal("99.80"))
    third = request(replace(RUN, step=2))
    assert (third.type, third.price, third.amount) == (OrderType.MARKET, None, Decimal("1.000"))


def test_what_is_worth_the_minimum_at_the_bid_is_sold_though_its_limit_lies_below() -> None:
    rules, top = make_rules(notional_min=Decimal(5)), make_top(BTC, START, "100")
    sold = sale_request(replace(RUN, step=1), EXITS, "c" * 32, Decimal("0.0501"), top, rules)
    assert sold.price is not None
    assert sold.amount * sold.price >= 5


def test_a_step_lasts_as_long_as_it_may() -> None:
    sent = RUN.counted(START)
    assert after(RUN, 99) == RUN
    assert after(sent, 2.9, resting=True) == sent
    on = after(sent, 3, resting=True)
    assert (on.step, on.sent, on.sent_in_step, on.step_at) == (1, 1, 0, START + timedelta(seconds=3))


def test_a_steps_time_counts_from_its_first_order() -> None:
    later = START + timedelta(seconds=9)
    sent = RUN.counted(later)
    assert sent.step_at == later
    assert after(sent, 11.9, resting=True) == sent
    assert sent.counted(later + timedelta(seconds=1)).step_at == later


def test_a_limit_that_ended_by_itself_is_not_waited_for() -> None:
    assert after(RUN.counted(START), 0.1, resting=False).step == 1


def test_an_immediate_order_is_repeated_while_its_step_lasts() -> None:
    sent = replace(RUN, step=1).counted(START)
    assert after(sent, 0.9).step == 1
    assert after(sent, 1).step == 2


def test_the_last_step_is_repeated_until_nothing_is_left() -> None:
    market = replace(RUN, step=2).counted(START)
    assert after(market, 1000) == market
    assert tactic_of(replace(RUN, step=9), EXITS).kind == "market"


def test_a_breached_stop_goes_to_the_market_directly() -> None:
    run = begin("main", BTC, ExitReason.STOP_LOSS, Decimal(95), START, EXITS)
    assert request(run).type == OrderType.MARKET


def test_a_market_order_waits_a_limited_time_for_a_bid_within_its_slippage() -> None:
    exits = ExitSettings.model_validate({"tactics": [{"kind": "market", "wait_s": 2, "slippage_ratio_max": "0.01"}]})
    soon, late = START + timedelta(seconds=1), START + timedelta(seconds=2)
    assert not is_held_back(RUN, exits, Decimal(99), soon)
    assert is_held_back(RUN, exits, Decimal("98.9"), soon)
    assert not is_held_back(RUN, exits, Decimal("98.9"), late)


def test_a_market_order_keeps_to_the_symbols_limit() -> None:
    rules = make_rules(market_amount_max=Decimal(2))
    run = replace(RUN, step=2)
    assert sale_request(run, EXITS, "c" * 32, Decimal(3), None, rules).amount == Decimal(2)


def test_an_exit_is_read_back_as_it_was_written() -> None:
    run = replace(RUN.counted(START), keep=Decimal("0.25"))
    assert ExitRun.from_detail(run.detail()) == run
