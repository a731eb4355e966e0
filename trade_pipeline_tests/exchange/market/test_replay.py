"""Recorded bars: what is refused, how they lie on the wall clock, and that they are played exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.exchange.market.bars import MINUTE_MS
from trade_pipeline.exchange.market.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, CandleView
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.recordings import read_recordings
from trade_pipeline.exchange.market.replay import ReplayMarket, start_slot
from trade_pipeline_tests.shared import shared_path

START = datetime(2024, 1, 1, tzinfo=UTC)


def _frame(bars: int = 20, *, first: int = 0, **columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "date": [START + timedelta(minutes=5 * (first + k)) for k in range(bars)],
            "open": [100.0 + k for k in range(bars)],
            "high": [101.55 + k for k in range(bars)],
            "low": [99.0 + k for k in range(bars)],
            "close": [101.0 + k for k in range(bars)],
            "volume": [10.125] * bars,
        }
        | columns
    )


def _but_one(name: str, value: float) -> list[float]:
    """The column with another value in one row: a defect, not another layout."""
    column = _frame(20)[name].to_list()
    return [*column[:7], value, *column[8:]]


def _write(folder: Path, frame: pl.DataFrame, name: str = "AAA_USDT-5m", suffix: str = "feather") -> Path:
    path = folder / f"{name}.{suffix}"
    if suffix == "feather":
        frame.write_ipc(path)
    elif suffix == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    return path


@pytest.mark.parametrize("suffix", ["feather", "parquet", "csv"])
def test_every_file_format_reads_the_same(tmp_path: Path, suffix: str) -> None:
    recording = read_recordings(_write(tmp_path, _frame(), suffix=suffix))["AAA/USDT"]
    assert (recording.spec.price_decimals, recording.spec.amount_decimals, recording.bar_ms) == (2, 3, 300_000)
    assert recording.times_ms[0] == int(START.timestamp() * 1000)
    assert recording.high[0] == 10155


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (_frame(20, high=_but_one("high", 1.0)), "high is below low"),
        (_frame(20, close=_but_one("close", 500.0)), "do not enclose"),
        (_frame(20, high=[1.0] * 20), "contradict the layout"),
        (_frame(20, volume=[-1.0] * 20), "a volume is negative"),
        (_frame(20, low=[0.0] * 20), "a price is not positive"),
        (_frame(20, date=[START] * 20), "times do not grow"),
        (_frame(20, date=[START + timedelta(minutes=k) for k in range(20)]), "most of them are 60 s apart"),
        (_frame(20, open=["x"] * 20), "no number"),
        (_frame(20, open=[None] + [100.5 + k for k in range(19)]), "no number in row 0"),
        (_frame(20, date=["yesterday"] * 20), "holds no times"),
        (_frame(20).drop("volume"), "no column says volume"),
        (_frame(1), "fewer than two bars"),
    ],
)
def test_an_unsound_recording_is_refused_by_file_value_and_repair(
    tmp_path: Path, frame: pl.DataFrame, message: str
) -> None:
    path = _write(tmp_path, frame)
    with pytest.raises(ReplayFileError, match=message) as refusal:
        read_recordings(path)
    assert refusal.value.thing == str(path)
    assert refusal.value.repair


def test_a_missing_a_corrupt_and_a_misnamed_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayFileError, match="no such file"):
        read_recordings(tmp_path / "nowhere")
    with pytest.raises(ReplayFileError, match="holds no feather"):
        read_recordings(tmp_path)
    corrupt = tmp_path / "AAA_USDT-5m.feather"
    corrupt.write_bytes(b"not arrow at all")
    with pytest.raises(ReplayFileError, match="cannot be read"):
        read_recordings(corrupt)
    misnamed = _write(tmp_path, _frame(), name="prices")
    with pytest.raises(ReplayFileError, match="does not say the symbol"):
        read_recordings(misnamed)


def test_of_several_timeframes_the_one_most_symbols_have_is_taken(tmp_path: Path) -> None:
    hourly = _frame(20, date=[START + timedelta(hours=k) for k in range(20)])
    _write(tmp_path, _frame())
    _write(tmp_path, _frame(), name="BBB_USDT-5m")
    _write(tmp_path, hourly, name="AAA_USDT-1h")
    assert {symbol: r.bar_ms for symbol, r in read_recordings(tmp_path).items()} == {
        "AAA/USDT": 300_000,
        "BBB/USDT": 300_000,
    }


def test_of_a_folder_only_what_was_traded_is_played(tmp_path: Path) -> None:
    for name in ("AAA_USDT-5m", "AAA_USDT-5m-mark", "AAA_USDT-8h-funding_rate"):
        _write(tmp_path, _frame(20) if name == "AAA_USDT-5m" else _frame(20, volume=[0.0] * 20), name)
    (recording,) = read_recordings(tmp_path).values()
    assert recording.volume.tolist() == [10125] * 20


def test_recorded_bar_k_is_the_minute_m0_plus_k_and_is_played_exactly(tmp_path: Path) -> None:
    replay = ReplayMarket(read_recordings(_write(tmp_path, _frame(20))), m0=1_000_000)
    market = Market(replay, 7)
    table = CandleView(market, 0).minutes("AAA/USDT", 1_000_000, 1_000_019, 1_000_020 * MINUTE_MS)
    for k, row in enumerate(table):
        assert (row[0], row[OPEN], row[HIGH], row[LOW], row[CLOSE]) == (
            1_000_000 + k, 10000 + 100 * k, 10155 + 100 * k, 9900 + 100 * k, 10100 + 100 * k,
        )  # fmt: skip
        assert row[VOLUME] == 10125
    assert replay.recorded_time("AAAUSDT", 1_000_003) == "2024-01-01T00:15:00Z"
    assert replay.recorded_time("AAA/USDT", 2_000_000) is None


def test_a_symbol_is_listed_from_its_first_bar_and_stale_after_its_last(tmp_path: Path) -> None:
    _write(tmp_path, _frame(20))
    _write(tmp_path, _frame(5, first=10), name="LATE_USDT-5m")
    market = Market(ReplayMarket(read_recordings(tmp_path), m0=1000), 7)
    assert market.listed(1009 * MINUTE_MS + 59_999) == ["AAA/USDT"]
    assert market.listed(1010 * MINUTE_MS + 1000) == ["AAA/USDT", "LATE/USDT"]
    last = market.last_step("LATE/USDT", 1014 * MINUTE_MS + 59_999)
    assert market.last_step("LATE/USDT", 1019 * MINUTE_MS) == last


def test_a_missing_bar_is_a_minute_without_candle_and_without_trade(tmp_path: Path) -> None:
    frame = _frame(10)
    _write(tmp_path, pl.concat([frame[:4], frame[6:]]))
    market = Market(ReplayMarket(read_recordings(tmp_path), m0=1000), 7)
    table = CandleView(market, 0).minutes("AAA/USDT", 1000, 1009, 1010 * MINUTE_MS)
    assert list(table[:, 0]) == [1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009]
    before = market.last_step("AAA/USDT", 1004 * MINUTE_MS - 1)
    assert market.last_step("AAA/USDT", 1006 * MINUTE_MS) == before


def test_the_start_is_after_the_history_or_half_way_or_where_it_is_asked_for(tmp_path: Path) -> None:
    recordings = read_recordings(_write(tmp_path, _frame(20)))
    assert start_slot(recordings, None, 30) == 10
    assert start_slot(recordings, "2024-01-01T00:35", 30) == 7
    for wrong in ("2024-02-01", "noon"):
        with pytest.raises(ReplayFileError, match="replay_from"):
            start_slot(recordings, wrong, 30)


def test_the_real_recordings_are_played_bar_by_bar_on_their_own_grid() -> None:
    folder = shared_path("data/binance")
    recordings = read_recordings(folder)
    assert set(recordings) == {f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "XRP", "LINK", "WIF", "DOGS")}
    slot = start_slot(recordings, None, 30)
    # Half of the recording, which is less than 30 days of one bar a minute.
    assert slot == 36_015
    replay = ReplayMarket(recordings, m0=5_000_000 - slot)
    now = 5_000_010 * MINUTE_MS
    market = Market(replay, 7)
    assert "DOGS/USDT" not in market.listed(now)
    recorded = pl.read_ipc(folder / "BTC_USDT-5m.feather")[slot : slot + 10]
    table = CandleView(market, 0).minutes("BTC/USDT", 5_000_000, 5_000_009, now)
    spec = replay.specs["BTC/USDT"]
    for column, name in ((OPEN, "open"), (HIGH, "high"), (LOW, "low"), (CLOSE, "close")):
        assert [float(spec.price(int(ticks))) for ticks in table[:, column]] == recorded[name].to_list()
    volumes = [float(spec.amount(int(lots))) for lots in table[:, VOLUME]]
    assert volumes == pytest.approx(recorded["volume"].to_list())
    assert replay.recorded_time("BTC/USDT", 5_000_000) == recorded["date"][0].strftime("%Y-%m-%dT%H:%M:%SZ")
