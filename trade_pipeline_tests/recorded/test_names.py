"""What names of files say, as those write them who publish such files."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.names import named, source_of
from trade_pipeline.recorded.reading import read_recorded


@pytest.mark.parametrize(
    ("name", "symbol", "length_s", "source"),
    [
        ("BTC_USDT-5m.feather", "BTC/USDT", 300, "recorded"),
        ("XRP_ETH-trades.json.gz", "XRP/ETH", None, "recorded"),
        ("BTC_ETH-5.json.gz", "ETH/BTC", 300, "recorded"),
        ("BTC_USDT-5.json", "BTC/USDT", 300, "recorded"),
        ("BTCUSD-2019-1m.parquet", "BTC/USD", 60, "recorded"),
        ("BTCUSDT-1m-2021-01.zip", "BTC/USDT", 60, "recorded"),
        ("BTCUSDT-1h-2021-01-05.csv", "BTC/USDT", 3600, "recorded"),
        ("BTCUSDT-aggTrades-2021-01-01.zip", "BTC/USDT", None, "recorded"),
        ("XBTUSD_1440.csv", "BTC/USD", 86_400, "recorded"),
        ("DOTUSD_60.csv", "DOT/USD", 3600, "recorded"),
        ("XBTUSD.csv", "BTC/USD", None, "recorded"),
        ("Bitstamp_BTCUSD_d.csv", "BTC/USD", 86_400, "bitstamp"),
        ("Binance_BTCUSDT_2021_minute.csv", "BTC/USDT", 60, "binance"),
        ("gemini_BTCUSD_2020_1min.csv", "BTC/USD", 60, "gemini"),
        ("bitstampUSD_1-min_data_2012-01-01_to_2021-03-31.csv", "BTC/USD", 60, "bitstamp"),
        ("krakenEUR.csv.gz", "BTC/EUR", None, "kraken"),
        ("btcusd_1-min_data.csv", "BTC/USD", 60, "recorded"),
        ("BTCUSDT2021-01-01.csv.gz", "BTC/USDT", None, "recorded"),
        ("BINANCE_BTCUSDT, 60.csv", "BTC/USDT", 3600, "binance"),
        ("BTC-USD.csv", "BTC/USD", None, "recorded"),
        ("XBTUSD_60 (2).csv", "BTC/USD", 3600, "recorded"),
        ("BTCUSDT_2.csv", "BTC/USDT", None, "recorded"),
        ("BTCUSDT-1m-240329.csv", "BTC/USDT", 60, "recorded"),
        ("ETH_USDT-202302.csv.gz", "ETH/USDT", None, "recorded"),
        ("AAPL.csv", "AAPL/USD", None, "recorded"),
        ("aapl_us_d.csv", "AAPL/USD", 86_400, "recorded"),
        ("0700.HK.csv", "0700.HK/HKD", None, "recorded"),
    ],
)
def test_a_name_says_symbol_length_and_exchange(name: str, symbol: str, length_s: int | None, source: str) -> None:
    path = Path("/files") / name
    assert (named(path).symbol, named(path).bar_length_s, source_of(path)) == (symbol, length_s, source)


@pytest.mark.parametrize(
    "name", ["my_BTC_backup.csv", "BTC.csv", "data.csv", "spy_ohlcv.txt", "BTCUSDT_UMCBL.csv", "OHLC_BTCUSDT.csv"]
)
def test_a_name_with_a_word_that_means_nothing_says_no_symbol(name: str) -> None:
    assert named(Path(name)).symbol is None


@pytest.mark.parametrize(
    "path",
    [
        "binance/BTC_USDT_USDT-1h-futures.feather",
        "binance/data/futures/um/monthly/klines/BTCUSDT-1h-2021-01.zip",
        "binance/BTCUSDT_210326-1h-2021-01.csv",
        "binance/BTC-USDT-SWAP-1h.csv",
    ],
)
def test_a_contract_never_stands_among_the_bars_of_its_pair(path: str) -> None:
    assert named(Path(path)).symbol == "BTC/USDT"
    assert source_of(Path(path)) == "binance-futures"


def test_a_symbol_that_is_given_is_one_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "data-1m.csv"
    path.write_text("date,open,high,low,close,volume\n1704067200,1,1,1,1,1\n")
    assert read_recorded(path, symbol="btc/usdt").symbol == "BTC/USDT"
    for symbol in ("BTCUSDT", "BTC/USDT:USDT", "$PAC/USD"):
        with pytest.raises(ReplayFileError, match=r"no symbol.*BASE/QUOTE"):
            read_recorded(path, symbol=symbol)


def test_an_exchange_is_a_whole_word_of_a_folder() -> None:
    assert source_of(Path("/home/me/Kraken_OHLCVT/XBTUSD_1.csv")) == "kraken"
    assert source_of(Path("/data/gdax/BTCUSD.csv")) == "coinbase"
    assert source_of(Path("/data/aggregates/BTCUSD.csv")) == "recorded", "no gate"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("XRP_USDT_USDT-8h-funding_rate.feather", "rates of funding"),
        ("premiumIndexKlines/BTCUSDT-1h-2021-01.csv", "premiums"),
        ("BTCUSDT-bookTicker-2024-01-01.zip", "quotes"),
        ("quote_tick_data.csv", "quotes"),
    ],
)
def test_what_nobody_traded_at_is_refused_by_its_name(tmp_path: Path, name: str, what: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("never opened")
    with pytest.raises(ReplayFileError, match=what):
        read_recorded(path)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("binance/futures/XRP_USDT_USDT-1h-mark.feather", "binance-mark"),
        ("binance/data/futures/um/monthly/markPriceKlines/XRPUSDT-1h-2021-01.zip", "binance-mark"),
        ("binance/XRP_USDT_USDT-1h-index.feather", "binance-index"),
        ("XRP_USDT_USDT-1h-mark.feather", "recorded-mark"),
        ("home/mark/index/binance/XRP_USDT-1h.feather", "binance"),
    ],
)
def test_prices_that_an_exchange_computes_have_a_source_of_their_own(path: str, source: str) -> None:
    found = named(Path(path))
    assert (found.symbol, found.bar_length_s, found.no_bars) == ("XRP/USDT", 3600, None)
    assert source_of(Path("/") / path) == source


def test_a_coin_may_be_called_index() -> None:
    coin = named(Path("INDEX_USDT-5m.feather"))
    assert (coin.symbol, coin.no_bars, source_of(Path("/INDEX_USDT-5m.feather"))) == ("INDEX/USDT", None, "recorded")


@pytest.mark.parametrize("coin", ["PERP", "DATA", "TRADE", "SWAP", "W", "D", "1INCH"])
def test_coins_may_be_called_as_files_and_contracts_are(coin: str) -> None:
    path = Path(f"/home/um/binance/{coin}_USDT-5m.feather")
    assert (named(path).symbol, named(path).bar_length_s, source_of(path)) == (f"{coin}/USDT", 300, "binance")
