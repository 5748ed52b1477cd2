"""How far the source's contacts were read, so that a load reads only what is newer.

Here: the column by which rows are newer, whether a load reads all of them or only these, and what
is kept of it with the load. Not here: reading (`attached_source.py`), and the rows that are left
out (`sql/source/complete_incoming_contacts.sql`).

Once a day (UTC's) everything is read and compared: only that sees what left the source, and rows
that were written late with an older mark.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from enrichment_pipeline.warehouse.statements import digest, execute, literal, quoted

MARK = "enrichment_watermark"
"""The column that is added to the source's contacts while they are read."""
_INSTANT = re.compile(r"TIMESTAMP( WITH TIME ZONE|_S|_MS|_NS)?|DATE")
_NUMBER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(\d+,\d+\)")
_TEXT = "VARCHAR"
_SECONDS = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class Mark:
    """The source's column by which rows are newer, and its type in DuckDB.

    Text is read as an instant, as SQLite and CSV have them.
    """

    column: str
    type: str

    @property
    def can_be_compared(self) -> bool:
        return self.type == _TEXT or self.is_number or bool(_INSTANT.fullmatch(self.type))

    @property
    def is_number(self) -> bool:
        return bool(_NUMBER.fullmatch(self.type))

    @property
    def value(self) -> str:
        """The mark of a row, in SQL: a number, or an instant with its zone."""
        name = quoted(self.column)
        return name if self.is_number else f"try_cast({name} as timestamptz)"

    def is_as_new_as(self, newest: str) -> str:
        """The condition in SQL under which a row is read again.

        One with the same mark is: another may have come at that instant.
        """
        name, mark, kind = quoted(self.column), newest, self.type
        if kind == _TEXT:
            name, kind = self.value, "timestamptz"
        elif kind == "DATE":
            mark = newest[:10]
        elif not self.is_number and kind != "TIMESTAMP WITH TIME ZONE":
            mark = newest.removesuffix("+00")
        return f"{name} >= cast({literal(mark)} as {kind})"

    def is_as_new_in_snowflake_as(self, newest: str) -> str:
        """The same in Snowflake's SQL, with the rows without a mark: there they are found."""
        name = quoted(self.column)
        value = name
        if self.type == _TEXT:
            value = f"try_to_timestamp_tz({name})"
        if self.is_number:
            mark = newest
        elif self.type in {_TEXT, "TIMESTAMP WITH TIME ZONE"}:
            mark = f"cast({literal(newest.replace('+00', '+00:00'))} as timestamp_tz)"
        else:
            mark = f"cast({literal(newest.removesuffix('+00'))} as timestamp_ntz)"
        return f"({value} >= {mark} or {value} is null)"


@dataclass
class Increment:
    """What one load reads: rows as new as `newest`, or all where that is None.

    `rows` is how many were read so far, `blank` how many of all have no mark, and `greatest` the
    greatest mark.
    """

    mark: Mark
    read_from: str
    newest: str | None = None
    compared_at: datetime | None = None
    reads_blank: bool = True
    blank: int = 0
    rows: int = 0
    greatest: object = None

    @property
    def reads_all(self) -> bool:
        return self.newest is None

    def condition(self, is_in_snowflake: bool = False) -> str:
        """Which rows are read, in DuckDB's SQL or in Snowflake's."""
        if self.newest is None:
            return "true"
        if is_in_snowflake:
            return self.mark.is_as_new_in_snowflake_as(self.newest)
        newer = self.mark.is_as_new_as(self.newest)
        return f"({newer} or {self.mark.value} is null)" if self.reads_blank else newer

    def note(self, batch: pa.RecordBatch) -> None:
        """Take account of rows that were read."""
        self.rows += batch.num_rows
        if self.reads_all:
            self.blank += batch.column(MARK).null_count
        greatest = pc.max(batch.column(MARK)).as_py()  # ty: ignore[missing-attribute]
        if greatest is not None and (self.greatest is None or greatest > self.greatest):
            self.greatest = greatest


def begin_increment(
    connection: duckdb.DuckDBPyConnection,
    mark: Mark,
    place: str,
    query: str,
    *,
    loaded_at: datetime,
    reads_all: bool,
    is_far: bool,
) -> Increment:
    """What this load has to read, by what the last one kept.

    All of it: where the source, its query or the column is another, where today nothing was
    compared yet, and where the load wants that (`reads_all`). Rows without a mark are read every
    time; from a source that `is_far` where there were any: DuckDB does not ask a server, or the
    statistics of a file, for them, so that all rows would come to find that there are none.
    """
    how = digest("shape_contacts", "read_contacts")  # these, too, decide what a row comes to
    said = f"{place}\0{query}\0{mark.column}\0{mark.type}\0{how}"
    increment = Increment(mark, hashlib.sha256(said.encode()).hexdigest())
    known = execute(connection, "read_watermark", read_from=increment.read_from).fetchone()
    if known is not None and not reads_all:
        newest, compared_at, blank = known
        if compared_at.astimezone(UTC).date() == loaded_at.astimezone(UTC).date():
            increment.newest, increment.compared_at = newest, compared_at
            increment.blank = blank
            increment.reads_blank = blank > 0 or not is_far
    return increment


def keep_increment(
    connection: duckdb.DuckDBPyConnection, increment: Increment, loaded_at: datetime
) -> None:
    """Keep how far this load has read. Call it in the load's transaction."""
    greatest, newest = increment.greatest, increment.newest
    if isinstance(greatest, datetime):
        # a row from the future would keep all from being read that come before that day
        newest = min(greatest, loaded_at).astimezone(UTC).strftime(f"{_SECONDS}+00")
    elif greatest is not None:
        newest = str(greatest)
    execute(
        connection,
        "replace_watermark",
        read_from=increment.read_from,
        newest=newest,
        blank=increment.blank,
        compared_at=loaded_at if increment.reads_all else increment.compared_at,
    )
