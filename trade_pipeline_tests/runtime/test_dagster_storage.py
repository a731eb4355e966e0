"""Dagster's instances of one process share a few connections, and outlive the server's restart."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from sqlalchemy import text

from trade_pipeline.runtime.dagster_storage import engine_of

STORAGE = {"module": "trade_pipeline.runtime.dagster_storage", "class": "PooledPostgresStorage"}


@dg.asset
def something() -> int:
    return 1


def overrides(url: str) -> dict[str, object]:
    return {"storage": {"custom": {**STORAGE, "config": {"postgres_url": url}}}, "telemetry": {"enabled": False}}


def run(folder: Path, url: str) -> None:
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides(url)) as instance:
        assert instance.event_log_storage._engine is engine_of(url)  # type: ignore[attr-defined]  # see the class
        assert dg.materialize([something], instance=instance).success
        assert instance.get_latest_materialization_event(dg.AssetKey("something")) is not None


def test_runs_of_a_process_share_the_pool(tmp_path: Path, ledger_url: str) -> None:
    for _ in range(3):
        run(tmp_path, ledger_url)
    engine = engine_of(ledger_url)
    with engine.connect() as connection:
        count = connection.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        ).scalar_one()
    assert count <= 5
    engine.dispose()


def test_a_connection_that_the_server_dropped_is_replaced(tmp_path: Path, ledger_url: str) -> None:
    run(tmp_path, ledger_url)
    engine = engine_of(ledger_url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.invalidate()
    run(tmp_path, ledger_url)
    engine.dispose()


def test_no_write_of_dagster_waits_for_the_disk(ledger_url: str) -> None:
    engine = engine_of(ledger_url)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "off"
    engine.dispose()
