"""Both venues against the simulated exchange over HTTP: its answers and ours fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from trade_pipeline.errors import (
    AuthenticationFailed,
    FilterViolation,
    InsufficientFunds,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    WouldTriggerImmediately,
)
from trade_pipeline.execution.rounding import amount_down, on_step
from trade_pipeline.schemas.trading import OrderRequest, OrderState, OrderType, Side
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline_tests.exchange_process import KEY, RunningExchange, running_exchange

SYMBOL = "BTC/USDT"
HISTORY_MINUTES = 1440


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with running_exchange(tmp_path_factory.mktemp("home"), symbols=20) as running:
        yield running


@pytest.fixture
def trading(exchange: RunningExchange) -> Iterator[BinanceTrading]:
    venue = exchange.trading()
    yield venue
    exchange.heal()
    venue.close()


@pytest.fixture
def market_data(exchange: RunningExchange) -> Iterator[BinanceMarketData]:
    venue = exchange.market_data()
    yield venue
    exchange.heal()
    venue.close()


def named(number: int) -> str:
    return f"7c01{number:028x}"


def sale(trading: BinanceTrading, number: int, **changes: object) -> OrderRequest:
    """An order to sell all BTC that is free, which `buy` fills first."""
    amount = amount_down(trading.account().free("BTC"), trading.markets()[SYMBOL])
    fields: dict[str, object] = {"type": OrderType.MARKET, "amount": amount, "side": Side.SELL, **changes}
    return OrderRequest(named(number), SYMBOL, **fields)  # type: ignore[arg-type]  # a test names what it is about


def buy(trading: BinanceTrading, number: int, notional: int = 200) -> None:
    ask = trading.book_tops([SYMBOL])[SYMBOL].ask
    amount = amount_down(Decimal(notional) / ask, trading.markets()[SYMBOL])
    order = trading.create(OrderRequest(named(number), SYMBOL, Side.BUY, OrderType.MARKET, amount))
    assert order.filled > 0


def test_twenty_symbols_take_well_under_150_ms_in_a_warm_process(market_data: BinanceMarketData) -> None:
    symbols = sorted(market_data.markets())
    market_data.fetch_bars(symbols, limit=3)
    durations_s = []
    for _ in range(5):
        begun = time.perf_counter()
        answer = market_data.fetch_bars(symbols, limit=3)
        durations_s.append(time.perf_counter() - begun)
    assert answer.frame.height == 60
    assert answer.errors == {}
    # The best of five: other processes of the machine are not what is measured.
    assert min(durations_s) < 0.15


def test_a_whole_history_is_read_without_gaps_or_overlap(market_data: BinanceMarketData) -> None:
    until = market_data.server_time().replace(second=0, microsecond=0) - timedelta(minutes=2)
    since = until - timedelta(minutes=HISTORY_MINUTES - 10)
    frame = market_data.fetch_bars([SYMBOL, "ETH/USDT"], since=since, until=until).frame
    for (symbol,), bars in frame.group_by("symbol"):
        assert bars.height == HISTORY_MINUTES - 10, symbol
        assert bars["open_time"].is_sorted()
        assert bars["open_time"].n_unique() == bars.height
        assert (bars["close_time"] - bars["open_time"]).unique().to_list() == [timedelta(minutes=1)]


def test_best_prices_come_with_the_exchanges_time(market_data: BinanceMarketData) -> None:
    tops = market_data.book_tops(sorted(market_data.markets()))
    assert len(tops) == 20
    assert all(0 < top.bid < top.ask for top in tops.values())
    assert abs(tops[SYMBOL].at - market_data.server_time()) < timedelta(seconds=5)


def test_an_order_lives_through_its_whole_life(trading: BinanceTrading) -> None:
    buy(trading, 1)
    assert trading.order(SYMBOL, named(1)).state == OrderState.FILLED
    rules, bid = trading.markets()[SYMBOL], trading.book_tops([SYMBOL])[SYMBOL].bid
    stop_price = on_step(bid * Decimal("0.9"), rules.price_tick)
    stop = trading.create(sale(trading, 2, type=OrderType.STOP_LOSS, stop_price=stop_price))
    assert (stop.state, stop.stop_price) == (OrderState.OPEN, stop_price)
    assert trading.account().free("BTC") < rules.amount_step
    assert [order.client_order_id for order in trading.open_orders()] == [named(2)]
    assert trading.open_orders(SYMBOL) == trading.open_orders()
    assert trading.cancel(SYMBOL, named(2)).state == OrderState.CANCELED
    with pytest.raises(OrderNotFound):
        trading.cancel(SYMBOL, named(2))
    sold = trading.create(sale(trading, 3))
    assert sum(trade.amount for trade in sold.trades) == sold.filled > 0
    listed = trading.trades(SYMBOL)
    assert {trade.trade_id for trade in sold.trades} <= {trade.trade_id for trade in listed}
    assert trading.trades(SYMBOL, listed[-1].trade_id) == listed[-1:]
    since = trading.server_time() - timedelta(minutes=5)
    assert [order.client_order_id for order in trading.orders(SYMBOL, since)] == [named(1), named(2), named(3)]


def test_refusals_are_told_apart(trading: BinanceTrading, exchange: RunningExchange) -> None:
    rules, bid = trading.markets()[SYMBOL], trading.book_tops([SYMBOL])[SYMBOL].bid
    market = {"type": OrderType.MARKET, "side": Side.BUY}
    with pytest.raises(InsufficientFunds):
        trading.create(sale(trading, 11, **market, amount=Decimal(80)))
    with pytest.raises(FilterViolation):
        trading.create(sale(trading, 12, **market, amount=rules.amount_min / 10))
    buy(trading, 13)
    above = on_step(bid * 2, rules.price_tick)
    with pytest.raises(WouldTriggerImmediately):
        trading.create(sale(trading, 14, type=OrderType.STOP_LOSS, stop_price=above))
    with pytest.raises(OrderNotFound):
        trading.order(SYMBOL, named(15))
    stranger = BinanceTrading(exchange.url, KEY, "wrong-secret")
    with pytest.raises(AuthenticationFailed):
        stranger.account()
    stranger.close()


def test_an_answer_lost_after_the_effect_is_unknown_and_the_order_is_found(
    trading: BinanceTrading, exchange: RunningExchange
) -> None:
    buy(trading, 21)
    request = sale(trading, 22)
    exchange.fault("timeout", method="POST", path="/api/v3/order", delay_s=0.05)
    with pytest.raises(OutcomeUnknown):
        trading.create(request)
    exchange.heal()
    assert trading.order(SYMBOL, named(22)).filled > 0


def test_an_order_lost_before_its_effect_is_unknown_and_not_found(
    trading: BinanceTrading, exchange: RunningExchange
) -> None:
    buy(trading, 31)
    request = sale(trading, 32)
    exchange.fault("lost_before_effect", method="POST", path="/api/v3/order", delay_s=0.05)
    with pytest.raises(OutcomeUnknown):
        trading.create(request)
    exchange.heal()
    with pytest.raises(OrderNotFound):
        trading.order(SYMBOL, named(32))


def test_a_limit_that_is_reached_is_a_rate_limit_with_its_wait(
    trading: BinanceTrading, exchange: RunningExchange
) -> None:
    buy(trading, 41)
    request = sale(trading, 42)
    exchange.fault("http_429", method="POST", path="/api/v3/order")
    with pytest.raises(RateLimited) as caught:
        trading.create(request)
    assert caught.value.retry_after_s == 1.0


def test_a_scan_reads_the_last_day_of_every_symbol_in_one_request(exchange: RunningExchange) -> None:
    venue = exchange.market_data()
    symbols = sorted(venue.markets())
    found = venue.day_tickers([*symbols, "GONE/USDT"])
    assert found.get_column("symbol").to_list() == symbols
    assert found.null_count().sum_horizontal().item() == 0
    assert (found.get_column("bid") < found.get_column("ask")).all()
    assert found.filter(pl.col("price").is_between("low", "high")).height == len(symbols)
    assert venue.day_tickers(symbols[:1]).height == 1
    venue.close()


def test_a_symbol_s_first_candle_tells_since_when_it_is_traded(exchange: RunningExchange) -> None:
    venue = exchange.market_data()
    (symbol, *_) = sorted(venue.markets())
    listed = venue.listed_at([symbol])[symbol]
    bars = venue.fetch_bars([symbol], listed - timedelta(hours=1), listed + timedelta(hours=1)).frame
    assert bars.get_column("open_time").min() == listed
    venue.close()
