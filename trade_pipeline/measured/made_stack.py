"""A home with settings and a lake of made bars, for measurements: no exchange, no database, no process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from trade_pipeline.defs.partitions import BAR, DAY, day_start
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.schemas.frames import BARS, UTC_MS
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.root import Settings

FIRST_DAY = "2025-01-06"
BARS_PER_DAY = 1440
MOVE_RATIO = 8e-4
"""Standard deviation of a minute's return."""


def made_symbols(count: int) -> tuple[str, ...]:
    return tuple(f"M{number:03}/USDT" for number in range(count))


def days_from(first: str, count: int) -> list[str]:
    """`count` UTC days, `first` among them."""
    return [str((day_start(first) + offset * DAY).date()) for offset in range(count)]


def made_home(folder: Path, symbols: int) -> Home:
    """A home whose settings name the symbols, so that nobody needs to ask an exchange."""
    home = Home.at(folder)
    market = MarketSettings(symbols=made_symbols(symbols), symbols_max=symbols)
    write_settings_in_force(home, Settings(home=home.root, market=market))
    return home


def made_bars(symbols: Sequence[str], day: str, seed: int = 5) -> pl.DataFrame:
    """A BARS frame of one day's minutes: random walks that begin at 100 each day."""
    begin, count = day_start(day), BARS_PER_DAY
    times = pl.datetime_range(begin, begin + DAY - BAR, BAR, time_unit="ms", eager=True).cast(UTC_MS)
    parts: list[pl.DataFrame] = []
    for number, symbol in enumerate(symbols):
        random = np.random.default_rng([seed, number])
        close = 100.0 * np.exp(random.normal(0.0, MOVE_RATIO, count).cumsum())
        opened: Any = np.concatenate([[100.0], close[:-1]])
        volume = random.uniform(50.0, 150.0, count)
        columns = {
            "open_time": times,
            "close_time": times + timedelta(minutes=1),
            "open": opened,
            "high": np.maximum(opened, close) * 1.0002,
            "low": np.minimum(opened, close) * 0.9998,
            "close": close,
            "volume": volume,
            "quote_volume": volume * close,
        }
        part = pl.DataFrame(columns).with_columns(symbol=pl.lit(symbol), trades=pl.lit(10), source=pl.lit("made"))
        parts.append(part.select(pl.col(name).cast(dtype) for name, dtype in BARS.items()))
    return pl.concat(parts)


def whole_days(symbols: Sequence[str]) -> Callable[[str], pl.DataFrame]:
    """The bars of any day: they are made once, and then moved in time."""
    first = made_bars(symbols, FIRST_DAY)

    def of_day(day: str) -> pl.DataFrame:
        moved = day_start(day) - day_start(FIRST_DAY)
        return first.with_columns((pl.col(name) + moved).cast(UTC_MS) for name in ("open_time", "close_time"))

    return of_day


def fill_lake(stack: OpenStack, days: Sequence[str]) -> None:
    """Raw bars of these days into the lake."""
    day_of = whole_days(stack.settings.market.symbols)
    for day in days:
        stack.lake.append("raw_bars", day_of(day), known_at=stack.now())


def fill_elsewhere(home: Home, days: Sequence[str]) -> None:
    """`fill_lake` in a process of its own, so that its memory is not in what is measured next."""
    command = [sys.executable, "-m", "trade_pipeline.measured.made_stack", str(home.root), *days]
    subprocess.run(command, check=True)  # noqa: S603  our own module, no shell


if __name__ == "__main__":
    fill_lake(OpenStack(Home.at(sys.argv[1])), sys.argv[2:])
