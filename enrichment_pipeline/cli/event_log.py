"""Dagster's record of runs in SQLite, with its databases held open while a command works.

Here: the storage that `run_command.py` opens where `dagster.yaml` names none. Dagster's own makes
an engine and a connection for each event, compiles its statements anew, and has SQLite empty the
write-ahead log each time, since no other connection is open: a third of an idle run's CPU. Not
here: what is stored, which is Dagster's, and the same files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage, SqliteStorageConfig
from dagster._serdes import ConfigurableClassData
from sqlalchemy import event


def with_open_event_log(reference: InstanceRef) -> InstanceRef:
    """This instance, with our storage in the place of Dagster's usual one."""
    usual = reference.storage_data
    if usual is None or usual.class_name != DagsterSqliteStorage.__name__:
        return reference
    ours = ConfigurableClassData(__name__, OpenSqliteStorage.__name__, usual.config_yaml)
    return reference._replace(storage_data=ours)


class OpenSqliteStorage(DagsterSqliteStorage):
    """Dagster's usual storage, but for the event log."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData, config_value: SqliteStorageConfig
    ) -> OpenSqliteStorage:
        return cls(inst_data=inst_data, **config_value)


class OpenEventLog(SqliteEventLogStorage):
    """One engine for each run's database and for the index, until it is disposed of."""

    def __init__(self, base_dir: str) -> None:
        self._engines: dict[str, sa.Engine] = {}
        self._known_tables: set[str] = set()
        super().__init__(base_dir)

    def _engine(self, shard: str) -> sa.Engine:
        if shard not in self._engines:
            engine = sa.create_engine(
                self.conn_string_for_shard(shard),
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            event.listen(engine, "connect", _leave_syncing_to_checkpoints)
            self._engines[shard] = engine
        return self._engines[shard]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sa.Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        if table_name not in self._known_tables:
            if not sa.inspect(self._engine(INDEX_SHARD_NAME)).has_table(table_name):
                return False
            self._known_tables.add(table_name)
        return True

    def dispose(self) -> None:
        super().dispose()
        for engine in self._engines.values():
            engine.dispose()


def _leave_syncing_to_checkpoints(connection: sa.PoolProxiedConnection, _record: object) -> None:
    """A power cut may take the last events then, and damages nothing; what is paid for is ours."""
    connection.execute("pragma synchronous = normal")
