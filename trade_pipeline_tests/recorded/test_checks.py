"""What the values say of a layout, beyond high and low: volumes, counts, times of a bar's end, months."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trade_pipeline.errors import ReplayFileError
from trade_pipeline_tests.recorded.one_market import (
    DAYS,
    MINUTES,
    Row,
    assert_same_bars,
    bars_in,
    market,
    sheet,
    written,
)


def cells(row: Row) -> tuple[float, ...]:
    return row.open, row.high, row.low, row.close, row.volume


def test_a_turnover_is_no_number_of_trades(tmp_path: Path) -> None:
    path = written(tmp_path, "BTCUSDT-1m.csv", sheet("", MINUTES, lambda row: (row.at, *cells(row), row.money)))
    with pytest.raises(ReplayFileError, match=r"no whole number.*bybit"):
        bars_in(path)
    assert_same_bars(bars_in(path, "bybit"), MINUTES, money=True)


@pytest.mark.parametrize("count", [1, 3])
def test_of_a_few_rows_without_names_not_one_may_contradict_the_layout(tmp_path: Path, count: int) -> None:
    rows = [[row.at * 1000, row.open, row.close, row.high, row.low, row.volume] for row in MINUTES[:count]]
    with pytest.raises(ReplayFileError, match=rf"in {count} of {count} rows.*bitfinex"):
        bars_in(written(tmp_path, "BTC_USD-1m.json", [*rows]))


def test_of_a_few_rows_with_names_a_bad_one_is_a_defect(tmp_path: Path) -> None:
    text = sheet("date,open,high,low,close,volume", MINUTES[:5], lambda row: (row.at, *cells(row)))
    text += f"{MINUTES[5].at},10,9,8,11,1\n"
    assert bars_in(written(tmp_path, "BTC_USD-1m.csv", text)).bars.height == 6


@pytest.mark.parametrize("late", ["23:59:59", "23:59:59.999"])
def test_a_day_that_is_stamped_with_its_end_is_refused(tmp_path: Path, late: str) -> None:
    text = sheet("date,open,high,low,close,volume", DAYS, lambda row: (f"{row.time:%Y-%m-%d} {late}", *cells(row)))
    with pytest.raises(ReplayFileError, match="the times are the ends of bars"):
        bars_in(written(tmp_path, "BTC_USD.csv", text))


def test_prices_of_days_are_no_trades(tmp_path: Path) -> None:
    path = written(
        tmp_path, "BTC_USD.csv", sheet("date,price,volume", DAYS, lambda row: (row.at, row.close, row.volume))
    )
    with pytest.raises(ReplayFileError, match="prices of days, no trades"):
        bars_in(path)


def test_amounts_with_a_sign_are_refused_before_half_of_the_trades_are_lost(tmp_path: Path) -> None:
    text = sheet(
        "date,price,amount", MINUTES, lambda row: (row.at, row.close, row.volume * (-1 if row.at % 120 else 1))
    )
    with pytest.raises(ReplayFileError, match="negative in 20 of 40 rows"):
        bars_in(written(tmp_path, "BTC_USD.csv", text))


def test_weeks_are_bars_and_months_are_none(tmp_path: Path) -> None:
    weeks = market(20, 7 * 86_400)
    text = sheet("date,open,high,low,close,volume", weeks, lambda row: (row.at, *cells(row)))
    recorded = bars_in(written(tmp_path, "BTC_USD-1w.csv", text))
    assert recorded.bar_length_s == 7 * 86_400
    assert_same_bars(recorded, weeks)
    months = [(datetime(2023, month, 1, tzinfo=UTC), row) for month, row in enumerate(DAYS[:12], 1)]
    lines = [f"{month:%Y-%m-%d},{','.join(str(cell) for cell in cells(row))}" for month, row in months]
    path = written(tmp_path, "BTC_USD-1M.csv", "date,open,high,low,close,volume\n" + "\n".join(lines))
    with pytest.raises(ReplayFileError, match=r"no one length.*31 days"):
        bars_in(path)
