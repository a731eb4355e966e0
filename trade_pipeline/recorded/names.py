"""What the name of a file, and the folders above it, say: symbol, length of a bar, kind of table, exchange.

A name is words between separators. Each word must mean something, or the name says no symbol: my_BTC_backup is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trade_pipeline.recorded.pairs import QUOTES, common_pair, market_of, pair_of, quote_first, share_of

SOURCES = (
    "binance", "binanceus", "bitfinex", "bitget", "bitmex", "bitstamp", "bittrex", "bybit", "coinbase", "ftx", "gate",
    "gemini", "huobi", "kraken", "kucoin", "mexc", "okx", "poloniex",
)  # fmt: skip
_OLD_NAMES = {"gdax": "coinbase", "okex": "okx", "gateio": "gate", "htx": "huobi"}
UNKNOWN_SOURCE = "recorded"
_QUOTE_FIRST = ("bittrex", "poloniex")
_PREFIX_LETTERS_MIN = 6
"""Names of exchanges this long are also found where letters follow: bitstampUSD, binance2024."""

_SUFFIXES = (
    ".gz", ".zip", ".csv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow", ".ipc",
)  # fmt: skip
_UNITS_S = {"s": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400, "w": 604_800}
_LENGTHS_S: Mapping[str, int] = {
    "minute": 60, "hourly": 3600, "hour": 3600, "daily": 86_400, "d": 86_400, "weekly": 604_800, "w": 604_800,
    "m1": 60, "m5": 300, "m15": 900, "m30": 1800, "h1": 3600, "h4": 14_400, "d1": 86_400,
}  # fmt: skip
_MINUTES = frozenset({1, 3, 5, 8, 10, 15, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 10_080})
"""Bare numbers behind a market that are lengths: XBTUSD_60. Others count files."""
_CONTRACT = frozenset({"futures", "perp", "perpetual", "swap", "um", "cm"})
NO_BARS: Mapping[str, str] = {
    "premiumindex": "premiums over an index, no prices",
    "premiumindexklines": "premiums over an index, no prices",
    "fundingrate": "rates of funding, no prices",
    "quotes": "quotes, no trades",
    "quote": "quotes, no trades",
    "bookticker": "quotes, no trades",
    "bookdepth": "depths of an order book, no trades",
    "depth": "depths of an order book, no trades",
}
"""Word in a name -> what such a file holds instead of bars."""
_COMPUTED: Mapping[str, str] = {
    "mark": "mark", "markpriceklines": "mark", "index": "index", "indexpriceklines": "index",
}  # fmt: skip
"""Word in a name -> what is put behind the source: prices that an exchange computes, and at which nobody traded."""
_ALSO_ELSE = frozenset({"mark", "index", "quotes", "quote", "depth"})
"""Words that a folder may be called for other reasons."""
_FILLERS = frozenset({
    "trades", "trade", "aggtrades", "candles", "candlesticks", "klines", "kline", "ohlc", "ohlcv", "ohlcvt", "data",
    "spot", "to", "history", "historical",
})  # fmt: skip
_SAYS_NO_MARKET = _FILLERS | _CONTRACT | _COMPUTED.keys()

_JOINED = ((r"funding[-_]rate", "fundingrate"), (r"(?<!\d)(\d{1,2})[-_ ](min|minute|hour|day)(?=[-_ ]|$)", r"\1\2"))
_LENGTH = re.compile(r"^(\d+)(s|m|min|minute|h|hour|d|day|w)$")
_MONTHS = re.compile(r"^\d+(mo|Mo|M)$")
_DATE = re.compile(r"^(19|20)\d{2}((0[1-9]|1[0-2])(\d{2})?)?$")
_EXPIRY = re.compile(r"^\d{2}(0[1-9]|1[0-2])[0-3]\d$")  # BTCUSDT_210326: a contract until that day
_DATE_BEHIND = re.compile(r"(?<=[A-Za-z])(?:19|20)\d{2}-\d{2}-\d{2}$")  # Bybit: BTCUSDT2021-01-01
_COPY = re.compile(r" ?\(\d+\)$")  # what a browser puts behind the name of a second download
_BITCOINCHARTS = re.compile(r"^([a-z]+)([A-Z]{3})$")  # bitstampUSD: what one exchange pays for bitcoins


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says; None where it does not. `no_bars`: what the file holds instead of bars."""

    symbol: str | None = None
    bar_length_s: int | None = None
    no_bars: str | None = None


def named(path: Path, source: str | None = None) -> Named:
    """From names as BTC_USDT-5m, BTC_ETH-5 (Bittrex: the quote first), BTCUSD-2019-1m, BTCUSDT-1m-2021-01, XBTUSD_60,
    Bitstamp_BTCUSD_d, XRP_ETH-trades, BTC_USDT_USDT-1h-futures, BTC-USD, BCHEUR. `source`: whose file it is, if that is
    known."""
    words = _words(path)
    told = _told(words)
    exchange = source or next((known for word in words if (known := _known(word))), source_of(path))
    symbol = _symbol(_in_upper(told.parts), exchange.partition("-")[0], behind_number=bool(told.minutes))
    lengths = told.lengths_s + [minutes * 60 for minutes in told.minutes]
    folders = (part.lower() for part in path.resolve().parts[:-1])
    folder = next((NO_BARS[name] for name in folders if name in NO_BARS and name not in _ALSO_ELSE), None)
    return Named(symbol, lengths[0] if lengths else None, told.no_bars or folder)


@dataclass(slots=True)
class _Told:
    """Words of a name by what they mean. `parts` are what is left: those of the market. `minutes` are bare numbers."""

    parts: list[str] = field(default_factory=list)
    lengths_s: list[int] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)
    no_bars: str | None = None


def _told(words: list[str]) -> _Told:
    told = _Told()
    dated = False
    for word in words:
        lower = word.lower()
        length = None if _MONTHS.match(word) else _LENGTH.match(lower)
        if not told.parts and _may_be_coin(word):
            told.parts.append(word)
        elif lower in NO_BARS:
            told.no_bars = NO_BARS[lower]
        elif length or (told.parts and lower in _LENGTHS_S):
            told.lengths_s.append(int(length[1]) * _UNITS_S[length[2]] if length else _LENGTHS_S[lower])
        elif _DATE.match(word) or _EXPIRY.match(word) or (dated and word.isdigit()):
            dated = True
        elif word.isdigit() and told.parts:
            told.minutes += [int(word)] if int(word) in _MINUTES else []
        elif (
            lower not in _FILLERS | _CONTRACT | _COMPUTED.keys() and not _MONTHS.match(word) and not _is_exchange(word)
        ):
            told.parts.append(word)
    return told


def source_of(path: Path) -> str:
    """The exchange that the file or a folder above it is named after, else `recorded`. What must not stand among the
    bars of the pair has its kind behind it: `binance-futures`, and of computed prices `binance-mark`, `binance-index`.
    """
    parts = path.resolve().parts
    found = next(
        (known for part in reversed(parts) for word in re.split(r"[^A-Za-z0-9]+", part) if (known := _known(word))),
        UNKNOWN_SOURCE,
    )
    folders = {part.lower() for part in parts[:-1]}
    behind = [word.lower() for word in _words(path)[1:]]
    computed = next((_COMPUTED[word] for word in (*behind, *sorted(folders - _ALSO_ELSE)) if word in _COMPUTED), None)
    if computed:
        return f"{found}-{computed}"
    expires = behind and _EXPIRY.match(behind[0]) and not _DATE.match(behind[0])
    contract = expires or "futures" in folders or any(word in _CONTRACT for word in behind)
    return f"{found}-futures" if contract else found


def _words(path: Path) -> list[str]:
    stem = path.name
    while stem.lower().endswith(_SUFFIXES):
        stem = stem[: stem.rindex(".")]
    stem = _DATE_BEHIND.sub("", _COPY.sub("", stem).removesuffix("=X"))
    for pattern, joined in _JOINED:
        stem = re.sub(pattern, joined, stem, flags=re.IGNORECASE)
    return [word for word in re.split(r"[-_, ]+", stem) if word]


def _known(word: str) -> str | None:
    lower = word.lower()
    whole = _OLD_NAMES.get(lower, lower)
    if whole in SOURCES:
        return whole
    return next((name for name in SOURCES if len(name) >= _PREFIX_LETTERS_MIN and lower.startswith(name)), None)


def _may_be_coin(word: str) -> bool:
    """Coins are called INDEX, DATA, TRADE, PERP and W: in capitals, and before all else, the word is a name."""
    return word.isalpha() and word.isupper() and not _is_exchange(word)


def _is_exchange(word: str) -> bool:
    return _known(word) is not None and not _BITCOINCHARTS.match(word)


def _in_upper(parts: list[str]) -> list[str]:
    """Words in small letters beside a market in capitals say nothing of it; alone they may be one: btcusd."""
    if any(part.isupper() for part in parts):
        return [part for part in parts if not (part.isalpha() and part.islower())]
    return parts


def _symbol(parts: list[str], source: str | None, *, behind_number: bool) -> str | None:
    """Of a market in one word, of base and quote, or of base, quote and what a contract is settled in."""
    if len(parts) == 1:
        return _of_one(parts[0], source)
    upper = [part.upper() for part in parts]
    if len(parts) == 3 and upper[2] in upper[:2]:
        return common_pair(upper[0], upper[1])
    if len(parts) != 2:
        return None
    if upper[1] in ("US", "UK"):  # Stooq: aapl_us
        return share_of(upper[0]) if upper[1] == "US" else None
    if (behind_number or source in _QUOTE_FIRST) and quote_first(upper[0], upper[1]):
        return common_pair(upper[1], upper[0])
    if len(upper[1]) == 1:  # classes of shares: BRK-B
        return share_of(f"{upper[0]}-{upper[1]}")
    named_so = parts == upper and all(re.fullmatch(r"[A-Z0-9]{2,20}", part) for part in parts)
    pair = upper[1] in QUOTES or (named_so and not any(pair_of(part, source) for part in upper))
    return common_pair(upper[0], upper[1]) if pair else None


def _of_one(word: str, source: str | None) -> str | None:
    if (charts := _BITCOINCHARTS.match(word)) and _known(charts[1]) == source:
        return f"BTC/{charts[2]}"
    pair = market_of(word, source) if re.fullmatch(r"[A-Za-z0-9:.]{5,20}", word) else None
    return pair or (share_of(word) if word == word.upper() else None)
