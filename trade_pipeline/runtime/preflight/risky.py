"""Settings that may be meant, but have ruined accounts: in live mode each must be confirmed by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.capabilities import capabilities_of


@dataclass(frozen=True, slots=True)
class Risk:
    """A dotted setting with the value that was found, and what can come of it."""

    setting: str
    value: object
    why: str


@dataclass(frozen=True, slots=True)
class _Rule:
    setting: str
    risky: Callable[[object], bool]
    why: str


def _above(limit: str) -> Callable[[object], bool]:
    return lambda value: Decimal(str(value)) > Decimal(limit)


def _below(limit: str) -> Callable[[object], bool]:
    return lambda value: Decimal(str(value)) < Decimal(limit)


RULES = (
    _Rule("portfolio.risk_per_position", _above("0.02"), "fifty stopped positions would cost the whole account"),
    _Rule("portfolio.position_weight_max", _above("0.34"), "a single symbol would decide over the account"),
    _Rule("portfolio.total_weight_max", _above("0.90"), "nothing would be left for fees and for a gap in prices"),
    _Rule("execution.entry_slippage_ratio_max", _above("0.01"), "a thin book would be bought through"),
    _Rule("execution.decision_age_s_max", _above("120"), "decisions on old prices would be sent"),
    _Rule("quality.staleness_s_max", _above("300"), "a feed that stands still would count as alive"),
    _Rule("quality.gap_bars_max", _above("5"), "indicators would be computed over holes"),
    _Rule("quality.breadth_max", _above("0.8"), "a feed that is bad as a whole would be traded on"),
    _Rule("quality.score_min", _below("0.5"), "symbols would be traded of which half the bars are bad or missing"),
    _Rule("quality.quarantine_bars", _below("20"), "a symbol would be free with false bars still in its indicators"),
    _Rule("quality.outlier_scales_min", _above("50"), "false prices would be taken for the market's"),
    _Rule("exits.guard_interval_s", _above("2"), "exits would be looked at too seldom"),
    _Rule("runtime.stop_policy", lambda value: value == "flatten", "every stop of the stack would sell everything"),
    _Rule("market.symbols", lambda value: not value, "whatever the exchange lists would be traded"),
    _Rule(
        "venue.name",
        lambda value: not capabilities_of(str(value)).rests_stops,
        "no stop can rest there: without the guard, its machine or the network nothing sells",
    ),
    _Rule(
        "execution.installation_prefix",
        lambda value: value == "7c01",
        "another installation with the default prefix would take our orders for its own",
    ),
)


def risks(settings: Settings) -> list[Risk]:
    """Every risky value, in the order of RULES."""
    found = [(rule, value_of(settings, rule.setting)) for rule in RULES]
    return [Risk(rule.setting, value, rule.why) for rule, value in found if rule.risky(value)]


def value_of(settings: Settings, dotted: str) -> object:
    return reduce(getattr, dotted.split("."), settings)
