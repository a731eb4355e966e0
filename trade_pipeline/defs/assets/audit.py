"""The daily audit of the lake, of the location "research": seen and linked from the UI, it stops nothing."""

# No postponed annotations here: Dagster reads the type of `context` itself.

from collections.abc import Sequence

import dagster as dg
import polars as pl

from trade_pipeline.audit.expectations import suites
from trade_pipeline.audit.run import Audit, Finding, audit_day
from trade_pipeline.defs.asset_kinds import OWNERS
from trade_pipeline.defs.partitions import DAILY, day_start
from trade_pipeline.defs.resources import Stack
from trade_pipeline.market_data.universe import known_of_day

AUDITED = ("bars", "features", "signals", "target_positions")
DOCS_PATH = "/data_docs/"
"""Where the webserver shows the pages."""
AUDIT_CHECK = dg.AssetCheckSpec(
    "expectations_met",
    asset="lake_audit",
    description="Every expectation of the audit holds for the day. It is seen and stops nothing.",
)


@dg.asset(
    name="lake_audit",
    group_name="audit",
    description="A day of the lake held against Great Expectations; its pages are the Data Docs.",
    kinds={"greatexpectations", "deltalake"},
    owners=OWNERS,
    partitions_def=DAILY,
    deps=list(AUDITED),
    check_specs=[AUDIT_CHECK],
)
def lake_audit(context: dg.AssetExecutionContext, stack: Stack) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Rows of the day itself: of the warm-up before it, its own audit has told."""
    day, opened = context.partition_key, stack.open
    tables = {name: opened.lake.read(name, [day]) for name in AUDITED}
    begin = day_start(day)
    for name, frame in tables.items():
        if "open_time" in frame.columns:
            tables[name] = frame.filter(frame.get_column("open_time") >= begin)
    known = known_of_day(opened.lake, opened.settings, day)
    if known is not None:  # what stands there of other symbols is the warm-up of the day after
        tables["bars"] = tables["bars"].filter(pl.col("symbol").is_in(known))
    symbols = max(tables["bars"].get_column("symbol").n_unique(), 1) if known is None else len(known)
    audit = audit_day(day, tables, suites(symbols), opened.home.audit)
    return dg.MaterializeResult(metadata=metadata_of(audit), check_results=[check_of(audit)])


def metadata_of(audit: Audit) -> dict[str, dg.MetadataValue]:
    """Counts, the link, and a row for each expectation that was not met."""
    return {
        "expectations": dg.MetadataValue.int(audit.expectations),
        "not_met": dg.MetadataValue.int(len(audit.findings)),
        "data_docs": dg.MetadataValue.url(DOCS_PATH),
        "findings": table_of(audit.findings),
    }


def check_of(audit: Audit) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not audit.findings,
        check_name=AUDIT_CHECK.name,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(audit.findings)} of {audit.expectations} expectations on {audit.tables} tables"
        f" of {audit.day} are not met.",
        metadata={"data_docs": dg.MetadataValue.url(DOCS_PATH), "findings": table_of(audit.findings)},
    )


def table_of(findings: Sequence[Finding]) -> dg.TableMetadataValue:
    names = ("table", "kind", "about", "failed", "rows", "examples")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: str(getattr(item, name)) for name in names}) for item in findings],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )
