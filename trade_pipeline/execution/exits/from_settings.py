"""Exit rules as the settings ask for them."""

from __future__ import annotations

from datetime import timedelta

from trade_pipeline.execution.exits.values import ExitRules, ProfitStep, Stage, Trailing
from trade_pipeline.settings.exits import ExitSettings


def exit_rules(exits: ExitSettings) -> ExitRules:
    """The rules that a position is held to."""
    trailing = exits.trailing
    return ExitRules(
        stop_ratio=exits.stop_loss_ratio,
        targets=tuple(ProfitStep(step.after_minutes, step.profit_ratio) for step in exits.take_profit),
        stages=tuple(Stage(stage.profit_ratio, stage.share) for stage in exits.stages),
        trailing=Trailing(
            trailing.distance_ratio,
            trailing.positive_distance_ratio,
            trailing.activation_profit_ratio,
            trailing.only_when_activated,
        )
        if trailing.enabled
        else None,
        atr_stop_multiple=exits.atr_stop_multiple,
        atr_target_multiple=exits.atr_target_multiple,
        atr_trailing_multiple=trailing.atr_multiple if trailing.enabled else None,
        breakeven_at_ratio=exits.breakeven_profit_ratio,
        breakeven_margin_ratio=exits.breakeven_margin_ratio,
        holding_max=None if exits.holding_hours_max is None else timedelta(hours=exits.holding_hours_max),
    )
