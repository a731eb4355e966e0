"""Bars of a window before the judge of `quality`: the one place that says what they are held against."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from trade_pipeline.defs.partitions import Window
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.quality.clean import closed_bars
from trade_pipeline.quality.frame_rules import cross_source_disagreement
from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas import frames


def scope_of(raw: pl.DataFrame, window: Window, stack: OpenStack, *, live: bool) -> Scope:
    """Live, the whole window has to be there. In history it begins where the exchange's own history does."""
    first = raw.get_column("open_time").min() if "open_time" in raw.columns else None
    start = window.start
    if not live and isinstance(first, datetime):
        start = max(start, first)
    settings = stack.settings
    return Scope(
        window.as_of,
        start,
        stack.universe(window.as_of),
        settings.quality_in_force,
        settings.market.bar_length_s,
        reference=reference_of(window, stack),
        # Bars that were changed since this bar's close: the decisions before this one stood on other values.
        earlier=stack.lake.before_revision("raw_bars", window.dates, window.as_of) if live else None,
        doubled=doubled_of(window, stack, live=live),
    )


def doubled_of(window: Window, stack: OpenStack, *, live: bool) -> pl.DataFrame:
    """Times that the source gave more than once: live in the read for this bar, so that they are forgotten with the
    first one that is without them; in history all of the window's."""
    rows = stack.lake.read("doubled_bars", window.dates)
    return rows.filter(pl.col("as_of") == window.as_of) if live else rows


def reference_of(window: Window, stack: OpenStack) -> pl.DataFrame | None:
    """What the second source said of the window's bars when they were decided on; None where none is compared."""
    sources = stack.settings.sources
    if not (sources.secondary and sources.cross_checked):
        return None
    return stack.lake.read("reference_bars", window.dates)


def doubted(stored: pl.DataFrame, window: Window, stack: OpenStack) -> pl.DataFrame:
    """Keys of stored bars that the second source contradicts: both are asked for them again, as for holes."""
    reference = reference_of(window, stack)
    if reference is None:
        return frames.empty({name: frames.BARS[name] for name in frames.BAR_KEY})
    scope = Scope(window.as_of, window.start, (), stack.settings.quality_in_force, reference=reference)
    return cross_source_disagreement(stored, scope).select(frames.BAR_KEY)


def judged(raw: pl.DataFrame, window: Window, stack: OpenStack, *, live: bool) -> Judgement:
    """The verdict on a window's raw bars, as they are known now."""
    bars = closed_bars(raw, window.as_of)
    return judge(bars, scope_of(bars, window, stack, live=live))
