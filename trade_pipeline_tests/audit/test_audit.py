"""The audit of real frames by the real Great Expectations: clean days pass, each defect is named, pages are written."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from trade_pipeline.audit.expectations import suites
from trade_pipeline.audit.run import Audit, audit_day
from trade_pipeline.features.compute import compute_features
from trade_pipeline.schemas import frames
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.made_bars import START, random_bars

DAY = f"{START:%Y-%m-%d}"


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    bars = random_bars(2, 1440).with_columns(synthetic=pl.lit(False), repair=pl.lit(None, dtype=pl.String))
    targets = pl.DataFrame(
        [("d", START, "S00/USDT", "SET", 1, 100, 1, 0.5, 0.1, "trend", "{}", START + timedelta(minutes=1), "why")],
        schema=frames.TARGETS,
        orient="row",
    )
    return {"bars": bars, "features": compute_features(bars, Settings().features), "target_positions": targets}


@pytest.fixture(scope="module")
def clean(tables: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return audit_day(DAY, tables, suites(2), tmp_path_factory.mktemp("audit"))


def test_a_clean_day_meets_every_expectation(clean: Audit) -> None:
    assert clean.findings == ()
    assert (clean.tables, clean.expectations) == (
        3,
        sum(len(suites(2)[t]) for t in ("bars", "features", "target_positions")),
    )


def test_its_pages_are_kept_day_by_day(clean: Audit) -> None:
    links = re.findall(r"href='([^']+)'>(\w+)</a><td>(\d+)<td class='yes'>0", clean.index.read_text())
    assert [(table, int(count)) for _, table, count in links] == [
        (table, len(suites(2)[table])) for table in ("target_positions", "features", "bars")
    ]
    assert all("Succeeded" in (clean.index.parent / path).read_text() for path, _, _ in links)


def test_every_defect_is_named_with_what_it_is_about(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    at = pl.col("open_time") == START
    bars = tables["bars"]
    broken = pl.concat(
        [
            bars.with_columns(
                low=pl.when(at).then(-1.0).otherwise("low"),
                high=pl.when(at).then(pl.col("low") / 2).otherwise("high"),
                volume=pl.when(at).then(-5.0).otherwise("volume"),
            ),
            bars.tail(1),
        ]
    ).head(2000)
    found = {(item.kind, item.about.split(",")[0]) for item in _audit(broken, tmp_path).findings}
    assert ("expect_column_values_to_be_between", "column=low") in found
    assert ("expect_column_values_to_be_between", "column=volume") in found
    assert ("expect_column_pair_values_a_to_be_greater_than_b", "column_A=high") in found
    assert {kind for kind, _ in found} >= {"expect_table_row_count_to_be_between"}


def test_a_row_that_is_there_twice_is_told_with_its_count(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    doubled = pl.concat([tables["bars"], tables["bars"].head(3)])
    found = {item.kind: item.failed for item in _audit(doubled, tmp_path).findings}
    assert found["expect_compound_columns_to_be_unique"] == 6


def test_a_column_that_is_missing_is_a_finding_and_no_crash(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    found = _audit(tables["bars"].drop("trades"), tmp_path).findings
    assert "expect_table_columns_to_match_set" in {item.kind for item in found}
    assert any("trades" in item.about for item in found)


@pytest.mark.parametrize("location", ["trade_pipeline.definitions", "trade_pipeline.research"])
def test_no_location_imports_great_expectations_when_it_is_loaded(location: str) -> None:
    code = f"import sys, {location}; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def _audit(bars: pl.DataFrame, folder: Path) -> Audit:
    return audit_day(DAY, {"bars": bars}, suites(2), folder)


def test_the_examples_hold_the_offending_values(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    strange = tables["bars"].with_columns(open=pl.when(pl.col("open_time") == START).then(-7.25).otherwise("open"))
    (finding,) = [item for item in _audit(strange, tmp_path).findings if item.kind.endswith("to_be_between")]
    assert "-7.25" in finding.examples
    assert finding.rows == tables["bars"].height
