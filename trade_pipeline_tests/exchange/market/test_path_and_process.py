"""The path within a bar, the seeded market, and what may be seen of them when."""

from __future__ import annotations

import numpy as np
import pytest

from trade_pipeline.exchange.market.bars import MINUTE_MS, Bars
from trade_pipeline.exchange.market.candles import CLOSE, HIGH, LOW, OPEN, QUOTE, TRADES, VOLUME, CandleView
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.noise import key_of
from trade_pipeline.exchange.market.path import STEPS, Paths, paths, trade_totals
from trade_pipeline.exchange.market.process import SeededMarket

ORIGIN = 29_000_000
DAYS = 3
LAST = ORIGIN + DAYS * 1440 - 1
NOW_MS = (LAST - 100) * MINUTE_MS + 30_000


@pytest.fixture(scope="module")
def seeded() -> SeededMarket:
    return SeededMarket(7, ORIGIN, 20)


@pytest.fixture(scope="module")
def bars(seeded: SeededMarket) -> Bars:
    return seeded.bars("SOL/USDT", ORIGIN, LAST)


@pytest.fixture(scope="module")
def played(bars: Bars) -> Paths:
    return paths(key_of(7, "SOL/USDT", "path"), bars)


def test_a_path_begins_at_the_open_ends_at_the_close_and_touches_high_and_low_exactly(
    bars: Bars, played: Paths
) -> None:
    assert (played.prices[:, 0] == bars.open).all()
    assert (played.prices[:, -1] == bars.close).all()
    assert (played.prices.max(axis=1) == bars.high).all()
    assert (played.prices.min(axis=1) == bars.low).all()


def test_a_path_trades_the_bars_volume_exactly_and_every_step_has_some(bars: Bars, played: Paths) -> None:
    assert (played.volumes.sum(axis=1) == bars.volume).all()
    assert (played.volumes > 0).all()
    assert (played.trades >= 1).all()
    assert (played.trades.sum(axis=1) <= trade_totals(bars)).all()


def test_steps_come_in_order_within_their_minute(played: Paths) -> None:
    assert (np.diff(played.offsets_ms, axis=1) > 0).all()
    assert played.offsets_ms.min() > 0
    assert played.offsets_ms.max() < MINUTE_MS


def test_a_path_is_the_same_alone_and_in_a_batch(bars: Bars, played: Paths) -> None:
    minute = int(bars.minutes[777])
    alone = paths(key_of(7, "SOL/USDT", "path"), bars.between(minute, minute))
    assert (alone.prices[0] == played.prices[777]).all()
    assert (alone.volumes[0] == played.volumes[777]).all()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(seeded: SeededMarket) -> None:
    again, other = SeededMarket(7, ORIGIN, 20), SeededMarket(8, ORIGIN, 20)
    # Asked in another order, and in pieces.
    again.bars("BTC/USDT", ORIGIN, ORIGIN + 5)
    for symbol in ("ETH/USDT", "BTC/USDT"):
        one, two = seeded.bars(symbol, ORIGIN, LAST), again.bars(symbol, ORIGIN, LAST)
        assert one.close.tobytes() == two.close.tobytes()
        assert one.volume.tobytes() == two.volume.tobytes()
        assert one.close.tobytes() != other.bars(symbol, ORIGIN, LAST).close.tobytes()


def test_bars_enclose_and_each_opens_where_the_last_closed(seeded: SeededMarket) -> None:
    for symbol in seeded.specs:
        found = seeded.bars(symbol, ORIGIN, LAST)
        assert len(found) == DAYS * 1440
        assert (found.high >= np.maximum(found.open, found.close)).all()
        assert (found.low <= np.minimum(found.open, found.close)).all()
        assert (found.low > 0).all()
        assert (found.open[1:] == found.close[:-1]).all()


def test_symbols_move_together_and_keep_a_plausible_level(seeded: SeededMarket) -> None:
    closes = np.array([np.log(seeded.bars(symbol, ORIGIN, LAST).close) for symbol in seeded.specs])
    correlations = np.corrcoef(np.diff(closes, axis=1))[np.triu_indices(20, 1)]
    assert 0.03 < correlations.mean() < 0.9
    assert np.abs(closes[:, -1] - closes[:, 0]).max() < 0.7


def test_a_trend_follower_is_long_somewhere_at_practically_any_minute(seeded: SeededMarket) -> None:
    """Several of 20 symbols have EMA20 above EMA60 in nearly every minute: the first fill needs no looser strategy."""
    closes = np.array([seeded.bars(symbol, ORIGIN, LAST).close for symbol in seeded.specs], dtype=np.float64)
    leading = (_ema(closes, 20) > _ema(closes, 60))[:, 200:].sum(axis=0)
    assert np.percentile(leading, 1) >= 3


def _ema(values: np.ndarray, bars: int) -> np.ndarray:
    answer = np.empty_like(values)
    answer[:, 0] = values[:, 0]
    for column in range(1, values.shape[1]):
        answer[:, column] = answer[:, column - 1] + (values[:, column] - answer[:, column - 1]) * 2 / (bars + 1)
    return answer


def test_nothing_of_the_future_shows_in_steps_candles_or_average(seeded: SeededMarket) -> None:
    """A market whose bars differ from some minute on looks the same at every moment before it."""

    class Forked(SeededMarket):
        def bars(self, symbol: str, first: int, last: int) -> Bars:
            found = super().bars(symbol, first, last)
            later = found.minutes > NOW_MS // MINUTE_MS
            open_, high, low, close = (
                np.where(later, column * 2, column) for column in (found.open, found.high, found.low, found.close)
            )
            return Bars(found.minutes, open_, high, low, close, found.volume, found.trades, found.present)

    one, two = Market(seeded, 7), Market(Forked(7, ORIGIN, 20), 7)
    for now in range(NOW_MS - 3 * MINUTE_MS, (NOW_MS // MINUTE_MS + 1) * MINUTE_MS, 1700):
        assert one.last_step("BTC/USDT", now) == two.last_step("BTC/USDT", now)
        views = [
            CandleView(market, 60).candles("BTC/USDT", "5m", now, start_ms=None, end_ms=None, limit=10)
            for market in (one, two)
        ]
        assert (views[0] == views[1]).all()


def test_the_running_candle_only_widens_and_its_volume_only_grows(seeded: SeededMarket) -> None:
    view, minute = CandleView(Market(seeded, 7), 0), NOW_MS // MINUTE_MS
    before = None
    for now in [*range(minute * MINUTE_MS, (minute + 1) * MINUTE_MS, 900), (minute + 1) * MINUTE_MS - 1]:
        table = view.minutes("ETH/USDT", minute, minute, now)
        if not len(table):
            assert before is None
            continue
        row = table[0]
        if before is not None:
            assert row[OPEN] == before[OPEN]
            assert row[HIGH] >= before[HIGH]
            assert row[LOW] <= before[LOW]
            assert row[VOLUME] >= before[VOLUME]
        before = row
    whole = seeded.bars("ETH/USDT", minute, minute)
    assert before is not None
    assert (before[HIGH], before[LOW], before[CLOSE]) == (whole.high[0], whole.low[0], whole.close[0])
    assert before[VOLUME] == whole.volume[0]


def test_a_closed_candle_is_provisional_for_a_moment_and_the_next_row_waits_for_a_trade(seeded: SeededMarket) -> None:
    view, minute = CandleView(Market(seeded, 7), 60), NOW_MS // MINUTE_MS
    close_ms = (minute + 1) * MINUTE_MS
    at_close = view.minutes("BTC/USDT", minute, minute + 1, close_ms)
    later = view.minutes("BTC/USDT", minute, minute + 1, close_ms + 60)
    assert len(at_close) == 1
    assert at_close[0, VOLUME] < later[0, VOLUME]
    assert at_close[0, TRADES] < later[0, TRADES]
    final = view.minutes("BTC/USDT", minute, minute + 1, close_ms + 5000)
    assert len(final) == 2
    assert (final[0] == later[0]).all()


def test_coarser_candles_are_the_aggregate_of_the_minutes(seeded: SeededMarket) -> None:
    view = CandleView(Market(seeded, 7), 0)
    coarse = view.candles("BTC/USDT", "15m", NOW_MS, start_ms=None, end_ms=None, limit=8)
    assert len(coarse) == 8
    assert (coarse[:, 0] % 15 == 0).all()
    fine = view.minutes("BTC/USDT", int(coarse[3, 0]), int(coarse[3, 0]) + 14, NOW_MS)
    row = coarse[3]
    assert (row[OPEN], row[CLOSE]) == (fine[0, OPEN], fine[-1, CLOSE])
    assert (row[HIGH], row[LOW]) == (fine[:, HIGH].max(), fine[:, LOW].min())
    assert (row[VOLUME], row[QUOTE], row[TRADES]) == tuple(fine[:, [VOLUME, QUOTE, TRADES]].sum(axis=0))


def test_a_range_of_candles_begins_at_the_start_asked_for_and_is_cut_at_the_limit(seeded: SeededMarket) -> None:
    view, start = CandleView(Market(seeded, 7), 0), (ORIGIN + 60) * MINUTE_MS
    table = view.candles("BTC/USDT", "1m", NOW_MS, start_ms=start, end_ms=None, limit=10)
    assert list(table[:, 0]) == list(range(ORIGIN + 60, ORIGIN + 70))
    table = view.candles("BTC/USDT", "1m", NOW_MS, start_ms=start + 1, end_ms=start + 3 * MINUTE_MS, limit=10)
    assert list(table[:, 0]) == [ORIGIN + 61, ORIGIN + 62, ORIGIN + 63]


def test_steps_between_two_moments_are_each_played_once(seeded: SeededMarket) -> None:
    market = Market(seeded, 7)
    whole = market.steps_between("BTC/USDT", NOW_MS - 300_000, NOW_MS)
    pieces = [
        step
        for start in range(NOW_MS - 300_000, NOW_MS, 7_000)
        for step in market.steps_between("BTC/USDT", start, min(start + 7_000, NOW_MS))
    ]
    assert pieces == whole
    assert len(whole) == 5 * STEPS
