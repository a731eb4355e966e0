"""The night's job on a real lake, and what asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl

from trade_pipeline.definitions import defs
from trade_pipeline.defs.partitions import DAY, day_start
from trade_pipeline.defs.repair import computed_times, wanted_days
from trade_pipeline.defs.schedules import nightly_schedule
from trade_pipeline.market_data.fetch import fetch_span
from trade_pipeline.research import defs as research
from trade_pipeline.schemas import frames
from trade_pipeline_tests.defs.conftest import TestStack, metadata_of

BTC = pl.col("symbol") == "BTC/USDT"
HISTORY = ["bars", "quarantined_bars", "quality_scores", "features", "regimes", "signals"]


def test_a_day_that_is_over_gets_its_coarser_bars_and_the_lake_its_upkeep(stack: TestStack) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert stack.backfill(["raw_bars", "bars"], yesterday, yesterday).success
    result = defs.resolve_job_def("nightly").execute_in_process(instance=stack.instance, partition_key=yesterday)
    assert result.success

    lake = stack.open.lake
    counts = dict(lake.read("coarse_bars", [yesterday]).group_by("length_s").len().iter_rows())
    assert counts == {300: 288 * 5, 900: 96 * 5, 3600: 24 * 5, 14_400: 6 * 5, 86_400: 5}
    whole_day = lake.read("coarse_bars", [yesterday]).filter(pl.col("length_s") == 86_400)
    minutes = lake.read("bars", [yesterday])
    assert whole_day.get_column("trades").sum() == minutes.get_column("trades").sum()
    health = metadata_of(result, "lake_upkeep")
    assert int(str(health["files"])) >= 3
    assert int(str(health["size_bytes"])) > 0


def test_a_bar_that_was_changed_long_after_its_decision_is_found_at_night(stack: TestStack) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert stack.backfill(["raw_bars", *HISTORY], yesterday, yesterday).success
    lake = stack.open.lake
    noon = BTC & (pl.col("open_time") == day_start(yesterday) + timedelta(hours=12))
    true = lake.read("raw_bars", [yesterday]).filter(noon)
    lake.append("raw_bars", true.with_columns(pl.col("volume") * 2), known_at=datetime.now(UTC))
    seen_at = datetime.now(UTC)

    result = defs.resolve_job_def("nightly").execute_in_process(instance=stack.instance, partition_key=yesterday)
    notes: Any = metadata_of(result, "bars_asked_again")
    assert (notes["rows_added"], notes["rows_revised"]) == (0, 1)
    (change,) = [record.data for record in notes["changed"].records]
    volume = true.item(0, "volume")
    told = tuple(change[name] for name in ("symbol", "column", "was", "is"))
    assert told == ("BTC/USDT", "volume", str(volume * 2), str(volume))
    assert lake.as_seen("raw_bars", [yesterday], seen_at).filter(noon).item(0, "volume") == volume * 2
    assert lake.as_revised("raw_bars", [yesterday], seen_at).filter(noon).equals(true)
    computed = computed_times(stack.instance, [yesterday])
    wanted = wanted_days(stack.open, computed, f"{datetime.now(UTC):%Y-%m-%d}")
    assert [item.day for item in wanted] == [yesterday], "what stood on the old value is computed again"

    again = defs.resolve_job_def("nightly").execute_in_process(instance=stack.instance, partition_key=yesterday)
    assert metadata_of(again, "bars_asked_again")["rows_revised"] == 0


def test_the_score_of_a_day_stays_that_of_the_whole_day(stack: TestStack) -> None:
    today = datetime.now(UTC)
    yesterday = f"{today - timedelta(days=1):%Y-%m-%d}"
    assert stack.backfill(["raw_bars", "bars", "quarantined_bars", "quality_scores"], yesterday, yesterday).success
    whole = stack.open.lake.read("quality_scores", [yesterday])
    assert set(whole.get_column("expected")) == {1440}
    assert stack.decide().success
    assert stack.open.lake.read("quality_scores", [yesterday]).equals(whole), "a decision sees only its evening"
    symbols = stack.open.universe(datetime.now(UTC))
    assert stack.open.lake.read("quality_scores", [f"{today:%Y-%m-%d}"]).height == len(symbols)


def test_the_night_is_that_of_the_day_before_the_nominal_moment() -> None:
    late = datetime(2026, 3, 2, 0, 12, tzinfo=UTC)
    request = nightly_schedule(dg.build_schedule_context(scheduled_execution_time=late))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-03-01"
    assert request.run_key == "nightly:2026-03-01"


def test_a_day_without_bars_or_without_a_symbol_s_bars_does_not_pass_its_audit(stack: TestStack) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    job = research.resolve_job_def("audit")

    def verdict() -> tuple[bool, str]:
        result = job.execute_in_process(instance=stack.instance, partition_key=yesterday)
        (check,) = result.get_asset_check_evaluations()
        return check.passed, str(metadata_of(result, "lake_audit")["findings"])

    passed, findings = verdict()
    assert not passed and "row_count" in findings

    midnight = day_start(yesterday)
    symbols = stack.open.universe(datetime.now(UTC))
    bars = fetch_span(stack.open.market, symbols, midnight, midnight + DAY).frame.with_columns(
        synthetic=pl.lit(False), repair=pl.lit(None, pl.String)
    )
    scans = pl.DataFrame({"scanned_at": [midnight] * len(symbols), "symbol": symbols, "selected": True, "reason": ""})
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in frames.UNIVERSE.items() if name not in scans.columns]
    stack.open.lake.append("universe", scans.with_columns(absent), known_at=midnight)
    stack.open.lake.append("bars", bars.filter(pl.col("symbol") != symbols[0]), known_at=midnight + DAY)
    passed, findings = verdict()
    assert not passed and "row_count" in findings, "a symbol is missing altogether"

    stack.open.lake.append("bars", bars.filter(pl.col("symbol") == symbols[0]), known_at=midnight + DAY)
    assert verdict()[0]


def test_a_day_is_audited_seen_with_its_link_and_stops_nothing(stack: TestStack) -> None:
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert stack.backfill(["raw_bars", "bars", "features", "regimes", "signals"], yesterday, yesterday).success
    job = research.resolve_job_def("audit")
    result = job.execute_in_process(instance=stack.instance, partition_key=yesterday)
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    found = metadata_of(result, "lake_audit")
    assert check.passed, found["findings"]
    assert not check.blocking
    assert found["data_docs"] == "/data_docs/"
    assert int(str(found["expectations"])) > 40
    assert yesterday in (stack.home.audit / "data_docs" / "index.html").read_text()
