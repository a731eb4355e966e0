"""When runs are asked for by the clock."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path

import dagster as dg

from trade_pipeline.defs.jobs import decide, nightly, reports, scan_universe
from trade_pipeline.defs.partitions import DAY, last_close, partition_of
from trade_pipeline.defs.resources import HOME_VARIABLE
from trade_pipeline.defs.run_time import AS_OF_TAG, MODE_TAG
from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import settings_in_force
from trade_pipeline.settings.root import Mode


def mode_in_force() -> Mode:
    """The mode of this process's stack, sim where none is named. Reads one small file, no more."""
    home = os.environ.get(HOME_VARIABLE, "")
    try:
        return settings_in_force(Home.at(Path(home))).mode if home else "sim"
    except SettingsError:
        return "sim"


def starts_running() -> bool:
    """Where no real money is, everything runs at once; in live a person switches it on."""
    return mode_in_force() != "live"


SCHEDULE_STATUS = dg.DefaultScheduleStatus.RUNNING if starts_running() else dg.DefaultScheduleStatus.STOPPED
SENSOR_STATUS = dg.DefaultSensorStatus.RUNNING if starts_running() else dg.DefaultSensorStatus.STOPPED


@dg.schedule(
    cron_schedule="* * * * *",
    job=decide,
    name="bar_close",
    default_status=SCHEDULE_STATUS,
    execution_timezone="UTC",
    description="Decides once for every minute bar that closes.",
)
def bar_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The tick's nominal minute is the close of the bar, however late the tick is evaluated."""
    as_of = last_close(context.scheduled_execution_time.astimezone(UTC))
    return dg.RunRequest(
        run_key=f"bar_close:{as_of.isoformat()}",
        partition_key=partition_of(as_of),
        tags={AS_OF_TAG: as_of.isoformat(), MODE_TAG: mode_in_force()},
    )


reports_schedule = dg.ScheduleDefinition(
    name="reports",
    job=reports,
    cron_schedule="*/5 * * * *",
    default_status=SCHEDULE_STATUS,
    execution_timezone="UTC",
    description="Draws equity curve, closed trades and conflicts with the exchange anew.",
)


def of_the_day_before(
    name: str, job: dg.UnresolvedAssetJobDefinition, cron: str, description: str
) -> dg.ScheduleDefinition:
    """Asks for the UTC day before the nominal moment, however late the tick is evaluated."""

    @dg.schedule(
        cron_schedule=cron,
        job=job,
        name=name,
        default_status=SCHEDULE_STATUS,
        execution_timezone="UTC",
        description=description,
    )
    def ask(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = f"{context.scheduled_execution_time.astimezone(UTC) - DAY:%Y-%m-%d}"
        return dg.RunRequest(run_key=f"{name}:{day}", partition_key=day)

    return ask


nightly_schedule = of_the_day_before(
    "nightly", nightly, "12 0 * * *", "Coarser bars of the day that is over, and the upkeep of the lake."
)


@dg.schedule(
    cron_schedule="55 * * * *",
    job=scan_universe,
    name="scan_universe",
    default_status=SCHEDULE_STATUS,
    execution_timezone="UTC",
    description="Scans the exchange for symbols worth trading.",
)
def universe_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Decisions use a scan from the first bar that closes after it is known."""
    as_of = last_close(context.scheduled_execution_time.astimezone(UTC))
    return dg.RunRequest(
        run_key=f"universe:{as_of.isoformat()}",
        partition_key=partition_of(as_of),
        tags={AS_OF_TAG: as_of.isoformat()},
    )


SCHEDULES = [bar_close, reports_schedule, nightly_schedule, universe_schedule]
