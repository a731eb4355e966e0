"""Settings of market data and of the simulated exchange."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field

from trade_pipeline.settings.base import Section


class MarketSettings(Section):
    """Which bars are fetched, and when one counts as final (TRADING rule 19)."""

    quote_asset: str = "USDT"
    symbols: tuple[str, ...] = ()
    """Symbols to trade, as BASE/QUOTE. Empty: every active symbol of the exchange in the quote asset."""
    symbols_max: int = Field(20, ge=1, le=1000)
    bar_length_s: int = Field(60, ge=60, le=60)
    settle_ms: int = Field(150, ge=0, le=10_000)
    """How long after its close a bar may still change on the exchange."""
    late_limit_s: float = Field(3.0, gt=0, le=30)
    """A bar that is not final this long after its close is HOLD for the decision."""
    warmup_bars: int = Field(600, ge=100, le=10_000)
    """Bars before the partition's start that every evaluation begins with."""
    fetch_concurrency: int = Field(10, ge=1, le=100)
    request_timeout_s: float = Field(5.0, gt=0, le=60)
    read_attempts_max: int = Field(3, ge=1, le=10)


class SimulatedExchangeSettings(Section):
    """The exchange that `--mode sim` starts (TRADING rules 21 and 22)."""

    port: int = Field(18080, ge=0, le=65535)
    """TCP port on 127.0.0.1; 0 takes any free one."""
    seed: int = Field(7, ge=0, le=2**63 - 1)
    symbols: int = Field(20, ge=1, le=1000)
    history_days: int = Field(30, ge=1, le=365)
    replay: Path | None = None
    """Folder or file of recorded bars to play instead of the seeded market."""
    replay_from: str | None = None
    """UTC date or time in the recording from which bars are played live; default: after `history_days` of it."""
    maker_fee_rate: Decimal = Field(Decimal("0.001"), ge=0, lt=1)
    taker_fee_rate: Decimal = Field(Decimal("0.001"), ge=0, lt=1)
    volume_share_max: Decimal = Field(Decimal("0.25"), gt=0, le=1)
    """Largest share of a step's volume that our fills may take."""
    opening_balances: dict[str, Annotated[Decimal, Field(ge=0, le=10**15)]] = Field(
        default_factory=lambda: {"USDT": Decimal(10_000)}
    )
    stop_orders: bool = True
    """Whether it takes stops and take-profits; false: the guard alone protects, as on exchanges without them."""
    late_candle_ms: int = Field(60, ge=0, le=10_000)
    """How long after its close a candle appears or is corrected; 0 publishes at once."""
    weight_limit_per_minute: int = Field(6000, ge=100, le=10**9)
