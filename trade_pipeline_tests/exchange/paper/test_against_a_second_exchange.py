"""The whole way through ccxt: a second simulated exchange stands for the real one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import pytest

from trade_pipeline.errors import OrderRefused
from trade_pipeline.exchange.paper.opening import open_paper
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.schemas.trading import OrderRequest, OrderType, Side, VenueOrder
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.public_feed import public_feed
from trade_pipeline_tests.exchange.servers import KEY, SECRET, Running, running_server, serving

SYMBOL = "BTC/USDT"
WEIGHT_PER_MINUTE = 1_000_000
"""Both exchanges and the client: these tests ask as often as they like, none of them is about limits."""


@dataclass
class Both:
    real: Running
    paper: Running
    trading: BinanceTrading

    def order(self, kind: OrderType, side: Side, price: str | None = None, amount: str = "0.01") -> OrderRequest:
        name = f"{time.time_ns():032x}"
        return OrderRequest(name, SYMBOL, side, kind, Decimal(amount), Decimal(price) if price else None)

    def awaited(self, sent: OrderRequest) -> VenueOrder:
        deadline = time.monotonic() + 45
        while time.monotonic() < deadline:
            found = self.trading.order(SYMBOL, sent.client_order_id)
            if found.filled == found.amount:
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    def first_filled(self, make: Callable[[], OrderRequest], orders_max: int = 15) -> VenueOrder:
        """The first to be filled of orders that are sent one after the other, each where the market then is."""
        sent: list[OrderRequest] = []
        for _ in range(orders_max):
            request = make()
            with suppress(OrderRefused):  # the market was quicker than a maker may be
                self.trading.create(request)
                sent.append(request)
            until = time.monotonic() + 3
            while time.monotonic() < until:
                for request in sent:
                    found = self.trading.order(SYMBOL, request.client_order_id)
                    if found.filled == found.amount:
                        return found
                time.sleep(0.1)
        raise AssertionError(f"none of {len(sent)} orders was filled")


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with running_server(symbols=3, weight_limit_per_minute=WEIGHT_PER_MINUTE) as real:
        settings = Settings.model_validate(
            {
                "mode": "paper",
                "paper": {"feed_url": real.url, "poll_s": 0.2},
                "exchange": {"opening_balances": {"USDT": 10_000}, "weight_limit_per_minute": WEIGHT_PER_MINUTE},
            }
        )
        with serving(open_paper(None, settings, Credentials(KEY, SECRET))) as paper:
            trading = BinanceTrading(paper.url, KEY, SECRET, weight_per_minute=WEIGHT_PER_MINUTE)
            yield Both(real, paper, trading)
            trading.close()


def test_the_feed_reads_trades_depth_and_prices_of_the_real_exchange(both: Both) -> None:
    feed = public_feed("binance", Settings().market, exchange_url=both.real.url)
    trades = feed.public_trades(SYMBOL, None)
    later = feed.public_trades(SYMBOL, feed.server_time())
    depth = feed.depth(SYMBOL, 20)
    feed.close()
    assert len(trades) > 100
    assert trades == sorted(trades, key=lambda row: row.at_ms)
    assert len({row.id for row in trades}) == len(trades)
    assert len(later) < 5
    assert depth.bids[0][0] < depth.asks[0][0]
    assert [price for price, _ in depth.bids] == sorted((price for price, _ in depth.bids), reverse=True)


def test_a_purchase_pays_what_the_real_book_asked(both: Both) -> None:
    before = both.real.get("depth", symbol="BTCUSDT", limit=20)
    order = both.trading.create(both.order(OrderType.MARKET, Side.BUY))
    after = both.real.get("depth", symbol="BTCUSDT", limit=20)
    fills = [trade for trade in both.trading.trades(SYMBOL) if trade.order_id == order.order_id]
    asked = {Decimal(price) for answer in (before, after) for price, _ in answer["asks"]}
    assert sum(fill.amount for fill in fills) == order.filled > 0
    assert {fill.price for fill in fills} <= asked


def test_a_resting_order_fills_by_the_real_trades(both: Both) -> None:
    """Orders a little below the last trade, one every few seconds: whichever way the market goes, it meets one."""
    filled = both.first_filled(lambda: _a_little_below(both))
    trades = both.trading.trades(SYMBOL)
    ours = [trade for trade in trades if trade.order_id == filled.order_id]
    assert {trade.price for trade in ours} == {filled.price}, "at its own price"
    real = both.real.get("aggTrades", symbol="BTCUSDT", limit=1000)
    assert any(Decimal(row["p"]) < (filled.price or 0) for row in real), "somebody traded through it"


def _a_little_below(both: Both) -> OrderRequest:
    price = Decimal(both.real.get("ticker/price", symbol="BTCUSDT")["price"])
    return both.order(
        OrderType.LIMIT_MAKER, Side.BUY, str((price * Decimal("0.9999")).quantize(Decimal("0.01"))), "0.001"
    )


def test_symbols_and_best_prices_are_the_real_ones(both: Both) -> None:
    rules = both.trading.markets()
    assert set(rules) == {"BTC/USDT", "ETH/USDT", "SOL/USDT"}
    top = both.trading.book_tops([SYMBOL])[SYMBOL]
    real = both.real.get("ticker/bookTicker", symbol="BTCUSDT")
    assert abs(top.bid / Decimal(real["bidPrice"]) - 1) < Decimal("0.005")
