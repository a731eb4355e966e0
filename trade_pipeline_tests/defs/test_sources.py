"""The shell over the cascade: a failing exchange is stood in for, it is told where bars came from, and counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from trade_pipeline.defs.assets.sources import source_reliability
from trade_pipeline.defs.resources import Stack
from trade_pipeline.market_data.fetch import Clock, fetch_closed
from trade_pipeline.market_data.sources.protocol import Tier
from trade_pipeline.settings.load import settings_in_force, write_settings_in_force
from trade_pipeline_tests.defs.conftest import TestStack, decision_of, metadata_of, settle_in_minute
from trade_pipeline_tests.exchange.servers import running_server


@pytest.fixture
def with_a_twin(stack: TestStack) -> Iterator[TestStack]:
    """A second exchange that plays the same market stands in for the first."""
    with running_server(symbols=5, history_days=4) as twin:
        settings = settings_in_force(stack.home)
        sources = settings.sources.model_copy(
            update={"secondary": ("binance",), "secondary_urls": {"binance": twin.url}, "patience_s": 5.0}
        )
        market = settings.market.model_copy(update={"read_attempts_max": 1, "late_limit_s": 25.0})
        write_settings_in_force(stack.home, settings.model_copy(update={"sources": sources, "market": market}))
        yield stack


def reliability(stack: TestStack) -> dict[str, Any]:
    result = dg.materialize(
        [source_reliability], instance=stack.instance, resources={"stack": Stack(home=str(stack.home.root))}
    )
    return metadata_of(result, "source_reliability")


def test_a_decision_is_taken_on_the_twins_bars_and_says_so(with_a_twin: TestStack) -> None:
    stack = with_a_twin
    settle_in_minute(35)
    stack.decide()
    stack.fault(kind="http_500", path="/api/v3/klines")
    notes = metadata_of(stack.decide(), "raw_bars")
    sources: Any = notes["sources"]
    assert notes["late"] == 0, notes
    assert sources["symbols"] == {"binance-sim-2, secondary": 5}
    origin = sources["not_from_the_first"]["BTC/USDT"]
    assert origin["tier"] == str(Tier.SECONDARY) and not origin["stale"]
    assert origin["failed_before"], "why the first did not answer"
    told = reliability(stack)
    assert float(str(told["answered_ratio"])) == 1.0
    table: Any = told["sources"]
    found = {row.data["source"]: row.data for row in table.records}
    assert found["binance-sim"]["answered"] < found["binance-sim"]["requests"]
    assert "data:image/png;base64," in str(told["reliability"])


def test_a_price_that_the_twin_contradicts_holds_its_symbol_and_clears_by_itself(with_a_twin: TestStack) -> None:
    stack = with_a_twin
    settle_in_minute(35)
    assert metadata_of(stack.decide(), "raw_bars")["compared_with_second_source"] == 5
    stack.fault(kind="other_price", symbol="BTC/USDT")
    broken = stack.decide_at_next_close()
    assert held_in(stack, broken) == {"BTC/USDT"}, "two in a hundred are no outlier: only another source can tell"
    shown = disagreement(broken)
    assert not shown.passed
    table: Any = shown.metadata["failing_rows"]
    (row,) = table.records
    assert row.data["symbol"] == "BTC/USDT"
    assert "binance-sim and at" in str(row.data["message"]) and "binance-sim-2" in str(row.data["message"])
    stack.no_faults()
    healed = stack.decide_at_next_close()
    assert disagreement(healed).passed, "the contradicted bar was asked for again"
    assert held_in(stack, healed) == set()


def held_in(stack: TestStack, result: dg.ExecuteInProcessResult) -> set[str]:
    decision = stack.open.ledger.decision(decision_of(result))
    assert decision is not None
    held = decision.detail["quarantined"]
    assert isinstance(held, Mapping)
    return set(held)


def disagreement(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    name = "cross_source_disagreement"
    (found,) = [check for check in result.get_asset_check_evaluations() if check.check_name == name]
    return found


def test_without_a_twin_a_dead_exchange_is_late_and_holds_every_symbol(stack: TestStack) -> None:
    since = datetime.now(UTC).replace(second=0, microsecond=0)
    stack.open.market.fetch_bars(stack.open.universe(since), None, None, 10)
    stack.fault(kind="http_500", path="/api/v3/klines")
    wanted = dict.fromkeys(stack.open.universe(since), since.replace(hour=0, minute=0))
    settings = stack.open.settings.market
    fetched = fetch_closed(stack.open.market, wanted, since, settings, Clock())
    assert set(fetched.late) == set(wanted)
    assert fetched.frame.is_empty()


def test_a_home_without_figures_has_an_empty_report(stack: TestStack) -> None:
    assert reliability(stack)["dagster/row_count"] == 0
