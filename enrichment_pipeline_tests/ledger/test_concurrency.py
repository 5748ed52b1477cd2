"""Several processes with several threads each on one ledger: inside every limit, no person twice.

Each worker is a process of its own, with real clocks. What the provider may have counted is told
from what the workers themselves saw, not from what the ledger says.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import sqlalchemy as sa

from enrichment_pipeline.ledger.schema import RELEASED, calls
from enrichment_pipeline.ledger.store import open_store
from enrichment_pipeline_tests.ledger import booked_budgets, recomputed_budgets

ITEMS_PER_WINDOW = 12
WINDOW_SECONDS = 0.5
PROCESSES = 2
THREADS = 3
PEOPLE = 40
SECONDS = 2.0
BUDGET = 24
"""Credits of the day, of which bulk work leaves half untouched."""

WORKER = """
import json, random, sys, threading, time
from datetime import timedelta
from enrichment_pipeline.clock import Clock
from enrichment_pipeline.ledger.admission import Admitted, Candidate
from enrichment_pipeline.ledger.journal import Settlement
from enrichment_pipeline_tests.ledger import Ledger, limits_of
from enrichment_pipeline.ledger.store import open_store

given = json.loads(sys.argv[1])
limits = limits_of(
    items_per_window=given["items_per_window"],
    window=timedelta(seconds=given["window_seconds"]),
    per_day=given["budget"],
    floors={"bulk": 0.5, "strategic": 0.0},
)
store = open_store(given["url"])
output = threading.Lock()
errors = []


def candidate(number):
    return Candidate(
        f"person:{number}", f"c{number}", f"p{number}", "email", "new",
        "strategic" if number % 2 else "bulk",
    )


def work(thread):
    seed = given["worker"] * 100 + thread
    chance = random.Random(seed)
    ledger = Ledger(store, "signalhire", limits, Clock())
    deadline = time.monotonic() + given["seconds"]
    while time.monotonic() < deadline:
        parity = chance.randrange(2)
        people = chance.sample(range(parity, given["people"], 2), 5)
        decision = ledger.admit([candidate(number) for number in people], f"run-{seed}")
        if not isinstance(decision, Admitted):
            time.sleep(0.01)
            continue
        ledger.mark_sent(decision.request_id)
        sent_at = time.time()
        time.sleep(chance.random() * 0.05)
        answered_at = time.time()
        reply_id = ledger.record_reply(
            decision.request_id, http_status=200, body=b"[]", credits_left=None
        )
        settlements = {}
        for lookup in decision.calls:
            outcome = chance.choice(["matched", "no_match", "retriable"])
            if outcome == "retriable":
                settlements[lookup.call_id] = Settlement("released", outcome)
            else:
                settlements[lookup.call_id] = Settlement(
                    "replied", outcome, units_charged=int(outcome == "matched")
                )
        ledger.settle(settlements, reply_id=reply_id)
        with output:
            print(json.dumps([sent_at, answered_at, len(decision.calls)]), flush=True)


def work_and_tell(thread):
    try:
        work(thread)
    except BaseException as error:
        errors.append(repr(error))
        raise


print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=work_and_tell, args=(n,)) for n in range(given["threads"])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
store.close()
sys.exit(bool(errors))
"""


def run_workers(url: str) -> list[tuple[float, float, int]]:
    """Let them loose together; when each batch was sent and answered, and how many items it had."""
    given = {
        "url": url,
        "items_per_window": ITEMS_PER_WINDOW,
        "window_seconds": WINDOW_SECONDS,
        "threads": THREADS,
        "people": PEOPLE,
        "seconds": SECONDS,
        "budget": BUDGET,
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, json.dumps(given | {"worker": number})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    batches = []
    for worker in workers:
        output, complaint = worker.communicate(timeout=60)
        assert (worker.returncode, complaint) == (0, "")
        batches += [tuple(json.loads(line)) for line in output.splitlines()]
    return batches


def most_in_any_window(batches: list[tuple[float, float, int]]) -> int:
    """Items that a provider may have counted within one window, wherever it begins.

    A batch was counted between sending and answer. Taken at its answer at the latest and at its
    sending at the earliest, the worst window for us holds all that were sent within it, and all
    that were answered within it.
    """
    worst = 0
    for counted_at in (0, 1):
        for start in batches:
            in_window = [
                batch[2]
                for batch in batches
                if start[counted_at] <= batch[counted_at] < start[counted_at] + WINDOW_SECONDS
            ]
            worst = max(worst, sum(in_window))
    return worst


def test_processes_and_threads_together_stay_inside_every_limit(ledger_url: str):
    store = open_store(ledger_url)
    batches = run_workers(ledger_url)
    assert len(batches) > 5
    assert most_in_any_window(batches) <= ITEMS_PER_WINDOW
    with store.read() as connection:
        rows = connection.execute(sa.select(calls)).all()
    assert sum(batch[2] for batch in batches) == len(rows)
    open_ones = Counter(row.person_key for row in rows if row.state != RELEASED)
    assert max(open_ones.values()) == 1
    booked = booked_budgets(store)
    assert booked == recomputed_budgets(store)
    spent = Counter[str]()
    for row in rows:
        spent[row.priority] += row.units_charged
    assert 0 < spent.total() <= BUDGET
    assert spent["bulk"] <= BUDGET / 2
    store.close()
