"""From bars of the simulated exchange to orders on it, through Dagster, in one process."""

from __future__ import annotations

from trade_pipeline_tests.defs.conftest import TestStack, settle_in_minute


def decision_of(result: object) -> str:
    (event,) = [
        e
        for e in result.get_asset_materialization_events()
        if e.asset_key.path[-1] == "approved_targets"  # type: ignore[attr-defined]
    ]
    return str(event.step_materialization_data.materialization.metadata["decision_id"].value)


def test_a_decision_is_taken_approved_and_executed(stack: TestStack) -> None:
    settle_in_minute(30)
    result = stack.decide()
    assert result.success
    decision_id = decision_of(result)
    decision = stack.open.ledger.decision(decision_id)
    assert decision is not None and decision.run_id == result.run_id
    assert set(decision.inputs) == {"raw_bars", "bars", "features", "regimes", "signals", "target_positions"}
    assert len(stack.open.ledger.targets(decision_id)) == 5
    assert stack.execute(decision_id).success
    outcomes = {outcome.stage: outcome for outcome in stack.open.ledger.outcomes(decision_id)}
    assert outcomes["gate"].outcome == "open", outcomes["gate"].detail
