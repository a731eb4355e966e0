"""A code location of a few lines, for tests of the runtime: runs that say where they ran, one that sleeps."""

import base64
import logging
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


@dg.op
def leak(context: dg.OpExecutionContext) -> None:
    """A step with a bug: it shows the exchange's secret in every way in which a step can say something."""
    secret = os.environ["TRADE_PIPELINE_EXCHANGE_API_SECRET"]
    encoded = base64.b64encode(f"key:{secret}".encode()).decode()
    print(f"leaked by print {secret}", flush=True)
    os.write(2, f"leaked by a library of C {secret}\n".encode())
    context.log.warning(f"leaked by a log {secret}")
    logging.getLogger("somebody").error("leaked by another logger %s", secret)
    context.add_output_metadata({"leaked": f"by metadata {secret}"})
    try:
        raise KeyError(f"leaked by a cause https://host/order?signature={secret}")
    except KeyError as error:
        raise RuntimeError(f"leaked by an error {secret}, Basic {encoded}") from error


@dg.job(tags={"dagster-celery/queue": "decide"})
def leaky() -> None:
    leak()


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2024-01-01"), backfill_policy=dg.BackfillPolicy.single_run())
def history() -> int:
    return 1


@dg.sensor(job=quick, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def once(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    if context.cursor:
        return dg.SkipReason("done")
    context.update_cursor("done")
    return dg.RunRequest(run_key="once")


defs = dg.Definitions(jobs=[quick, slow, leaky], assets=[history], sensors=[once], executor=dg.in_process_executor)
