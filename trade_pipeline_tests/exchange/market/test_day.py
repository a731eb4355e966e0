"""Tickers and paths of many symbols at once equal those that are computed plainly, and what is kept is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trade_pipeline.exchange.market import day as days_module
from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars, joined
from trade_pipeline.exchange.market.candles import CandleView
from trade_pipeline.exchange.market.day import DAY_MINUTES, DaysOfBars, DaysOfCandles
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.noise import Ints, key_of, uniforms
from trade_pipeline.exchange.market.path import Paths, paths, totals
from trade_pipeline.exchange.market.process import SeededMarket
from trade_pipeline.exchange.market.recordings import read_recordings
from trade_pipeline.exchange.market.replay import ReplayMarket
from trade_pipeline_tests.exchange.market import plain_path

ORIGIN = 29_000_000
SYMBOLS = 12


@pytest.fixture(scope="module")
def seeded() -> SeededMarket:
    return SeededMarket(7, ORIGIN, SYMBOLS)


def _same(quick: Paths, plain: Paths) -> bool:
    return all((getattr(quick, column.name) == getattr(plain, column.name)).all() for column in fields(Paths))


def test_noise_and_paths_equal_the_plain_ones_to_the_bit(seeded: SeededMarket) -> None:
    for symbol in seeded.specs:
        key, bars = key_of(7, symbol, "path"), seeded.bars(symbol, ORIGIN, ORIGIN + 2 * DAY_MINUTES)
        assert uniforms(key, bars.minutes, 64).T.tobytes() == plain_path.uniforms(key, bars.minutes, 64).tobytes()
        plain = plain_path.paths(key, bars)
        assert _same(paths(key, bars), plain)
        quote, trades = totals(key, bars)
        assert (quote == (plain.volumes * plain.prices).sum(axis=1)).all()
        assert (trades == plain.trades.sum(axis=1)).all()


def test_paths_of_several_symbols_at_once_are_those_of_each(seeded: SeededMarket) -> None:
    names, keys = list(seeded.specs)[:3], [key_of(7, symbol, "path") for symbol in list(seeded.specs)[:3]]
    parts = [seeded.bars(symbol, ORIGIN + 10, ORIGIN + 12 + number) for number, symbol in enumerate(names)]
    together = paths(np.repeat(np.array(keys, dtype=np.uint64), [len(part) for part in parts]), joined(parts))
    at = 0
    for key, part in zip(keys, parts, strict=True):
        cut = Paths(*(getattr(together, column.name)[at : at + len(part)] for column in fields(Paths)))
        assert _same(cut, paths(key, part))
        at += len(part)


@pytest.mark.parametrize("late_ms", [0, 900, 70_000])
def test_days_are_those_of_the_candles_whenever_they_are_asked_for(seeded: SeededMarket, late_ms: int) -> None:
    market = Market(seeded, 7)
    view = CandleView(market, late_ms)
    quick, plain = DaysOfBars(market, view), DaysOfCandles(view)
    symbols = list(seeded.specs)
    start_ms = (ORIGIN + 700) * MINUTE_MS
    # Within a minute, over its end, over a day, long after, and back again; with a symbol more or less.
    for after_ms in (5, 400, 30_000, 59_999, 60_000, 60_700, 3_600_000, 90_000_000, 400_000_000, 90_000_000, 12_345):
        asked = symbols[: 3 + after_ms % 7]
        assert quick.of(asked, start_ms + after_ms) == plain.of(asked, start_ms + after_ms)
    assert quick.of([], start_ms) == []


def test_a_recording_with_minutes_without_trades_and_its_end_have_the_same_days(tmp_path: Path) -> None:
    for name, rows in (("AAA", [*range(30), *range(60, 90), 200]), ("BBB", list(range(45, 400)))):
        _record(tmp_path / f"{name}_USDT-1m.feather", rows)
    source = ReplayMarket(read_recordings(tmp_path), ORIGIN)
    market = Market(source, 1)
    view = CandleView(market, 500)
    quick, plain = DaysOfBars(market, view), DaysOfCandles(view)
    for minute in (0, 1, 29, 31, 44, 45, 61, 150, 201, 399, 420, 1500, 1700, 3000):
        now_ms = (ORIGIN + minute) * MINUTE_MS + 200
        assert quick.of(list(source.specs), now_ms) == plain.of(list(source.specs), now_ms)
    assert quick.of(["AAA/USDT"], (ORIGIN + 3000) * MINUTE_MS) == [None]


def _record(path: Path, rows: list[int]) -> None:
    opened = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=row) for row in rows]
    price = [100.0 + row / 10 for row in rows]
    pl.DataFrame(
        {
            "date": opened, "open": price, "high": [value + 1.5 for value in price],
            "low": [value - 1 for value in price], "close": [value + 0.5 for value in price],
            "volume": [3.125] * len(rows),
        }
    ).write_ipc(path)  # fmt: skip


def test_a_closed_minutes_path_is_computed_once(seeded: SeededMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    monkeypatch.setattr(days_module, "totals", _counted(totals, computed))
    market = Market(seeded, 7)
    days, now_ms = DaysOfBars(market, CandleView(market, 0)), (ORIGIN + 2000) * MINUTE_MS
    days.of(list(seeded.specs), now_ms)
    assert sum(computed) == SYMBOLS * DAY_MINUTES
    del computed[:]
    days.of(list(seeded.specs), now_ms + 30_000)
    assert computed == []
    days.of(list(seeded.specs), now_ms + 2 * MINUTE_MS)
    assert sum(computed) == SYMBOLS * 2


def _counted(whole: Callable[..., tuple[Ints, Ints]], counts: list[int]) -> Callable[..., tuple[Ints, Ints]]:
    def totals_of(key: np.uint64, bars: Bars) -> tuple[Ints, Ints]:
        counts.append(len(bars))
        return whole(key, bars)

    return totals_of


def test_steps_that_were_prepared_are_those_that_are_made_one_by_one(seeded: SeededMarket) -> None:
    prepared, alone = Market(seeded, 7), Market(seeded, 7)
    now_ms = (ORIGIN + 500) * MINUTE_MS + 31_000
    prepared.prepare(list(seeded.specs), now_ms)
    for symbol in seeded.specs:
        assert prepared.minute_steps(symbol, ORIGIN + 500) == alone.minute_steps(symbol, ORIGIN + 500)
        assert prepared.last_step(symbol, now_ms) == alone.last_step(symbol, now_ms)


def test_a_symbol_is_listed_from_its_first_step_on(seeded: SeededMarket) -> None:
    market = Market(seeded, 7)
    first = market.minute_steps("BTC/USDT", ORIGIN)[0]
    assert not market.is_listed("BTC/USDT", first.at_ms - 1)
    assert market.is_listed("BTC/USDT", first.at_ms)
    assert market.is_listed("BTC/USDT", (ORIGIN + 1) * MINUTE_MS)
