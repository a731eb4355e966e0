"""The event log with fewer statements writes what dagster-postgres' own writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import create_engine, event, text

from trade_pipeline.runtime.dagster_event_log import QuickEventLog
from trade_pipeline.runtime.dagster_storage import engine_of
from trade_pipeline.runtime.processes import ANNOUNCED_AT_ONCE

STOCK = {"module": "dagster_postgres.storage", "class": "DagsterPostgresStorage"}
OURS = {"module": "trade_pipeline.runtime.dagster_storage", "class": "PooledPostgresStorage"}
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-05")
DAY = "2026-01-02"


@dg.asset(partitions_def=DAYS)
def first() -> int:
    return 1


@dg.asset_check(asset=first, partitions_def=DAYS)
def passes() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=first, partitions_def=DAYS)
def fails() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.multi_asset(
    specs=[dg.AssetSpec("third", partitions_def=DAYS)],
    check_specs=[dg.AssetCheckSpec("of_third", asset="third", partitions_def=DAYS)],
)
def made() -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    yield dg.MaterializeResult(asset_key="third")
    yield dg.AssetCheckResult(asset_key="third", check_name="of_third", passed=True)


@dg.asset(
    name="second",
    partitions_def=DAYS,
    check_specs=[dg.AssetCheckSpec("inside", asset="second", partitions_def=DAYS)],
)
def second_with_check(first: int) -> Iterator[dg.Output[int] | dg.AssetCheckResult]:
    yield dg.Output(first + 1, metadata={"rows": 2})
    yield dg.AssetCheckResult(check_name="inside", passed=True)


DEFINITIONS = dg.Definitions(assets=[first, second_with_check, made], asset_checks=[passes, fails])
ROWS = {
    "event_logs": "SELECT dagster_event_type, step_key, asset_key, partition FROM event_logs ORDER BY 1, 2, 3, 4",
    "asset_keys": "SELECT asset_key, last_run_id IS NOT NULL, asset_details FROM asset_keys ORDER BY 1",
    "asset_event_tags": "SELECT asset_key, key FROM asset_event_tags ORDER BY 1, 2",
    "asset_check_executions": "SELECT asset_key, check_name, partition, execution_status,"
    " materialization_event_storage_id IS NOT NULL FROM asset_check_executions ORDER BY 1, 2, 3",
}


def rows_after_a_run(folder: Path, url: str, storage: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """What a run of everything leaves in Dagster's tables, which are empty before."""
    overrides = {"storage": {"custom": {**storage, "config": {"postgres_url": url}}}, "telemetry": {"enabled": False}}
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as instance:
        with engine.connect() as connection:
            for table in ROWS:
                connection.execute(text(f"TRUNCATE {table} CASCADE"))
        job = DEFINITIONS.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, partition_key=DAY).success
        materialized = instance.get_latest_materialization_event(dg.AssetKey("second"))
        assert materialized is not None and materialized.asset_materialization is not None
        assert materialized.asset_materialization.metadata["rows"].value == 2
    with engine.connect() as connection:
        found = {table: [tuple(row) for row in connection.execute(text(query))] for table, query in ROWS.items()}
    engine.dispose()
    return found


@pytest.fixture
def forgotten(ledger_url: str) -> Iterator[None]:
    yield
    engine_of(ledger_url).dispose()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("at_once", [False, True])
def test_the_same_rows_as_the_stock_storage(
    tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    stock = rows_after_a_run(tmp_path / "stock", ledger_url, STOCK)
    if at_once:
        for name, value in ANNOUNCED_AT_ONCE.items():
            monkeypatch.setenv(name, value)
    ours = rows_after_a_run(tmp_path / "ours", ledger_url, OURS)

    assert ours == stock
    statuses = {row[1]: row[3] for row in ours["asset_check_executions"]}
    assert statuses == {"passes": "SUCCEEDED", "fails": "FAILED", "inside": "SUCCEEDED", "of_third": "SUCCEEDED"}
    assert all(row[4] for row in ours["asset_check_executions"]), "each names the materialisation that it judged"


@pytest.mark.usefixtures("forgotten")
def test_announcements_are_one_statement_a_table(
    tmp_path: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ANNOUNCED_AT_ONCE.items():
        monkeypatch.setenv(name, value)
    overrides = {"storage": {"custom": {**OURS, "config": {"postgres_url": ledger_url}}}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides) as instance:
        assert isinstance(instance.event_log_storage, QuickEventLog)
        job = DEFINITIONS.resolve_implicit_global_asset_job_def()
        instance.create_run_for_job(job, tags={"dagster/partition": DAY})
        sent: list[str] = []
        listening = (engine_of(ledger_url), "before_cursor_execute", lambda *found: sent.append(found[2]))
        event.listen(*listening)
        instance.create_run_for_job(job, tags={"dagster/partition": DAY})
        event.remove(*listening)

    assert sum(statement.startswith("INSERT INTO event_logs") for statement in sent) == 1
    assert sum(statement.startswith("INSERT INTO asset_check_executions") for statement in sent) == 1
    assert not [statement for statement in sent if "NOTIFY" in statement or "pg_attribute" in statement]
