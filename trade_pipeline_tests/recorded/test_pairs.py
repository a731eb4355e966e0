"""Markets are split at their quote where that can be told, and nowhere else."""

from __future__ import annotations

import pytest

from trade_pipeline.recorded.pairs import pair_of, share_of, symbol_of


@pytest.mark.parametrize(
    ("market", "pair"),
    [
        ("BCHEUR", "BCH/EUR"),
        ("XXBTZUSD", "BTC/USD"),
        ("XETHXXBT", "ETH/BTC"),
        ("USDTZUSD", "USDT/USD"),
        ("XTZUSD", "XTZ/USD"),
        ("XBTUSDT", "BTC/USDT"),
        ("DOGE:USD", "DOGE/USD"),
        ("1000SATSFDUSD", "1000SATS/FDUSD"),
        ("USDCUSD", "USDC/USD"),
        ("QQQ", None),
    ],
)
def test_a_market_without_a_separator_is_split_at_its_quote(market: str, pair: str | None) -> None:
    assert pair_of(market) == pair


@pytest.mark.parametrize(
    ("market", "pair"),
    [
        ("DOTUSD", "DOT/USD"),
        ("GRTUSD", "GRT/USD"),
        ("BNBUSD", "BNB/USD"),
        ("SHIBUSD", "SHIB/USD"),
        ("ETHBUSD", "ETH/BUSD"),
        ("BTCTUSD", "BTC/TUSD"),
    ],
)
def test_the_last_letter_of_a_coin_is_not_taken_for_the_first_of_its_quote(market: str, pair: str) -> None:
    assert pair_of(market) == pair


def test_where_two_splits_are_possible_the_exchange_tells_or_nobody() -> None:
    assert pair_of("ABTUSD", "kraken") == "ABT/USD"
    assert pair_of("ABTUSD", "binance") == "AB/TUSD"
    assert pair_of("ABTUSD") is None
    assert symbol_of("ABTUSD") is None, "and it is no share of that name"


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTC/USD", "BTC/USD"),
        ("btcusd", "BTC/USD"),
        ("BTC-USDT-SWAP", "BTC/USDT"),
        ("BTC/USDT:USDT", "BTC/USDT"),
        ("tBTCUST", "BTC/USDT"),
        ("AAPL", "AAPL/USD"),
    ],
)
def test_a_column_names_markets_in_the_way_of_its_exchange(text: str, symbol: str) -> None:
    assert symbol_of(text) == symbol


def test_a_share_is_listed_somewhere_and_a_coin_is_no_share() -> None:
    assert [share_of(ticker) for ticker in ("AAPL", "0700.HK", "BRK-B")] == ["AAPL/USD", "0700.HK/HKD", "BRK-B/USD"]
    assert [share_of(ticker) for ticker in ("BRK.B", "RY.TO", "VOD.L")] == ["BRK.B/USD", "RY.TO/CAD", "VOD.L/GBX"]
    assert share_of("ABC.XQ") is None, "a place that is not known is not America"
    assert share_of("BTC") is None, "in dollars, in euros or in tethers?"
