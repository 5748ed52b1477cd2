"""What dispatching adds to the process's memory, for a short and a long work list.

Measures: the peak of the resident set above what it was before the first page,
in a process of its own. Nobody on the list is known to the provider: what counts
is the list, not the answers.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

from benchmarks.common import QuietProgress, now, resident_mb, stage, verdict
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.buy_lookups import buy_lookups
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.prepare import open_state, prepare
from enrichment_pipeline.stores import Stores

LANES = [Lane(f, p) for f in FRESHNESS for p in PRIORITIES]


def main(short: int = 10_000, long: int = 1_000_000) -> bool:
    return all([measure(short), measure(long)])


def measure(rows: int) -> bool:
    policy = {
        "signalhire": {"items_per_window": 100_000, "window_seconds": 0.01},
        "budget": {"per_run": 10**8, "per_day": 10**8, "per_month": 10**8},
    }
    limits = ["--items-per-window", "1000000", "--window-seconds", "0.01"]
    with stage(1, policy=policy, sandbox=limits) as here:
        stores = Stores(here.settings)
        open_state(stores)
        with stores.open_warehouse() as connection:
            connection.execute(
                "insert into enrichment.worklist by name select 'contact-' || n as contact_id, "
                "md5(n::varchar) as person_key, 'new' as freshness, 'bulk' as priority, "
                "n % 1000 as priority_score, 'nobody' || n || '@example.com' as lookup_identity, "
                "'email' as identity_kind, '' as supersedes, 1 as contact_count, "
                f"now() as waiting_since, 'bench' as run_id from range({rows}) as numbers (n)"
            )
        spawn = multiprocessing.get_context("spawn")
        receiver, sender = spawn.Pipe(duplex=False)
        process = spawn.Process(target=buy, args=(here.settings, sender))
        process.start()
        before, peak, sent = receiver.recv()
        process.join()
    print(f"  {rows:,} rows: {before:.0f} MB before, {peak:.0f} MB at the peak, {sent:,} sent")
    return sent == rows and verdict(f"{rows:,} rows, added MB", peak - before, "<=", 200)


def buy(settings: Settings, sender: Connection) -> None:
    run = Run(run_id="bench", as_of=now())
    context = RunContext(Stores(settings), run)
    prepare(context)
    before = resident_mb()
    report = buy_lookups(context, LANES, QuietProgress()).report
    sender.send((before, resident_mb("VmHWM"), report.sent))
