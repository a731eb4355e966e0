"""Every recorded file and what is odd about it: the outcome of each, counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.commands.quality import of_recording
from trade_pipeline.errors import ReplayFileError
from trade_pipeline.quality.judge import Judgement, judge
from trade_pipeline.quality.recordings import judged_file, scope_of
from trade_pipeline.recorded.reading import bars_from_trades, read_recorded
from trade_pipeline.recorded.trades import merged
from trade_pipeline.recorded.values import RecordedBars, RecordedTrades
from trade_pipeline.settings.quality import QualitySettings
from trade_pipeline_tests.shared import shared_path

SETTINGS = QualitySettings()
KRAKEN = "data/kraken/trades_csv/BCHEUR.csv"
KRAKEN_NEXT = "data/kraken/trades_csv/incremental_q2/BCHEUR.csv"


def bars_of(relative: str) -> RecordedBars:
    recorded = read_recorded(shared_path(relative))
    assert isinstance(recorded, RecordedBars)
    return recorded


def trades_of(relative: str) -> RecordedTrades:
    recorded = read_recorded(shared_path(relative))
    assert isinstance(recorded, RecordedTrades)
    return recorded


def verdict_on(recorded: RecordedBars) -> Judgement:
    judged = judge(recorded.bars, scope_of(recorded, SETTINGS))
    assert judged.accepted + judged.repaired + judged.quarantined.height == judged.rows
    assert not judged.bars.select("symbol", "open_time").is_duplicated().any()
    assert judged.bars.get_column("open_time").is_sorted()
    return judged


@pytest.mark.parametrize(
    ("name", "rows", "length_s"),
    [
        ("BTC_USDT-5m", 71_769, 300),
        ("ETH_USDT-5m", 71_769, 300),
        ("SOL_USDT-5m", 72_028, 300),
        ("XRP_USDT-5m", 72_028, 300),
        ("LINK_USDT-5m", 72_029, 300),
        ("BTC_USDT-15m", 23_923, 900),
        ("BTC_USDT-1h", 5_980, 3600),
        ("BTC_USDT-4h", 1_495, 14_400),
        ("BTC_USDT-1d", 249, 86_400),
    ],
)
def test_clean_bars_of_every_length_are_all_accepted_as_they_are(name: str, rows: int, length_s: int) -> None:
    recorded = bars_of(f"data/binance/{name}.feather")
    assert (recorded.source, recorded.bar_length_s, recorded.symbol) == (
        "binance",
        length_s,
        name.split("-", maxsplit=1)[0].replace("_", "/"),
    )
    judged = verdict_on(recorded)
    assert (judged.rows, judged.accepted, judged.filled, judged.missing) == (rows, rows, 0, 0)
    assert judged.scores.get_column("score").min() == 1.0
    assert not judged.held


@pytest.mark.parametrize(("name", "first"), [("WIF", (3, 5, 14)), ("DOGS", (8, 26, 12))])
def test_a_symbol_that_is_listed_in_the_middle_of_a_day_has_no_gap_and_a_full_score(
    name: str, first: tuple[int, int, int]
) -> None:
    recorded = bars_of(f"data/binance/{name}_USDT-5m.feather")
    assert recorded.bars.get_column("open_time").min() == datetime(2024, *first, tzinfo=UTC)
    judged = verdict_on(recorded)
    assert judged.missing == 0 and "gap" not in judged.count_by_rule()
    day = judged.scores.row(0, named=True)
    assert day["expected"] == (24 - first[2]) * 12
    assert day["score"] == 1.0


def test_a_year_of_minutes_without_trades_is_told_from_the_outages_in_it() -> None:
    """12,873 minutes in 9,955 gaps are missing; what want of trades explains is filled and flagged."""
    recorded = bars_of("data/bitfinex/BTCUSD-2019-1m.parquet")
    assert (recorded.symbol, recorded.source, recorded.bar_length_s) == ("BTC/USD", "bitfinex", 60)
    judged = verdict_on(recorded)
    assert (judged.rows, judged.accepted, judged.missing) == (512_727, 512_727, 12_873)
    assert judged.count_by_rule()["gap"] == 9_955
    gaps = judged.failures.filter(pl.col("rule") == "gap")
    outages = gaps.filter(pl.col("severity") == "ERROR")
    lengths = outages.get_column("value").str.extract(r"^(\d+)").cast(pl.Int64)
    assert lengths.len() == 10 and int(str(lengths.min())) > SETTINGS.idle_bars_max and lengths.max() == 197, (
        "the longest is 3.3 h"
    )
    assert judged.filled == 12_873 - int(lengths.sum())
    flagged = judged.bars.filter(pl.col("synthetic"))
    assert flagged.height == judged.filled
    assert (flagged.get_column("volume") == 0).all()


def test_columns_in_odd_order_are_mapped_by_their_names() -> None:
    """The source has open, close, high, low."""
    recorded = bars_of("data/bitfinex/BTCUSD-2019-1m.parquet")
    first = recorded.bars.row(0, named=True)
    rounded = [round(first[name], 1) for name in ("open", "high", "low", "close")]
    assert rounded == [3832.6, 3834.7, 3832.6, 3833.1]


@pytest.mark.parametrize(("name", "symbol", "copies"), [("ETH", "ETH/BTC", 1392), ("DOGE", "DOGE/BTC", 209)])
def test_of_conflicting_copies_the_fullest_stays_and_says_so(name: str, symbol: str, copies: int) -> None:
    recorded = bars_of(f"data/bittrex/BTC_{name}-5.json.gz")
    assert (recorded.symbol, recorded.source, recorded.bar_length_s) == (symbol, "bittrex", 300)
    judged = verdict_on(recorded)
    assert judged.count_by_rule()["duplicate"] == copies
    assert judged.quarantined.height == copies
    assert (judged.quarantined.get_column("rules") == "duplicate").all()
    volumes = recorded.bars.group_by("open_time").agg(pl.col("volume").max().alias("largest"), pl.len())
    several = judged.bars.join(volumes.filter(pl.col("len") > 1), on="open_time")
    assert (several.get_column("volume") == several.get_column("largest")).all()
    assert several.get_column("repair").str.starts_with("fullest of").all()
    assert judged.repaired == several.height


@pytest.mark.parametrize("name", ["ETH", "DOGE"])
def test_an_outage_of_days_is_an_error_and_is_not_filled(name: str) -> None:
    judged = verdict_on(bars_of(f"data/bittrex/BTC_{name}-5.json.gz"))
    outages = judged.failures.filter((pl.col("rule") == "gap") & (pl.col("severity") == "ERROR"))
    longest = outages.sort(pl.col("value").str.extract(r"^(\d+)").cast(pl.Int64)).row(-1, named=True)
    missing = int(longest["value"].split()[0])
    assert missing * timedelta(minutes=5) > timedelta(hours=117)
    assert (
        longest["open_time"] < datetime(2018, 3, 10, tzinfo=UTC) < longest["open_time"] + missing * timedelta(minutes=5)
    )
    inside = judged.bars.filter(
        pl.col("open_time").is_between(
            longest["open_time"], longest["open_time"] + (missing - 1) * timedelta(minutes=5)
        )
    )
    assert inside.is_empty()
    lost = judged.scores.filter(pl.col("open_time") == datetime(2018, 3, 7, tzinfo=UTC))
    assert lost.get_column("score").to_list() == [0.0], "a day within it"


def test_a_hole_of_hours_is_found_and_named() -> None:
    judged = verdict_on(bars_of("data/freqtrade_5m/ADA_BTC-5m.feather"))
    assert (judged.missing, judged.count_by_rule()["gap"]) == (40, 5)
    (hole,) = judged.failures.filter(pl.col("severity") == "ERROR").rows(named=True)
    assert hole["value"] == "33 missing", "2.8 h of five-minute bars"
    assert judged.filled == 7


@pytest.mark.parametrize(
    ("name", "missing", "gaps"), [("DASH_BTC-5m", 2, 2), ("XMR_BTC-5m", 2, 2), ("UNITTEST_BTC-1m", 717, 538)]
)
def test_missing_minutes_are_counted_filled_and_flagged(name: str, missing: int, gaps: int) -> None:
    recorded = bars_of(f"data/freqtrade_5m/{name}.feather")
    judged = verdict_on(recorded)
    assert (judged.missing, judged.count_by_rule()["gap"], judged.filled) == (missing, gaps, missing)
    assert judged.accepted == recorded.bars.height
    assert not judged.held


def test_the_running_candle_at_the_end_of_an_answer_waits() -> None:
    """The answer ends one bar past its own `last`."""
    recorded = bars_of("data/exchange_answers/kraken/example-ohlc-data.json")
    assert (recorded.symbol, recorded.source, recorded.bar_length_s) == ("BTC/USD", "kraken", 60)
    judged = verdict_on(recorded)
    (running,) = judged.quarantined.rows(named=True)
    assert running["open_time"] == recorded.bars.get_column("open_time").max() == recorded.as_of
    assert running["rules"] == "running_candle"
    assert judged.accepted == 719
    assert judged.count_by_rule()["no_trade"] == int((recorded.bars.head(719).get_column("volume") == 0).sum()) == 17
    assert judged.bars.get_column("synthetic").sum() == 17, "filled minutes are flagged as well"


def test_raw_klines_are_read_by_their_places() -> None:
    path = shared_path("data/exchange_answers/binance/klines_response.json")
    with pytest.raises(ReplayFileError, match="does not say the symbol"):
        read_recorded(path)
    recorded = read_recorded(path, symbol="LTC/BTC")
    assert isinstance(recorded, RecordedBars)
    (bar,) = recorded.bars.rows(named=True)
    assert (recorded.bar_length_s, bar["trades"], bar["quote_volume"]) == (604_800, 308, 2434.19055334)
    assert bar["close_time"] - bar["open_time"] == timedelta(days=7)
    assert "misaligned" not in verdict_on(recorded).count_by_rule(), "weeks begin on Monday"


@pytest.mark.parametrize(("relative", "count", "seconds"), [(KRAKEN, 148, 86), (KRAKEN_NEXT, 486, 254)])
def test_trades_that_share_a_second_are_all_kept(relative: str, count: int, seconds: int) -> None:
    recorded = trades_of(relative)
    assert (recorded.rows, recorded.trades.height, recorded.repeated) == (count, count, 0)
    assert recorded.trades.get_column("time").n_unique() == seconds
    bars = bars_from_trades(recorded)
    assert bars.bars.get_column("trades").sum() == count
    assert bars.bars.get_column("volume").sum() == pytest.approx(recorded.trades.get_column("amount").sum())
    judged = verdict_on(bars)
    assert judged.accepted == judged.rows


def test_files_that_overlap_count_each_trade_once_and_equal_trades_stay() -> None:
    first, second = trades_of(KRAKEN), trades_of(KRAKEN_NEXT)
    assert merged([first.trades, second.trades]).height == 148 + 486
    assert merged([first.trades, second.trades, second.trades.tail(300)]).height == 148 + 486


def test_a_file_that_was_written_twice_is_recognised(tmp_path: Path) -> None:
    """Appended to itself, and sorted afterwards."""
    lines = shared_path(KRAKEN_NEXT).read_text().splitlines()
    for name, content in (
        ("appended", lines + lines),
        ("sorted", sorted(lines + lines, key=lambda row: row.split(",")[0])),
    ):
        path = tmp_path / name / "BCHEUR.csv"
        path.parent.mkdir()
        path.write_text("\n".join(content) + "\n")
        recorded = read_recorded(path)
        assert isinstance(recorded, RecordedTrades)
        assert (recorded.rows, recorded.trades.height, recorded.repeated) == (972, 486, 486), name


def test_the_trading_day_of_a_place_keeps_its_name() -> None:
    """Midnight in Hong Kong is the previous day in UTC; weekends are no gaps; days without volume are flagged."""
    recorded = bars_of("data/equities/0700.HK.csv")
    assert (recorded.symbol, recorded.bar_length_s, recorded.sessions) == ("0700.HK/HKD", 86_400, True)
    assert recorded.bars.get_column("open_time").min() == datetime(2020, 1, 2, tzinfo=UTC)
    judged = verdict_on(recorded)
    assert (judged.rows, judged.accepted, judged.missing) == (1363, 1363, 0)
    assert judged.count_by_rule() == {"no_trade": 7}
    assert judged.bars.get_column("synthetic").sum() == 7


def test_daily_prices_of_shares_are_read() -> None:
    recorded = bars_of("data/equities/prices_us/AMD.json")
    assert (recorded.symbol, recorded.bar_length_s, recorded.sessions) == ("AMD/USD", 86_400, True)
    assert verdict_on(recorded).accepted == recorded.bars.height == 90


def test_dates_that_americans_write_and_volumes_with_exponents_are_read() -> None:
    recorded = read_recorded(shared_path("cases/indicators/spy_ohlcv.txt"), symbol="SPY/USD")
    assert isinstance(recorded, RecordedBars)
    first = recorded.bars.row(0, named=True)
    assert (recorded.bar_length_s, recorded.sessions) == (86_400, True)
    assert (first["open_time"], first["close"], first["volume"]) == (
        datetime(2013, 2, 22, tzinfo=UTC),
        151.89,
        106292600,
    )


@pytest.mark.parametrize("name", ["spy_atr_wilder.txt", "spy_with_rma.csv"])
def test_prices_without_a_volume_are_refused(name: str) -> None:
    with pytest.raises(ReplayFileError, match="no column says volume"):
        read_recorded(shared_path(f"cases/indicators/{name}"), symbol="SPY/USD")


def test_a_table_of_closes_alone_is_refused() -> None:
    with pytest.raises(ReplayFileError, match="no column says open, high, low, close, volume"):
        read_recorded(shared_path("data/equities/sp500_dataset.csv.gz"), symbol="SPX/USD")


def test_counts_of_analysts_are_no_bars_and_are_refused() -> None:
    with pytest.raises(ReplayFileError, match="holds no list of bars"):
        read_recorded(shared_path("data/equities/analyst_ratings_us.json"), symbol="NVDA/USD")


def test_the_report_of_a_file_adds_up_and_names_the_copies() -> None:
    report = of_recording(judged_file(shared_path("data/bittrex/BTC_ETH-5.json.gz"), SETTINGS))
    assert report.rows == 50_392 == report.accepted + report.repaired + report.quarantined
    assert report.rules["duplicate"] == 1392
    assert report.repaired_by_rule["duplicate"] == 1391, "one bar stands there three times"


def test_the_report_of_trades_counts_trades() -> None:
    report = of_recording(judged_file(shared_path(KRAKEN_NEXT), SETTINGS))
    assert (report.rows, report.accepted, report.quarantined) == (486, 486, 0)
    assert report.bars is not None and report.bars < 486


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
@pytest.mark.parametrize("name", ["binance/ETH_USDT-5m.feather", "bitfinex/BTCUSD-2019-1m.parquet"])
def test_false_closes_among_real_bars_are_found_and_no_real_one_with_them(name: str, factor: float) -> None:
    """A hundred, in bars of any volume; the next bar goes on as if nothing had been."""
    recorded = bars_of(f"data/{name}")
    place = pl.int_range(pl.len())
    false = (place % (recorded.bars.height // 101) == 70) & (place > 100)
    close = pl.when(false).then(pl.col("close") * factor).otherwise("close")
    broken = recorded.bars.with_columns(close=close).with_columns(
        high=pl.max_horizontal("high", "close"), low=pl.min_horizontal("low", "close")
    )
    judged = judge(broken, scope_of(recorded, SETTINGS))
    wanted = broken.filter(false).get_column("open_time")
    assert judged.quarantined.get_column("open_time").to_list() == wanted.to_list()
    assert wanted.len() >= 100
