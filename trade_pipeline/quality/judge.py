"""The verdict on a frame of bars: which are accepted, repaired or quarantined, and which symbols must stand still.

Pure: bars and scope in, frames out. Every row that came in is in exactly one of three heaps; beside them stand the
flagged bars that keep the places of what was missing or rejected (see `fill`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from trade_pipeline.quality.failures import no_failures
from trade_pipeline.quality.fill import kept_bars, with_fillers
from trade_pipeline.quality.frame_rules import columns, nameless, schema
from trade_pipeline.quality.hold import held_symbols, with_held
from trade_pipeline.quality.prepare import prepare, prepare_series
from trade_pipeline.quality.registry import DROPPING, FRAME_RULES, ROW_RULES, SERIES_RULES, flags_of, sound_rows
from trade_pipeline.quality.rules import Rule, Scope
from trade_pipeline.quality.score import scores_by_day
from trade_pipeline.schemas.frames import BARS, JUDGED_BARS, QUALITY_SCORES, QUARANTINED_BARS, empty, moment


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of `rows` bars; `accepted`, `repaired` and the height of `quarantined` add up to it.

    `bars` is a JUDGED_BARS frame sorted by key: accepted and repaired bars, and `filled` flagged ones in places that
    were empty. `failures` holds every broken rule, `recent` those of the newest bars, which hold a
    symbol; `scores` is a QUALITY_SCORES frame; `held` the symbols that may not be traded now, with the reason.
    """

    rows: int
    accepted: int
    repaired: int
    filled: int
    missing: int
    bars: pl.DataFrame
    quarantined: pl.DataFrame
    failures: pl.DataFrame
    recent: pl.DataFrame
    scores: pl.DataFrame
    held: Mapping[str, str]

    def count_by_rule(self) -> dict[str, int]:
        """Failing rows by rule: of `gap` holes, of `duplicate` the copies too many."""
        counts = self.failures.group_by("rule").len().sort("rule")
        return {str(name): int(count) for name, count in counts.iter_rows()}


def judge(raw: pl.DataFrame, scope: Scope) -> Judgement:
    """Hold `raw`, a BARS frame in any order, against every rule.

    Where columns or types are wrong nothing can be read: no bar is accepted and every symbol is held.
    """
    wrong = columns(raw)
    if not wrong.is_empty():
        return _unreadable(raw, wrong, scope)
    unnamed = nameless(raw)
    lost, named = (raw.filter(unnamed), raw.filter(~unnamed)) if unnamed.any() else (raw.clear(), raw)
    rows = prepare(named, scope)
    row_flags = flags_of(rows, ROW_RULES, scope)
    sound = prepare_series(sound_rows(rows, row_flags), scope)
    series_flags = flags_of(sound, SERIES_RULES, scope)
    parts = ((rows, row_flags, ROW_RULES), (sound, series_flags, SERIES_RULES))
    dropped = [taken for part in parts for taken in _dropped(*part, scope)]
    rejected = pl.concat(dropped) if dropped else None
    kept = kept_bars(sound, rejected)
    bars = with_fillers(kept, rejected, scope)
    others = [rule.find for rule in FRAME_RULES if rule.find is not None and rule.find is not schema]
    of_frame = [schema(lost), *(find(named, scope) for find in others)]
    of_rows = [found for part in parts for found in _told(*part, scope)]
    recent = pl.concat([no_failures(), *of_frame, *(newest for _, newest in of_rows)])
    scores = scores_by_day(bars, rejected, scope)
    held = held_symbols(bars, recent, scores, scope)
    repaired = int(kept.get_column("repair").is_not_null().sum())
    return Judgement(
        rows=raw.height,
        accepted=kept.height - repaired,
        repaired=repaired,
        filled=bars.height - kept.height,
        missing=int(rows.get_column("_missing").sum()),
        bars=bars.select(list(JUDGED_BARS)),
        quarantined=_quarantined([*_nameless(lost, rows.height), *dropped]),
        failures=pl.concat([no_failures(), *of_frame, *(every for every, _ in of_rows)]),
        recent=recent,
        scores=with_held(scores, held, scope),
        held=held,
    )


def _told(
    rows: pl.DataFrame, flags: pl.DataFrame, rules: Sequence[Rule], scope: Scope
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """FAILURES of each rule that some row breaks: all, and those of the bars whose defects hold their symbol now."""
    is_recent = pl.col("close_time") > moment(scope.recent_from)
    for rule in rules:
        flag = flags.get_column(rule.name)
        if flag.any():
            failing = rows.filter(flag)
            yield rule.tell(failing, scope), rule.tell(failing.filter(is_recent), scope)


def _dropped(rows: pl.DataFrame, flags: pl.DataFrame, rules: Sequence[Rule], scope: Scope) -> Iterator[pl.DataFrame]:
    """Rows that a rule takes out, with _rules and _reason."""
    taking = [rule for rule in rules if rule.repair in DROPPING and flags.get_column(rule.name).any()]
    if not taking:
        return
    severe = [
        flags.get_column(rule.name) & ~rows.select(rule.mild(scope)).to_series() if rule.mild else flags[rule.name]
        for rule in taking
    ]
    broken = pl.DataFrame(severe)
    out = broken.select(pl.any_horizontal(pl.all())).to_series()
    if not out.any():
        return
    failing = rows.filter(out).hstack(broken.filter(out).select(pl.all().name.prefix("_is_"))).rechunk()
    names = [pl.when(f"_is_{rule.name}").then(pl.lit(rule.name)) for rule in taking]
    reasons = [pl.when(f"_is_{rule.name}").then(rule.words(scope).message) for rule in taking if rule.words is not None]
    yield failing.select(
        "_row",
        *BARS,
        pl.concat_str(names, separator=",", ignore_nulls=True).alias("_rules"),
        pl.coalesce(reasons).alias("_reason"),
    )


def _nameless(rows: pl.DataFrame, offset: int) -> Iterator[pl.DataFrame]:
    """Rows without a key, as `_dropped` gives them; their _row is counted on from `offset`."""
    if not rows.is_empty():
        yield rows.with_row_index("_row", offset).with_columns(
            pl.lit("schema").alias("_rules"), pl.lit("a row without a time, or of no symbol").alias("_reason")
        )


def _quarantined(rejected: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The QUARANTINED_BARS frame, sorted by key."""
    if not rejected:
        return empty(QUARANTINED_BARS)
    ordered = pl.concat(rejected).sort("symbol", "open_time", "_row")
    copy = pl.int_range(pl.len(), dtype=pl.Int32).over("symbol", "open_time")
    named = ordered.with_columns(copy.alias("copy"), pl.col("_rules").alias("rules"), pl.col("_reason").alias("reason"))
    return named.select(list(QUARANTINED_BARS))


def _unreadable(raw: pl.DataFrame, wrong: pl.DataFrame, scope: Scope) -> Judgement:
    held = dict.fromkeys(scope.symbols, str(wrong.item(0, "message")))
    scores = with_held(empty(QUALITY_SCORES), held, scope)
    nothing = empty(JUDGED_BARS), empty(QUARANTINED_BARS)
    return Judgement(raw.height, 0, 0, 0, 0, *nothing, wrong, wrong, scores, held)
