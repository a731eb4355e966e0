"""ccxt's unmodified binance class trades on the simulated exchange, sync and async."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from trade_pipeline_tests.exchange.servers import Running, client

SYMBOL = "XRP/USDT"


def test_load_markets_finds_every_symbol_with_its_limits(binance: Any) -> None:
    assert len(binance.markets) == 20
    market = binance.market("BTC/USDT")
    assert market["precision"]["price"] == "0.01000000"
    assert market["limits"]["cost"]["min"] == "5.00000000"


def test_a_client_with_a_key_that_asks_for_margin_pairs_finds_none(server: Running) -> None:
    made = client(server.url)
    made.options["fetchMargins"] = True
    for name, path in made.urls["api"].items():
        if name.startswith("sapi"):
            made.urls["api"][name] = path.replace("https://api.binance.com", server.url)
    assert not any(market["margin"] for market in made.load_markets().values())


def test_the_async_client_reads_all_symbols_at_once(server: Running) -> None:
    async def read() -> list[Any]:
        made = client(server.url, ccxt.async_support.binance)
        try:
            await made.load_markets()
            return await asyncio.gather(*(made.fetch_ohlcv(symbol, "1m", limit=3) for symbol in made.markets))
        finally:
            await made.close()

    answers = asyncio.run(read())
    assert [len(rows) for rows in answers] == [3] * 20


def test_buy_protect_query_cancel_sell_and_the_account_adds_up(server: Running, binance: Any) -> None:
    before = binance.fetch_balance()["total"]["USDT"]
    bought = binance.create_order(SYMBOL, "market", "buy", 100, params={"newClientOrderId": "c1" * 16})
    assert bought["status"] == "closed"
    price = float(bought["average"])
    stop = binance.create_order(
        SYMBOL, "STOP_LOSS", "sell", 99, None, {"stopPrice": round(price * 0.9, 4), "newClientOrderId": "c2" * 16}
    )
    assert stop["status"] == "open" or stop["status"] is None
    found = binance.fetch_order(None, SYMBOL, {"origClientOrderId": "c2" * 16})
    assert (found["status"], found["clientOrderId"], float(found["stopPrice"])) == (
        "open", "c2" * 16, round(price * 0.9, 4),
    )  # fmt: skip
    assert [order["id"] for order in binance.fetch_open_orders(SYMBOL)] == [found["id"]]
    assert float(binance.fetch_balance()["XRP"]["used"]) == 99
    assert binance.cancel_order(None, SYMBOL, {"origClientOrderId": "c2" * 16})["status"] == "canceled"
    sold = binance.create_order(SYMBOL, "market", "sell", 99)
    assert sold["status"] == "closed"
    flow = 0.0
    for trade in binance.fetch_my_trades(SYMBOL, params={"fromId": 0}):
        sign = 1 if trade["side"] == "sell" else -1
        flow += sign * float(trade["cost"])
        flow -= float(trade["fee"]["cost"]) if trade["fee"]["currency"] == "USDT" else 0
    assert float(binance.fetch_balance()["total"]["USDT"]) == pytest.approx(float(before) + flow)


def test_a_cancel_replace_moves_a_stop(binance: Any) -> None:
    price = float(binance.create_order("ADA/USDT", "market", "buy", 100)["average"])
    stop = binance.create_order("ADA/USDT", "STOP_LOSS", "sell", 99, None, {"stopPrice": round(price * 0.9, 4)})
    answer = binance.private_post_order_cancelreplace(
        {"symbol": "ADAUSDT", "side": "SELL", "type": "STOP_LOSS", "cancelReplaceMode": "STOP_ON_FAILURE",
         "cancelOrderId": stop["id"], "quantity": "99", "stopPrice": f"{price * 0.95:.4f}"}
    )  # fmt: skip
    assert (answer["cancelResult"], answer["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    with pytest.raises(ccxt.ExchangeError) as refusal:
        binance.private_post_order_cancelreplace(
            {"symbol": "ADAUSDT", "side": "SELL", "type": "MARKET", "cancelReplaceMode": "STOP_ON_FAILURE",
             "cancelOrderId": stop["id"], "quantity": "99"}
        )  # fmt: skip
    assert "-2022" in str(refusal.value)
    assert len(binance.fetch_open_orders("ADA/USDT")) == 1


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        (lambda b: b.create_order(SYMBOL, "market", "buy", 10_000_000), ccxt.InsufficientFunds, "insufficient balance"),
        (lambda b: b.fetch_order("999999", SYMBOL), ccxt.OrderNotFound, "-2013"),
        (lambda b: b.cancel_order("999999", SYMBOL), ccxt.OrderNotFound, "-2011"),
        (lambda b: b.create_order(SYMBOL, "limit", "buy", 1, "1.9"), ccxt.BadRequest, "NOTIONAL"),
        (
            lambda b: b.create_order(SYMBOL, "STOP_LOSS", "buy", 10, None, {"stopPrice": "1.0"}),
            ccxt.ExchangeError,
            "would trigger immediately",
        ),
        (lambda b: b.public_get_klines({"symbol": "NOPEUSDT", "interval": "1m"}), ccxt.BadSymbol, "-1121"),
        (lambda b: b.public_get_klines({"symbol": "BTCUSDT", "interval": "7m"}), ccxt.ExchangeError, "-1120"),
        (lambda b: b.public_get_klines({"interval": "1m"}), ccxt.ExchangeError, "-1102"),
        (lambda b: b.private_get_account({"timestamp": 1}), ccxt.InvalidNonce, "-1021"),
    ],
)
def test_ccxt_maps_our_refusals_as_it_maps_the_real_ones(binance: Any, call: Any, error: type, code: str) -> None:
    with pytest.raises(error) as refusal:
        call(binance)
    assert code in str(refusal.value)


def test_a_wrong_secret_and_a_wrong_key_are_refused(server: Running) -> None:
    for more, code in (({"secret": "x" * 32}, "-1022"), ({"apiKey": "x" * 32}, "-2015"), ({"apiKey": "x"}, "-2014")):
        made = client(server.url, **more)
        with pytest.raises(ccxt.AuthenticationError, match=code):
            made.private_get_account()


def test_a_test_order_is_checked_and_leaves_nothing(binance: Any) -> None:
    assert (
        binance.private_post_order_test({"symbol": "UNIUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}) == {}
    )
    assert binance.fetch_orders("UNI/USDT") == []
    with pytest.raises(ccxt.ExchangeError, match="LOT_SIZE"):
        binance.private_post_order_test({"symbol": "UNIUSDT", "side": "BUY", "type": "MARKET", "quantity": "1.001"})


def test_trades_are_read_on_from_an_id(binance: Any) -> None:
    for _ in range(3):
        binance.create_order("LTC/USDT", "market", "buy", 0.1)
    ids = [trade["id"] for trade in binance.private_get_mytrades({"symbol": "LTCUSDT"})]
    assert len(ids) >= 3
    later = binance.private_get_mytrades({"symbol": "LTCUSDT", "fromId": ids[1]})
    assert [trade["id"] for trade in later] == ids[1:]
    newest = binance.private_get_mytrades({"symbol": "LTCUSDT", "limit": 1})
    assert [trade["id"] for trade in newest] == ids[-1:]


@pytest.mark.parametrize(("kind", "keys"), [("ACK", 5), ("RESULT", 16), ("FULL", 17)])
def test_an_order_is_answered_as_fully_as_asked(binance: Any, kind: str, keys: int) -> None:
    order = {"symbol": "DOTUSDT", "side": "BUY", "type": "MARKET", "quantity": "2", "newOrderRespType": kind}
    assert len(binance.private_post_order(order)) == keys


def test_an_ordinary_and_a_legacy_oco_rest_and_are_cancelled_as_one(binance: Any) -> None:
    price = float(binance.create_order("BNB/USDT", "market", "buy", 0.2)["average"])
    legacy = binance.private_post_order_oco(
        {"symbol": "BNBUSDT", "side": "SELL", "quantity": "0.1", "price": f"{price * 1.1:.2f}",
         "stopPrice": f"{price * 0.9:.2f}"}
    )  # fmt: skip
    assert len(binance.private_get_openorderlist()) == 1
    done = binance.private_delete_orderlist({"symbol": "BNBUSDT", "orderListId": legacy["orderListId"]})
    assert done["listOrderStatus"] == "ALL_DONE"
    assert binance.private_get_orderlist({"orderListId": legacy["orderListId"]})["listStatusType"] == "ALL_DONE"
    assert binance.fetch_open_orders("BNB/USDT") == []
