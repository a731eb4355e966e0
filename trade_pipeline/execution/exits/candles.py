"""Candles, the scenario that is played over them and the trades that come out. What happens within is a policy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.errors import BadBars, ScenarioUnsupported
from trade_pipeline.execution.exits.values import LONG, SHORT, ExitRules

ENTRY_TIMEOUT, EXIT_TIMEOUT = timedelta(minutes=10), timedelta(minutes=30)
"""How long a limit may wait for its fill, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One candle. `enters` and `exits` hold the signs (LONG, SHORT) that a signal at its close asks for."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    enters: frozenset[int] = frozenset()
    exits: frozenset[int] = frozenset()
    enter_tag: str | None = None
    exit_tag: str | None = None


Path = Callable[[Bar], Sequence[Decimal]]
"""Every trade's price of a bar, in order; the first is its open."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Candles, rules and how orders are priced. Prices of None: at the bar's open."""

    bars: Sequence[Bar]
    timeframe: timedelta
    rules: ExitRules
    use_exit_signal: bool = True
    leverage: Decimal = Decimal(1)
    atr: Decimal | None = None
    """Average true range at the entries, in quote."""
    stop_follows_best: bool = False
    """The stop's own ratio trails the best price, whatever `rules.trailing` says."""
    entry_price: Decimal | None = None
    exit_price: Decimal | None = None
    """Limit of exits on a signal; other exits have prices of their own."""
    entry_price_later: Decimal | None = None
    """Limit to which an entry is changed that was not filled in its first bar."""
    exit_price_later: Decimal | None = None
    entry_timeout: timedelta = ENTRY_TIMEOUT
    exit_timeout: timedelta = EXIT_TIMEOUT
    liquidation_loss_ratio: Decimal | None = None
    """Loss of the price at which the position is liquidated; None: never."""
    lock_cooldown: timedelta | None = None
    """After a protective exit no entry until the signal has passed through zero, or this has passed (TRADING 13)."""
    path: Path | None = None
    """The market's path, where it is known; else the likelier of the two orders of high and low."""


@dataclass(frozen=True, slots=True)
class Part:
    """A share of the position that was sold at one price."""

    at: datetime
    share: Decimal
    price: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class SimulatedTrade:
    """From entry to flat. `profit_ratio` before fees, as a share of the entry's cost."""

    opened_at: datetime
    closed_at: datetime
    sign: int
    entry_price: Decimal
    exit_price: Decimal
    exit_reason: str
    profit_ratio: Decimal
    enter_tag: str | None = None
    parts: Sequence[Part] = field(default=())


def check_bars(scenario: Scenario) -> None:
    """Prices above zero, high and low around open and close, times in order."""
    before: datetime | None = None
    for bar in scenario.bars:
        prices = (bar.open, bar.high, bar.low, bar.close)
        if not all(price.is_finite() and price > 0 for price in prices):
            raise BadBars("prices must be finite and above 0", thing=f"candle {bar.at}", value=prices)
        if bar.high < max(bar.open, bar.close) or bar.low > min(bar.open, bar.close):
            raise BadBars("high and low must enclose open and close", thing=f"candle {bar.at}", value=prices)
        if before is not None and bar.at <= before:
            raise BadBars("candles must be in order of time", thing=f"candle {bar.at}", value=str(before))
        before = bar.at
    if scenario.leverage < 1:
        raise ScenarioUnsupported("leverage must be at least 1", thing="leverage", value=scenario.leverage)


def direction(bar: Bar) -> int | None:
    """Which way a signal enters; none where it contradicts itself."""
    if LONG in bar.enters and LONG not in bar.exits and SHORT not in bar.enters:
        return LONG
    if SHORT in bar.enters and SHORT not in bar.exits and LONG not in bar.enters:
        return SHORT
    return None
