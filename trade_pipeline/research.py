"""Dagster's entry point of the code location "research": what looks back, and may import slowly."""

from __future__ import annotations

from datetime import UTC

import dagster as dg

from trade_pipeline.defs.assets.audit import lake_audit
from trade_pipeline.defs.jobs import QUEUE_TAG
from trade_pipeline.defs.partitions import DAY
from trade_pipeline.defs.resources import Stack
from trade_pipeline.defs.schedules import SCHEDULE_STATUS
from trade_pipeline.settings.protect import protect_from_environment

protect_from_environment()  # the code server runs this before it opens anything of Dagster's

audit = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets("lake_audit"),
    tags={QUEUE_TAG: "history", "dagster/max_runtime": "1800"},
    executor_def=dg.in_process_executor,
    description="Holds the day that is over against Great Expectations.",
)


@dg.schedule(
    cron_schedule="30 0 * * *",
    job=audit,
    name="audit",
    default_status=SCHEDULE_STATUS,
    execution_timezone="UTC",
    description="Audits the day that is over.",
)
def audit_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Of the UTC day before the nominal moment."""
    day = context.scheduled_execution_time.astimezone(UTC) - DAY
    return dg.RunRequest(run_key=f"audit:{day:%Y-%m-%d}", partition_key=f"{day:%Y-%m-%d}")


defs = dg.Definitions(
    assets=[lake_audit],
    jobs=[audit],
    schedules=[audit_schedule],
    resources={"stack": Stack()},
    executor=dg.in_process_executor,
)
