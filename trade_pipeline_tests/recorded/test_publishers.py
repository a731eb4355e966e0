"""Files as their publishers write them, and the same market out of each."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.reading import bars_from_trades
from trade_pipeline_tests.recorded.one_market import (
    DAYS,
    HOURS,
    MINUTES,
    Row,
    assert_same_bars,
    assert_same_trades,
    bars_in,
    sheet,
    trades_in,
    written,
)

KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
CDD = "https://www.CryptoDataDownload.com\n"
LOWER = "unix,date,symbol,open,high,low,close"
UPPER = "Unix,Date,Symbol,Open,High,Low,Close"
YFINANCE = "Price,Close,High,Low,Open,Volume\nTicker,BTC-USD,BTC-USD,BTC-USD,BTC-USD,BTC-USD\nDate,,,,,\n"
TIINGO = "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor"


def prices(row: Row) -> tuple[float, ...]:
    return row.open, row.high, row.low, row.close


@pytest.mark.parametrize("unit", [1000, 1_000_000])
@pytest.mark.parametrize("header", ["", KLINES])
def test_klines_of_binance_in_milliseconds_or_since_2025_in_microseconds(
    tmp_path: Path, unit: int, header: str
) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        return (row.at * unit, *prices(row), row.volume, (row.at + 60) * unit - 1, row.money, row.trades, 1.5, 2.5, 0)

    recorded = bars_in(written(tmp_path, "binance/BTCUSDT-1m-2025-01.csv", sheet(header, MINUTES, cells)))
    assert (recorded.symbol, recorded.source, recorded.bar_length_s) == ("BTC/USDT", "binance", 60)
    assert (
        recorded.bars.get_column("close_time") - recorded.bars.get_column("open_time")
    ).dt.total_seconds().unique().to_list() == [60]
    assert_same_bars(recorded, MINUTES, money=True, trades=True)


@pytest.mark.parametrize(
    ("name", "header", "source"),
    [
        ("binance/BTCUSDT-trades-2024-01-01.csv", "", "binance"),
        (
            "binance/futures/um/BTCUSDT-trades-2024-01-01.csv",
            "id,price,qty,quote_qty,time,is_buyer_maker",
            "binance-futures",
        ),
        ("binance/futures/um/bare/BTCUSDT-trades-2024-01-01.csv", "", "binance-futures"),
        ("binance/BTCUSDT-aggTrades-2024-01-01.csv", "", "binance"),
    ],
)
def test_trades_of_binance_are_no_candles_though_as_wide(tmp_path: Path, name: str, header: str, source: str) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        if "agg" in name:
            return (7, row.open, row.volume, 1, 2, row.at * 1000, "True", "True")
        return (7, row.open, row.volume, row.money, row.at * 1000, "true", *([] if "futures" in name else ["True"]))

    recorded = trades_in(written(tmp_path, name, sheet(header, MINUTES, cells)))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", source)
    assert_same_trades(recorded, MINUTES)


def test_kraken_has_candles_and_trades_without_names(tmp_path: Path) -> None:
    candles = sheet("", HOURS, lambda row: (row.at, *prices(row), row.volume, row.trades))
    recorded = bars_in(written(tmp_path, "Kraken_OHLCVT/DOTUSD_60.csv", candles))
    assert (recorded.symbol, recorded.source, recorded.bar_length_s) == ("DOT/USD", "kraken", 3600)
    assert_same_bars(recorded, HOURS, trades=True)
    trades = trades_in(written(tmp_path, "XBTUSD.csv", sheet("", MINUTES, lambda row: (row.at, row.open, row.volume))))
    assert (trades.symbol, trades.source) == ("BTC/USD", "kraken")
    assert_same_trades(trades, MINUTES)


@pytest.mark.parametrize(
    ("name", "header", "ticker", "symbol", "count"),
    [
        ("Bitstamp_BTCUSD_1h.csv", f"{LOWER},Volume BTC,Volume USD", "BTC/USD", "BTC/USD", False),
        ("Bitfinex_ETHBTC_1h.csv", f"{LOWER},Volume ETH,Volume BTC", "ETHBTC", "ETH/BTC", False),
        ("Binance_BTCUSDT_1h.csv", f"{UPPER},Volume BTC,Volume USDT,tradecount", "BTCUSDT", "BTC/USDT", True),
        ("Kraken_XBTUSD_1h.csv", f"{LOWER},Volume XBT,Volume USD", "XBT/USD", "BTC/USD", False),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_cryptodatadownload_has_an_address_above_and_the_newest_first(
    tmp_path: Path, name: str, header: str, ticker: str, symbol: str, count: bool, newline: str
) -> None:
    """Two columns of time, in one file seconds and milliseconds, and volumes that are named by their coin."""

    def cells(row: Row) -> tuple[object, ...]:
        at = row.at if row.at % 7200 else row.at * 1000
        told = (at, row.time.strftime("%Y-%m-%d %H:%M:%S"), ticker, *prices(row), row.volume, row.money)
        return (*told, row.trades) if count else told

    text = CDD + sheet(header, HOURS[::-1], cells) + "\n"
    path = written(tmp_path, name, text.replace("\n", newline))
    recorded = bars_in(path)
    assert (recorded.symbol, recorded.source) == (symbol, name.split("_", maxsplit=1)[0].lower())
    assert_same_bars(recorded, HOURS, money=True, trades=count)


def test_hours_with_am_and_pm_are_read(tmp_path: Path) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        return (row.time.strftime("%Y-%m-%d %I-%p"), "BTCUSD", *prices(row), row.volume, row.money)

    text = CDD + sheet("Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD", HOURS[::-1], cells)
    assert_same_bars(bars_in(written(tmp_path, "Coinbase_BTCUSD_1h.csv", text)), HOURS, money=True)


def test_a_volume_in_money_alone_is_no_volume(tmp_path: Path) -> None:
    text = sheet("unix,open,high,low,close,Volume USD", HOURS, lambda row: (row.at, *prices(row), row.money))
    with pytest.raises(ReplayFileError, match="no column says volume"):
        bars_in(written(tmp_path, "BTC_USD-1h.csv", text))


def test_volumes_under_each_others_names_are_refused(tmp_path: Path) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        return (row.at, *prices(row), row.money, row.volume)

    path = written(tmp_path, "BTC_USD-1h.csv", sheet("unix,open,high,low,close,Volume BTC,Volume USD", HOURS, cells))
    with pytest.raises(ReplayFileError, match="volume and quote volume are each other's"):
        bars_in(path)


def test_a_minute_of_nothing_but_its_time_is_a_minute_without_a_trade(tmp_path: Path) -> None:
    """Bitstamp's minutes as they are passed on: NaN in every column where nobody traded."""

    def cells(row: Row) -> tuple[object, ...]:
        nobody = row in MINUTES[10:13]
        return (float(row.at), *(["NaN"] * 7 if nobody else [*prices(row), row.volume, row.money, row.close]))

    header = "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price"
    path = written(tmp_path, "bitstampUSD_1-min_data_2012-01-01_to_2021-03-31.csv", sheet(header, MINUTES, cells))
    recorded = bars_in(path)
    assert (recorded.symbol, recorded.source, recorded.notes) == ("BTC/USD", "bitstamp", {"empty_rows": 3})
    assert_same_bars(recorded, MINUTES[:10] + MINUTES[13:], money=True)


def test_a_header_that_says_close_before_high_is_followed(tmp_path: Path) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        return (row.at * 1000, row.open, row.close, row.high, row.low, row.volume)

    recorded = bars_in(written(tmp_path, "btcusd.csv", sheet("time,open,close,high,low,volume", MINUTES, cells)))
    assert recorded.symbol == "BTC/USD"
    assert_same_bars(recorded, MINUTES)


def test_files_of_gate_need_their_layout_named(tmp_path: Path) -> None:
    def cells(row: Row) -> tuple[object, ...]:
        return (row.at, row.volume, row.close, row.high, row.low, row.open)

    path = written(tmp_path, "BTC_USDT-202401.csv.gz", gzip.compress(sheet("", MINUTES, cells).encode()))
    with pytest.raises(ReplayFileError, match=r"contradict the layout ohlcv.*gate_files"):
        bars_in(path)
    recorded = bars_in(path, "gate_files")
    assert recorded.source == "gate"
    assert_same_bars(recorded, MINUTES)


def test_trades_of_bybit_and_of_okx_have_names(tmp_path: Path) -> None:
    bybit = sheet(
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
        MINUTES[::-1],
        lambda row: (
            f"{row.at}.1234",
            "BTCUSDT",
            "Buy",
            row.volume,
            row.open,
            "PlusTick",
            "a-b",
            1,
            row.volume,
            row.money,
        ),
    )
    recorded = trades_in(written(tmp_path, "bybit/BTCUSDT2024-01-01.csv.gz", gzip.compress(bybit.encode())))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "bybit")
    assert_same_trades(recorded, MINUTES)
    header = "instrument_name,trade_id,side,price,size,created_time"
    okx = sheet(header, MINUTES, lambda row: ("BTC-USDT", 1, "buy", row.open, row.volume, row.at * 1000 + 5))
    assert_same_trades(trades_in(written(tmp_path, "okx/BTC-USDT-trades-2024-01-01.csv", okx)), MINUTES)


@pytest.mark.parametrize("market", ["BTC-USDT-SWAP", "BTC-USDT-240329", "BTC/USDT:USDT"])
def test_a_column_that_names_a_contract_says_so_of_the_source(tmp_path: Path, market: str) -> None:
    header = "instrument_name,trade_id,side,price,size,created_time"
    text = sheet(header, MINUTES, lambda row: (market, 1, "buy", row.open, row.volume, row.at * 1000 + 5))
    recorded = trades_in(written(tmp_path, "okx/trades.csv", text))
    assert (recorded.symbol, recorded.source) == ("BTC/USDT", "okx-futures")


def test_a_table_of_columns_may_name_its_symbol_in_codes_and_hold_more_than_we_read(tmp_path: Path) -> None:
    table = pl.DataFrame(MINUTES).rename({"at": "date"}).drop("money", "trades")
    coded = table.with_columns(pl.lit("BTCUSDT", dtype=pl.Categorical).alias("symbol"), trades=pl.lit([1.0, 2.0]))
    coded.write_parquet(tmp_path / "data.parquet")
    recorded = bars_in(tmp_path / "data.parquet")
    assert recorded.symbol == "BTC/USDT"
    assert_same_bars(recorded, MINUTES)
    two = coded.with_columns(
        pl.when(pl.col("date") % 120 == 0).then(pl.lit("ETHUSDT")).otherwise("symbol").alias("symbol")
    )
    two.with_columns(pl.col("symbol").cast(pl.Categorical)).write_ipc(tmp_path / "two.feather")
    with pytest.raises(ReplayFileError, match="holds 2 symbols"):
        bars_in(tmp_path / "two.feather")


def test_trades_that_are_newest_first_keep_the_order_within_a_second(tmp_path: Path) -> None:
    rows = [(MINUTES[0].at, price, 1) for price in (10, 11, 12)] + [(MINUTES[1].at, 9, 1), (MINUTES[2].at, 8, 1)]
    text = "\n".join(f"{at},{price},{amount}" for at, price, amount in reversed(rows))
    recorded = trades_in(written(tmp_path, "XBTUSD.csv", text))
    assert recorded.trades.get_column("price").to_list() == [10, 11, 12, 9, 8]
    bar = bars_from_trades(recorded).bars.row(0, named=True)
    assert (bar["open"], bar["close"], bar["trades"]) == (10, 12, 3)


def test_trades_of_freqtrade_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    rows = [[row.at * 1000 + 3, "7", None, "buy", row.open, row.volume, row.money] for row in MINUTES]
    names = ["timestamp", "id", "type", "side", "price", "amount", "cost"]
    assert_same_trades(trades_in(written(tmp_path, "XRP_ETH-trades.json", [*rows])), MINUTES)
    table = pl.DataFrame(rows, schema=names, orient="row")
    for name, write in (("feather", table.write_ipc), ("parquet", table.write_parquet)):
        write(tmp_path / f"XRP_ETH-trades.{name}")
        recorded = trades_in(tmp_path / f"XRP_ETH-trades.{name}")
        assert (recorded.symbol, recorded.source) == ("XRP/ETH", "recorded")
        assert_same_trades(recorded, MINUTES)


@pytest.mark.parametrize(
    ("header", "lines_above", "name"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", "", "BTC-USD.csv"),
        ("Date,Close,High,Low,Open,Volume", YFINANCE, "prices.csv"),
        (",Open,High,Low,Close,Volume", "", "BTC-USD.csv"),
        (TIINGO, "", "BTC-USD.csv"),
    ],
)
def test_daily_files_of_yahoo_and_tiingo_give_prices_as_traded(
    tmp_path: Path, header: str, lines_above: str, name: str
) -> None:
    """Adjusted prices stand beside them and are not taken; the table's index may be the day."""

    def cells(row: Row) -> list[object]:
        named = {"open": row.open, "high": row.high, "low": row.low, "close": row.close, "volume": row.volume}
        day = {"date": row.time.strftime("%Y-%m-%d"), "": row.time.strftime("%Y-%m-%d")}
        return [{**named, **day}.get(column.lower(), 1.0) for column in header.split(",")]

    text = sheet("" if lines_above else header, DAYS, cells)
    recorded = bars_in(written(tmp_path, name, lines_above + text))
    assert (recorded.symbol, recorded.bar_length_s) == ("BTC/USD", 86_400)
    assert_same_bars(recorded, DAYS)
