"""Tables that look like market data and are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.reading import read_recorded
from trade_pipeline_tests.recorded.one_market import DAYS, MINUTES, bars_in, sheet, written
from trade_pipeline_tests.shared import shared_path

FILL = {"symbol": "BNBBTC", "orderId": 1, "price": "4", "qty": "12", "commission": "1", "time": 1499865549590}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("audusd-ticks.csv", "timestamp,bid,ask\n2020-01-30 00:00:00.000,0.67,0.68\n", "quotes or an order book"),
        ("BTC_USDT.csv", "exchange,symbol,timestamp,asks[0].price,bids[0].price\na,b,1,2,3\n", "quotes or an order"),
        ("BTC_USDT.csv", "calc_time,hours,last_funding_rate\n1704067200000,8,0.0001\n", "rates of funding"),
        ("BNB_BTC.json", [FILL], "an account's own orders or fills"),
    ],
)
def test_what_is_no_market_data_is_refused_as_what_it_is(
    tmp_path: Path, name: str, content: str | Sequence[object], what: str
) -> None:
    with pytest.raises(ReplayFileError, match=f"these are {what}"):
        read_recorded(written(tmp_path, name, content))


def test_fills_of_an_account_are_no_trades_of_a_market() -> None:
    path = shared_path("data/exchange_answers/binance/account_trades_response.json")
    with pytest.raises(ReplayFileError, match="an account's own orders or fills"):
        read_recorded(path, symbol="BNB/BTC")


def test_bids_beside_candles_do_not_make_them_quotes(tmp_path: Path) -> None:
    header = "date,open,high,low,close,volume,bid,ask"
    text = sheet(
        header, MINUTES, lambda row: (row.at, row.open, row.high, row.low, row.close, row.volume, row.low, row.high)
    )
    assert bars_in(written(tmp_path, "BTC_USDT-1m.csv", text)).bars.height == len(MINUTES)


def test_buckets_of_bitmex_are_stamped_with_their_end_and_refused(tmp_path: Path) -> None:
    header = "timestamp,symbol,open,high,low,close,trades,volume,homeNotional,foreignNotional"
    text = sheet(
        header, MINUTES, lambda row: (row.at, "XBTUSD", row.open, row.high, row.low, row.close, 1, 100, 1, 100)
    )
    with pytest.raises(ReplayFileError, match="their time is when they end"):
        bars_in(written(tmp_path, "XBTUSD.csv", text))


def test_shares_of_lean_are_ten_thousand_times_too_dear_and_refused(tmp_path: Path) -> None:
    dear = sheet(
        "",
        DAYS,
        lambda row: (
            f"{row.time:%Y%m%d %H:%M}",
            *(int(value * 10_000) for value in (row.open, row.high, row.low, row.close)),
            7,
        ),
    )
    with pytest.raises(ReplayFileError, match="prices times 10,000, times of New York"):
        bars_in(written(tmp_path, "SPY.csv", dear))
    coins = sheet(
        "", DAYS, lambda row: (f"{row.time:%Y%m%d %H:%M}", row.open, row.high, row.low, row.close, row.volume)
    )
    assert bars_in(written(tmp_path, "crypto/gdax/daily/btcusd_trade.csv", coins)).source == "coinbase"
