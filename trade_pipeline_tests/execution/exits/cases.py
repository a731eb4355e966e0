"""Reads the published exit cases (../shared/cases/exit_simulation.json) as scenarios. Names there are freqtrade's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from trade_pipeline.errors import ScenarioUnsupported
from trade_pipeline.execution.exits.candles import ENTRY_TIMEOUT, EXIT_TIMEOUT, Bar, Scenario, SimulatedTrade
from trade_pipeline.execution.exits.values import LONG, SHORT, ExitRules, ProfitStep, Trailing

PRICES = ("open", "high", "low", "close")
COLUMNS = frozenset(
    {"tick", *PRICES, "volume", "enter_long", "exit_long", "enter_short", "exit_short", "enter_tag", "exit_tag"}
)
CONFIG = frozenset(
    {
        "stop_loss",
        "roi",
        "trailing_stop",
        "trailing_only_offset_is_reached",
        "trailing_stop_positive",
        "trailing_stop_positive_offset",
        "use_exit_signal",
        "use_custom_stoploss",
        "custom_entry_price",
        "custom_exit_price",
        "leverage",
        "timeout_minutes",
        "adjust_entry_price",
        "adjust_exit_price",
        "liquidation_loss_ratio",
    }
)
TIMEFRAMES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440}


@dataclass(frozen=True)
class Case:
    """One sequence of candles and what must come out. Ticks count candles from the first one."""

    name: str
    scenario: Scenario
    start: datetime
    profit_ratio: Decimal
    trades: list[tuple[str, int, int, str | None, bool]]
    """Exit reason, tick of the opening, tick of the closing, tag, whether short."""

    def seen(self, trades: list[SimulatedTrade]) -> list[tuple[str, int, int, str | None, bool]]:
        """What a simulation gave, in the same words."""
        return [
            (t.exit_reason, self._tick(t.opened_at), self._tick(t.closed_at), t.enter_tag, t.sign == SHORT)
            for t in trades
        ]

    def _tick(self, at: datetime) -> int:
        return int((at - self.start) / self.scenario.timeframe)


def load_cases(path: Path) -> list[Case]:
    """Every case of the file."""
    document = json.loads(path.read_text(), parse_float=Decimal)
    return [to_case(case, document["semantics"]) for case in document["cases"]]


def to_case(case: Mapping[str, Any], semantics: Mapping[str, Any]) -> Case:
    """One case. Raises ScenarioUnsupported for a column, a setting or a fee that is not understood."""
    if Decimal(str(semantics.get("fee", 0))) != 0:
        raise ScenarioUnsupported("fees are not part of these cases", thing="fee", value=semantics["fee"])
    start = datetime.fromisoformat(semantics["start"].replace("Z", "+00:00")).astimezone(UTC)
    timeframe = timedelta(minutes=TIMEFRAMES[semantics["timeframe"]])
    return Case(
        name=f"{case['id']}: {case['title']}",
        scenario=_scenario(case, start, timeframe),
        start=start,
        profit_ratio=Decimal(str(case["expected"]["total_profit_ratio"])),
        trades=[
            (t["exit_reason"], t["open_tick"], t["close_tick"], t.get("enter_tag"), bool(t.get("is_short")))
            for t in case["expected"]["trades"]
        ],
    )


def _scenario(case: Mapping[str, Any], start: datetime, timeframe: timedelta) -> Scenario:
    config = case["config"]
    foreign = (set(config) - CONFIG) | (set(case["columns"]) - COLUMNS)
    if foreign := {name for name in foreign if config.get(name, True)}:
        raise ScenarioUnsupported("not understood", thing=case["id"], value=sorted(foreign))
    timeout = config.get("timeout_minutes")
    waits = timedelta(minutes=float(timeout)) if timeout else None
    return Scenario(
        bars=[_bar(dict(zip(case["columns"], row, strict=True)), start, timeframe) for row in case["candles"]],
        timeframe=timeframe,
        rules=_rules(config),
        use_exit_signal=bool(config.get("use_exit_signal")),
        leverage=_number(config.get("leverage")) or Decimal(1),
        stop_follows_best=bool(config.get("use_custom_stoploss")),
        entry_price=_number(config.get("custom_entry_price")),
        exit_price=_number(config.get("custom_exit_price")),
        entry_price_later=_number(config.get("adjust_entry_price")),
        exit_price_later=_number(config.get("adjust_exit_price")),
        liquidation_loss_ratio=_number(config.get("liquidation_loss_ratio")),
        entry_timeout=waits or ENTRY_TIMEOUT,
        exit_timeout=waits or EXIT_TIMEOUT,
    )


def _rules(config: Mapping[str, Any]) -> ExitRules:
    stop = abs(Decimal(str(config["stop_loss"])))
    steps = sorted((int(minutes), Decimal(str(ratio))) for minutes, ratio in config["roi"].items())
    trailing = None
    if config.get("trailing_stop"):
        trailing = Trailing(
            distance_ratio=stop,
            positive_ratio=_number(config.get("trailing_stop_positive")),
            activation_ratio=_number(config.get("trailing_stop_positive_offset")) or Decimal(0),
            only_when_activated=bool(config.get("trailing_only_offset_is_reached")),
        )
    return ExitRules(stop_ratio=stop, targets=tuple(ProfitStep(*step) for step in steps), trailing=trailing)


def _bar(row: Mapping[str, Any], start: datetime, timeframe: timedelta) -> Bar:
    opened, high, low, close = (Decimal(str(row[name])) for name in PRICES)
    return Bar(
        start + row["tick"] * timeframe,
        opened,
        high,
        low,
        close,
        enters=_signs(row, "enter"),
        exits=_signs(row, "exit"),
        enter_tag=row.get("enter_tag"),
        exit_tag=row.get("exit_tag"),
    )


def _signs(row: Mapping[str, Any], what: str) -> frozenset[int]:
    signs = {LONG: f"{what}_long", SHORT: f"{what}_short"}
    return frozenset(sign for sign, name in signs.items() if row.get(name) == 1)


def _number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
