"""A batch is read as one, and one unreadable symbol spoils no other."""

from __future__ import annotations

from typing import Any

import pytest

from trade_pipeline.errors import MalformedAnswer
from trade_pipeline.schemas.frames import BARS
from trade_pipeline.venues.klines import read_batch, read_klines


def row(minute: int, close: str = "101") -> list[object]:
    start = minute * 60_000
    return [start, "100", "102", "99", close, "5", start + 59_999, "500", 7, "0", "0", "0"]


def test_a_batch_reads_as_each_symbol_by_itself() -> None:
    answers = {"BTC/USDT": [row(1), row(2), row(2)], "ETH/USDT": [], "SOL/USDT": [row(3, "100.5")]}
    frame, errors = read_batch(answers, "test")
    apart = [read_klines(rows, symbol, "test") for symbol, rows in answers.items()]
    assert not errors
    assert frame.equals(apart[0].vstack(apart[1]).vstack(apart[2]))
    assert dict(frame.schema) == BARS


@pytest.mark.parametrize("bad", [row(2, "NaN"), row(2, "1e999"), row(2)[:5], {"not": "a row"}, [*row(2)[:8], 1.5]])
def test_one_unreadable_symbol_spoils_no_other(bad: object) -> None:
    answers: dict[str, list[Any]] = {"BTC/USDT": [row(1)], "ETH/USDT": [row(1), bad], "SOL/USDT": [row(1), row(2)]}
    frame, errors = read_batch(answers, "test")
    assert set(errors) == {"ETH/USDT"}
    assert isinstance(errors["ETH/USDT"], MalformedAnswer)
    assert "ETH/USDT" in str(errors["ETH/USDT"])
    assert frame.get_column("symbol").to_list() == ["BTC/USDT", "SOL/USDT", "SOL/USDT"]


def test_a_batch_of_nothing_is_an_empty_frame() -> None:
    frame, errors = read_batch({}, "test")
    assert frame.is_empty() and not errors
    assert dict(frame.schema) == BARS
