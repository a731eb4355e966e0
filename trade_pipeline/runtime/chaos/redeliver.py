"""Delivers the message of a run of `execute` a second time, to another worker: brokers deliver at least once.

A process of its own (`python -m trade_pipeline.runtime.chaos.redeliver`) with the stack's environment. A fresh run is
preferred, whose first delivery is still at work; else the newest one is delivered late.
"""

from __future__ import annotations

import os
import sys
import time

from trade_pipeline.settings.protect import protect_from_environment

FRESH_S = 20.0
OTHER_QUEUE = "history"
_LOOK_S = 0.05


def main() -> int:
    from dagster import DagsterInstance, DagsterRun, RunsFilter
    from dagster._grpc.types import ExecuteRunArgs
    from dagster._serdes import pack_value
    from dagster_celery.make_app import make_app
    from dagster_celery.tasks import create_execute_job_task

    from trade_pipeline.runtime.celery_settings import app_arguments

    protect_from_environment()
    with DagsterInstance.get() as instance:

        def newest() -> DagsterRun | None:
            runs = instance.get_runs(RunsFilter(job_name="execute"), limit=1)
            return runs[0] if runs else None

        before = newest()
        deadline = time.monotonic() + FRESH_S
        found = before
        while time.monotonic() < deadline and (found is None or (before and found.run_id == before.run_id)):
            time.sleep(_LOOK_S)
            found = newest()
        if found is None or found.job_code_origin is None:
            print("there is no run yet")  # noqa: T201  the answer to the caller
            return 0
        arguments = ExecuteRunArgs(
            job_origin=found.job_code_origin, run_id=found.run_id, instance_ref=instance.get_ref(),
            set_exit_code_on_failure=True,
        )  # fmt: skip
        app = make_app(app_arguments(os.environ))  # type: ignore[no-untyped-call]  # dagster_celery ships no types
        task = create_execute_job_task(app).si(execute_job_args_packed=pack_value(arguments))
        task.apply_async(queue=OTHER_QUEUE, routing_key=f"{OTHER_QUEUE}.execute_job")
        age = "old" if before and found.run_id == before.run_id else "fresh"
        print(f"the {age} run {found.run_id} was delivered to {OTHER_QUEUE} too")  # noqa: T201  the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
