"""Signs of life as Dagster, the ledger and the workers leave them: the contract with the pinned release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.dagster_storage import engine_of
from trade_pipeline.runtime.environment import PROCESS, working_folder
from trade_pipeline.runtime.readiness import beat, last_beat
from trade_pipeline.runtime.signs_of_life import DECIDING_SCHEDULE, work
from trade_pipeline.runtime.watchdog import BARS, DECISIONS, SENSORS, TICKS
from trade_pipeline.settings.home import Home
from trade_pipeline_tests.fakes import make_decision, make_snapshot
from trade_pipeline_tests.runtime.test_dagster_storage import overrides

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(seconds=40)


@pytest.fixture
def instance(tmp_path: Path, ledger_url: str) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides(ledger_url)) as found:
        yield found
    engine_of(ledger_url).dispose()


def switch(instance: dg.DagsterInstance, name: str, kind: InstigatorType, status: InstigatorStatus) -> InstigatorState:
    """A schedule or sensor as the daemon keeps it, evaluated at NOON."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m"), location_name="trading")
    data = (
        ScheduleInstigatorData("* * * * *", NOON.timestamp())
        if kind == InstigatorType.SCHEDULE
        else SensorInstigatorData(last_tick_timestamp=NOON.timestamp())
    )
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "r"), name)
    return instance.add_instigator_state(InstigatorState(origin, kind, status, data))


def tick(instance: dg.DagsterInstance, state: InstigatorState) -> None:
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            state.name,
            state.instigator_type,
            TickStatus.SUCCESS,
            NOON.timestamp(),
            run_ids=[],
            run_keys=[],
            selector_id=state.selector_id,
        )
    )


def seen(url: str, *, switched_on: bool = True) -> dict[str, datetime]:
    with closing(Database(url)) as database:
        return work(database, "main", NOW, switched_on=switched_on)


def test_before_dagster_has_tables_nothing_is_seen(ledger: Ledger, ledger_url: str) -> None:
    ledger.heartbeat("guard")  # a stand-in for the guard signs this too
    assert seen(ledger_url) == {}


def test_ticks_evaluations_and_decisions_are_seen_when_they_happened(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str
) -> None:
    assert seen(ledger_url) == {}, "the daemon has not begun"
    state = switch(instance, DECIDING_SCHEDULE, InstigatorType.SCHEDULE, InstigatorStatus.DECLARED_IN_CODE)
    switch(instance, "exit_watch", InstigatorType.SENSOR, InstigatorStatus.RUNNING)
    tick(instance, state)
    decision = make_decision()
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [])
    assert seen(ledger_url) == {TICKS: NOON, SENSORS: NOON, DECISIONS: decision.as_of}


def test_new_bars_are_seen_and_those_that_a_repair_fetched_are_not(
    instance: dg.DagsterInstance, ledger_url: str
) -> None:
    switch(instance, DECIDING_SCHEDULE, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING)
    instance.report_runless_asset_event(dg.AssetMaterialization("raw_bars", partition="2025-11-01"))
    assert BARS not in seen(ledger_url)
    instance.report_runless_asset_event(dg.AssetMaterialization("raw_bars", partition="2026-01-05"))
    assert abs(seen(ledger_url)[BARS] - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_a_person_has_switched_off_is_owed_by_nobody(instance: dg.DagsterInstance, ledger_url: str) -> None:
    switch(instance, DECIDING_SCHEDULE, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED)
    switch(instance, "exit_watch", InstigatorType.SENSOR, InstigatorStatus.STOPPED)
    assert seen(ledger_url) == dict.fromkeys((TICKS, BARS, DECISIONS, SENSORS), NOW)


def test_in_live_nothing_is_owed_before_a_person_switches_it_on(instance: dg.DagsterInstance, ledger_url: str) -> None:
    assert instance.run_storage is not None
    assert set(seen(ledger_url, switched_on=False)) == {TICKS, BARS, DECISIONS, SENSORS}


def test_nothing_is_missed_while_the_database_is_away() -> None:
    found = seen("postgresql+psycopg2://nobody@/nothing?host=/nowhere")
    assert found == dict.fromkeys((TICKS, SENSORS, BARS, DECISIONS), NOW)


def test_a_worker_s_beat_is_the_moment_of_its_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home.at(tmp_path)
    working_folder(home).mkdir()
    beat(home)
    assert last_beat(home, "worker_decide") is None, "nobody supervises this process"
    monkeypatch.setenv(PROCESS, "worker_decide")
    beat(home)
    os.utime(working_folder(home) / "worker_decide.beat", (NOON.timestamp(), NOON.timestamp()))
    assert last_beat(home, "worker_decide") == NOON
