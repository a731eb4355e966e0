"""The seam to the package deltalake: open, list, read, commit, compact. Nothing else imports it.

Functions import it when they are called: an opened table does not survive the fork of a warm worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from trade_pipeline.market_data.tables import Table
from trade_pipeline.schemas import frames


def stored_schema(spec: Table) -> dict[str, pl.DataType]:
    """The table's columns with those of the lake behind them."""
    return {**spec.columns, **frames.LAKE_COLUMNS}


def empty_rows(spec: Table) -> pl.DataFrame:
    return pl.DataFrame(schema=stored_schema(spec))


def open_table(uri: str, spec: Table, options: dict[str, str] | None, *, create: bool) -> Any:
    """The Delta table at `uri`; None if it does not exist and must not be created."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        return DeltaTable(uri, storage_options=options)
    except TableNotFoundError:
        if not create:
            return None
    return DeltaTable.create(
        uri, schema=empty_rows(spec).to_arrow().schema, mode="ignore", partition_by=["date"], storage_options=options
    )


def files_of(opened: Any, days: Sequence[str], words: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Paths of the files that hold these days; with `words`, column -> texts, those that may hold rows of them."""
    wanted = [("date", "in", list(days)), *((name, "in", list(texts)) for name, texts in (words or {}).items())]
    return list(opened.file_uris(file_pruning_predicate=wanted))


def read_files(files: Sequence[str], spec: Table, options: dict[str, str] | None) -> pl.DataFrame:
    """All revisions in these files, in the types of `stored_schema`."""
    return scan_files(files, spec, options).collect()


def scan_files(files: Sequence[str], spec: Table, options: dict[str, str] | None) -> pl.LazyFrame:
    """Like `read_files`, of which only what is asked for is read. The date stands in the path only."""
    if not files:
        return empty_rows(spec).lazy()
    scan = pl.scan_parquet(
        list(files),
        hive_partitioning=True,
        hive_schema={"date": pl.String},
        storage_options=options,
        glob=False,
        schema=_written_schema(spec),
        missing_columns="insert",  # of files from before the column was there: null
    )
    # Delta keeps microseconds; the product's times are milliseconds.
    return scan.select(pl.col(name).cast(dtype) for name, dtype in stored_schema(spec).items())


def _written_schema(spec: Table) -> dict[str, pl.DataType]:
    """Columns as Delta writes them, without the date, which stands in the path."""
    stored = {name: dtype for name, dtype in stored_schema(spec).items() if name != "date"}
    return {name: pl.Datetime("us", "UTC") if dtype == frames.UTC_MS else dtype for name, dtype in stored.items()}


def commit(opened: Any, rows: pl.DataFrame) -> bool:
    """Append as the very next version of `opened`; False if another writer took that version first.

    Delta would rebase an append over any other, but our rows follow from what was stored when they were compared.
    A table from before a column was there gets it.
    """
    from deltalake import CommitProperties, write_deltalake
    from deltalake.exceptions import CommitFailedError

    known = {field.name for field in opened.schema().fields}
    try:
        write_deltalake(
            opened,
            rows,
            mode="append",
            schema_mode="merge" if set(rows.columns) - known else None,
            commit_properties=CommitProperties(max_commit_retries=0),
        )
    except CommitFailedError:
        return False
    return True


def compact(opened: Any, day: str) -> bool:
    """Merge a day's files into few; old ones stay for the versions that decisions cite. False on a lost race."""
    from deltalake.exceptions import CommitFailedError

    try:
        opened.optimize.compact(partition_filters=[("date", "=", day)])
    except CommitFailedError:
        return False
    return True


def sizes(opened: Any) -> pl.DataFrame:
    """One row per file in use: date, size_bytes, rows; from the table's log, nothing is read."""
    actions = pl.DataFrame(opened.get_add_actions(flatten=True))
    if actions.is_empty():
        return pl.DataFrame(schema={"date": pl.String, "size_bytes": pl.Int64, "rows": pl.Int64})
    return actions.select(
        pl.col("partition.date").cast(pl.String).alias("date"),
        pl.col("size_bytes").cast(pl.Int64),
        pl.col("num_records").cast(pl.Int64).alias("rows"),
    )


def remove_unused(opened: Any, keep_hours: int) -> int:
    """Delete files that no version of the last `keep_hours` uses, and the log entries before them. Says how many."""
    from deltalake.exceptions import CommitFailedError

    kept = dict.fromkeys(
        ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), f"interval {keep_hours} hours"
    )
    try:
        if not kept.items() <= opened.metadata().configuration.items():
            opened.alter.set_table_properties(kept)
        removed = opened.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
    except CommitFailedError:
        return 0  # a writer was quicker; the next night is early enough
    opened.create_checkpoint()
    opened.cleanup_metadata()
    return len(removed)
