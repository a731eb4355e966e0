"""Check results that Dagster stores are read from its tables: the contract with the pinned release."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import yaml

from trade_pipeline.observe.checks import checks_of_run, failed_checks


@dg.asset
def bars() -> int:
    return 1


@dg.asset_check(asset=bars, description="what the check is for")
def never() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="3 of 20 rows have a negative price")


@dg.asset_check(asset=bars)
def always() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, description="fine")


def _instance(folder: Path, url: str) -> dg.DagsterInstance:
    config = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
    return dg.DagsterInstance.from_config(str(folder))


def test_a_database_without_dagster_has_no_failed_checks(ledger_url: str) -> None:
    assert failed_checks(ledger_url) == []


def test_failures_are_named_with_their_sentence_until_they_pass_again(tmp_path: Path, ledger_url: str) -> None:
    with _instance(tmp_path, ledger_url) as instance:
        run = dg.materialize([bars, never, always], instance=instance)
    (failed,) = failed_checks(ledger_url)
    assert (failed.asset, failed.check) == ("bars", "never")
    assert failed.what == "3 of 20 rows have a negative price"
    assert failed.at.tzinfo is not None
    found = {item["check"]: (item["status"], item["what"]) for item in checks_of_run(ledger_url, run.run_id)}
    assert found == {"never": ("FAILED", "3 of 20 rows have a negative price"), "always": ("SUCCEEDED", "fine")}
