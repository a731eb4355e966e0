"""A code location of a few lines, for tests of the runtime: runs that say where they ran, one that sleeps."""

import os
import time

import dagster as dg


@dg.op
def say_where(context: dg.OpExecutionContext) -> None:
    context.log.info(f"process {os.getpid()} parent {os.getppid()}")


@dg.op
def rest() -> None:
    time.sleep(120)


@dg.job(tags={"dagster-celery/queue": "decide"})
def quick() -> None:
    say_where()


@dg.job(tags={"dagster-celery/queue": "execute"})
def slow() -> None:
    rest()


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-01"), backfill_policy=dg.BackfillPolicy.single_run())
def history() -> int:
    return 1


@dg.sensor(job=quick, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def once(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    if context.cursor:
        return dg.SkipReason("done")
    context.update_cursor("done")
    return dg.RunRequest(run_key="once")


defs = dg.Definitions(jobs=[quick, slow], assets=[history], sensors=[once], executor=dg.in_process_executor)
