"""Dagster as it comes: an asset that is made every minute, and a sensor that starts a second job after it. All empty.

Loaded by a stock daemon of its own (`bench.stock`), never by a stack of ours.
"""

import dagster as dg

SENSOR_INTERVAL_S = 5
"""The fastest that the daemon offers; its default is 30."""


@dg.asset
def closed_bar() -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult()


@dg.op
def send_nothing() -> None:
    pass


@dg.job
def second() -> None:
    send_nothing()


first = dg.define_asset_job("first", selection=[closed_bar])

every_minute = dg.ScheduleDefinition(
    name="every_minute", job=first, cron_schedule="* * * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)


@dg.asset_sensor(
    asset_key=closed_bar.key,
    job=second,
    minimum_interval_seconds=SENSOR_INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def after_it(context: dg.SensorEvaluationContext, asset_event: dg.EventLogEntry) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.cursor)


definitions = dg.Definitions(assets=[closed_bar], jobs=[first, second], schedules=[every_minute], sensors=[after_it])
