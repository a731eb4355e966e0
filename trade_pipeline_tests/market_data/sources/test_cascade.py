"""Each symbol has the first source that answers it; what is kept is marked by age, and refused beyond it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.errors import KeptBarsTooOld, SourcesFailed, SymbolUnknown, VenueUnavailable
from trade_pipeline.market_data.fetch import Clock, fetch_closed
from trade_pipeline.market_data.sources.cascade import CASCADE, Cascade
from trade_pipeline.market_data.sources.figures import Figures
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.settings.market import MarketSettings
from trade_pipeline.settings.sources import SourceSettings
from trade_pipeline.venues.protocols import BarsAnswer
from trade_pipeline_tests.market_data.frames_of import START
from trade_pipeline_tests.market_data.sources.scripted_source import ScriptedSource, Time

BOTH = ["BTC/USDT", "ETH/USDT"]
RECENT = START + timedelta(minutes=20)
DOWN = VenueUnavailable("it is down")


class Stage:
    def __init__(self, *, factor: float = 1.0, figures: Figures | None = None, **settings: float) -> None:
        self.time = Time()
        self.first = ScriptedSource("one", self.time)
        self.second = ScriptedSource("two", self.time, factor=factor)
        chosen = SourceSettings.model_validate({"soft_age_s": 60, "hard_age_s": 300, **settings})
        self.cascade = Cascade(
            [self.first, self.second], chosen, figures=figures, now=self.time.now, monotonic=self.time.monotonic
        )

    def both_fall_silent(self) -> None:
        self.first.down = self.second.down = DOWN


def sources_of(frame: pl.DataFrame) -> dict[str, set[str]]:
    return {str(key[0]): set(rows["source"]) for key, rows in frame.partition_by("symbol", as_dict=True).items()}


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.cascade.fetch_bars(BOTH, START)
    return made


def test_the_first_source_answers_alone_while_it_can(stage: Stage) -> None:
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert not answer.errors
    assert {origin.tier for origin in answer.provenance.values()} == {Tier.PRIMARY}
    assert set(answer.frame["source"]) == {"one"}
    assert stage.second.asked == []


def test_one_symbols_failure_moves_that_symbol_only_to_the_second_source(stage: Stage) -> None:
    stage.first.broken = {"ETH/USDT"}
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert not answer.errors
    assert stage.second.asked == [["ETH/USDT"]]
    origin = answer.provenance["ETH/USDT"]
    assert (origin.source, origin.tier, origin.stale) == ("two", Tier.SECONDARY, False)
    assert origin.failed_before == ("one: no",)
    assert answer.provenance["BTC/USDT"].tier is Tier.PRIMARY
    assert sources_of(answer.frame) == {"BTC/USDT": {"one"}, "ETH/USDT": {"two"}}
    assert answer.frame["open_time"].min() == RECENT, "rows that were read to compare are not handed on"


def test_a_second_source_with_other_prices_is_not_believed() -> None:
    stage = Stage(factor=1.03)
    stage.cascade.fetch_bars(BOTH, START)
    stage.first.down = DOWN
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert set(answer.frame["source"]) == {"one"}, "what is kept of the first one is"
    assert {origin.tier for origin in answer.provenance.values()} == {Tier.FRESH_CACHE}
    assert "prices are others" in answer.provenance["BTC/USDT"].failed_before[1]


def test_a_second_source_is_not_believed_unseen() -> None:
    stage = Stage()
    stage.first.down = DOWN
    errors = stage.cascade.fetch_bars(BOTH, RECENT).errors
    assert {type(error) for error in errors.values()} == {SourcesFailed}
    assert "no bar to compare" in str(errors["BTC/USDT"])


def test_a_process_that_has_just_begun_judges_it_by_what_is_stored() -> None:
    stage = Stage()
    stage.first.down = DOWN
    stage.cascade.remember(stage.first.rows)
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert {origin.tier for origin in answer.provenance.values()} == {Tier.SECONDARY}


def test_it_is_believed_unseen_where_a_person_says_so() -> None:
    stage = Stage(compared_bars_min=0)
    stage.first.down = DOWN
    assert not stage.cascade.fetch_bars(BOTH, RECENT).errors


def test_a_symbol_that_the_first_exchange_does_not_list_is_not_taken_from_another(stage: Stage) -> None:
    stage.first.unlisted = {"ETH/USDT"}
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert isinstance(answer.errors["ETH/USDT"], SymbolUnknown)
    assert stage.second.asked == []


@pytest.mark.parametrize(
    ("age_s", "tier"), [(1, Tier.FRESH_CACHE), (60, Tier.FRESH_CACHE), (61, Tier.STALE_CACHE), (300, Tier.STALE_CACHE)]
)
def test_what_is_kept_is_given_and_marked_by_its_age(stage: Stage, age_s: float, tier: Tier) -> None:
    fetched_at = stage.time.now()
    stage.both_fall_silent()
    stage.time.passes(age_s)
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert not answer.errors
    origin = answer.provenance["BTC/USDT"]
    assert (origin.tier, origin.stale, origin.age_s) == (tier, tier is Tier.STALE_CACHE, age_s)
    assert (origin.source, origin.fetched_at) == ("one", fetched_at)
    assert len(origin.failed_before) == 2


def test_what_is_kept_is_refused_beyond_its_age(stage: Stage) -> None:
    stage.both_fall_silent()
    stage.time.passes(301)
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert answer.frame.is_empty()
    assert {type(error) for error in answer.errors.values()} == {KeptBarsTooOld}
    assert "301 s" in str(answer.errors["BTC/USDT"])


def test_a_part_of_what_was_asked_does_not_pass_for_the_whole(stage: Stage) -> None:
    stage.both_fall_silent()
    before = stage.cascade.fetch_bars(BOTH, START - timedelta(minutes=1))
    after = stage.cascade.fetch_bars(BOTH, RECENT, START + timedelta(minutes=31))
    covered = stage.cascade.fetch_bars(BOTH, RECENT, START + timedelta(minutes=25))
    assert before.frame.is_empty() and after.frame.is_empty()
    assert {type(error) for error in [*before.errors.values(), *after.errors.values()]} == {SourcesFailed}
    assert covered.frame.height == 10


def test_a_source_that_keeps_failing_is_not_asked_until_its_probes(stage: Stage) -> None:
    stage.first.broken = {*BOTH}
    for _ in range(10):
        stage.cascade.fetch_bars(BOTH, RECENT)
    asked = len(stage.first.asked)
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert len(stage.first.asked) == asked
    assert "its breaker is OPEN" in answer.provenance["BTC/USDT"].failed_before[0]
    stage.first.broken = set()
    stage.time.passes(15)
    assert {origin.tier for origin in stage.cascade.fetch_bars(BOTH, RECENT).provenance.values()} == {Tier.PRIMARY}


def test_an_only_source_is_asked_whatever_its_breaker_says() -> None:
    time = Time()
    only = ScriptedSource("one", time)
    only.broken = {*BOTH}
    cascade = Cascade([only], SourceSettings(), now=time.now, monotonic=time.monotonic)
    for _ in range(20):
        cascade.fetch_bars(BOTH, RECENT)
    assert len(only.asked) == 20
    assert cascade.server_time() > time.now()
    only.broken = set()
    assert not cascade.fetch_bars(BOTH, RECENT).errors


def test_patience_is_for_what_has_just_closed_and_only_where_another_can_be_asked(stage: Stage) -> None:
    stage.first.patience_s.clear()
    stage.cascade.fetch_bars(BOTH, RECENT)
    stage.cascade.fetch_bars(BOTH, {"BTC/USDT": RECENT, "ETH/USDT": START - timedelta(hours=1)})
    stage.cascade.fetch_bars(BOTH, RECENT, START + timedelta(minutes=25))
    alone = Cascade([stage.first], SourceSettings(), now=stage.time.now, monotonic=stage.time.monotonic)
    alone.fetch_bars(BOTH, RECENT)
    assert stage.first.patience_s == [1.0, None, None, None]


def test_a_source_that_fails_in_an_unforeseen_way_takes_nobody_with_it(stage: Stage) -> None:
    stage.first.down = ZeroDivisionError("a bug")
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert set(answer.frame["source"]) == {"two"}


def test_a_source_that_gives_rows_and_an_error_of_one_symbol_has_not_answered_it(stage: Stage) -> None:
    stage.first.makes = lambda answer: BarsAnswer(answer.frame, {"ETH/USDT": DOWN, "SOL/USDT": DOWN})
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert sources_of(answer.frame) == {"BTC/USDT": {"one"}, "ETH/USDT": {"two"}}
    assert not answer.errors and set(answer.provenance) == set(BOTH)


def test_rows_of_symbols_that_were_not_asked_for_are_not_taken(stage: Stage) -> None:
    everything = stage.second.rows
    stage.second.makes = lambda answer: BarsAnswer(everything, answer.errors)
    stage.first.broken = {"ETH/USDT"}
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert sources_of(answer.frame) == {"BTC/USDT": {"one"}, "ETH/USDT": {"two"}}


@pytest.mark.parametrize("close", [float("nan"), None])
def test_a_second_source_whose_closes_are_no_numbers_is_not_believed(stage: Stage, close: float | None) -> None:
    nothing = pl.lit(close, pl.Float64).alias("close")
    stage.second.makes = lambda answer: BarsAnswer(answer.frame.with_columns(nothing), answer.errors)
    stage.first.broken = {"ETH/USDT"}
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert answer.provenance["ETH/USDT"].tier is Tier.FRESH_CACHE
    assert answer.frame["close"].is_finite().all()


def test_bars_that_have_not_begun_are_a_failure_and_never_make_the_running_candle_final(stage: Stage) -> None:
    stage.cascade.read_time()
    running = stage.time.now()
    later = (pl.col("open_time") + timedelta(hours=2), pl.col("close_time") + timedelta(hours=2))

    def with_a_bar_of_later(answer: BarsAnswer) -> BarsAnswer:
        last = answer.frame.filter(pl.col("symbol") == "ETH/USDT").tail(1).with_columns(later)
        return BarsAnswer(pl.concat([answer.frame, last]), answer.errors)

    stage.first.makes = with_a_bar_of_later
    answer = stage.cascade.fetch_bars(BOTH, RECENT)
    assert sources_of(answer.frame) == {"BTC/USDT": {"one"}, "ETH/USDT": {"two"}}
    assert answer.provenance["ETH/USDT"].failed_before == ("one: there are bars that have not begun yet",)
    kept = stage.cascade.kept.get(BOTH)
    assert {entry.frame["open_time"].max() for entry in kept.values()} == {running - timedelta(minutes=1)}


def test_a_running_candle_that_is_kept_never_becomes_final(stage: Stage) -> None:
    """TRADING 19: the last bar was read while it ran; two reads of the cache are not two reads of the exchange."""
    as_of = START + timedelta(minutes=31)
    stage.cascade.fetch_bars(BOTH, RECENT)
    stage.cascade.server_time()
    stage.both_fall_silent()
    stage.time.moment = as_of

    def sleep(seconds: float) -> None:
        stage.time.passes(seconds)

    settings = MarketSettings(settle_ms=150, late_limit_s=3.0)
    fetched = fetch_closed(stage.cascade, dict.fromkeys(BOTH, RECENT), as_of, settings, Clock(stage.time.now, sleep))
    assert set(fetched.late) == {*BOTH}
    assert as_of not in fetched.frame["close_time"].to_list()
    assert {origin.tier for origin in fetched.provenance.values()} <= {Tier.FRESH_CACHE, Tier.STALE_CACHE}


def test_two_reads_of_two_sources_do_not_agree(stage: Stage) -> None:
    """Equal volume and count of two exchanges are chance: the bar has to be read twice from one of them."""
    as_of = START + timedelta(minutes=31)
    stage.time.moment = as_of - timedelta(seconds=1)

    class Alternating(ScriptedSource):
        def fetch_bars(self, *args, **more):  # type: ignore[no-untyped-def]  # the same as its parent's
            self.broken = set() if len(self.asked) % 2 else {*BOTH}
            return super().fetch_bars(*args, **more)

    first = Alternating("one", stage.time)
    cascade = Cascade(
        [first, stage.second],
        SourceSettings(compared_bars_min=0, breaker_requests_min=1000),
        now=stage.time.now,
        monotonic=stage.time.monotonic,
    )
    stage.time.moment = as_of
    clock = Clock(stage.time.now, stage.time.passes)
    settings = MarketSettings(settle_ms=0, late_limit_s=3.0)
    fetched = fetch_closed(cascade, dict.fromkeys(BOTH, RECENT), as_of, settings, clock)
    assert set(fetched.late) == {*BOTH}


def test_time_is_told_by_the_next_source_and_then_by_the_last_known_difference(stage: Stage) -> None:
    ahead = timedelta(seconds=2)
    stage.first.down = DOWN
    assert stage.cascade.server_time() - stage.time.now() == ahead
    stage.second.down = DOWN
    for passed in (60, 600):
        stage.time.passes(passed)
        assert stage.cascade.server_time() - stage.time.now() == ahead
    stage.time.passes(3601)
    with pytest.raises(VenueUnavailable):
        stage.cascade.server_time()


def test_time_that_was_told_shortly_before_is_carried_on_without_asking(stage: Stage) -> None:
    stage.cascade.server_time()
    stage.first.down = ZeroDivisionError("nobody may ask")
    stage.time.passes(149)
    assert stage.cascade.server_time() - stage.time.now() == timedelta(seconds=2)


def test_every_source_is_counted_and_so_is_what_readers_got(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures.sqlite", 7)
    stage = Stage(figures=figures)
    stage.cascade.fetch_bars(BOTH, START)
    stage.first.broken = {"ETH/USDT"}
    stage.cascade.fetch_bars(BOTH, RECENT)
    stage.both_fall_silent()
    stage.cascade.fetch_bars(BOTH, RECENT)
    found = {row.source: row for row in figures.snapshot()}
    assert (found["one"].requests, found["one"].answered, found["one"].failures) == (6, 3, {"VenueUnavailable": 3})
    assert (found["two"].requests, found["two"].answered) == (3, 1)
    assert (found[str(Tier.FRESH_CACHE)].answered, found[CASCADE].answered_ratio) == (2, 1.0)


def test_a_frame_of_no_symbols_has_the_columns_of_bars() -> None:
    answer = Stage().cascade.fetch_bars([], RECENT)
    assert answer.frame.is_empty()
    assert answer.frame.schema["open_time"] == pl.Datetime("ms", "UTC")
