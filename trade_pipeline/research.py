"""Dagster's entry point of the code location "research": what looks back, and may import slowly."""

from __future__ import annotations

import dagster as dg

from trade_pipeline.defs.assets.audit import lake_audit
from trade_pipeline.defs.jobs import QUEUE_TAG
from trade_pipeline.defs.resources import Stack
from trade_pipeline.defs.schedules import of_the_day_before
from trade_pipeline.settings.protect import protect_from_environment

protect_from_environment()  # the code server runs this before it opens anything of Dagster's

audit = dg.define_asset_job(
    "audit",
    selection=dg.AssetSelection.assets("lake_audit"),
    tags={QUEUE_TAG: "history", "dagster/max_runtime": "1800"},
    executor_def=dg.in_process_executor,
    description="Holds the day that is over against Great Expectations.",
)


# After the night's second look at the day (00:12) and the repair of what that brought (00:40).
audit_schedule = of_the_day_before("audit", audit, "30 1 * * *", "Audits the day that is over.")

defs = dg.Definitions(
    assets=[lake_audit],
    jobs=[audit],
    schedules=[audit_schedule],
    resources={"stack": Stack()},
    executor=dg.in_process_executor,
)
