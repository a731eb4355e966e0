"""The exchange's own count of the address slows reads down, and never an order."""

from __future__ import annotations

import time
from contextlib import closing
from decimal import Decimal

import pytest

from trade_pipeline.errors import RateLimited
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.binance_market_data import BinanceMarketData
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.used_weight import PAUSE_S_MAX, UsedWeight, WeightReading
from trade_pipeline_tests.exchange.servers import KEY, SECRET, running_server
from trade_pipeline_tests.venues.scripted_exchange import Answer, ScriptedExchange

AT_20 = "Tue, 14 Nov 2023 22:13:20 GMT"
BTC = "BTC/USDT"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def told(used: int, date: str = AT_20) -> dict[str, str]:
    return {"X-MBX-USED-WEIGHT-1M": str(used), "Date": date}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def weight(clock: Clock) -> UsedWeight:
    return UsedWeight(6000, 0.7, clock=clock, wall_clock=clock)


def test_below_the_share_nobody_waits(weight: UsedWeight) -> None:
    assert weight.pause_s(4) == 0
    weight.note(told(4000))
    assert weight.pause_s(80) == 0
    assert weight.reading() == WeightReading(4000, 6000, 0.7)


def test_above_the_share_what_remains_is_spread_over_the_rest_of_the_minute(weight: UsedWeight) -> None:
    weight.note(told(5000))
    assert weight.pause_s(10) == pytest.approx(40 * 10 / 1000)
    assert weight.pause_s(500) == PAUSE_S_MAX


def test_beyond_the_limit_a_read_is_refused_here_before_the_exchange_bans(weight: UsedWeight) -> None:
    weight.note(told(5990))
    with pytest.raises(RateLimited, match="nothing was sent") as raised:
        weight.pause_s(20)
    assert raised.value.retry_after_s == pytest.approx(40)


def test_a_new_minute_begins_at_nothing(weight: UsedWeight, clock: Clock) -> None:
    weight.note(told(5990))
    clock.now_s += 41
    assert weight.pause_s(20) == 0
    weight.note(told(30, "Tue, 14 Nov 2023 22:14:01 GMT"))
    assert weight.reading().used == 30


def test_an_answer_that_was_overtaken_takes_nothing_back(weight: UsedWeight) -> None:
    weight.note(told(4500))
    weight.note(told(4490))
    assert weight.reading().used == 4500


@pytest.mark.parametrize("headers", [None, {}, {"X-MBX-USED-WEIGHT-1M": "many"}, {"x-mbx-used-weight-1m": "-1"}])
def test_an_answer_without_a_count_says_nothing(weight: UsedWeight, headers: dict[str, str] | None) -> None:
    weight.note(told(4500))
    weight.note(headers)
    assert weight.reading().used == 4500


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_the_exchanges_time_our_own_minute_counts(weight: UsedWeight, clock: Clock, date: str) -> None:
    weight.note(told(5000, date))
    assert weight.pause_s(10) == pytest.approx((60 - clock.now_s % 60) * 10 / 1000)


def test_reads_wait_or_are_refused_and_the_order_leaves_at_once(exchange: ScriptedExchange) -> None:
    venue = BinanceTrading(exchange.url, "k", "s", request_timeout_s=1.0)
    with closing(venue):
        venue.markets()
        exchange.says("GET", "account", Answer({"balances": []}, headers=told(5990)))
        venue.account()
        assert venue.used_weight().used == 5990
        asked = len(exchange.seen)
        with pytest.raises(RateLimited, match="used up"):
            venue.account()
        assert len(exchange.seen) == asked
        filled = {
            "symbol": "BTCUSDT", "orderId": 7, "clientOrderId": "0a" * 16, "price": "0", "origQty": "1",
            "executedQty": "1", "cummulativeQuoteQty": "100", "status": "FILLED", "type": "MARKET", "side": "SELL",
            "transactTime": 1_700_000_000_000, "fills": [],
        }  # fmt: skip
        exchange.says("POST", "order", Answer(filled))
        begun = time.monotonic()
        venue.create(OrderRequest("0a" * 16, BTC, Side.SELL, OrderType.MARKET, Decimal(1)))
        assert time.monotonic() - begun < 0.5


def test_the_simulated_exchange_is_counted_across_two_clients_of_one_address() -> None:
    with running_server(symbols=3) as server:
        trading = BinanceTrading(server.url, KEY, SECRET)
        data = BinanceMarketData(server.url, MarketSettings())
        with closing(trading), closing(data):
            trading.markets()
            data.markets()
            data.fetch_bars([BTC], limit=2)
            trading.account()
            # Only the exchange can know what the other client has sent.
            assert trading.used_weight().used >= 20
            assert data.used_weight().used >= 2
