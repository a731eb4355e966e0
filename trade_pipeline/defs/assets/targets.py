"""Targets: decided, and approved once every check before them has passed."""

# No postponed annotations here: Dagster reads the type of `context` itself.

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import dagster as dg
import polars as pl

from trade_pipeline.defs.asset_kinds import lake_asset
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.decision import Evaluation, Surroundings, decision_id_of, facts_of, targets_of
from trade_pipeline.defs.gate import decision_of, materialisation
from trade_pipeline.defs.partitions import BAR, Window
from trade_pipeline.defs.recompute import recompute_day
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import run_time
from trade_pipeline.errors import DataError
from trade_pipeline.execution.buy_guards.ask import FACTS
from trade_pipeline.execution.planning.snapshot import take_snapshot
from trade_pipeline.ledger.records import Decision, Target
from trade_pipeline.quality.hold import held_at
from trade_pipeline.schemas.trading import TargetKind

QUARANTINED = "quarantined"
CITED = ("raw_bars", "bars", "quality_scores", "features", "regimes", "signals", "target_positions")
"""Tables whose version and hash are stored with a decision."""


@lake_asset("target_positions", "targets", "What the account shall hold, a row per symbol.")
def target_positions(
    context: dg.AssetExecutionContext, stack: Stack, features: DayFrames, signals: DayFrames, quality_scores: DayFrames
) -> DayFrames:
    """Live: decides. In a backfill: takes the decisions of these days again and compares them."""
    if not run_time(context.run, context.instance).is_live(context.partition_keys):
        notes: dict[str, dict[str, object]] = {}
        return DayFrames(features.windows, lambda window: recompute_day(stack.open, window, notes), notes)
    (window,) = features.windows
    evaluation = Evaluation(features.load(window), signals.load(window)).at(window.as_of)
    return decide_now(stack.open, window, evaluation, quality_scores.load(window))


def decide_now(stack: OpenStack, window: Window, evaluation: Evaluation, scores: pl.DataFrame) -> DayFrames:
    """One decision on the account as it is; the snapshot is stored, the decision itself not yet."""
    settings = stack.settings
    held = held_at(scores, stack.universe(window.as_of), window.as_of)
    decision_id = decision_id_of(settings, window.as_of, stack.code_version, evaluation.signals, held)
    snapshot = stack.ledger.snapshot(decision_id)
    if snapshot is None:  # a rerun decides on the same account again
        snapshot = replace(take_snapshot(stack.desk), snapshot_id=decision_id)
        stack.ledger.record_snapshot(snapshot)
    around = surroundings_now(stack, window.as_of, held)
    frame = targets_of(evaluation, snapshot, settings, around, decision_id=decision_id, as_of=window.as_of)
    released = release_locks(stack, evaluation, around.locks)
    kinds: dict[str, int] = dict(frame.group_by("kind").len().iter_rows())
    notes: dict[str, object] = {
        "decision_id": decision_id,
        "equity_quote": float(snapshot.equity_quote),
        "locks_released": released,
        FACTS: json.dumps(facts_of(evaluation)),
        QUARANTINED: dg.MetadataValue.json(dict(around.quarantined)),
    }
    return DayFrames(
        (window,), lambda _: frame, {window.day: notes | {str(k): kinds.get(str(k), 0) for k in TargetKind}}
    )


def release_locks(stack: OpenStack, evaluation: Evaluation, locks: Collection[tuple[str, str]]) -> int:
    """Lift the locks of strategies whose score has come back to zero (TRADING 13); it counts from the next bar on."""
    ended = evaluation.signals.filter(pl.col("score") <= 0).select("strategy", "symbol").rows()
    free = sorted(set(locks) & set(ended))
    for strategy, symbol in free:
        stack.ledger.unlock(stack.settings.account, strategy, symbol)
    return len(free)


def surroundings_now(stack: OpenStack, as_of: datetime, quarantined: Mapping[str, str]) -> Surroundings:
    """Locks count at the bar's close, not at the moment of the run, so that they can be told again."""
    locks = stack.ledger.locks(stack.settings.account, as_of)
    locked = sorted((lock.strategy, lock.symbol) for lock in locks)
    return Surroundings(stack.universe(as_of), locked, stack.rules(), dict(quarantined))


@lake_asset("approved_targets", "targets", "Targets whose every check passed in this run.")
def approved_targets(context: dg.AssetExecutionContext, stack: Stack, target_positions: DayFrames) -> DayFrames:
    """Stores decision, snapshot and targets in the ledger. History is not approved: nothing of it may be executed."""
    if not run_time(context.run, context.instance).is_live(context.partition_keys):
        raise DataError(
            "a past day cannot be approved",
            thing="approved_targets",
            value=list(context.partition_keys),
            repair="Leave it out of the backfill.",
        )
    (window,) = target_positions.windows
    decided = materialisation(context.instance, dg.AssetKey("target_positions"), context.run_id, window.day)
    decision_id = decision_of(decided) if decided else None
    if decision_id is None:
        raise DataError(
            "this run decided nothing", thing="approved_targets", repair="Materialise target_positions in the same run."
        )
    frame = target_positions.load(window).filter(pl.col("decision_id") == decision_id)
    inputs = cited_inputs(context, window.day)
    new = record(stack.open, decision_id, window, frame, inputs, context.run_id, decided)
    notes: dict[str, object] = {"decision_id": decision_id, "recorded_now": new}
    return DayFrames((window,), lambda _: frame, {window.day: notes})


def record(
    stack: OpenStack,
    decision_id: str,
    window: Window,
    frame: pl.DataFrame,
    inputs: Mapping[str, Mapping[str, object]],
    run_id: str,
    decided: dg.EventLogRecord | None,
) -> bool:
    """The decision into the ledger, once; False if it was there. Raises DataError when its snapshot is missing."""
    snapshot = stack.ledger.snapshot(decision_id)
    if snapshot is None:
        raise DataError("the account snapshot of the decision is missing", thing=decision_id)
    around = surroundings_now(stack, window.as_of, quarantine_noted(decided))
    decision = Decision(
        decision_id=decision_id,
        account=stack.settings.account,
        mode=stack.settings.mode,
        as_of=window.as_of,
        decided_at=stack.now(),
        run_id=run_id,
        partition=window.day,
        settings_hash=stack.settings.decision_hash,
        code_version=stack.code_version,
        snapshot_id=snapshot.snapshot_id,
        inputs=inputs,
        expires_at=window.as_of + BAR,
        detail={
            "universe": list(around.universe),
            "locks": [list(lock) for lock in around.locks],
            "quarantined": dict(around.quarantined),
            "window_start": window.start.isoformat(),
            FACTS: facts_noted(decided),
        },
    )
    return stack.ledger.record_decision(decision, snapshot, [target_of(row) for row in frame.iter_rows(named=True)])


def facts_noted(decided: dg.EventLogRecord | None) -> dict[str, object]:
    """What target_positions noted for the buy guards, from its materialisation."""
    event = decided.asset_materialization if decided else None
    noted = event.metadata.get(FACTS) if event else None
    return dict(json.loads(str(noted.value))) if noted is not None else {}


def quarantine_noted(decided: dg.EventLogRecord | None) -> dict[str, str]:
    """What target_positions held back, from its materialisation."""
    event = decided.asset_materialization if decided else None
    noted = event.metadata.get(QUARANTINED) if event else None
    value = noted.value if noted is not None else None
    return {str(symbol): str(why) for symbol, why in value.items()} if isinstance(value, Mapping) else {}


def target_of(row: Mapping[str, object]) -> Target:
    """A row of a TARGETS frame as the ledger keeps it."""
    sleeves = json.loads(str(row["sleeves"])) if row["sleeves"] else {}
    values = {name: row[name] for name in row if name not in ("as_of", "kind", "sleeves")}
    return Target(
        **values,  # type: ignore[arg-type]  # the frame's schema is checked, and named like the record
        kind=TargetKind(str(row["kind"])),
        sleeves={name: Decimal(amount) for name, amount in sleeves.items()},
    )


def cited_inputs(context: dg.AssetExecutionContext, day: str) -> dict[str, dict[str, object]]:
    """Version, hash and rows of every table that this run wrote on the way to its targets."""
    cited: dict[str, dict[str, object]] = {}
    for name in CITED:
        record_ = materialisation(context.instance, dg.AssetKey(name), context.run_id, day)
        event = record_.asset_materialization if record_ else None
        if event is not None:
            values = {key: value.value for key, value in event.metadata.items()}
            cited[name] = {
                "version": values.get("table_version"),
                "hash": values.get("content_hash"),
                "rows": values.get("dagster/partition_row_count"),
            }
    return cited
