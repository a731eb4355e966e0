"""Flatten against the simulated exchange, with neither Dagster nor broker nor database running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

from trade_pipeline.errors import (
    AuthenticationFailed,
    Banned,
    DuplicateClientOrderId,
    OutcomeUnknown,
    TradePipelineError,
    VenueUnavailable,
)
from trade_pipeline.execution.control import flatten_runs, flattening, paused, read_positions, record_positions
from trade_pipeline.execution.emergency.flatten import FlattenReport, flatten
from trade_pipeline.execution.emergency.journal import import_journal, sendings, unbooked_files
from trade_pipeline.execution.rounding import amount_down, on_step
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Role, Side, VenueOrder
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.exchange_process import RunningExchange, running_exchange
from trade_pipeline_tests.fakes import make_intent

SYMBOL = "BTC/USDT"
NOTIONAL = Decimal(300)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    # A whole coin is there from before: it is not ours and must survive everything.
    with running_exchange(tmp_path, opening_balances={"USDT": "10000", "BTC": "1"}) as running:
        yield running


@pytest.fixture
def venue(exchange: RunningExchange) -> Iterator[BinanceTrading]:
    trading = exchange.trading()
    yield trading
    trading.close()


def named(number: int, prefix: str = "7c01") -> str:
    return f"{prefix}{number:028x}"


def buy(venue: BinanceTrading, number: int, symbol: str = SYMBOL, prefix: str = "7c01") -> VenueOrder:
    amount = amount_down(NOTIONAL / venue.book_tops([symbol])[symbol].ask, venue.markets()[symbol])
    return venue.create(OrderRequest(named(number, prefix), symbol, Side.BUY, OrderType.MARKET, amount))


def rest_stop(venue: BinanceTrading, number: int, amount: Decimal) -> VenueOrder:
    rules, bid = venue.markets()[SYMBOL], venue.book_tops([SYMBOL])[SYMBOL].bid
    price = on_step(bid * Decimal("0.9"), rules.price_tick)
    whole = amount_down(amount, rules)
    return venue.create(OrderRequest(named(number), SYMBOL, Side.SELL, OrderType.STOP_LOSS, whole, stop_price=price))


def bought(order: VenueOrder) -> Decimal:
    return order.filled - sum((trade.fee for trade in order.trades if trade.fee_asset == "BTC"), Decimal(0))


def run(exchange: RunningExchange, venue: BinanceTrading) -> FlattenReport:
    return flatten(exchange.home, exchange.settings, venue)


def left_over(venue: BinanceTrading) -> Decimal:
    """BTC beyond the coin that was there before."""
    return venue.account().total("BTC") - 1


def test_our_orders_are_cancelled_and_our_coins_sold_and_nothing_else(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    entry = buy(venue, 1)
    rest_stop(venue, 2, bought(entry))
    low = on_step(venue.book_tops([SYMBOL])[SYMBOL].bid * Decimal("0.7"), venue.markets()[SYMBOL].price_tick)
    foreign = venue.create(OrderRequest(named(3, "feed"), SYMBOL, Side.BUY, OrderType.LIMIT, Decimal("0.01"), low))
    report = run(exchange, venue)
    assert report.complete, report.problems
    assert 0 <= left_over(venue) < venue.markets()[SYMBOL].amount_step
    assert [order.client_order_id for order in venue.open_orders()] == [foreign.client_order_id]
    assert report.sold[SYMBOL] == amount_down(bought(entry), venue.markets()[SYMBOL])
    assert any("STOP_LOSS" in line for line in report.lines())


def test_nothing_is_bought_again_and_the_mark_says_that_it_ended(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    run(exchange, venue)
    assert paused(exchange.home) == "flatten"
    assert not flatten_runs(exchange.home)


def test_a_second_flatten_finds_nothing_to_do(exchange: RunningExchange, venue: BinanceTrading) -> None:
    buy(venue, 1)
    run(exchange, venue)
    again = run(exchange, venue)
    assert again.complete
    assert again.sold == {}
    assert left_over(venue) >= 0


def test_an_account_without_orders_of_ours_is_left_alone(exchange: RunningExchange, venue: BinanceTrading) -> None:
    buy(venue, 1, prefix="feed")
    before = venue.account().balances
    report = run(exchange, venue)
    assert report.sold == {}
    assert venue.account().balances == before


def test_a_lost_answer_is_looked_up_and_the_order_not_sent_again(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    buy(venue, 1)
    exchange.fault("timeout", method="POST", path="/api/v3/order", delay_s=0.05, count=1)
    report = run(exchange, venue)
    assert report.complete, report.problems
    assert 0 <= left_over(venue) < venue.markets()[SYMBOL].amount_step
    assert len(sendings(exchange.home)) == 1


def test_an_order_lost_before_its_effect_is_replaced_once_it_cannot_come_any_more(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    buy(venue, 1)
    settings = exchange.settings.model_copy(
        update={"execution": exchange.settings.execution.model_copy(update={"recv_window_ms": 100})}
    )
    exchange.fault("lost_before_effect", method="POST", path="/api/v3/order", delay_s=0.05, count=1)
    report = flatten(exchange.home, settings, venue)
    assert report.complete, report.problems
    assert left_over(venue) < venue.markets()[SYMBOL].amount_step
    first, second = sendings(exchange.home)
    assert (first.end, first.attempt, second.attempt) == ("absent", 0, 1)
    assert first.request.client_order_id != second.request.client_order_id


def test_an_exchange_that_is_gone_is_an_error_and_leaves_the_pause(tmp_path: Path) -> None:
    with running_exchange(tmp_path) as stopped:
        venue = stopped.trading()
        venue.markets()
    with pytest.raises(VenueUnavailable):
        flatten(stopped.home, stopped.settings, venue)
    venue.close()
    assert paused(stopped.home) == "flatten"
    assert not flatten_runs(stopped.home)


def test_an_exchange_that_goes_after_the_cancels_leaves_a_report_of_them(
    exchange: RunningExchange, venue: BinanceTrading, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest_stop(venue, 2, bought(buy(venue, 1)))

    def gone() -> NoReturn:
        raise VenueUnavailable("no line")

    monkeypatch.setattr(venue, "account", gone)
    report = run(exchange, venue)
    assert [SYMBOL in line for line in report.cancelled] == [True]
    assert report.problems == ["nothing was sold: no line"]


class KilledAfterSending:
    """A venue whose process dies when an order has left: the answer never arrives."""

    def __init__(self, venue: BinanceTrading) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    def create(self, request: OrderRequest) -> VenueOrder:
        self._venue.create(request)
        raise KeyboardInterrupt


def test_a_flatten_that_was_killed_after_sending_is_taken_up_without_selling_twice(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    buy(venue, 1)
    with pytest.raises(KeyboardInterrupt):
        flatten(exchange.home, exchange.settings, KilledAfterSending(venue))  # type: ignore[arg-type]  # delegates
    report = run(exchange, venue)
    assert report.complete, report.problems
    assert report.sold == {}
    assert 0 <= left_over(venue) < venue.markets()[SYMBOL].amount_step
    [sent] = sendings(exchange.home)
    assert sent.order is not None


@pytest.mark.parametrize("error", [Banned("418"), AuthenticationFailed("-2015")])
def test_a_ban_or_a_bad_key_sold_nothing_for_certain_and_is_reported(
    exchange: RunningExchange, venue: BinanceTrading, error: TradePipelineError
) -> None:
    """Not UNKNOWN: the next flatten has nothing to wait for, and sells."""
    buy(venue, 1)
    report = flatten(exchange.home, exchange.settings, Refusing(venue, error))  # type: ignore[arg-type]  # delegates
    assert [problem.startswith(SYMBOL) for problem in report.problems] == [True]
    assert [(sent.end, sent.order) for sent in sendings(exchange.home)] == [("refused", None)]
    assert run(exchange, venue).sold.keys() == {SYMBOL}


def test_an_id_that_the_exchange_has_already_is_looked_up_and_not_sent_under_another_one(
    exchange: RunningExchange, venue: BinanceTrading
) -> None:
    amount = buy(venue, 1)
    already = Refusing(venue, DuplicateClientOrderId("Duplicate order sent."), executed=True)
    report = flatten(exchange.home, exchange.settings, already)  # type: ignore[arg-type]  # delegates
    assert report.complete, report.problems
    assert len(sendings(exchange.home)) == 1
    assert report.sold[SYMBOL] <= amount.filled


class Refusing:
    """A venue that answers every order with an error, after executing it or not."""

    def __init__(self, venue: BinanceTrading, error: TradePipelineError, *, executed: bool = False) -> None:
        self._venue, self._error, self._executed = venue, error, executed

    def __getattr__(self, name: str) -> object:
        return getattr(self._venue, name)

    def create(self, request: OrderRequest) -> VenueOrder:
        if self._executed:
            self._venue.create(request)
        raise self._error


def book(ledger: Ledger, order: VenueOrder, role: Role, intent_id: str) -> None:
    """What an execute run would have written before and after sending `order`."""
    request = OrderRequest(
        order.client_order_id, order.symbol, order.side, order.type, order.amount, order.price, order.stop_price
    )
    intent = make_intent(intent_id, role=role, side=order.side, amount=order.amount)
    ledger.plan_order(intent, request)
    lease = ledger.acquire_lease("main", "test", 30)
    ledger.mark_sent(order.client_order_id, lease, 0)
    ledger.release_lease(lease)
    ledger.apply_venue_order("main", order, "answer")
    ledger.book_trades("main", order.trades, prefix="7c01")


def test_the_ledger_learns_everything_from_the_journal_later(
    exchange: RunningExchange, venue: BinanceTrading, ledger: Ledger
) -> None:
    ledger.record_opening("main", venue.account())
    entry = buy(venue, 1)
    book(ledger, entry, Role.ENTRY, "entry")
    stop = rest_stop(venue, 2, bought(entry))
    book(ledger, stop, Role.PROTECT, "stop")
    record_positions(exchange.home, ledger, "main", datetime.now(UTC))
    record = read_positions(exchange.home)
    assert record is not None
    assert record.positions[SYMBOL].live_order_ids == {stop.order_id}

    report = run(exchange, venue)
    assert report.complete, report.problems
    assert flattening(exchange.home)
    assert import_journal(ledger, exchange.home) == 1
    assert not flattening(exchange.home)
    assert import_journal(ledger, exchange.home) == 0
    assert unbooked_files(exchange.home) == []

    assert ledger.live_orders("main") == []
    cancelled = ledger.order(stop.client_order_id)
    assert cancelled is not None
    assert cancelled.state == OrderState.CANCELED
    position = ledger.position("main", SYMBOL)
    assert position is not None
    assert position.amount == bought(entry) - report.sold[SYMBOL]
    expected = ledger.expected_balances("main")
    account = venue.account()
    assert {asset: account.total(asset) for asset in expected} == expected
    [sent] = sendings(exchange.home, booked_too=True)
    intent = ledger.intent(sent.intent_id)
    assert intent is not None
    assert (intent.role, intent.strategy, intent.reason) == (Role.EXIT, "flatten", "flatten")
    # Coins that were bought later, with the record as it was, are found and sold under another id.
    buy(venue, 5)
    again = run(exchange, venue)
    assert again.complete, again.problems
    assert len({each.request.client_order_id for each in sendings(exchange.home, booked_too=True)}) == 2


def test_a_stop_that_filled_while_everything_was_down_is_counted(
    exchange: RunningExchange, venue: BinanceTrading, ledger: Ledger
) -> None:
    entry = buy(venue, 1)
    book(ledger, entry, Role.ENTRY, "entry")
    record_positions(exchange.home, ledger, "main", datetime.now(UTC))
    amount = amount_down(bought(entry), venue.markets()[SYMBOL])
    venue.create(OrderRequest(named(2), SYMBOL, Side.SELL, OrderType.MARKET, amount))
    report = run(exchange, venue)
    assert report.complete
    assert report.sold == {}
    assert left_over(venue) >= 0


def test_the_journal_holds_an_order_before_it_is_sent(exchange: RunningExchange, venue: BinanceTrading) -> None:
    buy(venue, 1)
    seen: list[list[str]] = []

    class Looking(KilledAfterSending):
        def create(self, request: OrderRequest) -> VenueOrder:
            [path] = unbooked_files(exchange.home)
            seen.append([json.loads(line)["kind"] for line in path.read_text().splitlines()])
            raise OutcomeUnknown("cut off")

    settings = exchange.settings.model_copy(
        update={"execution": exchange.settings.execution.model_copy(update={"recv_window_ms": 100})}
    )
    report = flatten(exchange.home, settings, Looking(venue), seconds_max=2.0)  # type: ignore[arg-type]  # delegates
    assert seen[0] == ["sending"]
    assert not report.complete
    assert left_over(venue) > 0
