"""A scan of the real simulated exchange decides what is traded next, and a past day cannot be scanned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs.partitions import last_close, partition_of
from trade_pipeline.defs.run_time import AS_OF_TAG
from trade_pipeline.defs.schedules import universe_schedule
from trade_pipeline.schemas import frames
from trade_pipeline.settings.load import write_settings_in_force
from trade_pipeline_tests.defs.conftest import TestStack, decision_of, metadata_of


def scanned(stack: TestStack, as_of: datetime) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("scan_universe").execute_in_process(
        instance=stack.instance, partition_key=partition_of(as_of), tags={AS_OF_TAG: as_of.isoformat()}
    )


def test_the_most_traded_symbols_are_traded_from_the_scan_on(stack: TestStack) -> None:
    settings = stack.open.settings
    few = settings.model_copy(
        update={
            "market": settings.market.model_copy(update={"symbols_max": 2}),
            "universe": settings.universe.model_copy(update={"blacklist": ("BTC/*",), "age_days_min": 1.0}),
        }
    )
    write_settings_in_force(stack.home, few)
    stack.open.__dict__.pop("settings")
    as_of = last_close(datetime.now(UTC))
    everybody = stack.open.universe(as_of)
    assert everybody == ("BNB/USDT", "ETH/USDT"), "before the first scan: by name, but for who is never traded"

    result = scanned(stack, as_of)
    found = metadata_of(result, "universe")
    assert (found["symbols"], found["selected"]) == (5, 2)
    later = datetime.now(UTC)
    assert stack.open.universe(as_of) == everybody, "a decision that had begun goes on with what it knew"
    chosen = stack.open.universe(later)
    assert len(chosen) == 2
    assert "BTC/USDT" not in chosen
    rows = stack.open.lake.read("universe", [partition_of(as_of)])
    assert rows.get_column("listed_at").null_count() == 0
    by_volume = rows.sort("day_volume_quote", descending=True).get_column("symbol").to_list()
    assert sorted(chosen) == sorted([symbol for symbol in by_volume if symbol != "BTC/USDT"][:2])
    assert stack.open.universe_of_day(partition_of(later), later) == chosen


def test_where_the_scan_chooses_nobody_nobody_is_traded(stack: TestStack) -> None:
    settings = stack.open.settings
    none = settings.universe.model_copy(update={"day_volume_quote_min": 1e14})
    write_settings_in_force(stack.home, settings.model_copy(update={"universe": none}))
    stack.open.__dict__.pop("settings")
    result = scanned(stack, last_close(datetime.now(UTC)))
    assert metadata_of(result, "universe")["selected"] == 0
    later = datetime.now(UTC)
    assert stack.open.universe(later) == () == stack.open.universe_of_day(partition_of(later), later)
    decided = stack.decide_at_next_close()
    assert decided.success
    assert stack.open.ledger.targets(decision_of(decided)) == []


def test_an_exchange_that_tells_nothing_of_any_symbol_chooses_nobody_away(
    stack: TestStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = last_close(datetime.now(UTC))
    scanned(stack, first)
    before = stack.open.universe(datetime.now(UTC))
    assert before
    monkeypatch.setattr(stack.open.market.sources[0], "day_tickers", lambda symbols: frames.empty(frames.DAY_TICKERS))
    with pytest.raises(Exception, match="tells nothing of any symbol"):
        scanned(stack, first + timedelta(minutes=1))
    assert stack.open.universe(datetime.now(UTC) + timedelta(minutes=1)) == before


def test_a_past_day_cannot_be_scanned(stack: TestStack) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    with pytest.raises(Exception, match="a past day cannot be scanned"):
        defs.resolve_job_def("scan_universe").execute_in_process(instance=stack.instance, partition_key=yesterday)


def test_a_scan_is_asked_for_by_its_minute() -> None:
    at = datetime(2026, 3, 2, 0, 55, tzinfo=UTC)
    request = universe_schedule(dg.build_schedule_context(scheduled_execution_time=at))
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.tags[AS_OF_TAG]) == ("2026-03-02", at.isoformat())
