"""Symbols from the names of markets and shares: BASE/QUOTE of XXBTZUSD, BTC-USD, DOTUSD, 0700.HK."""

from __future__ import annotations

import re

QUOTES = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDD", "DAI", "USD", "EUR", "GBP", "JPY", "AUD", "CAD", "CHF", "KRW",
    "TRY", "BRL", "BTC", "XBT", "ETH", "BNB",
)  # fmt: skip
"""Longest first where one ends in another, and what prices are told in before what is priced."""
_DOUBTFUL_QUOTES = ("BUSD", "TUSD")
"""BNBUSD is BNB in USD, ETHBUSD is ETH in BUSD: the letters alone do not tell."""
_DOLLARS_ONLY = ("kraken", "bitfinex", "bitstamp", "coinbase", "gemini", "bitmex", "binanceus")
_COINS = frozenset({
    "BTC", "XBT", "ETH", "BNB", "XRP", "ADA", "SOL", "DOGE", "LTC", "BCH", "LINK", "MATIC", "TRX", "AVAX", "XLM",
    "ATOM", "EOS", "ETC", "UNI", "FIL", "NEAR", "ALGO", "VET", "SHIB", "ARB", "DOT", "BAT", "GRT", "ANT", "FET",
    "SNT", "HNT", "QNT", "APT", "FTT", "HOT", "JST", "BTT", "IOT", "LPT", "HFT", "CELT", "BNT", "KNT", "DNT", "ADT",
    "SAND", "MANA", "AAVE", "MKR", "USDT", "USDC", "PAX", "BOB", "ACT", "ACH", "AXS", "CHZ", "CRV", "DASH", "ZEC",
    "XMR", "NEO", "IOTA", "ONT", "QTUM", "WAVES", "ZIL", "ICX", "TON", "SUI", "PEPE", "WLD", "INJ", "OP",
})  # fmt: skip
_OTHER_NAMES = {"XBT": "BTC", "XDG": "DOGE", "UST": "USDT"}
_LISTED_IN = {
    "AS": "EUR", "AX": "AUD", "BO": "INR", "BR": "EUR", "CO": "DKK", "DE": "EUR", "F": "EUR", "HE": "EUR", "HK": "HKD",
    "KQ": "KRW", "KS": "KRW", "L": "GBX", "LS": "EUR", "MC": "EUR", "MI": "EUR", "MX": "MXN", "NS": "INR", "NZ": "NZD",
    "OL": "NOK", "PA": "EUR", "SA": "BRL", "SI": "SGD", "SS": "CNY", "ST": "SEK", "SW": "CHF", "SZ": "CNY", "T": "JPY",
    "TO": "CAD", "TW": "TWD", "US": "USD", "V": "CAD", "VI": "EUR",
}  # fmt: skip
"""Ending of a ticker -> what shares are priced in there; London's are in pence (GBX)."""
_CLASSES = ("A", "B", "C", "K")
"""Endings of shares of the United States that name a class: BRK.B."""
_SHARE = re.compile(r"^([A-Z0-9]{1,6})(?:-[A-Z])?(?:\.([A-Z]{1,2}))?$")
_TICKER_LETTERS_MAX = 5
"""A longer one that ends in a currency is a market whose two names cannot be told apart."""
_SEPARATORS = re.compile(r"[-_/: ]+")
_CONTRACTS = ("SWAP", "PERP", "PERPETUAL")


def pair_of(market: str, source: str | None = None) -> str | None:
    """BASE/QUOTE of a market's name without a separator (BCHEUR, XXBTZUSD, DOGE:USD); None where none fits, or two
    fit and neither the coins that are known nor the exchange tell."""
    if ":" in market:
        base, _, quote = market.partition(":")
        return f"{common_name(base)}/{common_name(quote)}"
    if len(market) == 8 and market[0] in "XZ" and market[4] in "XZ":  # Kraken's old names: X for coins, Z for money
        return f"{common_name(market[1:4])}/{common_name(market[5:])}"
    if market[-4:-3] == "Z" and market[:-4] in _COINS and market[-3:] in QUOTES:  # USDTZUSD
        return f"{market[:-4]}/{market[-3:]}"
    quotes = ("UST", *QUOTES) if source == "bitfinex" else QUOTES
    found = next((quote for quote in quotes if market.endswith(quote) and len(market) > len(quote)), None)
    if found in _DOUBTFUL_QUOTES:
        found = _told_apart(market, found, source)
    return f"{common_name(market.removesuffix(found))}/{common_name(found)}" if found else None


def _told_apart(market: str, longer: str, source: str | None) -> str | None:
    """`longer` or USD, by the only base that is a coin we know, or else by what the exchange trades."""
    known = [quote for quote in (longer, "USD") if market.removesuffix(quote) in _COINS]
    if len(known) == 1:
        return known[0]
    if source in _DOLLARS_ONLY:
        return "USD"
    return longer if source == "binance" else None


def market_of(word: str, source: str | None = None) -> str | None:
    """As `pair_of`, of a name in capitals or small letters, or one that Bitfinex puts a t before."""
    if word.startswith("t") and word[1:] == word[1:].upper():
        return pair_of(word[1:], "bitfinex")
    return pair_of(word.upper(), source)


def symbol_of(text: str, source: str | None = None) -> str | None:
    """The symbol of a market or share as a column or an answer names it: BTC/USD, BTC-USDT-SWAP, tBTCUSD, AAPL."""
    name = text.strip()
    parts = [part for part in _SEPARATORS.split(name) if part and part.upper() not in _CONTRACTS]
    if len(parts) > 1 and (parts[1].upper() in QUOTES or "/" in name):
        return common_pair(parts[0].upper(), parts[1].upper())
    if len(parts) != 1:
        return None
    return (market_of(parts[0], source) if len(parts[0]) > 4 else None) or share_of(parts[0].upper())


def is_contract(text: str) -> bool:
    """Whether a market's name is that of a contract: BTC-USDT-SWAP, BTC/USDT:USDT, BTC-USDT-230929."""
    parts = _SEPARATORS.split(text.strip().upper())
    return len(parts) > 1 and (
        parts[-1] in _CONTRACTS or (len(parts) == 3 and (parts[2] in parts[:2] or parts[2].isdigit()))
    )


def share_of(ticker: str) -> str | None:
    """0700.HK is 0700.HK/HKD; a ticker without a place is taken as listed in US dollars, one of a place that we do not
    know is none. A coin is no share: what BTC is priced in, its name does not say."""
    found = _SHARE.match(ticker)
    if found is None or ticker in _COINS or (len(ticker) > _TICKER_LETTERS_MAX and ticker.endswith(QUOTES)):
        return None
    money = _LISTED_IN.get(found[2]) if found[2] and found[2] not in _CLASSES else "USD"
    return f"{ticker}/{money}" if money else None


def quote_first(first: str, second: str) -> bool:
    """Whether `first` is what prices are told in, as Bittrex and Poloniex name markets: BTC_ETH is ETH in BTC."""
    ranks = [QUOTES.index(part) if part in QUOTES else len(QUOTES) for part in (first, second)]
    return ranks[0] < ranks[1]


def common_pair(base: str, quote: str) -> str:
    """BASE/QUOTE under the names that most exchanges use."""
    return f"{common_name(base)}/{common_name(quote)}"


def common_name(asset: str) -> str:
    """BTC for Kraken's XBT, and the like."""
    return _OTHER_NAMES.get(asset, asset)
