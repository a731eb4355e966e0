"""Takes the decisions of a past day again, from the bars as they were seen and the stored account snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg
import polars as pl

from trade_pipeline.defs.decision import Evaluation, Surroundings, evaluate, targets_of
from trade_pipeline.defs.partitions import DAY, Window, day_start
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.ledger.records import Decision
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.market_data.revisions import newest
from trade_pipeline.market_data.tables import table_of
from trade_pipeline.quality.clean import closed_bars
from trade_pipeline.schemas import frames

DIFFERENT_SHOWN_MAX = 20


def recompute_day(stack: OpenStack, window: Window, notes: dict[str, dict[str, object]]) -> pl.DataFrame:
    """Targets of every decision of the day that come out as they were decided; what does not is told in the notes.

    What differs is not returned: the lake keeps what was decided live, and shows beside it that it did not recur.
    """
    begin = day_start(window.day)
    found = stack.ledger.decisions_between(stack.settings.account, begin, begin + DAY + timedelta(minutes=1))
    decisions = [decision for decision in found if decision.partition == window.day]
    live = stack.lake.read("target_positions", [window.day])
    day = _Day(stack, window)
    equal: list[pl.DataFrame] = []
    different: list[str] = []
    for decision in decisions:
        again = day.recompute(decision)
        decided = live.filter(pl.col("decision_id") == decision.decision_id)
        key = table_of("target_positions").key
        if again is not None and content_hash(again, key) == content_hash(decided, key):
            equal.append(again)
        else:
            different.append(decision.decision_id)
    notes[window.day] = {
        "decisions_recomputed": len(decisions),
        "decisions_equal": len(equal),
        "decisions_different": len(different),
        "different": dg.MetadataValue.json(different[:DIFFERENT_SHOWN_MAX]),
    }
    return pl.concat([frames.empty(frames.TARGETS), *equal])


class _Day:
    """One day's bars with all revisions, and the evaluation of their newest state, which most decisions share."""

    def __init__(self, stack: OpenStack, window: Window) -> None:
        self._stack, self._window = stack, window
        table = table_of("bars")
        self._history = stack.lake.history("bars", window.dates).filter(pl.col("open_time") >= window.start)
        self._bars = newest(self._history, table.key).select(list(frames.JUDGED_BARS)).sort(table.key)
        self._whole: Evaluation | None = None

    def recompute(self, decision: Decision) -> pl.DataFrame | None:
        """The targets, or None where settings or code have changed since, or the snapshot is missing."""
        stack = self._stack
        snapshot = stack.ledger.snapshot(decision.snapshot_id)
        if snapshot is None or decision.settings_hash != stack.settings.decision_hash:
            return None
        return targets_of(
            self._seen(decision),
            snapshot,
            stack.settings,
            surroundings_of(decision, stack),
            decision_id=decision.decision_id,
            as_of=decision.as_of,
        )

    def _seen(self, decision: Decision) -> Evaluation:
        """The evaluation of the bars as they were known when it was decided."""
        table = table_of("bars")
        known = newest(self._history.filter(pl.col("known_at") <= decision.decided_at), table.key)
        seen = closed_bars(known.select(list(frames.JUDGED_BARS)), decision.as_of)
        settings = self._stack.settings
        if not seen.equals(self._bars.filter(pl.col("close_time") <= decision.as_of)):
            return evaluate(seen, settings)
        # Nothing was revised since: a row's value does not depend on the bars after it, so one evaluation serves all.
        if self._whole is None:
            self._whole = evaluate(self._bars, settings)
        return self._whole


def surroundings_of(decision: Decision, stack: OpenStack) -> Surroundings:
    """What was stored with the decision. Trading rules are today's: they are not stored."""
    detail: Mapping[str, object] = decision.detail
    universe, locks, quarantined = detail.get("universe"), detail.get("locks"), detail.get("quarantined")
    return Surroundings(
        universe=[str(symbol) for symbol in universe] if isinstance(universe, list) else [],
        locks=[(str(lock[0]), str(lock[1])) for lock in locks] if isinstance(locks, list) else [],
        rules=stack.rules(),
        quarantined=dict(quarantined) if isinstance(quarantined, Mapping) else {},
    )
