"""The verdict: every row in one heap, and who is held by what."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trade_pipeline.quality.judge import judge
from trade_pipeline.schemas.frames import DOUBLED_BARS, UTC_MS
from trade_pipeline_tests.made_bars import MINUTE, START
from trade_pipeline_tests.quality.judged import AS_OF, BAD, CLEAN, COUNT, SCOPE, at, changed, verdict


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


@pytest.mark.parametrize("symbol", [None, "???"])
@pytest.mark.parametrize("volume", [1.0, float("nan"), None])
def test_a_row_of_no_symbol_is_quarantined_whatever_else_it_says_and_scores_nobody(
    symbol: str | None, volume: float | None
) -> None:
    judged = verdict(changed(200, symbol=pl.lit(symbol, pl.String), volume=volume))
    assert judged.quarantined.get_column("rules").to_list() == ["schema"]
    assert judged.count_by_rule() == {"schema": 1, "gap": 1}
    scored = judged.scores.filter(pl.col("expected") > 0).get_column("symbol").unique().sort().to_list()
    assert scored == list(SCOPE.symbols)
    (row,) = judged.scores.filter((pl.col("symbol") == BAD) & (pl.col("open_time") == START)).rows(named=True)
    assert (row["accepted"], row["missing"], row["score"]) == (COUNT - 1, 0, (COUNT - 0.5) / COUNT)


def test_an_expected_symbol_without_a_bar_has_a_score_of_nothing() -> None:
    judged = verdict(CLEAN, replace(SCOPE, symbols=(*SCOPE.symbols, "NEW/USDT")))
    assert list(judged.held) == ["NEW/USDT"]
    assert judged.scores.filter(pl.col("symbol") == "NEW/USDT").get_column("score").to_list() == [0.0]


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
