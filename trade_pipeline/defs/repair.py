"""History that repairs itself: what the lake lacks is fetched again, and what stood on it is computed again.

An hourly schedule looks at the days that are over. Each request has a key made of what was found, so that a hole which
the exchange cannot fill (it was down itself) is asked for once, and not every hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg

from trade_pipeline.defs.jobs import HISTORY_CHAIN, repair
from trade_pipeline.defs.partitions import last_close, partition_of
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.schedules import SCHEDULE_STATUS
from trade_pipeline.market_data.repair import Hole, holes, outdated, summary
from trade_pipeline.market_data.universe import known_of_day

COMPUTED = dg.AssetKey(HISTORY_CHAIN[-1])
WHY_TAG = "trade/repair"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A past day to be fetched and computed again. `key` is the same as long as the reason is the same."""

    day: str
    why: str
    key: str


def wanted_days(stack: OpenStack, computed_at: Mapping[str, datetime], today: str) -> list[Wanted]:
    """Days before `today` that have holes, or were computed before a bar of their window was known, in order."""
    settings, past = stack.settings, days_before(today, stack.settings.storage.repair_days)
    # The window of the oldest day begins before it, and what is missing at its beginning shows by what was before.
    before = [day for day in stack.lake.days("raw_bars") if day < past[0]][-1:]
    stored = summary(stack.lake, [*before, *past, today])
    traded = partial(known_of_day, stack.lake, settings)
    found = {hole.day: _of_hole(hole) for hole in holes(stored, past[0], past[-1], traded)}
    for day, known_at in outdated(stored, computed_at, settings.market.warmup_bars).items():
        if day < today and day not in found:
            found[day] = Wanted(day, f"a bar of its window became known at {known_at:%Y-%m-%d %H:%M:%S}",
                                f"outdated:{day}:{known_at.isoformat()}")  # fmt: skip
    return [found[day] for day in sorted(found)]


def days_before(today: str, count: int) -> list[str]:
    last = date.fromisoformat(today)
    return [str(last - timedelta(days=back)) for back in range(count, 0, -1)]


def computed_times(instance: dg.DagsterInstance, days: Sequence[str]) -> dict[str, datetime]:
    """When each of `days` was last computed to its end; days that never were are left out."""
    found = {}
    for day in days:
        newest = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=COMPUTED, asset_partitions=[day]), limit=1
        )
        if newest.records:
            found[day] = datetime.fromtimestamp(newest.records[0].timestamp, UTC)
    return found


def _of_hole(hole: Hole) -> Wanted:
    of = ", ".join(hole.symbols[:3]) + (f" and {len(hole.symbols) - 3} more" if len(hole.symbols) > 3 else "")
    why = f"{hole.missing_bars} bars of {of} are missing"
    return Wanted(hole.day, why, f"hole:{hole.day}:{hole.missing_bars}:{hole.known_at.isoformat()}")


@dg.schedule(
    cron_schedule="40 * * * *",
    job=repair,
    name="repair",
    default_status=SCHEDULE_STATUS,
    execution_timezone="UTC",
    description="Fetches again what past days lack, and computes again what stood on it.",
)
def repair_schedule(context: dg.ScheduleEvaluationContext, stack: Stack) -> list[dg.RunRequest] | dg.SkipReason:
    today = partition_of(last_close(context.scheduled_execution_time.astimezone(UTC)))
    opened = stack.open
    past = days_before(today, opened.settings.storage.repair_days)
    found = wanted_days(opened, computed_times(context.instance, past), today)
    if not found:
        return dg.SkipReason(f"the last {len(past)} days are whole, and computed from what is known")
    return [dg.RunRequest(run_key=item.key, partition_key=item.day, tags={WHY_TAG: item.why}) for item in found]
