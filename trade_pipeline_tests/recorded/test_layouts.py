"""Files of every layout: mapped by name, declared by place and held against the values, or refused with a reason."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.reading import read_recorded
from trade_pipeline.recorded.values import RecordedBars
from trade_pipeline_tests.made_bars import START, bars_of, random_closes

MADE = bars_of("BTC/USDT", random_closes(200, 5).tolist())
PLAIN = MADE.select(
    pl.col("open_time").dt.timestamp("ms").alias("ts"), "open", "high", "low", "close", "volume"
)  # as most files have them


def written(folder: Path, frame: pl.DataFrame, name: str = "BTC_USDT-1m.csv", *, header: bool = True) -> Path:
    path = folder / name
    if name.endswith(".csv"):
        frame.write_csv(path, include_header=header)
    elif name.endswith(".parquet"):
        frame.write_parquet(path)
    elif name.endswith(".json"):
        path.write_text(json.dumps(frame.rows()))
    else:
        frame.write_ipc(path)
    return path


def read(path: Path, layout: str | None = None) -> RecordedBars:
    recorded = read_recorded(path, layout=layout)
    assert isinstance(recorded, RecordedBars)
    return recorded


def assert_made(recorded: RecordedBars) -> None:
    facts = ["symbol", "open_time", "close_time", "open", "high", "low", "close", "volume"]
    assert recorded.bars.select(facts).equals(MADE.select(facts))


@pytest.mark.parametrize("name", ["BTC_USDT-1m.csv", "BTC_USDT-1m.parquet", "BTC_USDT-1m.feather"])
def test_named_columns_are_taken_by_their_names_in_any_order_and_case(tmp_path: Path, name: str) -> None:
    odd = PLAIN.select(
        pl.col("volume").alias("Volume"), pl.col("close").alias("c"), pl.col("low").alias("LOW"),
        pl.col("high").alias("High"), pl.col("ts").alias("Open time"), "open",
    )  # fmt: skip
    assert_made(read(written(tmp_path, odd, name)))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_are_seconds_to_nanoseconds_by_their_size(tmp_path: Path, unit: str) -> None:
    factor = {"s": 1, "ms": 1000, "us": 10**6, "ns": 10**9}[unit]
    assert_made(read(written(tmp_path, PLAIN.with_columns(ts=pl.col("ts") // 1000 * factor))))


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00"])
def test_times_are_text_in_utc(tmp_path: Path, form: str) -> None:
    assert_made(read(written(tmp_path, PLAIN.with_columns(ts=MADE["open_time"].dt.strftime(form)))))


def test_times_of_another_zone_are_moved_to_utc(tmp_path: Path) -> None:
    local = MADE["open_time"].dt.convert_time_zone("Asia/Tokyo").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    assert_made(read(written(tmp_path, PLAIN.with_columns(ts=local))))


def test_a_file_without_names_is_read_as_declared(tmp_path: Path) -> None:
    assert_made(read(written(tmp_path, PLAIN, header=False)))
    assert_made(read(written(tmp_path, PLAIN, "BTC_USDT-1m.json")))
    swapped = PLAIN.select("ts", "open", "close", "high", "low", "volume")
    assert_made(read(written(tmp_path, swapped, header=False), layout="bitfinex"))


@pytest.mark.parametrize(
    ("columns", "fits"),
    [(("open", "close", "high", "low"), "bitfinex"), (("low", "high", "open", "close"), "coinbase")],
)
@pytest.mark.parametrize("name", ["BTC_USDT-1m.csv", "BTC_USDT-1m.json"])
def test_places_that_the_values_contradict_are_refused_and_what_fits_is_named(
    tmp_path: Path, columns: tuple[str, ...], fits: str, name: str
) -> None:
    path = written(tmp_path, PLAIN.select("ts", *columns, "volume"), name, header=False)
    with pytest.raises(ReplayFileError, match=rf"contradict the layout.*{fits}"):
        read(path)


def test_a_header_that_lies_is_refused(tmp_path: Path) -> None:
    lying = PLAIN.rename({"high": "low", "low": "high"})
    with pytest.raises(ReplayFileError, match="contradict"):
        read(written(tmp_path, lying))


def test_one_bad_bar_is_a_defect_and_no_wrong_layout(tmp_path: Path) -> None:
    bad = PLAIN.with_columns(high=pl.when(pl.int_range(pl.len()) == 70).then(pl.col("low")).otherwise("high"))
    assert read(written(tmp_path, bad, header=False)).bars.height == 200


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"drop": "high"}, "no column says high"),
        ({"twice": "close"}, "several columns mean the same"),
        ({"text": "open"}, "no number"),
    ],
)
def test_columns_that_are_missing_doubtful_or_no_numbers_are_refused(
    tmp_path: Path, change: dict[str, str], match: str
) -> None:
    frame = PLAIN
    if "drop" in change:
        frame = frame.drop(change["drop"])
    if "twice" in change:
        frame = frame.with_columns(pl.col(change["twice"]).alias("C"))
    if "text" in change:
        frame = frame.with_columns(pl.lit("much").alias(change["text"]))
    with pytest.raises(ReplayFileError, match=match):
        read(written(tmp_path, frame))


def test_the_length_of_bars_is_found_in_the_data_and_held_against_the_name(tmp_path: Path) -> None:
    assert read(written(tmp_path, PLAIN, "BTCUSDT.csv")).bar_length_s == 60
    with pytest.raises(ReplayFileError, match="the name says bars of 300 s, most of them are 60 s apart"):
        read(written(tmp_path, PLAIN, "BTC_USDT-5m.csv"))


def test_the_length_is_found_though_most_minutes_are_missing(tmp_path: Path) -> None:
    seldom = PLAIN.filter(pl.int_range(pl.len()) % 7 < 2)
    assert read(written(tmp_path, seldom, "BTCUSDT.csv")).bar_length_s == 60


def test_a_file_that_is_cut_off_or_of_no_kind_or_absent_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(json.dumps(PLAIN.rows()).encode())
    cut = tmp_path / "BTC_USDT-1m.json.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReplayFileError, match="cannot be read"):
        read(cut)
    (tmp_path / "BTC_USDT-1m.xlsx").write_bytes(b"?")
    with pytest.raises(ReplayFileError, match="no known kind"):
        read(tmp_path / "BTC_USDT-1m.xlsx")
    with pytest.raises(ReplayFileError, match="no such file"):
        read(tmp_path / "ETH_USDT-1m.csv")


def test_an_answer_of_kraken_that_still_runs_says_when_it_was_final(tmp_path: Path) -> None:
    rows = [[1_700_000_040 + 60 * n, "10", "11", "9", "10", "10", "1.5", 3] for n in range(5)]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"error": [], "result": {"XETHZEUR": rows, "last": 1_700_000_040 + 180}}))
    recorded = read(path)
    assert recorded.symbol == "ETH/EUR"
    assert recorded.as_of == datetime.fromtimestamp(1_700_000_040 + 240, UTC)
    assert recorded.bars.get_column("close_time").max() == datetime.fromtimestamp(1_700_000_040 + 300, UTC)


def test_what_the_file_does_not_say_is_null_and_not_made_up(tmp_path: Path) -> None:
    bars = read(written(tmp_path, PLAIN)).bars
    assert bars.get_column("quote_volume").null_count() == bars.get_column("trades").null_count() == 200
    assert bars.get_column("open_time")[0] == START
