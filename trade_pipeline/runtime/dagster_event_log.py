"""Dagster's event log in PostgreSQL with fewer statements for a run, and the same rows.

dagster-postgres follows each event with a NOTIFY that nobody listens to any more, asks again and again whether its
tables are there, and announces what a run will make one row after the other. The same methods without that;
`test_dagster_event_log` is the contract.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._serdes import serialize_value
from dagster_postgres.event_log import PostgresEventLogStorage

_PLANNED = frozenset({DagsterEventType.ASSET_MATERIALIZATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED})


class QuickEventLog(PostgresEventLogStorage):
    """Expects its tables. What the schema has, it has for as long as the process lives."""

    def __init__(self, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._tables: set[str] = set()

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def store_event(self, event: EventLogEntry) -> None:
        statement = self.prepare_insert_event(event).returning(SqlEventLogStorageTable.c.id)
        with self._connect() as conn:
            event_id = int(conn.execute(statement).scalar_one())
        if not event.is_dagster_event:
            return
        if event.dagster_event_type in ASSET_EVENTS and event.get_dagster_event().asset_key:
            self._store_of_assets([event], [event_id])
        if event.dagster_event_type in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Announcements in one statement for each table; everything else as it comes."""
        if not events or not {event.dagster_event_type for event in events} <= _PLANNED:
            super().store_event_batch(events)
            return
        statement = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
        with self._connect() as conn:
            ids = [int(found) for found in conn.execute(statement).scalars()]
        numbered = list(zip(events, ids, strict=True))
        assets = [pair for pair in numbered if pair[0].get_dagster_event().asset_key]
        if assets:
            self._store_of_assets([event for event, _ in assets], [event_id for _, event_id in assets])
        rows = [
            row
            for event, event_id in numbered
            if event.dagster_event_type in ASSET_CHECK_EVENTS
            for row in self._rows_of_planned_check(event, event_id)
        ]
        if rows:
            # A backfill of a year announces thousands. RETURNING lets SQLAlchemy send a thousand of them at once.
            with self.index_connection() as conn:
                conn.execute(AssetCheckExecutionsTable.insert().returning(AssetCheckExecutionsTable.c.id), rows)

    def _store_of_assets(self, events: Sequence[EventLogEntry], event_ids: Sequence[int]) -> None:
        numbered = list(zip(events, event_ids, strict=True))
        with self.index_transaction() as conn:
            self._store_asset_event_tags(conn, events, event_ids)
            # The asset's row keeps its newest event: of a year's announcements only the last one is to be seen there.
            newest = {event.get_dagster_event().asset_key: (event, event_id) for event, event_id in numbered}
            for event, event_id in newest.values():
                self._store_asset_event(conn, event, event_id)

    def _rows_of_planned_check(self, event: EventLogEntry, event_id: int) -> list[dict[str, object]]:
        planned = event.get_dagster_event().asset_check_planned_data
        subset = planned.partitions_subset
        stored, at = serialize_value(event), self._event_insert_timestamp(event)  # type: ignore[no-untyped-call]
        return [
            {
                "asset_key": planned.asset_key.to_string(),
                "check_name": planned.check_name,
                "partition": partition,
                "run_id": event.run_id,
                "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
                "evaluation_event": stored,
                "evaluation_event_timestamp": at,
                "evaluation_event_storage_id": event_id,
            }
            for partition in (subset.get_partition_keys() if subset else [None])
        ]
