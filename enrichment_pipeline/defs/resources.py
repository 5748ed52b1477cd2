"""Resources that assets and sensors are given.

Here: the state folder's runs as Dagster knows them, the warehouse for assets of a project's own,
and the progress that a run reports. Their names begin with `enrichment_`, since they stand beside
those of whatever project they are merged into. Not here: what a run does (`steps/`).
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from enrichment_pipeline.dispatch.progress import Progress
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse.connection import open_warehouse

ProgressFactory = Callable[[logging.Logger], Progress]
"""Makes the progress of one run, given Dagster's log of it."""


class Runs:
    """The runs of this process over one state folder. Each is prepared once.

    `jobs` are the names of our own jobs, each run of which is one process.
    """

    def __init__(self, stores: Stores, jobs: Collection[str] = ()) -> None:
        self.stores = stores
        self.jobs = frozenset(jobs)
        self.prepared: dict[str, RunContext] = {}

    @property
    def settings(self) -> Settings:
        return self.stores.settings


def runs_resource(runs: Runs) -> dg.ResourceDefinition:
    """The runs of one state folder; each leaves the ledger's file whole, however it ends."""

    def of_run_or_sensor(context: dg.InitResourceContext) -> Iterator[Runs]:
        yield runs
        if context.run is not None:
            runs.stores.leave_whole_ledger()

    return dg.ResourceDefinition(of_run_or_sensor)


class WarehouseResource(DuckDBResource):
    """dagster-duckdb's resource, for assets that a project has beside ours.

    The parent's `get_connection` leaks the file's lock where the body raises;
    this one closes, waits for other processes, and brings the SQL macros.
    """

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self.database) as connection:
            yield connection


class LoggedProgress:
    """Progress as lines in Dagster's log, at most one every few seconds."""

    def __init__(self, log: logging.Logger, seconds_between: float = 5.0) -> None:
        self._log = log
        self._seconds_between = seconds_between
        self._next_at = time.monotonic() + seconds_between
        self._total = self._done = self._credits = self._outstanding = 0

    def add_total(self, calls: int) -> None:
        self._total += calls

    def advance(self, calls: int, credits: int) -> None:
        self._done += calls
        self._credits += credits
        self._log_now_and_then()

    def outstanding(self, calls: int) -> None:
        self._outstanding = calls
        if calls:
            self._log_now_and_then()

    def searched(self, done: int, total: int) -> None:
        if self._is_time():
            self._log.info("%d of %d searches done", done, total)

    def say(self, message: str) -> None:
        self._log.warning(message)

    def _is_time(self) -> bool:
        if time.monotonic() < self._next_at:
            return False
        self._next_at = time.monotonic() + self._seconds_between
        return True

    def _log_now_and_then(self) -> None:
        if not self._is_time():
            return
        self._log.info(
            "%d of %d look-ups done, %d outstanding, %d credits charged",
            self._done,
            self._total,
            self._outstanding,
            self._credits,
        )
