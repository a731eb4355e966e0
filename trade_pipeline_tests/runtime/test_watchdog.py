"""The daemon is restarted when no schedule ticks, and left alone otherwise."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from trade_pipeline.errors import LedgerUnavailable
from trade_pipeline.ledger.database import Database
from trade_pipeline.runtime.watchdog import TICK_AGE_MAX, Watchdog, newest_tick_at

NOON = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_daemon_that_ticks_is_left_alone() -> None:
    watchdog = Watchdog(NOON, lambda: NOON + TICK_AGE_MAX)
    assert not watchdog.stuck(NOON + TICK_AGE_MAX + 30 * SECOND)


def test_a_daemon_that_stands_still_is_restarted_once_and_then_given_time() -> None:
    watchdog = Watchdog(NOON, lambda: NOON - SECOND)
    late = NOON + TICK_AGE_MAX + SECOND
    assert watchdog.stuck(late)
    assert not watchdog.stuck(late + 60 * SECOND)
    assert watchdog.stuck(late + TICK_AGE_MAX + SECOND)


def test_a_start_is_given_time() -> None:
    assert not Watchdog(NOON, lambda: None).stuck(NOON + 60 * SECOND)


def test_nothing_is_restarted_because_the_database_is_away() -> None:
    def away() -> datetime | None:
        raise LedgerUnavailable("away")

    assert not Watchdog(NOON, away).stuck(NOON + 2 * TICK_AGE_MAX)


@pytest.mark.parametrize("kind", [InstigatorType.SCHEDULE])
def test_the_newest_tick_is_found_in_dagster_s_table(tmp_path: Path, ledger_url: str, kind: InstigatorType) -> None:
    config = {"storage": {"postgres": {"postgres_url": ledger_url}}, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        closing(Database(ledger_url)) as database,
    ):
        assert instance.schedule_storage is not None
        assert newest_tick_at(database) is None
        instance.create_tick(
            TickData(
                "o", "bar_close", kind, TickStatus.SUCCESS, NOON.timestamp(), run_ids=[], run_keys=[], selector_id="s"
            )
        )
        assert newest_tick_at(database) == NOON
