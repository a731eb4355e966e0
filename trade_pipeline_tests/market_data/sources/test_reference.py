"""The second source is read beside the first, gives what has closed, and holds up nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from threading import Event

import polars as pl
import pytest

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.market_data.sources.cascade import Cascade
from trade_pipeline.market_data.sources.reference import Reference
from trade_pipeline.schemas import frames
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline_tests.market_data.frames_of import START
from trade_pipeline_tests.market_data.sources.scripted_source import ScriptedSource, Time

BOTH = ["BTC/USDT", "ETH/USDT"]
CLOSE = START + timedelta(minutes=30)


class Stage:
    """Time stands still: what is waited for is noted in `slept_s`, and the wait for `hold` is a real one."""

    def __init__(self, sources: int = 2, **settings: object) -> None:
        self.time = Time()
        self.sources = [ScriptedSource(name, self.time) for name in ("one", "two", "three")[:sources]]
        chosen = SourceSettings.model_validate({"patience_s": 0.5, "breaker_requests_min": 2, **settings})
        self.cascade = Cascade(self.sources, chosen, now=self.time.now, monotonic=self.time.monotonic)
        self.slept_s: list[float] = []
        self.hold: Event | None = None
        self.settings = Settings(sources=chosen)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if self.hold is not None:
            self.hold.wait(30)

    def read(self, doubted: Mapping[str, int] = {}) -> pl.DataFrame | None:
        """`doubted`: by symbol, the minute of a bar on which the sources did not agree."""
        reference = Reference(self.cascade, self.settings, self.time.now, self.sleep)
        keys = {name: frames.BARS[name] for name in frames.BAR_KEY}
        rows = [(name, START + timedelta(minutes=minute)) for name, minute in doubted.items()]
        reference.begin(BOTH, CLOSE, pl.DataFrame(rows, schema=keys, orient="row"))
        return reference.bars()


def test_the_newest_closed_bars_are_those_of_the_second_source() -> None:
    stage = Stage(sources=3)
    found = stage.read()
    assert found is not None and set(found["source"]) == {"two"}
    assert found.get_column("close_time").max() == CLOSE, "the running candle is none"
    assert found.height == 2 * 5
    assert stage.slept_s == [stage.settings.market.settle_ms / 1000], "a bar is not asked for before it is settled"
    assert stage.sources[0].asked == stage.sources[2].asked == []


def test_bars_that_did_not_agree_are_read_again_from_the_first_of_them() -> None:
    found = Stage().read({"ETH/USDT": 12})
    assert found is not None
    assert dict(found.group_by("symbol").len().iter_rows()) == {"BTC/USDT": 5, "ETH/USDT": 18}


@pytest.mark.parametrize("stage", [Stage(sources=1), Stage(cross_checked=False)])
def test_nothing_is_read_where_there_is_nobody_to_ask_or_nobody_wants_it(stage: Stage) -> None:
    assert stage.read() is None
    assert not stage.slept_s


def test_a_source_that_fails_says_nothing_and_is_left_alone_by_its_breaker() -> None:
    stage = Stage()
    stage.sources[1].down = VenueUnavailable("it is down")
    assert stage.read() is None
    found = stage.read()
    assert found is not None and found.is_empty()
    assert len(stage.sources[1].asked) == 1


def test_a_source_that_hangs_is_waited_for_as_long_as_its_patience() -> None:
    stage = Stage(patience_s=0.05)
    stage.hold = Event()
    try:
        assert stage.read() is None
    finally:
        stage.hold.set()


def test_a_bar_that_is_told_twice_is_compared_with_nothing() -> None:
    stage = Stage()
    doubled = stage.sources[1].rows.filter(pl.col("open_time") == CLOSE - timedelta(minutes=1))
    stage.sources[1].rows = pl.concat([stage.sources[1].rows, doubled])
    found = stage.read()
    assert found is not None and found.get_column("close_time").max() == CLOSE - timedelta(minutes=1)
