"""How orders fill: takers against the book of the step, resting orders when traded through, stops on the last trade."""

from __future__ import annotations

import pytest

from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline_tests.exchange.builders import SYMBOL, dec, engine, place, step, total


def test_a_market_buy_takes_the_ask_and_pays_its_fee_in_base() -> None:
    on = engine()
    order = place(on, "buy", "MARKET", 1)
    (trade,) = on.trades(SYMBOL)
    assert (order.status, trade.price, trade.fee, trade.fee_asset) == ("FILLED", dec("100.00"), dec("0.001"), "BTC")
    assert total(on, "BTC") == dec("50.999")
    assert total(on, "USDT") == dec(9900)


def test_a_market_sell_takes_the_bid_and_pays_its_fee_in_quote() -> None:
    on = engine()
    place(on, "sell", "MARKET", 1)
    (trade,) = on.trades(SYMBOL)
    assert (trade.price, trade.fee, trade.fee_asset) == (dec("99.98"), dec("0.09998"), "USDT")
    assert total(on, "USDT") == dec(10_000) + dec("99.98") - dec("0.09998")


def test_a_large_order_walks_the_book_to_worse_prices() -> None:
    on = engine()
    order = place(on, "sell", "MARKET", 10)
    prices = [trade.price for trade in on.state.trades_of(order.id)]
    assert len(prices) > 1
    assert prices == sorted(prices, reverse=True)


def test_a_market_order_beyond_the_volume_share_expires_partly_filled() -> None:
    on = engine()
    order = place(on, "sell", "MARKET", 40)
    assert (order.status, order.filled) == ("EXPIRED", dec(25))
    assert on.state.balances.locked("BTC") == 0


def test_the_share_of_a_step_is_used_once_and_comes_back_with_the_next_step() -> None:
    on = engine()
    place(on, "sell", "MARKET", 25)
    assert place(on, "sell", "MARKET", 1).status == "EXPIRED"
    on.on_step(SYMBOL, step(2000, 100))
    assert place(on, "sell", "MARKET", 1).status == "FILLED"


def test_a_quote_amount_buys_whole_lots_and_never_spends_more() -> None:
    on = engine(price=99.99)
    order = place(on, "buy", "MARKET", None, quote=100)
    assert order.status == "FILLED"
    assert dec(99.9) < order.quote_filled <= dec(100)


def test_a_passive_order_does_not_fill_at_its_price_but_fills_when_traded_through() -> None:
    on = engine()
    order = place(on, "buy", "LIMIT", 1, price=99)
    on.on_step(SYMBOL, step(2000, 99, down=True))
    assert order.filled == 0
    on.on_step(SYMBOL, step(3000, 98.99, down=True))
    (trade,) = on.trades(SYMBOL)
    assert (order.status, trade.price, trade.is_maker) == ("FILLED", dec(99), True)


def test_a_resting_order_fills_partly_within_the_share_of_each_step() -> None:
    on = engine()
    order = place(on, "sell", "LIMIT", 10, price=101)
    on.on_step(SYMBOL, step(2000, 102, volume=16))
    assert (order.status, order.filled, on.state.balances.locked("BTC")) == ("PARTIALLY_FILLED", dec(4), dec(6))
    on.on_step(SYMBOL, step(3000, 102, volume=100))
    assert order.status == "FILLED"
    assert [trade.id for trade in on.trades(SYMBOL)] == [1, 2]


def test_better_prices_fill_first_and_of_one_price_the_older_order() -> None:
    on = engine()
    first = place(on, "buy", "LIMIT", 2, price=98)
    second = place(on, "buy", "LIMIT", 2, price=98)
    better = place(on, "buy", "LIMIT", 2, price=99)
    on.on_step(SYMBOL, step(2000, 97, volume=12, down=True))
    assert (better.filled, first.filled, second.filled) == (dec(2), dec(1), dec(0))


def test_a_marketable_limit_takes_up_to_its_price_and_rests_with_the_rest() -> None:
    on = engine()
    order = place(on, "buy", "LIMIT", 20, price="100.00")
    assert order.status == "PARTIALLY_FILLED"
    assert all(trade.price <= 100 for trade in on.trades(SYMBOL))
    assert on.state.balances.locked("USDT") == order.remaining * 100


@pytest.mark.parametrize(("tif", "filled"), [("IOC", 2), ("FOK", 0)])
def test_immediate_or_cancel_keeps_what_it_got_and_fill_or_kill_takes_all_or_nothing(tif: str, filled: int) -> None:
    on = engine()
    order = place(on, "buy", "LIMIT", 4, price="100.00", tif=tif)
    assert (order.status, order.filled, on.state.balances.locked("USDT")) == ("EXPIRED", dec(filled), dec(0))


def test_fill_or_kill_fills_when_the_book_has_enough() -> None:
    assert place(engine(), "buy", "LIMIT", 1, price="100.00", tif="FOK").status == "FILLED"


def test_a_limit_maker_that_would_take_is_refused() -> None:
    with pytest.raises(Rejected, match="would immediately match") as refusal:
        place(engine(), "buy", "LIMIT_MAKER", 1, price=101)
    assert refusal.value.code == -2010


def test_a_stop_rests_locked_and_sells_at_the_market_when_the_last_trade_reaches_it() -> None:
    on = engine()
    order = place(on, "sell", "STOP_LOSS", 2, stop=95)
    assert (order.status, order.is_working, on.state.balances.locked("BTC")) == ("NEW", False, dec(2))
    on.on_step(SYMBOL, step(2000, 95.01, down=True))
    assert order.status == "NEW"
    on.on_step(SYMBOL, step(3000, 95, down=True))
    assert (order.status, order.is_working) == ("FILLED", True)
    assert on.trades(SYMBOL)[0].price == dec(95)


def test_a_gap_through_a_stop_fills_at_the_open_or_worse() -> None:
    on = engine()
    place(on, "sell", "STOP_LOSS", 5, stop=95)
    on.on_step(SYMBOL, step(2000, 90, down=True))
    assert all(trade.price <= 90 for trade in on.trades(SYMBOL))
    assert len(on.trades(SYMBOL)) > 1


def test_a_gapped_stop_limit_triggers_but_rests_at_its_limit() -> None:
    on = engine()
    order = place(on, "sell", "STOP_LOSS_LIMIT", 1, stop=95, price=94)
    on.on_step(SYMBOL, step(2000, 90, down=True))
    assert (order.status, order.is_working, order.filled) == ("NEW", True, dec(0))
    on.on_step(SYMBOL, step(3000, 94.5))
    assert order.status == "FILLED"
    assert on.trades(SYMBOL)[0].price == dec(94)


@pytest.mark.parametrize(
    ("side", "kind", "stop", "reach"),
    [("sell", "TAKE_PROFIT", 105, 105), ("buy", "TAKE_PROFIT", 95, 95), ("buy", "STOP_LOSS", 105, 105)],
)
def test_every_trigger_acts_on_its_own_side_of_the_market(side: str, kind: str, stop: float, reach: float) -> None:
    on = engine()
    order = place(on, side, kind, 1, stop=stop)
    on.on_step(SYMBOL, step(2000, 100.5))
    assert order.status == "NEW"
    on.on_step(SYMBOL, step(3000, reach, down=side == "sell"))
    assert order.status == "FILLED"


@pytest.mark.parametrize(
    ("side", "kind", "stop"),
    [("sell", "STOP_LOSS", 100), ("buy", "STOP_LOSS", 99), ("sell", "TAKE_PROFIT", 99), ("buy", "TAKE_PROFIT", 101)],
)
def test_a_stop_on_the_wrong_side_is_refused(side: str, kind: str, stop: float) -> None:
    with pytest.raises(Rejected, match="Stop price would trigger immediately") as refusal:
        place(engine(), side, kind, 1, stop=stop)
    assert refusal.value.code == -2010


def test_a_step_that_was_played_already_does_nothing() -> None:
    on = engine()
    order = place(on, "buy", "LIMIT", 1, price=99)
    on.on_step(SYMBOL, step(1000, 90))
    assert order.status == "NEW"


def test_fees_in_a_third_asset_are_taken_while_it_suffices_then_in_the_received_asset() -> None:
    on = engine(balances={"BNB": dec("0.0002")}, fee_asset="BNB")
    on.on_step("BNB/USDT", step(1000, 500))
    place(on, "buy", "MARKET", 1)
    place(on, "buy", "MARKET", 1)
    first, second = on.trades(SYMBOL)
    assert (first.fee, first.fee_asset) == (dec("0.00015"), "BNB")
    assert (second.fee, second.fee_asset) == (dec("0.001"), "BTC")
    assert total(on, "BNB") == dec("0.00005")
