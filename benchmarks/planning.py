"""Planning and loading: the work list of millions of contacts, and the loads before it.

Measures: `select_worklist` over 500,000 accounts, half of the people looked up before, yesterday's
list in place, against two others over the same tables in the same run:

- the bound: one bare DuckDB statement that scans `staging.contact_identities`, joins accounts and
  `staging.person_lookups`, and writes, into a table of its own, as many rows with the same columns
  as the work list has. It reckons no priority but the tier, no age but one, takes a person's
  contacts as they come, counts nothing and replaces nothing.
- pandas: the same logic, read into frames and written back; and it has to select the same people.
  It starts, as a script would, from what was loaded, normalised and looked up. Over the tables
  that we keep for planning it is told as well, and so is what making these anew takes; what
  keeping them takes is in the loads below.

Each contender runs in a process of its own with DuckDB's memory limited (making the tables is not
measured, and has what the machine has); its peak resident set is
told beside it. What the tables under planning cost to keep is told too: the first load of as many
contacts from Parquet, a day on which 1 % of them changed, and look-ups that were just copied.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

import duckdb

from benchmarks.common import resident_mb, verdict
from benchmarks.crm import fill_warehouse, write_source
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.vocabulary import LOOKUP
from enrichment_pipeline.warehouse.connection import open_warehouse, transaction
from enrichment_pipeline.warehouse.derived import derive_anew
from enrichment_pipeline.warehouse.load import LoadCounts, load_accounts, load_contacts
from enrichment_pipeline.warehouse.worklist import select_worklist
from enrichment_pipeline.waterfall import Turn

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
LANES = [Lane(f, p) for f in FRESHNESS for p in PRIORITIES]
POLICY = Policy()
WATERFALL = (Turn(FIRST, PROVIDERS[FIRST].calls[LOOKUP].identities),)
MEMORY_LIMIT = "4GB"
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """What a contender took, in seconds and in MB at the peak, and how many rows it wrote."""

    seconds: float
    peak: float
    rows: int


def main(sizes: tuple[int, ...] = (1_000_000, 10_000_000), loaded: int = 1_000_000) -> bool:
    holds = [measure(contacts, rounds=3 if contacts <= 1_000_000 else 1) for contacts in sizes]
    return all([*holds, load(loaded)])


def measure(contacts: int, rounds: int, *, with_pandas: bool | None = None) -> bool:
    """Our planning of this many contacts beside the bound, and beside pandas up to a million."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        path = f"{folder}/crm.duckdb"
        began_at = time.perf_counter()
        in_a_process(fill, path, contacts)
        made_in = time.perf_counter() - began_at
        print(f"  {contacts:,} contacts: made in {made_in:.0f} s", flush=True)
        first = in_a_process(plan, path)
        told("ours, the first list", first)
        found: dict[str, list[Measured]] = {"ours": [], "bound": []}
        for _round in range(rounds):
            found["ours"].append(in_a_process(plan, path))
            found["bound"].append(in_a_process(bound, path, first.rows))
        ours, bare = (median(found[name]) for name in ("ours", "bound"))
        told("ours, replacing it", ours)
        told("the bound", bare)
        results = [
            verdict("the first list to the bound", first.seconds / bare.seconds, "<=", 2.0),
            verdict("replacing it to the bound", ours.seconds / bare.seconds, "<=", 2.0),
        ]
        if contacts <= 1_000_000 if with_pandas is None else with_pandas:
            anew = in_a_process(prepare, path)
            told("the tables for planning, made anew", anew)
            prepared = in_a_process(plan_in_pandas, path, "worklist_from_prepared")
            told("pandas, over these tables", prepared)
            results.append(selected_alike(path))
            loaded = in_a_process(plan_in_pandas, path, "worklist_from_loaded")
            told("pandas, from what was loaded", loaded)
            results.append(selected_alike(path))
            print(
                f"  pandas over these tables to ours: {prepared.seconds / ours.seconds:.3f}, "
                f"to the bound: {prepared.seconds / bare.seconds:.3f}"
            )
            results.append(verdict("pandas to ours", loaded.seconds / ours.seconds, ">=", 10.0))
    return all(results)


def load(contacts: int) -> bool:
    """The first load of this many contacts, the next day's, and one on which nothing changed."""
    with tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder:
        path = f"{folder}/crm.duckdb"
        in_a_process(write_sources, Path(folder), contacts)
        first, accounts = in_a_process(load_source, path, Path(folder) / "first", 0)
        later, _ = in_a_process(load_source, path, Path(folder) / "later", 1)
        again, _ = in_a_process(load_source, path, Path(folder) / "later", 2)
    print(f"  the first load of the accounts: {accounts.seconds:.1f} s")
    told(f"the first load of {contacts:,} contacts", first)
    told(f"a day on which {later.rows:,} of them changed", later)
    told("a day on which none did", again)
    print(f"  a day with 1 % changed to the first load: {later.seconds / first.seconds:.3f}")
    return first.rows == contacts and again.rows == 0 and 0 < later.rows < contacts * 0.02


# --- in a process of its own -----------------------------------------------------------


def fill(path: str, contacts: int) -> None:
    with open_warehouse(path) as connection:
        with transaction(connection):
            fill_warehouse(connection, contacts, as_of=AS_OF)
        with transaction(connection):
            derive_anew(connection)
        connection.execute("checkpoint")


def plan(path: str) -> Measured:
    with limited(path) as connection:
        began_at = time.perf_counter()
        with transaction(connection):
            work = select_worklist(
                connection, POLICY, LANES, waterfall=WATERFALL, as_of=AS_OF, run_id="bench"
            )
        return measured(began_at, work.lookups)


def bound(path: str, rows: int) -> Measured:
    """Scan, join and write; of those who would do, as many as the work list has."""
    statement = """
        insert into bound.worklist by name
        select
            contact.contact_id,
            contact.person_key,
            lookup.state as freshness,
            lookup.outcome as freshness_reason,
            account.tier as priority,
            account.annual_revenue + account.employee_count + account.open_pipeline
                as priority_score,
            contact.lookup_identity,
            contact.identity_kind,
            lookup.lookup_id as supersedes,
            contact.contact_count,
            greatest(contact.assigned_at, lookup.last_released_at, lookup.last_failed_at)
                as waiting_since,
            'bench' as run_id
        from staging.contact_identities as contact
        left join staging.accounts as account on account.account_id = contact.account_id
        left join staging.person_lookups as lookup on lookup.person_key = contact.person_key
        where contact.lookup_identity is not null
            and (
                lookup.lookup_id is null
                or (
                    lookup.state = 'answered' and lookup.outcome <> 'refused'
                    and lookup.answered_at < $as_of::timestamptz - to_days(
                        case lookup.outcome when 'matched' then 90 else 30 end
                    )
                )
            )
            and hash(contact.contact_id) % 1000000 < $share
        """
    with limited(path) as connection:
        connection.execute("create schema if not exists bound")
        connection.execute(
            "create or replace table bound.worklist as from enrichment.worklist limit 0"
        )
        connection.execute("checkpoint")
        values = {"as_of": AS_OF, "share": 1_000_000}
        counting = "select count(*) from" + statement.partition("from")[2]
        [(candidates,)] = connection.execute(counting, values).fetchall()
        values["share"] = round(1_000_000 * rows / candidates)
        began_at = time.perf_counter()
        with transaction(connection):
            connection.execute(statement, values)
        result = measured(began_at, 0)
        [(written,)] = connection.execute("select count(*) from bound.worklist").fetchall()
        return Measured(result.seconds, result.peak, written)


def prepare(path: str) -> Measured:
    with limited(path) as connection:
        began_at = time.perf_counter()
        with transaction(connection):
            derive_anew(connection)
        return measured(began_at, 0)


def plan_in_pandas(path: str, planning: str) -> Measured:
    from benchmarks import frames  # loading pandas is not counted

    with limited(path) as connection:
        began_at = time.perf_counter()
        frame = getattr(frames, planning)(connection, POLICY, AS_OF)
        connection.register("frame", frame)
        with transaction(connection):
            connection.execute("create schema if not exists pandas")
            connection.execute("create or replace table pandas.worklist as from frame")
        return measured(began_at, len(frame))


def selected_alike(path: str) -> bool:
    """Whether pandas selected the same people by the same contacts, in the same lanes."""
    columns = "contact_id, person_key, freshness, priority, lookup_identity, supersedes"
    columns += ", contact_count, waiting_since"
    with duckdb.connect(path) as connection:
        differing = connection.execute(
            f"select count(*) from (from (select {columns} from enrichment.worklist) except all "
            f"from (select {columns} from pandas.worklist))"
        ).fetchall()[0][0]
        counts = connection.execute(
            "select (select count(*) from enrichment.worklist), "
            "(select count(*) from pandas.worklist)"
        ).fetchall()[0]
    print(f"  ours and pandas: {counts[0]:,} and {counts[1]:,} people, {differing:,} differ")
    return differing == 0 and counts[0] == counts[1] > 0


def write_sources(folder: Path, contacts: int) -> None:
    write_source(folder / "first", contacts)
    write_source(folder / "later", contacts, changed=0.01)


def load_source(path: str, source: Path, day: int) -> tuple[Measured, Measured]:
    """Contacts and accounts of this folder, loaded so many days after the first time."""
    policy = POLICY.source.model_copy(
        update={"contacts": "select * from contacts", "accounts": "select * from accounts"}
    )
    at = AS_OF + timedelta(days=day)

    def timed(action: Callable[[], LoadCounts]) -> Measured:
        began_at = time.perf_counter()
        with transaction(connection):
            counts = action()
        return measured(began_at, counts.changed)

    with limited(path) as connection:
        accounts = timed(lambda: load_accounts(connection, policy, source, loaded_at=at))
        contacts = timed(
            lambda: load_contacts(connection, policy, source, phone_region="", loaded_at=at)
        )
    return contacts, accounts


# --- parts -----------------------------------------------------------------------------


@contextmanager
def limited(path: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_warehouse(path) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        yield connection


def measured(began_at: float, rows: int) -> Measured:
    return Measured(time.perf_counter() - began_at, resident_mb("VmHWM"), rows)


def median(several: list[Measured]) -> Measured:
    """The one in the middle by time, with the highest peak of all."""
    middle = statistics.median_high(one.seconds for one in several)
    return Measured(middle, max(one.peak for one in several), several[0].rows)


def told(what: str, one: Measured) -> None:
    print(
        f"  {what}: {one.seconds:.2f} s, {one.rows:,} rows, {one.peak:,.0f} MB at the peak",
        flush=True,
    )


def in_a_process(action: Callable[..., T], *arguments: object) -> T:
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_answer, args=(sender, action, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise AssertionError(f"{action} failed; see above") from None
    finally:
        process.join()


def _answer(sender: Connection, action: Callable[..., object], arguments: tuple) -> None:
    sender.send(action(*arguments))
