"""Old runs go with everything of theirs; what is not over, what shows a day as computed and what must last stays."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import text

from trade_pipeline.defs.maintenance import Pruned, prune
from trade_pipeline.defs.partitions import DAILY
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.observe.story import Sources, story_of
from trade_pipeline.runtime.dagster_storage import engine_of
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.fakes import make_decision, make_snapshot, make_target
from trade_pipeline_tests.ledger.flow import PREFIX, buy
from trade_pipeline_tests.runtime.test_dagster_storage import overrides

DAYS = ("2024-05-01", "2024-05-02")


@dg.asset(partitions_def=DAILY)
def bars(context: dg.AssetExecutionContext) -> None:
    context.log.info("of a day")


@dg.asset_check(asset=bars, partitions_def=DAILY)
def whole() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, description="20 of 20 rows are there")


@pytest.fixture
def instance(tmp_path: Path, ledger_url: str) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=overrides(ledger_url)) as found:
        yield found
    engine_of(ledger_url).dispose()


def run(instance: dg.DagsterInstance, day: str = DAYS[0]) -> str:
    definitions = dg.Definitions(assets=[bars], asset_checks=[whole], executor=dg.in_process_executor)
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, partition_key=day).run_id


def pruned(instance: dg.DagsterInstance, ledger: Ledger, url: str, seconds_max: float = 60) -> Pruned:
    """Everything is old tomorrow."""
    return prune(instance, ledger, url, before=datetime.now(UTC) + timedelta(days=1), seconds_max=seconds_max)


def rows_of(url: str, table: str, run_id: str) -> int:
    with engine_of(url).connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table} WHERE run_id = '{run_id}'")).scalar_one())


def test_an_old_run_goes_with_its_events_checks_tags_and_logs(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    old, newest = run(instance), run(instance)
    logs = [path for path in tmp_path.rglob(old) if path.is_dir()]
    assert logs, "a run leaves logs"
    done = pruned(instance, ledger, ledger_url)
    assert (done.runs, done.checks, done.left) == (1, 1, False)
    assert (done.before.runs, done.after.runs) == (2, 1)
    assert done.after.events < done.before.events
    assert done.after.bytes > 0
    assert instance.get_run_by_id(old) is None
    for table in ("event_logs", "asset_check_executions", "run_tags"):
        assert rows_of(ledger_url, table, old) == 0, table
        assert rows_of(ledger_url, table, newest) > 0, table
    assert not any(path.exists() for path in logs)


def test_the_run_that_shows_a_day_as_computed_stays(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str
) -> None:
    for day in (*DAYS, *DAYS, DAYS[1]):
        run(instance, day)
    assert pruned(instance, ledger, ledger_url).runs == 3
    assert instance.get_materialized_partitions(bars.key) == set(DAYS)
    assert pruned(instance, ledger, ledger_url).runs == 0


def test_a_run_that_is_not_over_stays_however_old(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str
) -> None:
    job = dg.Definitions(assets=[bars]).resolve_implicit_global_asset_job_def()
    begun = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert pruned(instance, ledger, ledger_url).runs == 0
    assert instance.get_run_by_id(begun.run_id) is not None


def test_young_runs_stay(instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str) -> None:
    run(instance)
    run(instance)
    done = prune(instance, ledger, ledger_url, before=datetime.now(UTC) - timedelta(hours=1), seconds_max=60)
    assert done.runs == 0
    assert done.before == done.after


def test_when_the_time_is_over_the_rest_waits_for_the_next_night(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str
) -> None:
    run(instance)
    run(instance)
    late = pruned(instance, ledger, ledger_url, seconds_max=-1)
    assert (late.runs, late.left) == (0, True)
    assert pruned(instance, ledger, ledger_url).runs == 1


def test_an_order_is_explained_with_its_checks_after_its_run_is_gone(
    instance: dg.DagsterInstance, ledger: Ledger, ledger_url: str, tmp_path: Path
) -> None:
    run_id = run(instance)
    run(instance)
    decision = make_decision(run_id=run_id)
    ledger.record_decision(decision, make_snapshot(decision.snapshot_id), [make_target()])
    buy(ledger, 1, "2", "100", decision_id=decision.decision_id)
    sources = Sources(Home.at(tmp_path), Settings(), Secrets(ledger_url=ledger_url), ledger, None)
    before = story_of(f"{PREFIX}{1:028x}", sources)
    assert before["checks"][0]["what"] == "20 of 20 rows are there"

    assert pruned(instance, ledger, ledger_url).decisions_noted == 1

    after = story_of(f"{PREFIX}{1:028x}", sources)
    assert after["checks"] == before["checks"]
    (said,) = [line for line in after["unavailable"] if line.startswith(f"run {run_id}")]
    assert "removed by age" in said
    assert ledger.verify().findings == ()
