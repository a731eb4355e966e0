"""From the close of a bar to its last acknowledged order, cut where Dagster and the ledger have written down a time.

Pure: nothing is measured here and nothing is added to what runs; recorded moments become stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from trade_pipeline.ledger.records import Order

STAGES: Mapping[str, str] = MappingProxyType(
    {
        "tick": "nominal close to the first step: the schedule's tick, the run's rows, the broker, the worker",
        "fetch": "raw_bars: waiting for final candles, reading and storing them",
        "quality": "raw bars' checks and judge_bars with those of its tables",
        "features": "features and their check",
        "signals": "regimes and signals and their checks",
        "targets": "target_positions, its checks, approved_targets up to the decision's row in the ledger",
        "handover": "the sensor sees the approval; the second run starts",
        "gate": "the second run's reading of the account and the gate's verdict",
        "plan": "the lease and the plan",
        "send": "guards, and first submissions up to the last acknowledgement",
    }
)
"""Name -> what it covers, in order. Each begins where the one before ends, so that they add up to the whole."""

Event = tuple[str | None, str | None, datetime]
"""Step key, event type and time of one event of a run."""

_LAST_STEP = {
    "tick": ("raw_bars",),
    "fetch": ("raw_bars",),
    "quality": ("raw_bars_checks", "judge_bars", "bars_checks", "quality_scores_checks"),
    "features": ("features", "features_checks"),
    "signals": ("regimes", "regimes_checks", "signals", "signals_checks"),
}
"""Steps of the run `decide` whose end is the stage's; of `tick`, whose start."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One executed decision. `stages`: name of STAGES -> seconds; `final_s`: close to its first final candle."""

    as_of: datetime
    orders: int
    total_s: float
    final_s: float | None
    stages: Mapping[str, float]
    events: int = 0
    """Of its two runs, in Dagster's log."""

    @property
    def from_final_s(self) -> float | None:
        return None if self.final_s is None else self.total_s - self.final_s


def ends_of(
    decide: Sequence[Event],
    execute: Sequence[Event],
    outcomes: Mapping[str, datetime],
    decided_at: datetime,
    acknowledged_at: datetime,
) -> dict[str, datetime]:
    """Stage -> when it ended, as recorded; a stage that left no trace is missing.

    `outcomes`: stage of the ledger's outcomes ("gate", "plan") -> time.
    """
    ends: dict[str, datetime] = {}
    for stage, steps in _LAST_STEP.items():
        kind = "STEP_START" if stage == "tick" else "STEP_SUCCESS"
        found = [at for step, event, at in decide if step in steps and event == kind]
        if found:
            ends[stage] = max(found)
    started = [at for _, event, at in execute if event == "STEP_START"]
    ends |= {"targets": decided_at, "send": acknowledged_at}
    if started:
        ends["handover"] = min(started)
    return ends | {stage: at for stage, at in outcomes.items() if stage in ("gate", "plan")}


def cut(as_of: datetime, ends: Mapping[str, datetime]) -> dict[str, float]:
    """Stage -> seconds, never below 0, together the time from `as_of` to the end of `send`.

    A stage without a recorded end counts as 0 s, its time to the next one; so does one that ended before the one
    before it, because some steps of a run may change places.
    """
    last, until = as_of, ends["send"]
    stages: dict[str, float] = {}
    for name in STAGES:
        end = min(max(ends.get(name, last), last), until)
        stages[name] = (end - last).total_seconds()
        last = end
    return stages


def last_first_submission(orders: Sequence[Order]) -> datetime | None:
    """When the last first submission got its answer with an order id (TRADING 20); None where none got one."""
    answered = [o.acknowledged_at for o in orders if o.attempt == 0 and o.venue_order_id is not None]
    return max((at for at in answered if at is not None), default=None)
