"""Falls that are real, and some that are not."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from trade_pipeline.quality.judge import Judgement
from trade_pipeline_tests.made_bars import MINUTE, START, bars_of, random_closes
from trade_pipeline_tests.quality.judged import BAD, CLEAN, COUNT, SCOPE, changed, verdict


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


@pytest.mark.parametrize("count", [2001, 2005, 2019, 4003])
def test_a_false_price_among_the_newest_bars_is_found_however_many_stand_before_it(count: int) -> None:
    closes = random_closes(count, 9, volatility=4e-4)
    closes[-1] /= 2
    judged = verdict(bars_of(BAD, closes.tolist()), replace(SCOPE, as_of=START + MINUTE * count, symbols=(BAD,)))
    assert judged.count_by_rule() == {"outlier": 1} and list(judged.held) == [BAD]


def test_what_a_symbol_is_held_against_does_not_depend_on_the_others() -> None:
    def outliers(before: int) -> pl.DataFrame:
        closes = random_closes(1500, 9, volatility=4e-4)
        closes[1495] /= 2
        other = bars_of("A/USDT", random_closes(before, 3).tolist())
        scope = replace(SCOPE, as_of=START + MINUTE * 1500, symbols=("A/USDT", BAD))
        return verdict(pl.concat([other, bars_of(BAD, closes.tolist())]), scope).quarantined.drop("copy")

    assert outliers(1500).height == 1
    assert outliers(1500).equals(outliers(505)), "a block of numbers of all symbols would end between the two"


def test_false_prices_that_come_every_other_bar_are_no_level_for_each_other() -> None:
    _, outliers = told(path((550, 0.5), (551, 1.0), (552, 0.5), (553, 1.0), (554, 0.5), (555, 1.0)))
    assert outliers == [("550", "ERROR"), ("552", "ERROR"), ("554", "ERROR")]


@pytest.mark.parametrize("factor", [0.5, 2.0])
@pytest.mark.parametrize("minute", [550, COUNT - 1])
def test_a_false_open_is_found_though_high_and_low_enclose_it(minute: int, factor: float) -> None:
    opened = pl.col("open") * factor
    judged = verdict(
        changed(minute, open=opened, low=pl.min_horizontal("low", opened), high=pl.max_horizontal("high", opened))
    )
    assert judged.quarantined.get_column("rules").to_list() == ["outlier"] and list(judged.held) == [BAD]
