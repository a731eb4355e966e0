"""What a check found, as Dagster shows and keeps it: a sentence, numbers, the failing rows, one record a day."""

# No postponed annotations here: Dagster's own modules read types at run time.

import dagster as dg
import polars as pl
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from trade_pipeline.quality.rules import Severity


def result_of(found: pl.DataFrame, rows: int, day: str, shown_max: int) -> tuple[bool, str, dict[str, object]]:
    """Passed, one sentence with numbers, and metadata with the first failing rows, of `rows` that were checked."""
    passed = found.is_empty()
    first = "" if passed else f": {found.item(0, 'message')}"
    sentence = f"{found.height} failures in {rows} rows of {day}{first}."
    metadata: dict[str, object] = {"rows_checked": rows, "failures": found.height, "threshold": 0}
    if not passed:
        metadata["failing_rows"] = dg.MetadataValue.table(
            records=[
                dg.TableRecord({name: None if value is None else str(value) for name, value in row.items()})
                for row in found.head(shown_max).iter_rows(named=True)
            ],
            schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in found.columns]),
        )
    return passed, sentence, metadata


def severity_of(found: pl.DataFrame) -> dg.AssetCheckSeverity:
    """ERROR as soon as one row is one."""
    mild = not found.is_empty() and (found.get_column("severity") == str(Severity.WARN)).all()
    return dg.AssetCheckSeverity.WARN if mild else dg.AssetCheckSeverity.ERROR


def evaluation_of(
    context: dg.AssetCheckExecutionContext, answer: dg.AssetCheckResult, day: str, *, blocking: bool
) -> dg.AssetCheckEvaluation:
    """A result of one day of a range, as Dagster records it for a run of that day."""
    assert answer.asset_key is not None and answer.check_name is not None, "set by the factory"
    found = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=answer.asset_key, asset_partitions=[day]), limit=1
    )
    target = None
    if found.records:
        newest = found.records[0]
        target = AssetCheckEvaluationTargetMaterializationData(
            storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp
        )
    return dg.AssetCheckEvaluation(
        asset_key=answer.asset_key,
        check_name=answer.check_name,
        passed=answer.passed,
        metadata=answer.metadata,
        target_materialization_data=target,
        severity=answer.severity,
        description=answer.description,
        blocking=blocking,
        partition=day,
    )
