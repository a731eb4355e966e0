"""The verdict: every row in one heap, repairs that say so, no price made up, and who is held by what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.rules import Scope
from trade_pipeline.schemas.bars import JudgedBars
from trade_pipeline.schemas.frames import DOUBLED_BARS, JUDGED_BARS, QUALITY_SCORES, QUARANTINED_BARS, UTC_MS
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.made_bars import MINUTE, START, bars_of, random_bars, random_closes, symbols

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


def test_clean_bars_are_accepted_as_they_are() -> None:
    judged = verdict(CLEAN)
    assert judged.accepted == CLEAN.height
    assert_frame_equal(judged.bars.select(CLEAN.columns), CLEAN)
    assert not judged.bars.get_column("synthetic").any()
    assert judged.failures.is_empty() and not judged.held


def test_the_order_of_rows_changes_nothing_but_is_told() -> None:
    shuffled = CLEAN.sample(fraction=1.0, shuffle=True, seed=3)
    judged = verdict(shuffled)
    assert_frame_equal(judged.bars.select(CLEAN.columns), CLEAN)
    assert judged.repaired == judged.count_by_rule()["out_of_order"] > 0
    assert not judged.held


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"low": -1.0}, "non_positive_price"),
        ({"close": float("nan")}, "non_positive_price"),
        ({"high": 1.0}, "high_low_enclose"),
        ({"volume": -3.0}, "bad_volume"),
        ({"open_time": START + MINUTE * 590 + timedelta(seconds=7)}, "misaligned"),
    ],
)
def test_a_bar_that_cannot_be_is_quarantined_and_its_symbol_held_alone(columns: dict[str, object], rule: str) -> None:
    judged = verdict(changed(590, **columns))
    (row,) = judged.quarantined.rows(named=True)
    assert (row["symbol"], row["rules"]) == (BAD, rule)
    assert BAD in row["reason"]
    assert list(judged.held) == [BAD]
    assert judged.scores.filter(pl.col("held").is_not_null()).get_column("symbol").to_list() == [BAD]


def test_the_place_of_a_quarantined_bar_carries_the_last_close_and_is_flagged() -> None:
    judged = verdict(changed(590, low=-1.0))
    (filler,) = judged.bars.filter(pl.col("synthetic")).rows(named=True)
    before = CLEAN.filter(at(589)).item(0, "close")
    assert [filler[name] for name in ("open", "high", "low", "close", "volume")] == [before] * 4 + [0.0]
    assert filler["repair"] == "in place of a quarantined bar (non_positive_price)"
    assert judged.bars.height == CLEAN.height


def test_nothing_is_made_up_at_the_end_where_decisions_are_taken() -> None:
    judged = verdict(changed(COUNT - 1, close=-1.0, low=-1.0))
    assert judged.bars.filter(pl.col("symbol") == BAD).get_column("open_time").max() == AS_OF - 2 * MINUTE
    assert BAD in judged.held


def test_an_old_defect_holds_nobody_and_a_recent_one_does() -> None:
    assert not verdict(changed(COUNT - 300, low=-1.0)).held
    assert verdict(changed(COUNT - 150, low=-1.0)).held


def test_a_symbol_is_free_again_once_the_feed_gives_the_bar_as_it_was() -> None:
    assert verdict(changed(590, low=-1.0)).held
    assert not verdict(CLEAN).held


def test_a_low_score_holds_though_the_newest_bars_are_clean() -> None:
    rows = CLEAN.with_columns(
        low=pl.when((pl.col("symbol") == BAD) & (pl.int_range(pl.len()).over("symbol") < 300))
        .then(-1.0)
        .otherwise("low")
    )
    held = verdict(rows).held
    assert list(held) == [BAD]
    assert "quality" in held[BAD]


def test_wrong_columns_hold_everybody() -> None:
    judged = judge(CLEAN.drop("volume"), SCOPE)
    assert list(judged.held) == list(SCOPE.symbols)
    assert judged.bars.is_empty()


def test_a_row_without_a_time_or_of_no_symbol_is_quarantined_and_the_others_are_judged() -> None:
    rows = CLEAN.with_columns(
        open_time=pl.when(at(100)).then(None).otherwise("open_time"),
        symbol=pl.when(at(200)).then(pl.lit("???")).otherwise("symbol"),
    )
    judged = verdict(rows)
    assert judged.quarantined.get_column("rules").to_list() == ["schema", "schema"]
    assert judged.accepted == CLEAN.height - 2
    assert judged.count_by_rule() == {"schema": 2, "gap": 2}
    assert set(judged.held) == {BAD, "???"}


def test_an_expected_symbol_without_a_bar_has_a_score_of_nothing() -> None:
    judged = verdict(CLEAN, replace(SCOPE, symbols=(*SCOPE.symbols, "NEW/USDT")))
    assert list(judged.held) == ["NEW/USDT"]
    assert judged.scores.filter(pl.col("symbol") == "NEW/USDT").get_column("score").to_list() == [0.0]


# Copies.


def test_of_copies_the_fullest_that_can_be_true_stays() -> None:
    fuller = CLEAN.filter(at(300)).with_columns(volume=pl.lit(1e6))
    impossible = fuller.with_columns(volume=pl.lit(1e9), high=pl.lit(0.5))
    judged = verdict(pl.concat([CLEAN, fuller, impossible]).sort("symbol", "open_time", maintain_order=True))
    kept = judged.bars.filter(at(300))
    assert kept.get_column("volume").to_list() == [1e6]
    assert kept.item(0, "repair") == "fullest of 3 copies, volume 1000000.0"
    assert judged.count_by_rule()["duplicate"] == 2
    assert judged.quarantined.get_column("copy").to_list() == [0, 1]


def test_equal_copies_count_once_and_are_no_repair() -> None:
    judged = verdict(pl.concat([CLEAN, CLEAN.filter(at(300))]).sort("symbol", "open_time"))
    assert (judged.accepted, judged.repaired, judged.quarantined.height) == (CLEAN.height, 0, 1)
    assert judged.count_by_rule() == {"duplicate": 1}


def test_what_a_fetch_merged_changes_no_bar_and_what_it_refused_holds_its_symbol_alone() -> None:
    here = CLEAN.filter(at(599))
    marks = [pl.int_range(pl.len(), dtype=pl.Int32).alias("copy"), pl.lit(AS_OF).cast(UTC_MS).alias("as_of")]
    equal = replace(SCOPE, doubled=pl.concat([here, here]).with_columns(marks).select(list(DOUBLED_BARS)))
    merged = verdict(CLEAN, equal)
    assert_frame_equal(merged.bars, verdict(CLEAN).bars)
    assert merged.count_by_rule() == {"duplicate": 1} and not merged.held
    other = here.with_columns(pl.col("volume") + 1)
    refusing = replace(SCOPE, doubled=pl.concat([here, other]).with_columns(marks).select(list(DOUBLED_BARS)))
    refused = verdict(CLEAN.filter(~at(599)), refusing)
    assert list(refused.held) == [BAD] and "2 different rows" in refused.held[BAD]
    assert refused.recent.filter(pl.col("rule") == "duplicate").height == 2


# Minutes without trades.


def test_a_missing_minute_is_an_error_where_the_source_fills_them_and_none_where_it_does_not() -> None:
    hole = CLEAN.filter(~at(590))
    assert list(verdict(hole).held) == [BAD]
    quiet = verdict(hole.with_columns(source=pl.lit("kraken")))
    assert not quiet.held
    assert quiet.failures.get_column("severity").to_list() == ["WARN"]
    assert quiet.bars.filter(at(590)).get_column("synthetic").to_list() == [True]
    assert quiet.scores.get_column("score").min() == 1.0


def test_a_long_hole_is_an_outage_for_every_source_and_is_not_filled() -> None:
    hole = CLEAN.filter(
        (pl.col("symbol") != BAD) | ~pl.col("open_time").is_between(AS_OF - 100 * MINUTE, AS_OF - 60 * MINUTE)
    )
    judged = verdict(hole.with_columns(source=pl.lit("kraken")))
    assert (judged.filled, judged.missing) == (0, 41)
    assert list(judged.held) == [BAD]


def test_a_minute_that_the_source_filled_is_accepted_and_flagged_and_may_be_refused() -> None:
    still = pl.col("open")
    last = changed(COUNT - 1, high=still, low=still, close=still, volume=0.0, trades=0)
    judged = verdict(last)
    assert judged.accepted == CLEAN.height and not judged.held
    assert judged.bars.filter(at(COUNT - 1)).get_column("synthetic").to_list() == [True]
    strict = replace(SCOPE, settings=QualitySettings(synthetic_bars_refused=True))
    assert list(verdict(last, strict).held) == [BAD]


# Falls that are real, and some that are not.


def path(*levels: tuple[int, float]) -> list[float]:
    """Closes around 100: a quiet market at `level` from each of the given minutes on."""
    closes = random_closes(COUNT, 9, volatility=4e-4)
    scale = [1.0] * COUNT
    for minute, level in levels:
        scale[minute:] = [level] * (COUNT - minute)
    return [float(close * factor) for close, factor in zip(closes, scale, strict=True)]


def told(closes: list[float], **busy: float) -> tuple[Judgement, list[tuple[str, str]]]:
    """Judged, and the outliers: minute and severity."""
    bars = bars_of(BAD, closes)
    for name, volume in busy.items():
        minute = int(name.removeprefix("at_"))
        bars = bars.with_columns(volume=pl.when(pl.int_range(pl.len()) == minute).then(volume).otherwise("volume"))
    judged = verdict(bars, replace(SCOPE, symbols=(BAD,)))
    outliers = judged.failures.filter(pl.col("rule") == "outlier")
    minutes = ((outliers.get_column("open_time") - START).dt.total_minutes()).cast(pl.String)
    return judged, list(zip(minutes, outliers.get_column("severity"), strict=True))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_move_that_stays_is_the_markets_whichever_way_it_goes(factor: float) -> None:
    judged, outliers = told(path((400, factor)))
    assert not outliers and not judged.held
    assert judged.accepted == COUNT


@pytest.mark.parametrize("factor", [0.5, 2.0, 1.05])
@pytest.mark.parametrize("bars", [1, 2, 3])
def test_a_move_that_comes_back_without_volume_is_a_false_price(factor: float, bars: int) -> None:
    judged, outliers = told(path((550, factor), (550 + bars, 1.0)))
    assert outliers == [(str(550 + n), "ERROR") for n in range(bars)]
    assert judged.quarantined.height == bars
    assert list(judged.held) == [BAD]
    flagged = judged.bars.filter(pl.col("synthetic"))
    assert flagged.height == bars and (flagged.get_column("close") < 105).all() and (flagged["close"] > 95).all()


def test_a_flash_crash_with_the_volume_for_it_is_told_and_believed() -> None:
    judged, outliers = told(path((550, 0.7), (551, 1.0)), at_550=5000.0)
    assert outliers == [("550", "WARN")]
    assert judged.accepted == COUNT and not judged.held


def test_a_move_in_the_newest_bar_waits_for_confirmation_unless_volume_gives_it() -> None:
    judged, outliers = told(path((COUNT - 1, 0.5)))
    assert outliers == [(str(COUNT - 1), "ERROR")] and list(judged.held) == [BAD]
    judged, outliers = told(path((COUNT - 1, 0.5)), **{f"at_{COUNT - 1}": 5000.0})
    assert outliers == [(str(COUNT - 1), "WARN")] and not judged.held
    judged, outliers = told(path((COUNT - 2, 0.5)))
    assert not outliers and not judged.held, "the next bar confirms it"


def test_a_wick_without_volume_is_told() -> None:
    judged = verdict(changed(550, low=pl.min_horizontal("open", "close") * 0.7))
    assert judged.count_by_rule() == {"outlier": 1}
    assert not judged.held, "no decision is taken at its price"


def test_a_wick_as_far_as_no_market_goes_without_volume_is_false() -> None:
    """Ranges, and with them the stops of later bars, would be measured against it."""
    judged = verdict(changed(550, high=pl.max_horizontal("open", "close") * 10))
    assert judged.quarantined.get_column("rules").to_list() == ["outlier"]
    assert list(judged.held) == [BAD]
    busy = verdict(changed(550, high=pl.max_horizontal("open", "close") * 10, volume=5000.0))
    assert busy.accepted == CLEAN.height


def test_among_a_few_bars_nothing_is_called_an_outlier() -> None:
    few = CLEAN.filter(pl.col("open_time") >= START + MINUTE * 590)
    assert "outlier" not in verdict(few.with_columns(high=pl.col("high") * 9)).count_by_rule()


# Feeds that stand still, volumes, sources, revisions.


def test_equal_bars_in_a_row_are_a_frozen_feed() -> None:
    frozen = CLEAN.filter(pl.col("symbol") == BAD)
    last = frozen.row(COUNT - 6, named=True)
    facts = ("open", "high", "low", "close", "volume")
    for name in facts:
        frozen = frozen.with_columns(
            pl.when(pl.int_range(pl.len()) > COUNT - 6).then(last[name]).otherwise(name).alias(name)
        )
    judged = verdict(frozen, replace(SCOPE, symbols=(BAD,)))
    assert judged.count_by_rule() == {"frozen_feed": 3}
    assert "frozen" in judged.held[BAD]


def test_a_volume_far_above_the_usual_is_told() -> None:
    judged = verdict(changed(550, volume=1e7))
    assert judged.count_by_rule() == {"volume_anomaly": 1}
    assert not judged.held


def test_sources_that_disagree_hold_the_symbol() -> None:
    other = CLEAN.with_columns(
        source=pl.lit("other"), close=pl.when(at(590)).then(pl.col("close") * 1.02).otherwise("close")
    )
    judged = verdict(CLEAN, replace(SCOPE, reference=other))
    assert judged.count_by_rule() == {"cross_source_disagreement": 1}
    assert list(judged.held) == [BAD]
    near = other.with_columns(close=CLEAN["close"] * 1.005)
    assert verdict(CLEAN, replace(SCOPE, reference=near)).failures.is_empty()


def test_a_bar_that_was_changed_after_it_was_known_is_told_with_both_values() -> None:
    judged = verdict(CLEAN, replace(SCOPE, earlier=changed(590, close=77.0, low=77.0)))
    (row,) = judged.failures.rows(named=True)
    assert (row["rule"], row["severity"], row["column"], row["limit"]) == ("revised_candle", "WARN", "low", "77.0")
