"""What a scenario says, made real: the settings of its account and its exchange."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.faults.clock import Clock
from trade_pipeline.faults.exchange import Path as PricePath
from trade_pipeline.faults.moods import MoodyExchange
from trade_pipeline.faults.scenario import Scenario
from trade_pipeline.settings.root import Settings

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def settings_of(scenario: Scenario, account: str, home: Path) -> Settings:
    return Settings.model_validate(
        {
            "account": account,
            "home": str(home),
            "execution": {"fill_wait_s_max": 0.4},
            # The guard's turns are rarer here than in a second's beat: each of them reads the account.
            "exits": {"account_interval_s": 2.0, **scenario.exits},
            "portfolio": {"position_weight_max": "0.10", "total_weight_max": "0.60"},
        }
    )


def exchange_of(scenario: Scenario, clock: Clock) -> MoodyExchange:
    engine = Engine.opened(
        [market.spec for market in scenario.markets],
        {asset: Decimal(amount) for asset, amount in scenario.balances.items()},
        fee_asset=scenario.fee_asset,
    )
    paths = [
        PricePath(market.spec, market.price, Random(market.seed), market.volatility, market.volume, market.drift)
        for market in scenario.markets
    ]
    return MoodyExchange(engine, paths, clock, {market.spec.symbol: market.plain_stops for market in scenario.markets})
