"""The whole configuration as one frozen value."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from trade_pipeline.settings.base import Section
from trade_pipeline.settings.breaker import BreakerSettings
from trade_pipeline.settings.buy_guards import BuyGuardSettings
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline.settings.market import MarketSettings, SimulatedExchangeSettings
from trade_pipeline.settings.paper import PaperSettings
from trade_pipeline.settings.positions import PositionSettings
from trade_pipeline.settings.preflight import PreflightSettings
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline.settings.recovery import RecoverySettings
from trade_pipeline.settings.runtime import RuntimeSettings, StorageSettings
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.settings.trading import (
    ExecutionSettings,
    FeatureSettings,
    PortfolioSettings,
    StrategySettings,
)
from trade_pipeline.settings.universe import UniverseSettings
from trade_pipeline.settings.venue import VenueSettings
from trade_pipeline.settings.watchdog import WatchdogSettings

Mode = Literal["sim", "paper", "live"]


class Settings(Section):
    """Everything a user can set. Secrets are no part of it that is shown: see `load`."""

    mode: Mode = "sim"
    account: str = Field("main", pattern="^[a-z0-9_-]{1,32}$")
    home: Path = Path("~/.trade-pipeline")
    market: MarketSettings = MarketSettings()
    sources: SourceSettings = SourceSettings()
    paper: PaperSettings = PaperSettings()
    quality: QualitySettings = QualitySettings()
    exchange: SimulatedExchangeSettings = SimulatedExchangeSettings()
    universe: UniverseSettings = UniverseSettings()
    venue: VenueSettings = VenueSettings()
    features: FeatureSettings = FeatureSettings()
    strategies: StrategySettings = StrategySettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    execution: ExecutionSettings = ExecutionSettings()
    exits: ExitSettings = ExitSettings()
    breaker: BreakerSettings = BreakerSettings()
    buy_guards: BuyGuardSettings = BuyGuardSettings()
    positions: PositionSettings = PositionSettings()
    recovery: RecoverySettings = RecoverySettings()
    storage: StorageSettings = StorageSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    preflight: PreflightSettings = PreflightSettings()

    @property
    def token_required(self) -> bool:
        """Whether the UI asks for its token: always where real money or a real exchange is."""
        return self.mode != "sim" or self.runtime.ui_token_in_sim

    @property
    def quality_in_force(self) -> QualitySettings:
        """The limits by which the bars of this stack are judged. A replay has no candle where its recording has none:
        there a hole is a minute without a trade, as in a source that leaves such minutes out."""
        replayed = self.mode == "sim" and self.exchange.replay is not None
        if replayed and self.quality.idle_minutes == "by_source":
            return self.quality.model_copy(update={"idle_minutes": "missing"})
        return self.quality

    @property
    def decision_hash(self) -> str:
        """32 hex characters over every setting that can change a decision (not where things are stored)."""
        relevant = self.model_dump(
            mode="json",
            exclude={
                *("home", "storage", "runtime", "watchdog", "exchange", "venue", "preflight"),
                *("positions", "breaker", "buy_guards", "recovery"),
            },
        )
        text = json.dumps(relevant, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
