"""Publishing: a snapshot that BI tools read, replaced whole or not at all.

Here: `published/warehouse.duckdb` and the Parquet files beside it: the tables that are named
here, and every view of `create_views.sql`. Not here:
whether the tables are fit to be published (blocking asset checks), and what
the views say (`sql/schema/create_views.sql`).

Several files cannot be renamed at once, but one link can. Each snapshot is a
folder of its own, `published/current` leads to the newest, and the paths that
readers use lead through it: one rename replaces them all.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from enrichment_pipeline.disk import flush
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.privacy import share
from enrichment_pipeline.warehouse.connection import first_line
from enrichment_pipeline.warehouse.counts import column_shapes, row_count, table_comments
from enrichment_pipeline.warehouse.macros import create_macros
from enrichment_pipeline.warehouse.statements import execute, literal

OUTCOME_TABLES: tuple[str, ...] = ("enriched_contacts", "needs_review", "contact_status")
PUBLISHED_TABLES: dict[str, str] = {
    **dict.fromkeys(OUTCOME_TABLES, "contact_id"),
    "contact_changes": "rowid",
    "person_facts": "contact_id, observed_at, lookup_id, field, position, value",
    "lookups": "requested_at, lookup_id",
    "verifications": "requested_at, verification_id",
    "bounces": "bounced_at, contact_id, provider, lookup_id",
    "accounts": "account_id",
    "providers": "place, provider",
}
"""What is copied out of the warehouse's schema `enrichment`, and in which order of rows."""

KEPT_SNAPSHOTS = 3
"""The newest and those before it, for readers that take a folder's files one after another."""
DATABASE = "warehouse.duckdb"
CURRENT = "current"
SNAPSHOTS = "snapshots"


def record_changes(
    connection: duckdb.DuckDBPyConnection, *, run_id: str, changed_at: datetime
) -> None:
    """Add to `contact_changes` what is shown otherwise than it was published last.

    Call it in a transaction, when nothing stands in the way of publishing any more: what fails
    after it is in the next publication, with its own instant.
    """
    execute(connection, "record_contact_changes", run_id=run_id, changed_at=changed_at)


def publish(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    *,
    run_id: str,
    published_at: datetime,
    group: str = "",
    keep: Collection[str] = (),
) -> dict[str, int]:
    """Write a snapshot of its own, then let `current` lead to it; rows by table.

    A reader that has an old file open keeps it. Whatever fails before the
    link is replaced leaves the last good snapshot in place. Only the owner may read it, and
    the Unix group that is named. Older snapshots are removed, but for a few and those to `keep`.
    """
    snapshots = folder / SNAPSHOTS
    snapshots.mkdir(parents=True, exist_ok=True)
    _remove_drafts(folder)  # of a run that was killed: there is one writer at a time
    name = f"{published_at:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
    draft = snapshots / f".draft-{name}"
    draft.mkdir()
    try:
        _copy_tables(connection, draft / DATABASE)
        with duckdb.connect(str(draft / DATABASE)) as snapshot:
            execute(snapshot, "create_publication", published_at=published_at, run_id=run_id)
            _comment_tables(connection, snapshot)
            execute(snapshot, "create_views")
            _write_parquet(snapshot, draft, published_at=published_at.isoformat(), run_id=run_id)
            rows = {table: row_count(snapshot, f"enrichment.{table}") for table in PUBLISHED_TABLES}
        _flush(draft)
        if group:
            share(folder, group)
        draft.rename(snapshots / name)
        _link(folder / CURRENT, Path(SNAPSHOTS, name))
    finally:
        _remove_drafts(folder)
    for file in sorted((snapshots / name).iterdir()):
        _link(folder / file.name, Path(CURRENT, file.name))
    _remove_old(snapshots, keep={name, *keep})
    return rows


def newest_snapshot(folder: Path) -> str | None:
    """The name of the snapshot that readers are led to; None where nothing is published."""
    link = folder / CURRENT
    return link.readlink().name if link.is_symlink() and link.exists() else None


def snapshot_database(folder: Path, name: str) -> Path:
    """The database of a snapshot, which may be gone; it is never written to."""
    return folder / SNAPSHOTS / name / DATABASE


@dataclass(frozen=True)
class PublishedLookups:
    """Which look-ups a published file knows: whether each is answered, and its credits."""

    path: Path
    published_at: datetime
    run_id: str
    lookups: dict[str, tuple[bool, int]]


def read_published_lookups(folder: Path, count: int | None) -> PublishedLookups | None:
    """The look-ups that were published last, or (None) all of them.

    None for no published file, and for one that cannot be read: it is made anew anyway.
    """
    path = folder / DATABASE
    if not path.exists():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            [(published_at, run_id)] = connection.table("enrichment.publication").fetchall()
            rows = execute(connection, "find_newest_published", count=count).fetchall()
    except duckdb.Error:
        return None
    return PublishedLookups(path, published_at, run_id, {row[0]: (row[1], row[2]) for row in rows})


@contextmanager
def open_published(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database, for reading. Raises PipelineError for none, or one too old."""
    path = folder / DATABASE
    if not path.exists():
        raise PipelineError(f"nothing is published in {folder} yet; `enrichment run` makes a start")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            create_macros(connection)  # which the figures' queries call
            yield connection
    except duckdb.CatalogException as error:
        raise PipelineError(
            f"{path} was published by an earlier version ({first_line(error)}); "
            "`enrichment run` publishes it anew"
        ) from None


def _copy_tables(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"attach {literal(str(path))} as published_draft")
    try:
        connection.execute("create schema published_draft.enrichment")
        for table, order in PUBLISHED_TABLES.items():
            rows = f"select * from enrichment.{table} order by {order}"
            connection.execute(f"create table published_draft.enrichment.{table} as {rows}")
    finally:
        connection.execute("detach published_draft")


def _comment_tables(
    connection: duckdb.DuckDBPyConnection, snapshot: duckdb.DuckDBPyConnection
) -> None:
    comments, shapes = table_comments(connection), column_shapes(connection)
    for table in (f"enrichment.{name}" for name in PUBLISHED_TABLES):
        snapshot.execute(f"comment on table {table} is {literal(comments[table])}")
        for column in shapes[table]:
            text = literal(column.comment or "")
            snapshot.execute(f'comment on column {table}."{column.name}" is {text}')


def _write_parquet(snapshot: duckdb.DuckDBPyConnection, draft: Path, **state: str) -> None:
    """Every table and view of the snapshot as a file, which says itself which state it is."""
    for table, comment in table_comments(snapshot).items():
        path = draft / f"{table.removeprefix('enrichment.')}.parquet"
        copy_to_parquet(snapshot, table, str(path), **state, comment=comment)


def copy_to_parquet(
    connection: duckdb.DuckDBPyConnection, relation: str, file: str, **metadata: str
) -> None:
    """Write a relation's rows as one file, with this in its footer."""
    pairs = ", ".join(f"{key}: {literal(value)}" for key, value in metadata.items())
    footer = f", kv_metadata {{{pairs}}}" if pairs else ""
    connection.execute(
        f"copy (select * from {relation}) to {literal(file)} "
        f"(format parquet, compression zstd{footer})"
    )


def _flush(folder: Path) -> None:
    """Have it on the disk before a link leads to it: a power cut must not leave half a file."""
    for path in (*folder.iterdir(), folder):
        flush(path)


def _link(path: Path, target: Path) -> None:
    """Make `path` a link to `target`, whatever it was; a link is replaced by one rename."""
    if path.is_symlink() and path.readlink() == target:
        return
    if path.is_dir() and not path.is_symlink():  # in a state folder copied by following links
        shutil.rmtree(path)
    draft = path.with_name(f".draft-{path.name}")
    draft.symlink_to(target)
    draft.replace(path)


def _remove_drafts(folder: Path) -> None:
    for draft in (*folder.glob(".draft-*"), *folder.glob(f"{SNAPSHOTS}/.draft-*")):
        if draft.is_dir() and not draft.is_symlink():
            shutil.rmtree(draft)
        else:
            draft.unlink()


def _remove_old(snapshots: Path, *, keep: Collection[str]) -> None:
    others = [path for path in snapshots.iterdir() if path.name not in keep]
    others.sort(key=os.path.getmtime, reverse=True)
    for path in others[KEPT_SNAPSHOTS - 1 :]:
        shutil.rmtree(path)
