"""Features of made bars: the same start gives the same bytes, nothing looks ahead, nothing is NaN."""

from __future__ import annotations

import polars as pl
import pytest

from trade_pipeline.features.compute import compute_features
from trade_pipeline.market_data.content_hash import content_hash
from trade_pipeline.schemas.features import Features
from trade_pipeline.schemas.frames import BAR_KEY, FEATURES
from trade_pipeline.schemas.validation import validate
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.trading import FeatureSettings
from trade_pipeline.symbol_blocks import ALONE_ROWS
from trade_pipeline_tests.made_bars import MINUTE, START, bars_of, random_bars, until

SETTINGS = FeatureSettings()
NAMES = [name for name, dtype in FEATURES.items() if dtype == pl.Float64() and name != "close"]


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    return random_bars(symbol_count=4, bar_count=400)


def test_features_agree_with_their_model(bars: pl.DataFrame) -> None:
    assert not validate(Features, compute_features(bars, SETTINGS))


@pytest.mark.parametrize("bar_count", [1, 61, 250, 399])
def test_a_shorter_frame_with_the_same_start_gives_bit_identical_rows(bars: pl.DataFrame, bar_count: int) -> None:
    whole = until(compute_features(bars, SETTINGS), bar_count)
    part = compute_features(until(bars, bar_count), SETTINGS)
    assert part.equals(whole, null_equal=True)
    assert content_hash(part, BAR_KEY) == content_hash(whole, BAR_KEY)


def test_other_symbols_in_the_frame_change_no_bit(bars: pl.DataFrame) -> None:
    one = bars.filter(pl.col("symbol") == "S02/USDT")
    among_others = compute_features(bars, SETTINGS).filter(pl.col("symbol") == "S02/USDT")
    assert compute_features(one, SETTINGS).equals(among_others, null_equal=True)


def test_a_symbol_alone_in_its_block_has_the_bits_that_it_has_among_others(bars: pl.DataFrame) -> None:
    """Long symbols are evaluated without grouping, short ones with it."""
    long = random_bars(symbol_count=1, bar_count=ALONE_ROWS)
    short = pl.concat([until(long, 500), bars.filter(pl.col("symbol") != "S00/USDT")])
    alone = until(compute_features(long, SETTINGS), 500)
    assert compute_features(short, SETTINGS).filter(pl.col("symbol") == "S00/USDT").equals(alone, null_equal=True)


def test_an_evaluation_that_starts_at_the_warm_up_equals_one_of_the_whole_history() -> None:
    """Each day's evaluation starts `warmup_bars` before it. What recursions and running sums remember of the time
    before is less than 1e-9 of a value's size; flags and what is null are the same."""
    day, warmup = 1440, MarketSettings().warmup_bars
    history = random_bars(symbol_count=2, bar_count=3 * day)
    whole = compute_features(history, SETTINGS).filter(pl.col("open_time") >= START + MINUTE * 2 * day)
    window = history.filter(pl.col("open_time") >= START + MINUTE * (2 * day - warmup))
    cut = compute_features(window, SETTINGS).filter(pl.col("open_time") >= START + MINUTE * 2 * day)
    assert cut.select("symbol", "open_time", "synthetic").equals(whole.select("symbol", "open_time", "synthetic"))
    for name in NAMES:
        assert cut[name].is_null().equals(whole[name].is_null())
        size = pl.max_horizontal(whole[name].abs(), 1e-3)
        gap = pl.select((cut[name] - whole[name]).abs() / size).to_series().max()
        assert isinstance(gap, float)
        assert gap <= 1e-9, name


def test_the_order_of_the_input_rows_does_not_matter(bars: pl.DataFrame) -> None:
    shuffled = bars.sample(fraction=1.0, shuffle=True, seed=3)
    assert compute_features(shuffled, SETTINGS).equals(compute_features(bars, SETTINGS), null_equal=True)


@pytest.mark.parametrize("name", NAMES)
def test_no_feature_looks_ahead(bars: pl.DataFrame, name: str) -> None:
    """Everything after minute 200 is replaced by another market: rows up to there stay as they are."""
    later = pl.col("open_time") >= START + MINUTE * 200
    other = bars.with_columns(
        pl.when(later).then(pl.col(column) * factor).otherwise(pl.col(column))
        for column, factor in {"high": 3.0, "low": 0.4, "close": 0.4, "volume": 0.0}.items()
    )
    kept = until(compute_features(bars, SETTINGS), 200).get_column(name)
    assert until(compute_features(other, SETTINGS), 200).get_column(name).equals(kept, null_equal=True)
    assert (
        not compute_features(other, SETTINGS)
        .get_column(name)
        .equals(compute_features(bars, SETTINGS).get_column(name), null_equal=True)
    ), "the change after minute 200 has to be visible afterwards, or this test proves nothing"


def test_constant_prices_and_no_volume_give_numbers_and_no_nan() -> None:
    still = bars_of("FLAT/USDT", [5.0] * 200, volume=0.0).with_columns(high=5.0, low=5.0)
    features = compute_features(still, SETTINGS)
    assert not validate(Features, features)
    last = features.row(-1, named=True)
    assert (last["rsi"], last["adx"], last["atr"], last["bollinger_position"]) == (50.0, 0.0, 0.0, 0.5)
    assert (last["volume_zscore"], last["idle_ratio"], last["realised_volatility"]) == (0.0, 1.0, 0.0)


def test_a_price_that_stops_moving_leaves_the_band_without_inside() -> None:
    """Rounding noise of the running sums must not be blown up to a position within the band."""
    closes = [100.0 + (number % 7) * 3.3 for number in range(100)] + [107.77] * 100
    position = compute_features(bars_of("A/USDT", closes), SETTINGS).get_column("bollinger_position")
    assert position.tail(50).to_list() == [0.5] * 50


def test_warm_up_is_null_and_ends_where_the_window_is_full(bars: pl.DataFrame) -> None:
    nulls = compute_features(bars.filter(pl.col("symbol") == "S00/USDT"), SETTINGS).null_count().row(0, named=True)
    expected = {"ema_fast": 19, "ema_slow": 59, "rsi": 14, "atr": 13, "adx": 27, "macd": 25, "macd_signal": 33}
    expected |= {"bollinger_upper": 19, "donchian_high": 30, "realised_volatility": 60, "volume_zscore": 59}
    assert {name: nulls[name] for name in expected} == expected


def test_a_price_of_nan_makes_the_symbol_unknown_and_no_other(bars: pl.DataFrame) -> None:
    broken = (pl.col("symbol") == "S01/USDT") & (pl.col("open_time") == START + MINUTE * 390)
    features = compute_features(
        bars.with_columns(close=pl.when(broken).then(float("nan")).otherwise(pl.col("close"))), SETTINGS
    )
    last = features.filter(pl.col("open_time") == START + MINUTE * 399).sort("symbol")
    assert last.get_column("ema_fast").is_null().to_list() == [False, True, False, False]


def test_no_bars_give_no_features(bars: pl.DataFrame) -> None:
    assert compute_features(bars.clear(), SETTINGS).is_empty()
