"""Orders of paper trading meet the real depth and the real trades, and nothing that was before or is not known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.exchange.paper.opening import open_paper
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.schemas.trading import Side
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.exchange.paper.scripted_market import SYMBOL, ScriptedMarket, rules, side
from trade_pipeline_tests.exchange.servers import KEY, SECRET, client, serving

SETTINGS = Settings.model_validate(
    {
        "mode": "paper",
        "paper": {"poll_s": 0.05, "data_age_s_max": 1.0, "order_wait_s_max": 1.0},
        "exchange": {"opening_balances": {"USDT": 10_000, "BTC": 2}, "volume_share_max": "0.5"},
    }
)


@dataclass
class Paper:
    market: ScriptedMarket
    ccxt: Any

    def order(self, kind: str, direction: str, amount: float, price: float | None = None, **params: object) -> Any:
        return self.ccxt.create_order(SYMBOL, kind, direction, amount, price, params)

    def state(self, order: Any) -> Any:
        return self.ccxt.fetch_order(order["id"], SYMBOL)

    def awaited(self, order: Any, condition: Callable[[Any], bool]) -> Any:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.state(order)
            if condition(found):
                return found
            time.sleep(0.02)
        raise AssertionError(found)


@pytest.fixture
def paper() -> Iterator[Paper]:
    market = ScriptedMarket()
    with serving(open_paper(None, SETTINGS, Credentials(KEY, SECRET), market)) as running:
        yield Paper(market, client(running.url))


def closed(order: Any) -> bool:
    return bool(order["status"] == "closed")


def test_a_market_order_walks_the_real_depth_level_by_level_and_pays_the_real_fee(paper: Paper) -> None:
    order = paper.order("market", "buy", 2.5)
    trades = paper.ccxt.fetch_my_trades(SYMBOL)
    assert [(trade["price"], trade["amount"]) for trade in trades] == [
        ("100.20000000", "1.00000000"),
        ("100.30000000", "1.50000000"),
    ]
    assert Decimal(order["filled"]) == Decimal("2.5")
    assert Decimal(trades[0]["fee"]["cost"]) == Decimal("0.002")


def test_what_the_depth_cannot_give_expires(paper: Paper) -> None:
    paper.market.book = type(paper.market.book)(side(("100.0", "1")), side(("100.2", "1")))
    order = paper.state(paper.order("market", "buy", 3))
    assert (order["status"], Decimal(order["filled"])) == ("expired", Decimal(1))


def test_a_resting_order_fills_only_when_a_public_trade_goes_through_its_price(paper: Paper) -> None:
    order = paper.order("limit", "buy", 1, 99.5)
    time.sleep(0.01)
    paper.market.trade("99.5", "10")
    paper.market.trade("99.6", "10")
    time.sleep(0.3)
    assert Decimal(paper.state(order)["filled"]) == 0, "touched is not traded through"
    paper.market.trade("99.4", "1")
    found = paper.awaited(order, lambda row: Decimal(row["filled"]) > 0)
    assert Decimal(found["filled"]) == Decimal("0.5"), "half of the trade's amount, as the setting says"
    assert Decimal(found["average"]) == Decimal("99.5"), "at its own price"
    paper.market.trade("99.0", "50")
    paper.awaited(order, closed)


def test_a_trade_from_before_the_order_does_nothing_to_it_however_late_it_is_read(paper: Paper) -> None:
    paper.market.trade("100.0", ago_ms=5000)
    order = paper.order("limit", "buy", 1, 99.5)
    stop = paper.order("STOP_LOSS", "sell", 1, None, stopPrice=98)
    paper.market.trade("97", "10", ago_ms=900)
    time.sleep(0.3)
    assert Decimal(paper.state(order)["filled"]) == 0
    assert paper.state(stop)["status"] == "open"
    paper.market.trade("97", "10")
    paper.awaited(order, closed)
    paper.awaited(stop, closed)


def test_a_stop_fills_at_the_trade_that_triggered_it_or_worse(paper: Paper) -> None:
    """The depth that is read after the trade has recovered: the stop was set off before, and met what was there."""
    stop = paper.order("STOP_LOSS", "sell", 1, None, stopPrice=98)
    time.sleep(0.1)
    paper.market.trade("95", "3")
    found = paper.awaited(stop, closed)
    assert Decimal(found["average"]) == 95


def test_coins_taken_from_the_depth_are_not_there_a_second_time() -> None:
    market = ScriptedMarket()
    context = open_paper(None, SETTINGS, Credentials(KEY, SECRET), market)
    engine, spec = context.world.engine, context.world.market.specs[SYMBOL]
    book = engine.matcher._real_book
    assert book is not None
    with serving(context) as running:
        bought = client(running.url).create_order(SYMBOL, "market", "buy", 0.4)
        assert bought["status"] == "closed"
        left = book.levels(spec, Side.BUY)
        assert spec.amount(left[0].amount) == Decimal("0.6")


def test_an_order_is_refused_as_not_executed_while_the_real_book_cannot_be_read(paper: Paper) -> None:
    paper.order("market", "buy", 0.1)
    paper.market.silent = True
    time.sleep(1.1)
    with pytest.raises(ccxt.ExchangeError, match="-1008"):
        paper.order("market", "buy", 0.1)
    paper.market.silent = False
    assert paper.order("market", "buy", 0.1)["status"] == "closed"


def test_a_cancel_needs_nobody(paper: Paper) -> None:
    order = paper.order("limit", "buy", 1, 99.5)
    paper.market.silent = True
    assert paper.ccxt.cancel_order(order["id"], SYMBOL)["status"] == "canceled"


def test_prices_of_a_market_that_is_not_heard_of_are_as_old_as_they_are(paper: Paper) -> None:
    assert paper.ccxt.fetch_ticker(SYMBOL)["bid"] == "100.00000000"
    paper.market.silent = True
    time.sleep(0.3)  # a reading that was on its way has come
    first = paper.ccxt.fetch_ticker(SYMBOL)
    assert (first["bid"], first["ask"]) == ("100.00000000", "100.20000000")
    time.sleep(0.3)
    again = paper.ccxt.fetch_ticker(SYMBOL)
    assert again["timestamp"] == first["timestamp"]


def test_rules_are_the_real_ones(paper: Paper) -> None:
    market = paper.ccxt.load_markets()[SYMBOL]
    assert market["precision"] == {**market["precision"], "price": "0.10000000", "amount": "0.00100000"}
    assert market["limits"]["amount"]["min"] == "0.00200000"
    assert market["limits"]["cost"]["min"] == "10.00000000"
    assert market["info"]["orderTypes"] == ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS"]
    with pytest.raises(ccxt.ExchangeError, match="LOT_SIZE"):
        paper.order("market", "buy", 0.0015)


def test_the_clock_is_the_real_exchanges() -> None:
    market = ScriptedMarket(ahead_ms=90_000)
    context = open_paper(None, SETTINGS, Credentials(KEY, SECRET), market)
    assert abs(context.world.clock_ms() - market.now_ms()) < 1000


def test_after_a_restart_the_missed_trades_are_played_against_what_rests(tmp_path: Path) -> None:
    market, home = ScriptedMarket(), Home.at(tmp_path)
    with serving(open_paper(home, SETTINGS, Credentials(KEY, SECRET), market)) as running:
        order = client(running.url).create_order(SYMBOL, "limit", "buy", 1, 99.5)
    time.sleep(0.05)
    market.trade("99.0", "10")
    market.trade("100.0", "10")
    with serving(open_paper(home, SETTINGS, Credentials(KEY, SECRET), market)) as running:
        Paper(market, client(running.url)).awaited(order, closed)


def test_a_home_follows_one_exchange_for_good(tmp_path: Path) -> None:
    home, market = Home.at(tmp_path), ScriptedMarket()
    open_paper(home, SETTINGS, Credentials(KEY, SECRET), market).world.store.close()
    other = Settings.model_validate(SETTINGS.model_dump() | {"venue": {"name": "kraken"}})
    with pytest.raises(SettingsError, match="plays another market"):
        open_paper(home, other, Credentials(KEY, SECRET), market)


def test_an_exchange_without_the_symbols_is_refused() -> None:
    market = ScriptedMarket()
    market.rules = {"BTC/EUR": rules(symbol="BTC/EUR", quote="EUR")}
    with pytest.raises(SettingsError, match="none of the symbols"):
        open_paper(None, SETTINGS, Credentials(KEY, SECRET), market)
