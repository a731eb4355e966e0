"""What the exchange asks of a market, seeded, recorded or followed. Every question takes the time it is asked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.noise import Ints


class MarketView(Protocol):
    """Steps of the path as far as they have happened."""

    specs: dict[str, SymbolSpec]

    def listed(self, now_ms: int) -> list[str]: ...

    def is_listed(self, symbol: str, now_ms: int) -> bool: ...

    def steps_between(self, symbol: str, after_ms: int, until_ms: int) -> list[Step]: ...

    def prepare(self, symbols: Sequence[str], now_ms: int) -> None:
        """Told before the newest steps of many symbols are asked for one by one."""
        ...

    def last_step(self, symbol: str, now_ms: int) -> Step | None: ...

    def minute_steps(self, symbol: str, minute: int) -> list[Step]: ...

    def seen_ms(self, symbol: str, now_ms: int) -> int:
        """The moment for which best prices hold: now, or when they were last read."""
        ...


class Candles(Protocol):
    """Published candles: shape (candles, 10), as `candles` describes the columns."""

    def candles(
        self, symbol: str, interval: str, now_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Ints: ...

    def minutes(self, symbol: str, first: int, last: int, now_ms: int) -> Ints: ...
