"""From bars of the simulated exchange to orders on it, through Dagster, in one process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl

from trade_pipeline.defs.partitions import last_close, partition_of
from trade_pipeline_tests.defs.conftest import TestStack, decision_of, metadata_of, settle_in_minute, wait_until

CHAIN = ["raw_bars", "bars", "quality_scores", "features", "regimes", "signals", "target_positions"]


def test_a_decision_is_taken_approved_executed_and_taken_again(stack: TestStack) -> None:
    settle_in_minute(52)  # a decision is executed within 30 s of its bar, and others compute beside this test
    result = stack.decide()
    assert result.success
    decision_id = decision_of(result)
    decision = stack.open.ledger.decision(decision_id)
    assert decision is not None and decision.run_id == result.run_id
    assert set(decision.inputs) == set(CHAIN)
    assert len(stack.open.ledger.targets(decision_id)) == 5
    assert stack.execute(decision_id).success
    outcomes = {outcome.stage: outcome for outcome in stack.open.ledger.outcomes(decision_id)}
    assert outcomes["gate"].outcome == "open", outcomes["gate"].detail
    assert "execute" in outcomes

    # A second delivery of the run ends green and does nothing.
    before = len(stack.open.ledger.outcomes(decision_id))
    assert stack.execute(decision_id).success
    assert len(stack.open.ledger.outcomes(decision_id)) == before

    # A rerun of the same minute adds nothing and has the same hashes.
    again = stack.decide(decision.as_of)
    assert decision_of(again) == decision_id
    for name in [*CHAIN[1:], "approved_targets"]:
        first, second = metadata_of(result, name), metadata_of(again, name)
        assert second["content_hash"] == first["content_hash"], name
        assert (second["rows_added"], second["rows_revised"]) == (0, 0), name

    # Taken again by a backfill of the day, once it is past, the targets are the same.
    stack.open.now = lambda: datetime.now(UTC) + timedelta(days=1)
    day = decision.partition
    stack.backfill(["target_positions"], str((datetime.fromisoformat(day) - timedelta(days=1)).date()), day)
    record = stack.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey("target_positions"), asset_partitions=[day]), limit=1
    ).records[0]
    assert record.asset_materialization is not None
    counts = {name: value.value for name, value in record.asset_materialization.metadata.items()}
    assert (counts["decisions_recomputed"], counts["decisions_different"]) == (1, 0)


def test_a_late_or_an_absent_bar_holds_its_symbol_and_the_others_are_decided(stack: TestStack) -> None:
    settle_in_minute(20)
    late, absent, other = stack.open.universe(datetime.now(UTC))[:3]
    stack.decide()
    settle_next = last_close(datetime.now(UTC)) + timedelta(minutes=1)
    stack.fault(kind="stale", symbol=late)
    stack.fault(kind="gap", symbol=absent)
    wait_until(settle_next)
    result = stack.decide(settle_next)
    assert late in str(metadata_of(result, "raw_bars")["late_symbols"])
    targets = {target.symbol: target for target in stack.open.ledger.targets(decision_of(result))}
    for symbol in (late, absent):
        assert targets[symbol].kind == "HOLD"
        assert "not final" in targets[symbol].reason
    assert "not final" not in targets[other].reason


def test_past_days_are_recomputed_in_one_run_with_a_check_row_a_day(stack: TestStack) -> None:
    last = (datetime.now(UTC) - timedelta(days=1)).date()
    days = [str(last - timedelta(days=back)) for back in (1, 0)]
    result = stack.backfill(CHAIN, days[0], days[-1])
    assert result.success
    for day in days:
        assert stack.open.lake.read("bars", [day]).height == 5 * 1440
        features = stack.open.lake.read("features", [day])
        assert features.height == 5 * 1740
        for name in ("schema", "gap", "staleness"):
            rows = stack.instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey("raw_bars"), name), limit=10
            )
            assert {(row.partition, row.status.value) for row in rows} == {(day, "SUCCEEDED") for day in days}
    again = stack.backfill(CHAIN, days[0], days[-1])
    assert again.success
    assert all(metadata["rows_added"] == 0 for metadata in metadata_of_all(again, "features"))


def metadata_of_all(result: dg.ExecuteInProcessResult, name: str) -> list[dict[str, object]]:
    return [
        {key: value.value for key, value in e.step_materialization_data.materialization.metadata.items()}
        for e in result.get_asset_materialization_events()
        if e.asset_key and e.asset_key.path[-1] == name
    ]


def test_the_window_of_a_live_day_starts_before_it_and_ends_at_the_decision(stack: TestStack) -> None:
    settle_in_minute(20)
    stack.decide()
    as_of = last_close(datetime.now(UTC))
    features = stack.open.lake.read("features", [partition_of(as_of)])
    midnight = datetime.fromisoformat(partition_of(as_of)).replace(tzinfo=UTC)
    assert features.get_column("open_time").min() == midnight - timedelta(minutes=300)
    assert features.filter(pl.col("close_time") > as_of).is_empty()
