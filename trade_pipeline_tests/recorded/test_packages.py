"""Tables that are packed, once or twice, under a right or a wrong name."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline_tests.recorded.one_market import MINUTES, assert_same_bars, bars_in, sheet, written

TEXT = sheet(
    "date,open,high,low,close,volume",
    MINUTES,
    lambda row: (row.at, row.open, row.high, row.low, row.close, row.volume),
).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("BTCUSDT-1m-2024-01.zip", zipped({"BTCUSDT-1m-2024-01.csv": TEXT})),
        ("BTCUSDT-1m.csv.zip", zipped({"BTCUSDT-1m.csv": TEXT, "readme.md": b"?", "__MACOSX/._x.csv": b"?"})),
        ("download.zip", zipped({"BTCUSDT-1m.csv.gz": gzip.compress(TEXT)})),
        ("BTCUSDT-1m.csv.gz", gzip.compress(TEXT)),
        ("BTCUSDT-1m.csv", gzip.compress(TEXT)),
        ("BTCUSDT-1m.csv.gz", TEXT),
    ],
    ids=["zip", "zip with more", "gzip in zip", "gzip", "gzip by its content", "a name that says too much"],
)
def test_a_packed_table_is_found_by_what_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    recorded = bars_in(written(tmp_path, name, content))
    assert (recorded.symbol, recorded.bar_length_s) == ("BTC/USDT", 60)
    assert_same_bars(recorded, MINUTES)


def test_a_table_of_columns_that_is_damaged_inside_is_refused(tmp_path: Path) -> None:
    """Its reader panics over a length that is longer than the file, which is no exception of Python's."""
    path = tmp_path / "BTC_USDT-1m.feather"
    pl.DataFrame({"date": range(500), "open": range(500)}).write_ipc(path)
    sound = path.read_bytes()
    for at in range(len(sound) - 186, len(sound) - 182):
        path.write_bytes(sound[:at] + b"\xff" + sound[at + 1 :])
        with pytest.raises(ReplayFileError, match="cannot be read"):
            bars_in(path)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("BTCUSDT-1m.zip", zipped({"a.csv": TEXT, "b.csv": TEXT}), r"does not hold one table.*'a\.csv', 'b\.csv'"),
        ("BTCUSDT-1m.zip", zipped({"readme.md": b"?"}), "does not hold one table"),
        ("BTCUSDT-1m.zip", zipped({"a.csv": TEXT})[:300], "cannot be read"),
        ("BTCUSDT-1m.csv.gz", gzip.compress(TEXT)[:300], "cannot be read"),
        ("BTCUSDT-1m.zip", TEXT, "no archive"),
        ("BTCUSDT-1m.gz", gzip.compress(TEXT), "no known kind"),
        ("BTCUSDT-1m.h5", TEXT, "no known kind"),
        ("BTCUSDT-1m.feather", b"", "the file is empty"),
        ("BTCUSDT-1m.feather", TEXT, "cannot be read"),
        ("BTCUSDT-1m.json", b"[[1, 2,", "cannot be read"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_with_its_reason(
    tmp_path: Path, name: str, content: bytes, match: str
) -> None:
    with pytest.raises(ReplayFileError, match=match):
        bars_in(written(tmp_path, name, content))
