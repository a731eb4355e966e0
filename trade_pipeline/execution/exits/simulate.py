"""A position's rules played over candles under a named policy.

A candle says neither whether its high or its low came first nor what was traded at: that is the policy's to say.
`market` follows the market's one path (TRADING 21); `freqtrade_ohlc` follows that program's conventions (TRADING 24).
"""

from __future__ import annotations

from typing import Literal

from trade_pipeline.errors import ScenarioUnsupported
from trade_pipeline.execution.exits import freqtrade_policy, market_policy
from trade_pipeline.execution.exits.candles import Scenario, SimulatedTrade, check_bars

Policy = Literal["market", "freqtrade_ohlc"]


def simulate(scenario: Scenario, policy: Policy = "market") -> list[SimulatedTrade]:
    """The trades in the order of their closing.

    Raises BadBars for candles that cannot be and ScenarioUnsupported for what the policy does not know.
    """
    check_bars(scenario)
    if policy == "market":
        return market_policy.run(scenario)
    if policy == "freqtrade_ohlc":
        return freqtrade_policy.run(scenario)
    raise ScenarioUnsupported("no such intrabar policy", thing=str(policy), repair="Use market or freqtrade_ohlc.")
