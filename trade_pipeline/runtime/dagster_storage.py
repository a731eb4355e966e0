"""Dagster's PostgreSQL storage with connections that are kept.

dagster-postgres opens a new connection for every statement, so that instances do not pile up open ones. A run of
`decide` makes some 300 of them, which took half of its time. Here the instances of a process share one bounded pool;
a connection is looked at before it is used, because the server may have been restarted since.

No write waits for the disk: a bar writes some 200 events, one commit each. A server that crashes forgets what Dagster
wrote in its last moments, and the gate is closed for what is forgotten. What must last is in the ledger, whose commits
wait, and take everything that was written before them to the disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.engine.interfaces import ReflectedColumn

from trade_pipeline.ledger.liveness import look_before_use
from trade_pipeline.runtime.dagster_event_log import QuickEventLog
from trade_pipeline.settings.protect import protect_from_environment

POOL_SIZE = 2
"""Connections that a process keeps; more are opened for a moment when threads need them."""
POOL_OVERFLOW_MAX = 18
POOL_RECYCLE_S = 600

_ENGINES: dict[tuple[int, str], Engine] = {}


class KeptInspector(PGInspector):
    """What was found of the schema is found again without a question: Dagster asks for it at every write of an asset.

    Tables are made and changed before any process of ours opens its storage.
    """

    @property
    def _kept(self) -> dict[tuple[str, str | None], Any]:
        kept: dict[tuple[str, str | None], Any] = self.engine.__dict__.setdefault("_kept_schema", {})
        return kept

    def get_columns(self, table_name: str, schema: str | None = None, **kw: Any) -> list[ReflectedColumn]:
        key = (table_name, schema)
        found: list[ReflectedColumn] = self._kept.get(key) or super().get_columns(table_name, schema, **kw)
        self._kept[key] = found
        return found

    def get_table_names(self, schema: str | None = None, **kw: Any) -> list[str]:
        key = ("", schema)
        found: list[str] = self._kept.get(key) or super().get_table_names(schema, **kw)
        self._kept[key] = found
        return found


def engine_of(postgres_url: str) -> Engine:
    """The one engine of this process; a fork gets its own and leaves the parent's connections alone."""
    key = (os.getpid(), postgres_url)
    if key not in _ENGINES:
        _ENGINES[key] = create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW_MAX,
            pool_recycle=POOL_RECYCLE_S,
            connect_args={"options": "-c synchronous_commit=off"},
        )
        look_before_use(_ENGINES[key])
        dialect: Any = _ENGINES[key].dialect
        dialect.inspector = KeptInspector
    return _ENGINES[key]


class PooledPostgresStorage(DagsterPostgresStorage):
    """DagsterPostgresStorage whose three parts use `engine_of`; tables are looked for once per process."""

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        # Every process of Dagster opens its storage before it runs anything, whoever started it.
        protect_from_environment()
        is_known = (os.getpid(), postgres_url) in _ENGINES
        super().__init__(postgres_url, should_autocreate_tables and not is_known, inst_data)
        engine = engine_of(postgres_url)
        self._event_log_storage = QuickEventLog(postgres_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            # The parts have no parameter for it; `test_dagster_storage` is the contract.
            storage._engine = engine

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        return cls(
            pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data=inst_data
        )
