"""What was read of a market, and nothing else, is what the engine sees."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from trade_pipeline.exchange.market import candles
from trade_pipeline.exchange.paper.market import FollowedMarket
from trade_pipeline.exchange.paper.specs import spec_of
from trade_pipeline.schemas.trading import BookTop
from trade_pipeline.venues.public_feed import PublicTrade
from trade_pipeline_tests.exchange.paper.scripted_market import SYMBOL, rules

NOW_MS = 1_800_000_000_000


def market() -> FollowedMarket:
    spec = spec_of(rules())
    assert spec is not None
    return FollowedMarket([spec])


def trade(name: str, at_ms: int, price: str, amount: str = "1", *, sold: bool = True) -> PublicTrade:
    return PublicTrade(name, NOW_MS + at_ms, Decimal(price), Decimal(amount), sold)


def test_a_trade_that_is_read_twice_counts_once() -> None:
    followed = market()
    assert followed.add_trades(SYMBOL, [trade("1", 0, "100")]) == 1
    assert followed.add_trades(SYMBOL, [trade("1", 0, "100"), trade("2", 5, "101")]) == 1
    assert [step.price for step in followed.steps_between(SYMBOL, 0, NOW_MS + 10)] == [1000, 1010]


def test_a_sweep_is_one_step_at_its_worst_price_with_what_traded_there() -> None:
    followed = market()
    followed.add_trades(SYMBOL, [trade("1", 0, "100", "3"), trade("2", 0, "99", "2"), trade("3", 0, "99", "0.5")])
    (step,) = followed.steps_between(SYMBOL, 0, NOW_MS)
    assert (step.price, step.volume, step.buyer_is_maker) == (990, 2500, True)
    table = followed.minutes(SYMBOL, 0, NOW_MS, NOW_MS)
    assert table[0, [candles.OPEN, candles.LOW, candles.CLOSE, candles.VOLUME, candles.TRADES]].tolist() == [
        1000, 990, 990, 5500, 3,
    ]  # fmt: skip


def test_steps_are_strictly_in_order_and_hardly_moved() -> None:
    followed = market()
    rows = [trade(str(n), 0, "100", sold=bool(n % 2)) for n in range(6)]
    followed.add_trades(SYMBOL, rows)
    times = [step.at_ms - NOW_MS for step in followed.steps_between(SYMBOL, 0, NOW_MS + 100)]
    assert times == [0, 1, 2, 3, 4, 5]


def test_a_trade_far_older_than_what_is_known_changes_nothing() -> None:
    followed = market()
    followed.add_trades(SYMBOL, [trade("2", 5000, "101")])
    assert followed.add_trades(SYMBOL, [trade("1", 0, "50")]) == 0


def test_nothing_of_later_than_now_is_seen() -> None:
    followed = market()
    followed.add_trades(SYMBOL, [trade("1", 0, "100"), trade("2", 5, "101")])
    step = followed.last_step(SYMBOL, NOW_MS + 4)
    assert step is not None and step.price == 1000
    assert followed.steps_between(SYMBOL, 0, NOW_MS + 4) == [step]


def test_best_prices_move_a_symbol_only_where_no_order_rests() -> None:
    followed = market()
    followed.add_trades(SYMBOL, [trade("1", 0, "100")])
    at = datetime.fromtimestamp(NOW_MS / 1000 + 1, UTC)
    top = BookTop(SYMBOL, Decimal(95), Decimal(1), Decimal(96), Decimal(2), Decimal(95), at)
    followed.set_quote(top, as_step=False)
    assert followed.newest_ms(SYMBOL) == NOW_MS
    followed.set_quote(top, as_step=True)
    step = followed.last_step(SYMBOL, NOW_MS + 5000)
    assert step is not None and (step.price, step.volume, step.spread) == (950, 0, 10)


def test_a_market_that_is_not_heard_of_is_as_old_as_its_last_reading() -> None:
    followed = market()
    assert followed.seen_ms(SYMBOL, NOW_MS) == 0
    followed.add_trades(SYMBOL, [trade("1", 0, "100")])
    assert followed.seen_ms(SYMBOL, NOW_MS + 60_000) == NOW_MS
