"""Symbols, sources and bar lengths from the names of files and markets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SOURCES = ("binance", "bitfinex", "bitstamp", "bittrex", "bybit", "coinbase", "gemini", "kraken", "okx", "poloniex")
UNKNOWN_SOURCE = "recorded"
QUOTES = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDD", "DAI", "USD", "EUR", "GBP", "JPY", "AUD", "CAD", "CHF", "KRW",
    "TRY", "BRL", "BTC", "XBT", "ETH", "BNB",
)  # fmt: skip
"""Longest first where one ends in another."""
_OTHER_NAMES = {"XBT": "BTC", "XDG": "DOGE", "UST": "USDT"}
_LISTED_IN = {"HK": "HKD", "L": "GBP", "DE": "EUR", "PA": "EUR", "AS": "EUR", "MI": "EUR", "T": "JPY", "SW": "CHF"}

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PAIR_AND_LENGTH = re.compile(r"^([A-Z0-9]{1,20})_([A-Z0-9]{2,10})(?:_[A-Z0-9]{2,10})?-(\d+)([smhdw])(?:-\w+)?$")
_PAIR = re.compile(r"^([A-Z0-9]{1,20})_([A-Z0-9]{2,10})(?:-trades)?$")
_BITTREX = re.compile(r"^([A-Z0-9]{2,10})_([A-Z0-9]{1,20})-(\d+)$")
_MARKET_AND_LENGTH = re.compile(r"^t?([A-Z0-9:]{5,20})(?:-\d{4}(?:-\d{2}){0,2})?[-_](\d+)([smhdw])$")
_MARKET = re.compile(r"^t?([A-Z0-9:]{5,20})(?:_(\d+))?$")
_SHARE = re.compile(r"^([A-Z0-9]{1,6})(?:\.([A-Z]{1,2}))?$")


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says; None where it does not."""

    symbol: str | None = None
    bar_length_s: int | None = None


def named(path: Path) -> Named:
    """From names as BTC_USDT-5m, BTC_ETH-5 (Bittrex: the quote first), BTCUSD-2019-1m, XRP_ETH-trades, BCHEUR."""
    stem = path.name.split(".json")[0].split(".csv")[0].removesuffix(".gz")
    for suffix in (".feather", ".arrow", ".ipc", ".parquet"):
        stem = stem.removesuffix(suffix)
    if found := _PAIR_AND_LENGTH.match(stem):
        return Named(f"{found[1]}/{found[2]}", int(found[3]) * _UNITS_S[found[4]])
    if found := _BITTREX.match(stem):
        return Named(f"{found[2]}/{found[1]}", int(found[3]) * 60)
    if found := _MARKET_AND_LENGTH.match(stem):
        return Named(pair_of(found[1]), int(found[2]) * _UNITS_S[found[3]])
    if found := _PAIR.match(stem):
        return Named(f"{found[1]}/{found[2]}")
    found = _MARKET.match(stem)
    if found and pair_of(found[1]):
        return Named(pair_of(found[1]), int(found[2]) * 60 if found[2] else None)
    return Named()


def pair_of(market: str) -> str | None:
    """BASE/QUOTE of a market's name without a separator (BCHEUR, XXBTZUSD, DOGE:USD); None where none fits."""
    if ":" in market:
        base, _, quote = market.partition(":")
        return f"{_common(base)}/{_common(quote)}"
    if len(market) == 8 and market[0] in "XZ" and market[4] in "XZ":  # Kraken's old names: X for coins, Z for money
        return f"{_common(market[1:4])}/{_common(market[5:])}"
    for quote in QUOTES:
        if market.endswith(quote) and len(market) > len(quote):
            return f"{_common(market.removesuffix(quote))}/{_common(quote)}"
    return None


def share_of(ticker: str) -> str | None:
    """0700.HK is 0700.HK/HKD; a ticker without a place is taken as listed in US dollars."""
    found = _SHARE.match(ticker)
    if found is None:
        return None
    return f"{ticker}/{_LISTED_IN.get(found[2], 'USD') if found[2] else 'USD'}"


def source_of(path: Path) -> str:
    """The exchange that a folder above the file is named after, else `recorded`."""
    parts = [part.lower() for part in reversed(path.resolve().parts)]
    return next((source for part in parts for source in SOURCES if source in part), UNKNOWN_SOURCE)


def _common(asset: str) -> str:
    return _OTHER_NAMES.get(asset, asset)
