"""Holds a day's tables against their expectations and writes the Data Docs. The one place of Great Expectations.

It has no polars engine and takes seconds and hundreds of megabytes to import, so it is imported when it is used, in
the process of an audit's run, and never where anything trades.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from trade_pipeline.audit.expectations import Expectation
from trade_pipeline.audit.index_page import write_index

SITE = "data_docs"
SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """An expectation that a table does not meet. `examples` are the first offending values, as text."""

    table: str
    kind: str
    about: str
    failed: int | None
    rows: int
    examples: str


@dataclass(frozen=True, slots=True)
class Audit:
    """`expectations` were held against `tables`; `index` is the first page of the Data Docs."""

    day: str
    tables: int
    expectations: int
    findings: tuple[Finding, ...]
    index: Path


def audit_day(
    day: str, tables: Mapping[str, pl.DataFrame], suites: Mapping[str, Sequence[Expectation]], folder: Path
) -> Audit:
    """Audit `tables` (by name) of one UTC day; keep results and pages below `folder`, beside those of other days.

    A table without a suite is not audited. Decimals are compared as floats.
    """
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: nothing is ever sent anywhere
    import great_expectations as gx
    from great_expectations.checkpoint.actions import UpdateDataDocsAction

    folder.mkdir(parents=True, exist_ok=True)
    context = gx.get_context(mode="file", project_root_dir=str(folder))
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # a run's log is no terminal
    _publish_to(context, folder)
    source = context.data_sources.add_or_update_pandas("lake")
    found: list[Finding] = []
    counted = 0
    names = [name for name in suites if name in tables]
    for name in names:
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("day")
        lines = [getattr(gx.expectations, line.kind)(**line.arguments) for line in suites[name]]
        suite = context.suites.add_or_update(gx.ExpectationSuite(name=name, expectations=lines))
        definition = context.validation_definitions.add_or_update(
            gx.ValidationDefinition(name=name, data=batch, suite=suite)
        )
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[definition],
            actions=[UpdateDataDocsAction(name="pages", site_names=[SITE])],
            result_format="SUMMARY",
        )
        run = context.checkpoints.add_or_update(checkpoint).run(
            batch_parameters={"dataframe": _pandas(tables[name])}, run_id=gx.RunIdentifier(run_name=day)
        )
        for result in run.run_results.values():
            counted += len(result.results)
            found += [_finding(name, tables[name].height, item) for item in result.results if not item.success]
    return Audit(day, len(names), counted, tuple(found), write_index(folder, SITE))


def _publish_to(context: Any, folder: Path) -> None:
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder / SITE)},
    }
    if SITE in context.list_data_docs_sites():
        context.update_data_docs_site(SITE, site)
    else:
        context.add_data_docs_site(SITE, site)


def _pandas(frame: pl.DataFrame) -> Any:
    times = pl.col(name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime))
    plain = frame.with_columns(pl.col(pl.Decimal).cast(pl.Float64)).with_columns(times.dt.replace_time_zone(None))
    return plain.to_pandas()


def _finding(table: str, rows: int, item: Any) -> Finding:
    about = {name: value for name, value in item.expectation_config.kwargs.items() if name != "batch_id"}
    broken = item.exception_info.get("exception_message") if isinstance(item.exception_info, dict) else None
    examples = broken or item.result.get("partial_unexpected_list") or item.result.get("observed_value") or ""
    shown = examples[:SHOWN_MAX] if isinstance(examples, list) else examples
    return Finding(
        table=table,
        kind=str(item.expectation_config.type),
        about=", ".join(f"{name}={value}" for name, value in about.items()),
        failed=item.result.get("unexpected_count"),
        rows=rows,
        examples=str(shown),
    )
