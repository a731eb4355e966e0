"""Whatever defects meet in a frame: no row is lost, no place is taken twice, no price is made up."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from trade_pipeline_tests.quality.judged import AS_OF, CLEAN, COUNT, SCOPE, verdict

ABSENT, NAN, ENDLESS = None, float("nan"), float("inf")
PRICES = ("open", "high", "low", "close")
Row = dict[str, Any]


def spoil(rows: list[Row], rng: random.Random) -> None:
    """One defect somewhere."""
    at = rng.randrange(len(rows))
    row = rows[at]
    match rng.randrange(9):
        case 0:
            row[rng.choice(PRICES)] = rng.choice([0.0, -3.0, ABSENT, NAN, ENDLESS])
        case 1:
            row["volume"] = rng.choice([0.0, -1.0, 1e12, ABSENT, NAN])
        case 2:
            row["symbol"] = rng.choice([ABSENT, "no symbol"])
        case 3:
            row["open_time"] = rng.choice([ABSENT, AS_OF + timedelta(seconds=7)])
        case 4:
            rows.insert(rng.randrange(len(rows)), {**row, "volume": rng.choice([row["volume"], 7.0, NAN])})
        case 5:
            del rows[at : at + rng.choice([1, 4, 70])]
        case 6:
            rows[at : at + 30] = [{**row, "open_time": each["open_time"]} for each in rows[at : at + 30]]
        case 7:
            for each in rows[at : at + rng.choice([1, 2, 4])]:
                each.update({name: None if each[name] is None else each[name] / 2 for name in PRICES})
        case 8:
            row["high"], row["low"] = row["low"], row["high"]


@pytest.mark.parametrize("seed", range(40))
def test_every_row_is_in_one_heap_and_every_filler_carries_the_close_before_it(seed: int) -> None:
    rng = random.Random(seed)
    rows = CLEAN.filter(pl.col("open_time") >= AS_OF - timedelta(minutes=rng.choice([1, 40, COUNT]))).to_dicts()
    for _ in range(rng.choice([1, 5, 40])):
        if rows:
            spoil(rows, rng)
    if rng.random() < 0.3:
        rng.shuffle(rows)
    frame = pl.DataFrame(rows, schema=CLEAN.schema).with_columns(
        source=pl.lit(rng.choice(["kraken", "binance-sim"]), pl.String)
    )
    judged = verdict(frame, replace(SCOPE, as_of=AS_OF - timedelta(minutes=rng.choice([0, 0, 20]))))
    bars = judged.bars
    assert bars.height == judged.accepted + judged.repaired + judged.filled
    assert bars.equals(bars.sort("symbol", "open_time").unique(["symbol", "open_time"], maintain_order=True))
    assert bars.select(pl.col("symbol").is_in(SCOPE.symbols).all()).item()
    before = pl.col("close").shift(1).over("symbol")
    placed = pl.col("repair").str.contains("carried on|in place of").fill_null(False)
    fillers = bars.with_columns(before.alias("before")).filter(placed)
    assert fillers.height == judged.filled and (fillers["close"] == fillers["before"]).all()
    assert fillers["synthetic"].all() and fillers["volume"].sum() == 0
    assert set(SCOPE.symbols) <= set(judged.scores.get_column("symbol"))
    assert not judged.scores.get_column("symbol").null_count()
