"""Asset checks, made by one factory from the quality rules and the pandera models.

A check answers with a sentence, numbers and the failing rows. What is a defect is decided in `quality` and
`schemas`; here it is only shown, and judged for every day of a run.

A rule for bars does not block: it is red, and the symbols that break it are held by the decision while the others
go on. What blocks is what concerns everybody: wrong columns, and defects in breadth. The rules are shown by a step of
their own that runs when nothing else is left to do, because an order waits for the others.
"""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
import polars as pl

from trade_pipeline.defs.check_results import evaluation_of, result_of, severity_of
from trade_pipeline.defs.day_frames import DayFrames
from trade_pipeline.defs.jobs import RECOMPUTATION_CHECK
from trade_pipeline.defs.judging import judged as judgement_of
from trade_pipeline.defs.partitions import DAILY, Window
from trade_pipeline.defs.resources import OpenStack, Stack
from trade_pipeline.defs.run_time import run_time
from trade_pipeline.quality.failures import failures, no_failures
from trade_pipeline.quality.frame_rules import columns
from trade_pipeline.quality.hold import held_at, held_in_breadth
from trade_pipeline.quality.judge import Judgement
from trade_pipeline.quality.registry import RULES
from trade_pipeline.quality.rules import Rule
from trade_pipeline.quality.target_rules import targets_within_limits
from trade_pipeline.schemas.bars import JudgedBars
from trade_pipeline.schemas.features import Features, Regimes
from trade_pipeline.schemas.signals import Signals
from trade_pipeline.schemas.targets import Targets
from trade_pipeline.schemas.validation import Frame, validate

PRIORITY_TAG = "dagster/priority"
LAST = "-10"
"""Steps of one run that are ready are taken by their priority, 0 where none is named."""


@dataclass(frozen=True)
class Judged:
    """What a check looks at: one day's frame within a run."""

    frame: pl.DataFrame
    window: Window
    stack: OpenStack
    live: bool

    @cached_property
    def verdict(self) -> Judgement:
        """Of raw bars: made once for all rules."""
        return judgement_of(self.frame, self.window, self.stack, live=self.live)


@dataclass(frozen=True, slots=True)
class Check:
    """`find` answers with a FAILURES frame, empty where all is well."""

    name: str
    description: str
    find: Callable[[Judged], pl.DataFrame]
    informative: bool = False
    """What is found is told, and is no failure."""


def from_rule(rule: Rule) -> Check:
    """A rule of `quality` for bars. Live, what counts is what still holds a symbol; in history the whole day."""

    def find(judged: Judged) -> pl.DataFrame:
        found = judged.verdict.recent if judged.live else judged.verdict.failures
        return found.filter(pl.col("rule") == rule.name)

    return Check(rule.name, rule.description, find, rule.informative)


def _columns(judged: Judged) -> pl.DataFrame:
    """Without these no symbol can be judged."""
    return columns(judged.frame)


def _breadth(judged: Judged) -> pl.DataFrame:
    """Live only: in history nothing is bought."""
    if not judged.live:
        return no_failures()
    universe = judged.stack.universe(judged.window.as_of)
    held = held_at(judged.frame, universe, judged.window.as_of)
    return held_in_breadth(held, universe, judged.stack.settings.quality)


def from_model(model: type[Frame]) -> Check:
    """A pandera model of `schemas`: columns, types, and what holds within a frame."""

    def find(judged: Judged) -> pl.DataFrame:
        rows_max = judged.stack.settings.quality.failing_rows_shown_max
        rows = [
            (row.get("symbol"), row.get("open_time"), item.check, str(row["column"]), str(row["value"]))
            for item in validate(model, judged.frame, rows_max).items
            for row in item.rows
        ]
        names = ("symbol", "open_time", "_check", "_column", "_value")
        types = dict.fromkeys(names, pl.String()) | {"open_time": pl.Datetime("ms", "UTC")}
        return failures(
            pl.DataFrame(rows, schema=types, orient="row"),
            "schema",
            column=pl.col("_column"),
            value=pl.col("_value"),
            limit=pl.col("_check"),
            message=pl.format("column {} has {}, against {}", "_column", "_value", "_check"),
        )

    return Check("schema", f"Columns, types and values are those of {model.__name__}.", find)


def _within_limits(judged: Judged) -> pl.DataFrame:
    """Held against the snapshot that sized them. In history the decisions were judged when they were taken."""
    if not judged.live or judged.frame.is_empty():
        return no_failures()
    newest = judged.frame.filter(pl.col("as_of") == judged.window.as_of)
    stack = judged.stack
    parts = [no_failures()]
    for (decision_id,), targets in newest.group_by("decision_id", maintain_order=True):
        snapshot = stack.ledger.snapshot(str(decision_id))
        assert snapshot is not None, f"decision {decision_id}: target_positions stored the snapshot"
        parts.append(
            targets_within_limits(
                targets,
                as_of=judged.window.as_of,
                expected=stack.universe(judged.window.as_of),
                snapshot=snapshot,
                settings=stack.settings.portfolio,
            )
        )
    return pl.concat(parts)


CHECKS: Mapping[str, Sequence[Check]] = {
    "raw_bars": [Check("schema", RULES["schema"].description, _columns)],
    "bars": [from_model(JudgedBars)],
    "quality_scores": [
        Check("breadth", "Not so many symbols are held that the feed itself cannot be trusted.", _breadth)
    ],
    "features": [from_model(Features)],
    "regimes": [from_model(Regimes)],
    "signals": [from_model(Signals)],
    "target_positions": [
        from_model(Targets),
        Check("targets_within_limits", "One target per symbol, each and all within their limits.", _within_limits),
    ],
}


def checks_for(asset: str, checks: Sequence[Check], *, blocking: bool = True) -> dg.AssetChecksDefinition:
    """Checks of one asset as one step that cannot be taken apart: a check left out would let targets through.

    Those that do not block run after everything else that is ready.
    """
    key = dg.AssetKey(asset)
    specs = {
        check.name: dg.AssetCheckSpec(
            check.name, asset=key, description=check.description, blocking=blocking, partitions_def=DAILY
        )
        for check in checks
    }

    @dg.multi_asset_check(
        name=f"{asset}_checks" if blocking else f"{asset}_rules",
        specs=list(specs.values()),
        can_subset=False,
        ins={"frames": dg.AssetIn(key=key)},
        op_tags=None if blocking else {PRIORITY_TAG: LAST},
    )
    def judge(
        context: dg.AssetCheckExecutionContext, stack: Stack, frames: DayFrames
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.Output[None]]:
        days = context.op_execution_context.partition_keys
        live = run_time(context.run, context.instance).is_live(days)
        single = len(frames.windows) == 1
        shown_max = stack.open.settings.quality.failing_rows_shown_max
        for window, frame in frames:
            judged = Judged(frame, window, stack.open, live)
            for check in checks:
                found = check.find(judged)
                passed, sentence, metadata = result_of(found, frame.height, window.day, shown_max)
                answer = dg.AssetCheckResult(
                    passed=passed or check.informative,
                    asset_key=key,
                    check_name=check.name,
                    severity=severity_of(found),
                    description=sentence,
                    metadata=metadata,  # type: ignore[arg-type]  # only kinds that Dagster knows are put in
                )
                yield answer if single else evaluation_of(context, answer, window.day, blocking=blocking)
        if not single:
            # One evaluation a day: a result would stand for the whole range and leave the days' own rows planned.
            for spec in specs.values():
                yield dg.Output(None, output_name=spec.get_python_identifier())

    return judge


@dg.asset_check(
    asset=RECOMPUTATION_CHECK.asset_key,
    name=RECOMPUTATION_CHECK.name,
    description="Decisions taken again from the bars as seen and the stored snapshots equal those taken live.",
)
def recomputed_equals_live(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Adds up what target_positions found for the days of its last backfill. It is seen and stops nothing."""
    since = context.instance.fetch_materializations(RECOMPUTATION_CHECK.asset_key, limit=400)
    mine = [record for record in since.records if record.run_id == context.run.run_id]
    totals = dict.fromkeys(("decisions_recomputed", "decisions_equal", "decisions_different"), 0)
    for record in mine:
        event = record.asset_materialization
        for name in totals:
            value = event.metadata.get(name) if event else None
            totals[name] += int(value.value) if value is not None else 0
    different, all_ = totals["decisions_different"], totals["decisions_recomputed"]
    return dg.AssetCheckResult(
        passed=different == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{different} of {all_} recomputed decisions differ from those taken live.",
        metadata={**totals, "days": len(mine)},
    )


REQUIRED: Mapping[str, Sequence[str]] = {
    "raw_bars": ("schema",),
    "bars": ("schema",),
    "quality_scores": ("breadth",),
    "features": ("schema",),
    "regimes": ("schema",),
    "signals": ("schema",),
    "target_positions": ("schema", "targets_within_limits"),
}
"""Checks without which the gate stays closed. Written out, so that a rule that vanishes does not open it."""

RULES_SHOWN = [from_rule(rule) for rule in RULES.values() if rule.name != "schema"]

ALL_CHECKS = [
    *(checks_for(asset, checks) for asset, checks in CHECKS.items()),
    checks_for("raw_bars", RULES_SHOWN, blocking=False),
    recomputed_equals_live,
]
