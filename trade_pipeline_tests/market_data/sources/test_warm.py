"""Sources are warmed once before the next close, and a failure there is nobody's."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.market_data.sources.cascade import Cascade
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.market_data.sources.warm import Warmer
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline_tests.market_data.frames_of import START
from trade_pipeline_tests.market_data.sources.scripted_source import ScriptedSource, Time

BOTH = ["ETH/USDT", "BTC/USDT"]


def staged() -> tuple[Cascade, ScriptedSource, ScriptedSource, Time]:
    clock = Time()
    one, two = ScriptedSource("one", clock), ScriptedSource("two", clock)
    return Cascade([one, two], SourceSettings(), now=clock.now, monotonic=clock.monotonic), one, two, clock


class Counted(Cascade):
    """Tells when it is warmed."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.warmed: list[list[str]] = []
        self.done = threading.Event()

    def warm(self, symbols: Any, bars: int, patience_s: float) -> None:
        self.warmed.append(list(symbols))
        self.done.set()
        raise VenueUnavailable("the warming itself fails")


def test_what_was_warmed_lets_a_secondary_be_believed_at_once() -> None:
    cascade, one, two, _ = staged()
    cascade.warm(BOTH, 5, 4.0)
    assert one.asked == [BOTH], "in the order of who is wanted most"
    assert two.asked == []
    one.down = VenueUnavailable("down")
    answer = cascade.fetch_bars(BOTH, START + timedelta(minutes=28))
    assert {origin.tier for origin in answer.provenance.values()} == {Tier.SECONDARY}


def test_warming_survives_sources_that_are_down() -> None:
    cascade, one, two, _ = staged()
    one.down = two.down = VenueUnavailable("down")
    cascade.warm(BOTH, 5, 4.0)


def test_it_is_read_before_the_next_close_and_once() -> None:
    clock = Time()
    cascade = Counted([ScriptedSource("one", clock)], SourceSettings())
    now = datetime.now(UTC)
    warmer = Warmer(cascade, 59.9, lambda: now)
    warmer.after(now, BOTH)
    warmer.after(now, BOTH)
    assert cascade.done.wait(10)
    time.sleep(0.2)
    assert cascade.warmed == [BOTH], "the second asking replaced the first"


def test_nothing_is_warmed_when_it_is_off_too_late_or_closed() -> None:
    cascade = Counted([ScriptedSource("one", Time())], SourceSettings())
    now = datetime.now(UTC)
    Warmer(cascade, 0, lambda: now).after(now, BOTH)
    Warmer(cascade, 8, lambda: now).after(now - timedelta(seconds=55), BOTH)
    forgotten = Warmer(cascade, 59.9, lambda: now)
    forgotten.after(now, BOTH)
    forgotten.close()
    assert not cascade.done.wait(0.4)
