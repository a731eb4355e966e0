"""Symbols of the seeded market: names like real ones with price levels, activity and temper of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trade_pipeline.exchange.engine.symbols import SymbolSpec

# Price in USDT; the order is that of activity, most traded first.
_LEVELS = (
    "BTC:97250 ETH:3480 SOL:188 XRP:2.31 BNB:642 DOGE:0.342 ADA:0.905 LINK:22.8 AVAX:38.4 LTC:104.5 "
    "DOT:7.12 TRX:0.244 NEAR:5.21 UNI:13.1 SUI:3.95 AAVE:291 XLM:0.352 ATOM:6.71 BCH:447 FIL:5.05 "
    "APT:9.6 ARB:0.82 OP:1.93 INJ:21.4 ETC:26.8 ICP:10.4 HBAR:0.271 VET:0.0461 RUNE:4.85 ALGO:0.352 "
    "GRT:0.221 SAND:0.581 MANA:0.489 AXS:6.62 THETA:2.31 EGLD:35.7 FLOW:0.742 XTZ:1.28 CHZ:0.0871 EOS:0.802 "
    "KAVA:0.471 ZEC:54.9 DASH:37.2 COMP:81.6 MKR:1570 SNX:2.21 CRV:0.921 LDO:1.83 IMX:1.36 STX:1.61 "
    "SEI:0.441 TIA:5.13 JUP:0.861 PYTH:0.371 WLD:2.17 ENA:0.961 ONDO:1.37 FET:1.31 RENDER:7.42 GALA:0.0361 "
    "APE:1.19 DYDX:1.54 GMX:27.1 ENS:35.2 QNT:112 KSM:33.4 MINA:0.592 ROSE:0.0861 ZIL:0.0228 IOTA:0.327 "
    "NEO:14.6 QTUM:3.19 ONT:0.256 BAT:0.251 ZRX:0.523 ENJ:0.221 ANKR:0.0361 CELO:0.671 SKL:0.0581 LRC:0.231 "
    "YFI:8350 SUSHI:1.41 CAKE:2.52 KNC:0.561 BAL:2.71 STORJ:0.521 WOO:0.221 MASK:3.13 PENDLE:5.24 STRK:0.481 "
    "ZK:0.191 ZRO:5.41 W:0.301 JTO:3.21 DYM:1.52 ALT:0.111 PIXEL:0.162 PORTAL:0.351 AEVO:0.361 ETHFI:2.21"
)

ANCHORS_MAX = len(_LEVELS.split())


@dataclass(frozen=True, slots=True)
class Character:
    """How a symbol moves: `sigma` is the standard deviation of a quiet 1m log return, `beta` its share in the
    market's move, `notional` the quote traded in a typical minute."""

    spec: SymbolSpec
    price: float
    sigma: float
    beta: float
    notional: float
    spread_bps: float


def characters(count: int) -> list[Character]:
    """The first `count` symbols of the seeded market; behind those with names like real ones stand T100, T101, ..."""
    answer = []
    for rank, (name, price) in enumerate(_levels(count)):
        answer.append(
            Character(
                spec=_spec(f"{name}/USDT", price),
                price=price,
                sigma=0.00055 + 0.00005 * min(rank, 12),
                beta=0.75 - 0.02 * min(rank, 15),
                notional=3_000_000 / (1 + rank) ** 0.75 + 150_000,
                spread_bps=0.4 + 0.08 * min(rank, 15),
            )
        )
    return answer


def _levels(count: int) -> list[tuple[str, float]]:
    named = [entry.split(":") for entry in _LEVELS.split()[:count]]
    made = [(f"T{rank}", round(10.0 ** (rank * 7 % 40 / 10 - 1.5), 5)) for rank in range(len(named), count)]
    return [*((name, float(text)) for name, text in named), *made]


def _spec(symbol: str, price: float) -> SymbolSpec:
    """About five significant digits in the price, amounts of about ten cents."""
    magnitude = math.floor(math.log10(price))
    price_decimals = max(2, 4 - magnitude)
    amount_decimals = min(max(0, magnitude + 1), 8 - price_decimals)
    return SymbolSpec(symbol, price_decimals, amount_decimals)
