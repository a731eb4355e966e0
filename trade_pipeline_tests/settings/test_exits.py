"""Settings of exits: what contradicts itself is refused by name before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.exits import ExitSettings
from trade_pipeline.settings.load import load_settings


def _load(folder: Path, text: str) -> ExitSettings:
    path = folder / "settings.yaml"
    path.write_text("exits:\n" + text)
    return load_settings(path, environ={}).exits


def test_nothing_but_the_resting_stop_is_on_by_default() -> None:
    exits = ExitSettings()
    assert not exits.take_profit
    assert not exits.stages
    assert not exits.trailing.enabled
    assert not exits.switching.enabled
    assert exits.holding_hours_max is None
    assert [step.kind for step in exits.stop_tactics] == ["market"]


def test_every_exit_can_be_set_in_the_file(tmp_path: Path) -> None:
    exits = _load(
        tmp_path,
        """  take_profit: [{after_minutes: 0, profit_ratio: 0.05}, {after_minutes: 90, profit_ratio: -1}]
  stages: [{profit_ratio: 0.02, share: 0.5}]
  trailing: {enabled: true, distance_ratio: 0.01, activation_profit_ratio: 0.02, only_when_activated: true}
  switching: {enabled: true, stop_threshold: 0.5, profit_threshold: 0.8}
  tactics: [{kind: ioc, slippage_ratio_max: 0.001}, {kind: market}]
  holding_hours_max: 12
""",
    )
    assert [step.after_minutes for step in exits.take_profit] == [0, 90]
    assert exits.trailing.enabled


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("  switching: {stop_threshold: 0.9, profit_threshold: 0.6}\n", "stop_threshold 0.9 must be below"),
        ("  switching: {enabled: true}\n", "switching needs a target"),
        (
            "  take_profit: [{after_minutes: 9, profit_ratio: 0.1}, {after_minutes: 9, profit_ratio: 0.2}]\n",
            "take_profit.after_minutes must ascend",
        ),
        (
            "  stages: [{profit_ratio: 0.2, share: 0.1}, {profit_ratio: 0.1, share: 0.1}]\n",
            "stages.profit_ratio must ascend",
        ),
        (
            "  stages: [{profit_ratio: 0.1, share: 0.6}, {profit_ratio: 0.2, share: 0.6}]\n",
            "shares of the stages add up to 1.2",
        ),
        ("  tactics: [{kind: limit_gtc, wait_s: 3}]\n", "last step of tactics must be market"),
        ("  stop_tactics: []\n", "last step of stop_tactics must be market"),
        ("  tactics: [{kind: limit_gtc}, {kind: market}]\n", "needs a wait_s above 0"),
        ("  tactics: [{kind: limit_gtc, wait_s: 10}, {kind: market}]\n", "below unprotected_s_max"),
        ("  trailing: {only_when_activated: true}\n", "needs an activation_profit_ratio above 0"),
        ("  breakeven_profit_ratio: 0.001\n", "must be above breakeven_margin_ratio"),
        ("  account_interval_s: 30\n", "must not exceed unprotected_s_max"),
        ("  stop_loss_ratio: .nan\n", "stop_loss_ratio"),
        ("  trailing: {distance_ratio: .inf}\n", "distance_ratio"),
    ],
)
def test_a_contradiction_is_refused_and_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        _load(tmp_path, text)
