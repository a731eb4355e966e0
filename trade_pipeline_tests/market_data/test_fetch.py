"""A bar counts once it is final; a late symbol is told and holds up nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from trade_pipeline.errors import VenueUnavailable
from trade_pipeline.market_data.fetch import Clock, fetch_closed, fetch_span, next_wanted
from trade_pipeline.schemas import frames
from trade_pipeline.schemas.trading import BookTop, MarketRules
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline_tests.market_data.frames_of import START, bars

SETTINGS = MarketSettings(settle_ms=150, late_limit_s=3.0)
MINUTE = timedelta(minutes=1)


class ManualClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(self.now, self.sleep)


class FakeMarket:
    """Answers from a function of the time; pages as an exchange does."""

    def __init__(
        self, clock: ManualClock, rows: Callable[[datetime], pl.DataFrame], broken: Sequence[str] = (), page: int = 1000
    ) -> None:
        self.clock, self.rows, self.broken, self.page = clock, rows, broken, page
        self.skew = timedelta(0)

    def server_time(self) -> datetime:
        return self.clock.time + self.skew

    def markets(self) -> dict[str, MarketRules]:
        return {}

    def listed_at(self, symbols: Sequence[str]) -> dict[str, datetime]:
        return {}

    def day_tickers(self, symbols: Sequence[str]) -> pl.DataFrame:
        return frames.empty(frames.DAY_TICKERS)

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        return {}

    def close(self) -> None:
        return

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> BarsAnswer:
        assert isinstance(since, Mapping)
        frame = self.rows(self.clock.time)
        parts = [
            frame.filter((pl.col("symbol") == symbol) & (pl.col("open_time") >= since[symbol])).head(self.page)
            for symbol in symbols
            if symbol not in self.broken
        ]
        errors = {symbol: VenueUnavailable("no answer", thing=symbol) for symbol in symbols if symbol in self.broken}
        return BarsAnswer(pl.concat([frames.empty(frames.BARS), *parts]), errors)


def test_a_bar_with_a_successor_is_final_at_the_first_read() -> None:
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of)
    market = FakeMarket(clock, lambda now: bars(6))
    fetched = fetch_closed(market, {"BTC/USDT": START, "ETH/USDT": START}, as_of, SETTINGS, clock.clock())
    assert (fetched.frame.height, dict(fetched.late), fetched.reads) == (10, {}, 1)
    assert fetched.frame.get_column("close_time").max() == as_of
    assert clock.time >= as_of + timedelta(milliseconds=150)


def test_without_a_successor_two_equal_reads_are_needed() -> None:
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of)

    def corrected(now: datetime) -> pl.DataFrame:
        """The last candle still grows during the first half second."""
        frame = bars(5)
        growing = (pl.col("close_time") == as_of) & pl.lit(now < as_of + timedelta(seconds=0.5))
        return frame.with_columns(
            pl.when(growing).then(pl.lit((now - as_of).total_seconds())).otherwise("volume").alias("volume")
        )

    fetched = fetch_closed(FakeMarket(clock, corrected), {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert fetched.frame.height == 5
    assert fetched.frame.sort("open_time").item(-1, "volume") == 10.0
    assert fetched.reads > 2


def test_a_late_symbol_is_told_after_the_limit_and_the_others_are_there() -> None:
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of)
    late = bars(6).filter((pl.col("symbol") != "ETH/USDT") | (pl.col("close_time") < as_of))
    fetched = fetch_closed(
        FakeMarket(clock, lambda now: late, broken=["XRP/USDT"]),
        dict.fromkeys(("BTC/USDT", "ETH/USDT", "XRP/USDT"), START),
        as_of,
        SETTINGS,
        clock.clock(),
    )
    assert sorted(fetched.late) == ["ETH/USDT", "XRP/USDT"]
    assert "no answer" in fetched.late["XRP/USDT"]
    last = dict(fetched.frame.group_by("symbol").agg(pl.col("close_time").max()).iter_rows())
    assert last == {"BTC/USDT": as_of, "ETH/USDT": as_of - 2 * MINUTE}
    assert clock.time <= as_of + timedelta(seconds=3.3)


def test_the_running_candle_is_never_taken() -> None:
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of + timedelta(seconds=30))
    fetched = fetch_closed(FakeMarket(clock, lambda now: bars(6)), {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert fetched.frame.get_column("close_time").max() == as_of


def test_the_exchange_s_clock_counts_not_ours() -> None:
    as_of = START + 5 * MINUTE
    clock = ManualClock(as_of + timedelta(seconds=1))
    market = FakeMarket(clock, lambda now: bars(6))
    market.skew = timedelta(seconds=-2)  # the exchange is behind us: its close is still to come
    fetch_closed(market, {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert clock.time >= as_of + timedelta(seconds=2.15)


def test_a_long_absence_is_read_page_by_page() -> None:
    as_of = START + 45 * MINUTE
    clock = ManualClock(as_of)
    market = FakeMarket(clock, lambda now: bars(46), page=10)
    fetched = fetch_closed(market, {"BTC/USDT": START, "ETH/USDT": START + 40 * MINUTE}, as_of, SETTINGS, clock.clock())
    assert fetched.late == {}
    assert fetched.frame.group_by("symbol").len().sort("symbol").rows() == [("BTC/USDT", 45), ("ETH/USDT", 5)]


class Deaf(FakeMarket):
    """Answers with the same page whatever it is asked for."""

    reads = 0

    def fetch_bars(
        self,
        symbols: Sequence[str],
        since: Mapping[str, datetime] | datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> BarsAnswer:
        self.reads += 1
        assert self.reads < 100, "it is read for ever"
        return BarsAnswer(self.rows(self.clock.time).filter(pl.col("symbol").is_in(list(symbols))), {})


def test_a_source_that_answers_with_other_bars_than_were_asked_for_is_late_and_not_read_for_ever() -> None:
    clock = ManualClock(START)
    market = Deaf(clock, lambda now: bars(1000, first=-3000))
    fetched = fetch_closed(market, {"BTC/USDT": START - 500 * MINUTE}, START, SETTINGS, clock.clock())
    assert "only with bars from before" in fetched.late["BTC/USDT"]
    assert fetched.frame.is_empty() and clock.time <= START + timedelta(seconds=4)
    whole_day = fetch_span(Deaf(clock, market.rows), ["BTC/USDT"], START - 500 * MINUTE, START)
    assert whole_day.frame.is_empty(), "nor are they taken for the day's"


def test_two_different_rows_for_a_minute_make_the_symbol_late_and_equal_ones_do_not() -> None:
    as_of = START + 5 * MINUTE
    doubled = pl.concat([bars(6), bars(1, first=3).with_columns(pl.col("close") + 1)])
    clock = ManualClock(as_of)
    fetched = fetch_closed(FakeMarket(clock, lambda now: doubled), {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert "two different rows" in fetched.late["BTC/USDT"]
    closes = fetched.doubled.filter(pl.col("as_of") == as_of).select("symbol", "open_time", "copy", "close").rows()
    at = START + 3 * MINUTE
    assert closes == [("BTC/USDT", at, 0, 104.0), ("BTC/USDT", at, 1, 105.0)], "as they came, however often read"
    same = pl.concat([bars(6), bars(1, first=3)])
    clock = ManualClock(as_of)
    fetched = fetch_closed(FakeMarket(clock, lambda now: same), {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert fetched.frame.height == 5
    assert fetched.doubled.select("symbol", "open_time", "copy").rows() == [("BTC/USDT", at, 0), ("BTC/USDT", at, 1)]


def test_rows_that_no_longer_contradict_each_other_are_taken_and_still_told() -> None:
    as_of = START + 5 * MINUTE
    doubled = pl.concat([bars(6), bars(1, first=3).with_columns(pl.col("close") + 1)])
    clock = ManualClock(as_of)
    market = FakeMarket(clock, lambda now: doubled if now < as_of + timedelta(seconds=1) else bars(6))
    fetched = fetch_closed(market, {"BTC/USDT": START}, as_of, SETTINGS, clock.clock())
    assert fetched.late == {} and fetched.frame.height == 5
    assert fetched.doubled.height == 2


def test_of_a_past_day_a_minute_with_different_rows_is_left_out_and_one_with_equal_rows_counts_once() -> None:
    doubled = pl.concat([bars(9), bars(1, first=3), bars(1, first=6).with_columns(pl.col("close") + 1)])
    market = FakeMarket(ManualClock(START), lambda now: doubled)
    fetched = fetch_span(market, ["BTC/USDT"], START, START + 9 * MINUTE)
    minutes = [(opened - START) // MINUTE for opened in fetched.frame.get_column("open_time")]
    assert minutes == [0, 1, 2, 3, 4, 5, 7, 8]
    assert [(opened - START) // MINUTE for opened in fetched.doubled.get_column("open_time")] == [3, 3, 6, 6]
    assert fetched.late == {}


def test_a_past_day_is_read_to_its_end_and_no_further() -> None:
    clock = ManualClock(START)
    market = FakeMarket(clock, lambda now: bars(100), broken=["XRP/USDT"], page=30)
    fetched = fetch_span(market, ["BTC/USDT", "ETH/USDT", "XRP/USDT"], START, START + 80 * MINUTE)
    assert fetched.frame.height == 160
    assert list(fetched.late) == ["XRP/USDT"]


def test_reading_goes_on_a_little_before_what_is_stored() -> None:
    wanted = next_wanted(bars(10, symbols=("BTC/USDT",)), ["BTC/USDT", "ETH/USDT"], START)
    assert wanted == {"BTC/USDT": START + 8 * MINUTE, "ETH/USDT": START}


def test_a_hole_in_what_is_stored_is_asked_for_again() -> None:
    stored = bars(10, symbols=("BTC/USDT",)).filter(pl.col("open_time") != START + 4 * MINUTE)
    assert next_wanted(stored, ["BTC/USDT"], START) == {"BTC/USDT": START + 4 * MINUTE}
    late_listing = bars(3, first=7, symbols=("BTC/USDT",))
    assert next_wanted(late_listing, ["BTC/USDT"], START) == {"BTC/USDT": START}


def test_a_bar_whose_prices_cannot_be_true_is_asked_for_again() -> None:
    broken = pl.col("open_time") == START + 3 * MINUTE
    stored = bars(10, symbols=("BTC/USDT",))
    negative = stored.with_columns(pl.when(broken).then(-pl.col("low")).otherwise("low").alias("low"))
    assert next_wanted(negative, ["BTC/USDT"], START) == {"BTC/USDT": START + 3 * MINUTE}
    swapped = stored.with_columns(pl.when(broken).then(pl.col("low") / 2).otherwise("high").alias("high"))
    assert next_wanted(swapped, ["BTC/USDT"], START) == {"BTC/USDT": START + 3 * MINUTE}


def test_symbols_that_are_in_play_are_asked_for_before_the_others() -> None:
    as_of = START + 5 * MINUTE
    clock, asked = ManualClock(as_of), list[list[str]]()

    class Watched(FakeMarket):
        def fetch_bars(
            self,
            symbols: Sequence[str],
            since: Mapping[str, datetime] | datetime | None = None,
            until: datetime | None = None,
            limit: int | None = None,
        ) -> BarsAnswer:
            asked.append(list(symbols))
            return super().fetch_bars(symbols, since, until, limit)

    names = ("AAA/USDT", "BBB/USDT", "CCC/USDT", "DDD/USDT")
    market = Watched(clock, lambda now: bars(6, symbols=names))
    first = ("DDD/USDT", "GONE/USDT", "CCC/USDT")
    fetch_closed(market, dict.fromkeys(names, START), as_of, SETTINGS, clock.clock(), first=first)
    assert asked == [["DDD/USDT", "CCC/USDT", "AAA/USDT", "BBB/USDT"]]
