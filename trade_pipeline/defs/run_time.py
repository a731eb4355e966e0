"""Which moment and which days a run stands for, read from its tags and its creation: never from the clock.

Every step of a run must come to the same answer, also when the minute changes while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from trade_pipeline.defs.partitions import Window, day_start, last_close, partition_of, window_of

AS_OF_TAG = "trade/as_of"
DECISION_TAG = "trade/decision_id"
MODE_TAG = "trade/mode"
BACKFILL_TAG = "dagster/backfill"
DECIDE_JOB = "decide"
EXECUTE_JOB = "execute"


@dataclass(frozen=True, slots=True)
class RunTime:
    """`as_of` of the live day, whose partition is `live_day`. `of_backfill`: history, though it may cover that day."""

    as_of: datetime
    tagged: bool
    of_backfill: bool = False

    @property
    def live_day(self) -> str:
        return partition_of(self.as_of)

    def windows(self, days: Sequence[str], warmup_bars: int) -> tuple[Window, ...]:
        """One window a day. Past days are seen to their end, the live one to `as_of`, later ones not at all."""
        return tuple(window_of(day, self.as_of, warmup_bars) for day in sorted(days) if day_start(day) < self.as_of)

    def is_live(self, days: Sequence[str]) -> bool:
        """True if this is a decision for now, not history."""
        return not self.of_backfill and list(days) == [self.live_day]


def run_time(run: dg.DagsterRun, instance: dg.DagsterInstance) -> RunTime:
    """The run's moment: its tag `trade/as_of`, else the last bar closed when the run was created."""
    tag = run.tags.get(AS_OF_TAG)
    if tag is not None:
        return RunTime(parse_time(tag), tagged=True)
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        raise dg.DagsterInvariantViolationError(f"run {run.run_id} is not in the instance's storage")
    created_at = record.create_timestamp.astimezone(UTC)
    return RunTime(last_close(created_at), tagged=False, of_backfill=BACKFILL_TAG in run.tags)


def parse_time(text: str) -> datetime:
    """An aware UTC time from ISO text; a text without zone is taken as UTC."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
