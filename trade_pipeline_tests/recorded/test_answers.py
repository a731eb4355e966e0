"""Answers of exchanges: each has its own envelope, order of columns and way to say that a candle still runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline_tests.recorded.one_market import (
    MINUTES,
    Row,
    assert_same_bars,
    assert_same_trades,
    bars_in,
    trades_in,
    written,
)

Cells = Callable[[Row], list[object]]


def newest_first(cells: Cells) -> list[object]:
    return [cells(row) for row in reversed(MINUTES)]


def ohlc(row: Row) -> list[object]:
    return [str(row.open), str(row.high), str(row.low), str(row.close)]


def test_binance_and_ccxt_have_lists_by_place(tmp_path: Path) -> None:
    klines = [
        [row.at * 1000, *ohlc(row), str(row.volume), row.at * 1000 + 59_999, str(row.money), row.trades, "1", "2", "0"]
        for row in MINUTES
    ]
    recorded = bars_in(written(tmp_path, "BTCUSDT.json", klines))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "binance")
    assert_same_bars(recorded, MINUTES, money=True, trades=True)
    plain = [[row.at * 1000, row.open, row.high, row.low, row.close, row.volume] for row in MINUTES]
    assert_same_bars(bars_in(written(tmp_path, "BTC_USDT-1m.json", plain)), MINUTES)


def test_bybit_says_its_symbol_and_of_inverse_contracts_the_volume_in_money(tmp_path: Path) -> None:
    for category, symbol, at, cells in (
        (
            "linear",
            "BTC/USDT",
            "BTCUSDT",
            lambda row: [str(row.at * 1000), *ohlc(row), str(row.volume), str(row.money)],
        ),
        ("spot", "BTC/USDT", "BTCUSDT", lambda row: [str(row.at * 1000), *ohlc(row), str(row.volume), str(row.money)]),
        ("inverse", "BTC/USD", "BTCUSD", lambda row: [str(row.at * 1000), *ohlc(row), str(row.money), str(row.volume)]),
    ):
        answer = {"retCode": 0, "result": {"category": category, "symbol": at, "list": newest_first(cells)}}
        recorded = bars_in(written(tmp_path, f"{category}.json", answer))
        source = "bybit" if category == "spot" else "bybit-futures"
        assert (recorded.symbol, recorded.source, recorded.bar_length_s) == (symbol, source, 60)
        assert_same_bars(recorded, MINUTES, money=True)


def test_okx_says_which_candle_still_runs(tmp_path: Path) -> None:
    def cells(row: Row) -> list[object]:
        final = "0" if row is MINUTES[-1] else "1"
        return [str(row.at * 1000), *ohlc(row), str(row.volume), str(row.money), str(row.money), final]

    recorded = bars_in(written(tmp_path, "BTC-USDT.json", {"code": "0", "msg": "", "data": newest_first(cells)}))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "okx")
    assert recorded.as_of == MINUTES[-1].time, "the moment at which the last final candle closed"
    assert_same_bars(recorded, MINUTES, money=True)


def test_the_volume_of_a_contract_in_contracts_is_refused(tmp_path: Path) -> None:
    def cells(row: Row) -> list[object]:
        return [str(row.at * 1000), *ohlc(row), str(row.volume * 100), str(row.volume), str(row.money), "1"]

    path = written(tmp_path, "BTC-USDT-SWAP.json", {"code": "0", "data": newest_first(cells)})
    with pytest.raises(ReplayFileError, match=r"one by the other is no price.*contracts"):
        bars_in(path)


def test_kucoin_has_close_before_high(tmp_path: Path) -> None:
    def cells(row: Row) -> list[object]:
        return [
            str(row.at),
            str(row.open),
            str(row.close),
            str(row.high),
            str(row.low),
            str(row.volume),
            str(row.money),
        ]

    path = written(tmp_path, "BTC-USDT.json", {"code": "200000", "data": newest_first(cells)})
    assert_same_bars(bars_in(path), MINUTES, money=True)
    bare = written(tmp_path, "bare/BTC-USDT.json", newest_first(cells))
    with pytest.raises(ReplayFileError, match=r"no whole number.*kucoin"):
        bars_in(bare)
    assert_same_bars(bars_in(bare, "kucoin"), MINUTES, money=True)


def test_gate_has_money_first_and_a_word_at_the_end(tmp_path: Path) -> None:
    def cells(row: Row) -> list[object]:
        prices = [str(row.close), str(row.high), str(row.low), str(row.open)]
        return [str(row.at), str(row.money), *prices, str(row.volume), "false" if row is MINUTES[-1] else "true"]

    recorded = bars_in(written(tmp_path, "BTC_USDT.json", [cells(row) for row in MINUTES]))
    assert (recorded.source, recorded.as_of) == ("gate", MINUTES[-1].time)
    assert_same_bars(recorded, MINUTES, money=True)


def test_poloniex_counts_its_volume_in_money(tmp_path: Path) -> None:
    """In the older answer `volume` is the first coin of USDT_BTC and `quoteVolume` the second, against the names."""
    old = [
        {
            "date": row.at, "high": row.high, "low": row.low, "open": row.open, "close": row.close,
            "volume": row.money, "quoteVolume": row.volume, "weightedAverage": row.close,
        }
        for row in MINUTES
    ]  # fmt: skip
    recorded = bars_in(written(tmp_path, "USDT_BTC.json", old))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "poloniex")
    assert_same_bars(recorded, MINUTES, money=True)
    new = [
        [str(row.low), str(row.high), str(row.open), str(row.close), str(row.money), str(row.volume), "1", "1",
         row.trades, 0, "1", "MINUTE_1", row.at * 1000, row.at * 1000 + 59_999]
        for row in MINUTES
    ]  # fmt: skip
    recorded = bars_in(written(tmp_path, "BTC_USDT.json", new))
    assert recorded.symbol == "BTC/USDT"
    assert_same_bars(recorded, MINUTES, money=True, trades=True)


def test_huobi_calls_the_coins_amount_and_the_money_vol(tmp_path: Path) -> None:
    rows = [
        {
            "id": row.at, "open": row.open, "close": row.close, "low": row.low, "high": row.high,
            "amount": row.volume, "vol": row.money, "count": row.trades,
        }
        for row in reversed(MINUTES)
    ]  # fmt: skip
    recorded = bars_in(written(tmp_path, "h.json", {"ch": "market.btcusdt.kline.1min", "status": "ok", "data": rows}))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "huobi")
    assert_same_bars(recorded, MINUTES, money=True, trades=True)


@pytest.mark.parametrize(
    ("name", "stamp", "wrap", "symbol", "source"),
    [
        ("a.json", "timestamp", lambda rows: {"data": {"ohlc": rows, "pair": "BTC/USD"}}, "BTC/USD", "bitstamp"),
        ("BTC-USD.json", "start", lambda rows: {"candles": rows}, "BTC/USD", "coinbase"),
        (
            "BTC_USD.jsonl",
            "t",
            lambda rows: "\n".join(str(row).replace("'", '"') for row in rows),
            "BTC/USD",
            "recorded",
        ),
        ("p.json", "t", lambda rows: {"ticker": "X:BTCUSD", "results": rows}, "BTC/USD", "recorded"),
    ],
)
def test_rows_with_names_are_found_in_what_is_around_them(
    tmp_path: Path, name: str, stamp: str, wrap: Callable[[list[object]], dict[str, object]], symbol: str, source: str
) -> None:
    rows: list[object] = [
        {
            "close": str(row.close), "high": str(row.high), "low": str(row.low), "open": str(row.open),
            stamp: str(row.at), "volume": str(row.volume),
        }
        for row in MINUTES
    ]  # fmt: skip
    recorded = bars_in(written(tmp_path, name, wrap(rows)))
    assert (recorded.symbol, recorded.source) == (symbol, source)
    assert_same_bars(recorded, MINUTES)


def test_a_table_kept_by_columns_is_read(tmp_path: Path) -> None:
    """As charts ask for it: {"s": "ok", "t": [..], "o": [..], ..}."""
    columns = {"t": "at", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    answer = {"s": "ok", **{name: [getattr(row, field) for row in MINUTES] for name, field in columns.items()}}
    assert_same_bars(bars_in(written(tmp_path, "BTC_USD-1m.json", answer)), MINUTES)


def test_a_table_of_pandas_is_read_by_its_names(tmp_path: Path) -> None:
    """`to_json` keeps columns of numbered rows, or names beside the rows, in whatever order."""
    fields = {"date": "at", "close": "close", "low": "low", "high": "high", "open": "open", "volume": "volume"}
    columns = {name: {str(at): getattr(row, field) for at, row in enumerate(MINUTES)} for name, field in fields.items()}
    assert_same_bars(bars_in(written(tmp_path, "BTC_USD-1m.json", columns)), MINUTES)
    rows = [[getattr(row, field) for field in fields.values()] for row in MINUTES]
    split = {"columns": [*fields], "index": [*range(len(rows))], "data": rows}
    assert_same_bars(bars_in(written(tmp_path, "BTC_USD-1m.json", split)), MINUTES)


def test_one_letter_in_two_cases_is_two_columns(tmp_path: Path) -> None:
    """Candles of a stream: t and T are opening and end, v and V all coins and those that takers bought."""
    rows = [
        {"t": row.at * 1000, "T": row.at * 1000 + 59_999, "o": row.open, "h": row.high, "l": row.low, "c": row.close,
         "v": row.volume, "V": 0.5, "n": row.trades}
        for row in MINUTES
    ]  # fmt: skip
    assert_same_bars(bars_in(written(tmp_path, "BTC_USD-1m.json", rows)), MINUTES, trades=True)


@pytest.mark.parametrize(
    ("wrap", "cells", "source"),
    [
        (
            lambda rows: {"code": "0", "data": rows},
            {"instId": "BTC-USDT", "px": "open", "sz": "volume", "ts": "at"},
            "recorded",
        ),
        (
            lambda rows: {"retCode": 0, "result": {"category": "spot", "list": rows}},
            {"symbol": "BTCUSDT", "price": "open", "size": "volume", "time": "at"},
            "bybit",
        ),
        (
            lambda rows: rows,
            {"product_id": "", "time": "at", "price": "open", "size": "volume", "side": ""},
            "recorded",
        ),
        (lambda rows: rows, {"date": "at", "tid": "", "price": "open", "amount": "volume", "type": ""}, "recorded"),
        (
            lambda rows: rows,
            {"timestamp": "at", "price": "open", "amount": "volume", "exchange": "bitfinex"},
            "bitfinex",
        ),
    ],
    ids=["okx", "bybit", "coinbase", "bitstamp", "bitfinex"],
)
def test_trades_of_many_exchanges_are_known_by_their_names(
    tmp_path: Path, wrap: Callable[[list[object]], list[object]], cells: dict[str, str], source: str
) -> None:
    rows = [{name: str(getattr(row, field, field)) for name, field in cells.items()} for row in MINUTES]
    recorded = trades_in(written(tmp_path, "BTCUSDT.json", wrap([*rows])))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", source)
    assert_same_trades(recorded, MINUTES)


def test_a_lone_candle_that_still_runs_is_not_final(tmp_path: Path) -> None:
    row = MINUTES[0]
    cells = [str(row.at * 1000), *ohlc(row), str(row.volume), str(row.money), str(row.money), "0"]
    recorded = bars_in(written(tmp_path, "BTC-USDT-1m.json", {"code": "0", "data": [cells]}))
    assert recorded.as_of == row.time


def test_spreads_of_kraken_are_quotes(tmp_path: Path) -> None:
    answer = {"error": [], "result": {"XXBTZEUR": [[1391837200, "709.1", "709.9"]], "last": 1391837201}}
    with pytest.raises(ReplayFileError, match=r"spreads \(bid and ask\)"):
        bars_in(written(tmp_path, "spreads.json", answer))


def test_trades_of_kraken_name_their_market_and_may_have_a_number(tmp_path: Path) -> None:
    rows = [[str(row.open), str(row.volume), row.at + 0.25, "b", "l", "", 7] for row in MINUTES]
    path = written(tmp_path, "trades.json", {"error": [], "result": {"XXBTZUSD": rows, "last": "1704067200123456789"}})
    recorded = trades_in(path)
    assert (recorded.symbol, recorded.source) == ("BTC/USD", "kraken")
    assert recorded.trades.get_column("time")[0] == MINUTES[0].time + timedelta(seconds=0.25)
    assert_same_trades(recorded, MINUTES)


@pytest.mark.parametrize(
    "answer",
    [{"error": ["EGeneral:Invalid arguments"]}, {"code": -1121, "msg": "Invalid symbol."}, {}, {"data": "none"}],
)
def test_an_answer_without_rows_is_refused_with_its_keys(tmp_path: Path, answer: dict[str, object]) -> None:
    with pytest.raises(ReplayFileError, match="holds no list of bars"):
        bars_in(written(tmp_path, "BTCUSDT-1m.json", answer))


@pytest.mark.parametrize("price", [{"mid": 1.5}, [1.5]])
def test_prices_that_are_objects_or_lists_are_refused(tmp_path: Path, price: object) -> None:
    rows = [{"t": row.at, "o": price, "h": price, "l": price, "c": price, "v": 1} for row in MINUTES]
    with pytest.raises(ReplayFileError, match=r"open holds lists or objects"):
        bars_in(written(tmp_path, "BTCUSDT-1m.json", rows))


@pytest.mark.parametrize("content", [[], {"retCode": 0, "result": {"symbol": "BTCUSDT", "list": []}}])
def test_an_empty_answer_holds_no_bar(tmp_path: Path, content: list[object] | dict[str, object]) -> None:
    with pytest.raises(ReplayFileError, match="holds no bar"):
        bars_in(written(tmp_path, "BTCUSDT-1m.json", content))
