"""Conflicts between ledger and exchange as people see them in the UI."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import dagster as dg
import pytest

from trade_pipeline.definitions import defs
from trade_pipeline.defs.assets.positions import ledger_equals_exchange, position_conflicts
from trade_pipeline.defs.jobs import reports
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Conflict
from trade_pipeline.settings.root import Settings

AT = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class OnlyLedger(dg.ConfigurableResource[None]):
    """A stack of which only the ledger is there."""

    url: str

    @property
    def open(self) -> SimpleNamespace:
        return SimpleNamespace(ledger=Ledger(self.url), settings=Settings(), now=lambda: AT)


def conflict(outcome: str, **changes: object) -> Conflict:
    values: dict[str, object] = {
        "conflict_id": "c1",
        "account": "main",
        "subject": "BTC/USDT",
        "kind": "position_short",
        "ledger_amount": Decimal("0.999"),
        "exchange_amount": Decimal("0.5"),
        "strategy": "merge",
        "outcome": outcome,
        "at": AT,
        "detail": {"why": "no trade explains it"},
    }
    return Conflict(**(values | changes))  # type: ignore[arg-type]  # a test names only what it is about


def rows_of(shown: object) -> list[dg.TableRecord]:
    assert isinstance(shown, dg.TableMetadataValue)
    return list(shown.records)


@pytest.fixture
def ran(ledger: Ledger, ledger_url: str) -> Callable[[], dg.ExecuteInProcessResult]:
    """Runs asset and check on the ledger as it is then."""

    def run() -> dg.ExecuteInProcessResult:
        small = dg.Definitions(
            assets=[position_conflicts],
            asset_checks=[ledger_equals_exchange],
            resources={"stack": OnlyLedger(url=ledger_url)},
        )
        return small.resolve_implicit_global_asset_job_def().execute_in_process()

    return run


def test_the_check_is_red_with_rows_while_a_conflict_is_open_and_green_after(
    ledger: Ledger, ran: Callable[[], dg.ExecuteInProcessResult]
) -> None:
    ledger.record_conflict(conflict("found"))
    ledger.record_conflict(conflict("halted"))
    result = ran()
    assert result.success, "the check blocks nothing"
    (judged,) = result.get_asset_check_evaluations()
    assert not judged.passed
    assert "position_short BTC/USDT (halted)" in str(judged.description)
    (row,) = rows_of(judged.metadata["failing_rows"])
    assert (row.data["ledger_amount"], row.data["exchange_amount"]) == ("0.999", "0.5")
    ledger.record_conflict(conflict("resolved"))
    result = ran()
    (judged,) = result.get_asset_check_evaluations()
    assert judged.passed
    (event,) = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["open"].value, len(rows_of(metadata["recent"]))) == (0, 3)


def test_the_schedule_of_reports_draws_conflicts_and_judges_them() -> None:
    layer = defs.resolve_job_def(reports.name).asset_layer
    assert dg.AssetKey("position_conflicts") in layer.selected_asset_keys
    names = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert "ledger_equals_exchange" in names
    spec = next(iter(ledger_equals_exchange.check_specs))
    assert not spec.blocking
