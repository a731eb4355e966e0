"""A real exchange of one symbol whose book and trades a test writes by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.venues.public_feed import Depth, PublicTrade

SYMBOL = "BTC/USDT"


def rules(**other: object) -> MarketRules:
    values: dict[str, object] = {
        "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "active": True, "price_tick": Decimal("0.1"),
        "price_min": Decimal("0.1"), "price_max": Decimal(10**7), "amount_step": Decimal("0.001"),
        "amount_min": Decimal("0.002"), "amount_max": Decimal(1000), "market_amount_max": Decimal(1000),
        "notional_min": Decimal(10), "order_types": frozenset({"LIMIT", "MARKET", "STOP_LOSS", "LIMIT_MAKER"}),
        "maker_fee_rate": Decimal("0.0010"), "taker_fee_rate": Decimal("0.0020"),
    }  # fmt: skip
    return MarketRules(**(values | other))  # type: ignore[arg-type]  # of exactly these kinds


def side(*levels: tuple[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(price), Decimal(amount)) for price, amount in levels)


class ScriptedMarket:
    """Its clock is `ahead_ms` before ours. `silent`: nothing is answered."""

    def __init__(self, ahead_ms: int = 0) -> None:
        self.ahead_ms = ahead_ms
        self.silent = False
        self.rules = {SYMBOL: rules()}
        self.book = Depth(side(("100.0", "1"), ("99.9", "2")), side(("100.2", "1"), ("100.3", "2"), ("101.0", "5")))
        self.trades: list[PublicTrade] = []
        self.since: list[datetime | None] = []

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def trade(self, price: str, amount: str = "1", *, sold: bool = True, ago_ms: int = 0) -> None:
        at_ms = self.now_ms() - ago_ms
        self.trades.append(PublicTrade(str(len(self.trades)), at_ms, Decimal(price), Decimal(amount), sold))

    def server_time(self) -> datetime:
        self._speak()
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def markets(self) -> dict[str, MarketRules]:
        self._speak()
        return self.rules

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        self._speak()
        (bid, bids), (ask, asks) = self.book.bids[0], self.book.asks[0]
        last = self.trades[-1].price if self.trades else bid
        return {symbol: BookTop(symbol, bid, bids, ask, asks, last, self.server_time()) for symbol in symbols}

    def depth(self, symbol: str, levels: int) -> Depth:
        self._speak()
        return Depth(self.book.bids[:levels], self.book.asks[:levels])

    def public_trades(self, symbol: str, since: datetime | None) -> list[PublicTrade]:
        self._speak()
        self.since.append(since)
        start_ms = 0 if since is None else int(since.timestamp() * 1000)
        return sorted((row for row in self.trades if row.at_ms >= start_ms), key=lambda row: row.at_ms)

    def _speak(self) -> None:
        if self.silent:
            raise VenueUnavailable("the real exchange does not answer")
