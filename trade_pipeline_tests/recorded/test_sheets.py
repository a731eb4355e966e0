"""Text with separators in every form in which it reaches us, or a reason why it is no table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline_tests.recorded.one_market import MINUTES, Row, assert_same_bars, bars_in, sheet, written

HEADER = "Date,Open,High,Low,Close,Volume"


def cells(row: Row) -> tuple[float, ...]:
    return row.at, row.open, row.high, row.low, row.close, row.volume


TEXT = sheet(HEADER, MINUTES, cells)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n\n   \n",
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", "|"),
        lambda text: text.replace(",", ", "),
        lambda text: text.replace("\n", ",\n"),
        lambda text: "\ufeff" + text,
        lambda text: "# a remark, with commas, in it\n\n" + text,
        lambda text: "https://example.org/data,,,,,\n" + text,
        lambda text: "\n".join(f'"{line}"'.replace(",", '","') for line in text.split("\n")),
    ],
    ids=["crlf", "blank lines", "semicolons", "tabs", "bars", "spaces", "comma at the end", "byte order mark", "remark",
         "address", "quotes"],
)  # fmt: skip
def test_a_table_is_found_in_whatever_stands_around_it(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    assert_same_bars(bars_in(written(tmp_path, "BTC_USDT-1m.csv", spoil(TEXT))), MINUTES)


def test_text_of_two_bytes_a_letter_is_read(tmp_path: Path) -> None:
    assert_same_bars(bars_in(written(tmp_path, "BTC_USDT-1m.csv", TEXT.encode("utf-16"))), MINUTES)


def test_a_header_is_told_from_rows_by_its_words(tmp_path: Path) -> None:
    assert_same_bars(bars_in(written(tmp_path, "BTC_USDT-1m.csv", sheet("", MINUTES, cells))), MINUTES)
    nothing = "1704067140,NaN,NaN,NaN,NaN,NaN\n" + sheet("", MINUTES, cells)
    assert_same_bars(bars_in(written(tmp_path, "BTC_USDT-1m.csv", nothing)), MINUTES)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "the file is empty"),
        (HEADER + "\n", "holds no bar"),
        ("<!DOCTYPE html>\n<html><body>403 Forbidden</body></html>\n", r"holds no table.*DOCTYPE"),
        (TEXT + "1704069600,1,1,1,1,1,1\n", "more cells than the header"),
        (TEXT.replace("Volume", "Close"), r"no column says volume"),
        (TEXT.replace("Open", "Close"), r"no column says open"),
        (sheet(HEADER + ",close", MINUTES, lambda row: (*cells(row), 5)), r"several columns mean the same.*'close'"),
        (TEXT + "1704069600,abc,1,1,1,1\n", r"no number.*abc.*1234\.5"),
        (sheet(HEADER.replace(",", ";"), MINUTES, cells, ";").replace(".", ","), r"no number.*40000,0"),
        (TEXT + 'x,"40,000.5",1,1,1,1\n', r"holds no times|no number"),
        (sheet("Date,Time,Open,High,Low,Close,Volume", MINUTES, lambda row: ("2024-01-01", "00:01", *cells(row)[1:])),
         r"several columns mean the same.*day and time of day together"),
        (sheet(HEADER[4:], MINUTES, lambda row: (row.at % 3600 // 60, *cells(row)[1:])), "no moments"),
        (sheet(HEADER, MINUTES, lambda row: (*cells(row)[:5], "")), "the column volume is empty"),
        (sheet("date,symbol,open,high,low,close,volume", MINUTES,
               lambda row: (row.at, "BTCUSDT" if row.at % 120 else "ETHUSDT", *cells(row)[1:])), "holds 2 symbols"),
        (sheet("date,Name,open,high,low,close,volume", MINUTES,
               lambda row: (row.at, "AAL" if row.at % 120 else "AAPL", *cells(row)[1:])), "holds 2 symbols"),
        (sheet("date,symbol,open,high,low,close,volume", MINUTES, lambda row: (row.at, "ETHUSDT", *cells(row)[1:])),
         r"the name says BTC/USDT, the rows say ETH/USDT"),
        ("Price,Close,Close,High,High\nTicker,A,B,A,B\nDate,,,,\n2024-01-02,1,2,1,2\n", "holds 2 symbols"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_bars_is_refused_with_its_reason(tmp_path: Path, content: str, match: str) -> None:
    with pytest.raises(ReplayFileError, match=match):
        bars_in(written(tmp_path, "BTC_USDT-1m.csv", content))


def test_a_row_that_was_cut_off_is_a_bar_with_a_defect(tmp_path: Path) -> None:
    recorded = bars_in(written(tmp_path, "BTC_USDT-1m.csv", TEXT + "1704069600,40000.5\n"))
    assert recorded.bars.height == 41
    assert recorded.bars.row(-1, named=True)["close"] is None


def test_a_number_of_another_kind_far_below_is_still_read(tmp_path: Path) -> None:
    """Whole prices for 10,000 rows, then one with a fraction; or a word, which is named."""
    lines = [f"{1_700_000_040 + 60 * at},100,101,99,100,1" for at in range(12_000)]
    path = written(tmp_path, "BTC_USDT-1m.csv", "\n".join([HEADER, *lines, "1700720040,100,101,99,100.5,1.25"]))
    assert bars_in(path).bars.row(-1, named=True)["close"] == 100.5
    with pytest.raises(ReplayFileError, match=r"close holds something that is no number.*soon"):
        bars_in(written(tmp_path, "BTC_USDT-1m.csv", "\n".join([HEADER, *lines, "1700720040,100,101,99,soon,1"])))


def test_the_newest_first_is_an_order_and_no_defect(tmp_path: Path) -> None:
    """Of copies the last one then still is the one that was written last."""
    first, *others = MINUTES
    copies = [*others[::-1], replace(first, volume=9.0), first]
    recorded = bars_in(written(tmp_path, "BTC_USDT-1m.csv", sheet(HEADER, copies, cells)))
    assert recorded.bars.get_column("open_time").is_sorted()
    assert recorded.bars.get_column("volume").head(2).to_list() == [first.volume, 9.0]


def test_rows_in_any_order_stay_in_it(tmp_path: Path) -> None:
    """What is out of order is a defect that quality names; reading puts nothing right."""
    mixed = MINUTES[20:] + MINUTES[:20]
    recorded = bars_in(written(tmp_path, "BTC_USDT-1m.csv", sheet(HEADER, mixed, cells)))
    assert recorded.bars.get_column("open_time").to_list() == [row.time for row in mixed]
    assert_same_bars(recorded, MINUTES)
