"""What bars are held against, by mode: a replay leaves out minutes without a trade, a market fills them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.settings.market import SimulatedExchangeSettings
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline.settings.root import Settings

REPLAY = SimulatedExchangeSettings(replay=Path("bars"))


@pytest.mark.parametrize(
    ("settings", "idle"),
    [
        (Settings(), "by_source"),
        (Settings(exchange=REPLAY), "missing"),
        (Settings(exchange=REPLAY, quality=QualitySettings(idle_minutes="filled")), "filled"),
        (Settings(exchange=REPLAY, mode="live"), "by_source"),
    ],
)
def test_idle_minutes_follow_the_market_that_is_played(settings: Settings, idle: str) -> None:
    assert settings.quality_in_force.idle_minutes == idle
