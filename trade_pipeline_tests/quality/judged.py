"""Three symbols of clean bars, one of which is spoilt, and a verdict whose sums and types are held."""

from __future__ import annotations

import polars as pl

from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.bars import JudgedBars
from trade_pipeline.schemas.frames import JUDGED_BARS, QUALITY_SCORES, QUARANTINED_BARS
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import MINUTE, START, random_bars, symbols

COUNT = 600
AS_OF = START + MINUTE * COUNT
SCOPE = Scope(AS_OF, START, tuple(symbols(3)), QualitySettings())
CLEAN = random_bars(symbol_count=3, bar_count=COUNT)
BAD = "S01/USDT"


def at(minute: int) -> pl.Expr:
    return (pl.col("symbol") == BAD) & (pl.col("open_time") == START + MINUTE * minute)


def changed(minute: int, **columns: object) -> pl.DataFrame:
    return CLEAN.with_columns(
        pl.when(at(minute))
        .then(value if isinstance(value, pl.Expr) else pl.lit(value))
        .otherwise(pl.col(name))
        .alias(name)
        for name, value in columns.items()
    )


def verdict(bars: pl.DataFrame, scope: Scope = SCOPE) -> Judgement:
    judged = judge(bars, scope)
    assert judged.rows == bars.height == judged.accepted + judged.repaired + judged.quarantined.height
    assert dict(judged.bars.schema) == JUDGED_BARS
    assert dict(judged.quarantined.schema) == QUARANTINED_BARS
    assert dict(judged.scores.schema) == QUALITY_SCORES
    assert not validate(JudgedBars, judged.bars)
    assert judged.scores.get_column("score").is_between(0, 1).all()
    return judged
