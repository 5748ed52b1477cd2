"""The asynchronous mode as a user runs it: receiver, sandbox and run are processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    KEY,
    LOOKUPS,
    Row,
    enrichment,
    ledger_rows,
    outcomes,
    rows,
    small_sandbox,
    start_enrichment,
    wait_until,
    write_policy,
    write_source,
)
from enrichment_pipeline_tests.providers import free_port
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import people_of, running_sandbox, write_csv

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CONTACTS: list[Row] = [
    {"contact_id": f"c-{number:03}", "email": f"person{number:03}@quillforge.com"}
    for number in range(200)
]
PEOPLE: list[Row] = [
    {"full_name": f"Person Number{number:03}", "work_email": contact["email"]}
    for number, contact in enumerate(CONTACTS)
]
SECRET = "word-5d1c77aa"


def callback_variables(port: int) -> dict[str, object]:
    return {
        "ENRICHMENT_CALLBACK_URL": f"http://127.0.0.1:{port}",
        "ENRICHMENT_CALLBACK_SECRET": SECRET,
        "SIGNALHIRE_API_KEY": KEY,
    }


def start_receiver(folder: Path, port: int, **variables: object) -> subprocess.Popen[str]:
    process = start_enrichment(
        folder, "receiver", "--port", str(port), "--metrics-port", "0", **variables
    )

    def is_ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(is_ready, "the receiver", seconds=30)
    return process


@contextmanager
def receiver(folder: Path, port: int, **variables: object) -> Iterator[None]:
    process = start_receiver(folder, port, **variables)
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


def charged(journal: Path) -> list[str]:
    return [line["item"] for line in journal_lines(journal)] if journal.exists() else []


def test_a_trial_brings_its_own_receiver_and_dates_what_comes_by_callback(tmp_path: Path) -> None:
    write_source(tmp_path / "source")
    variables = {"ENRICHMENT_CONFIG": write_policy(tmp_path), "SIGNALHIRE_API_KEY": KEY}
    then = ("--simulate", "--as-of", "2026-03-02T09:00:00+00:00")
    with small_sandbox(tmp_path) as sandbox:
        variables["SIGNALHIRE_BASE_URL"] = sandbox.base_url
        ran = enrichment(tmp_path, "run", "--callbacks", *then, **variables)
        charges = charged(sandbox.journal)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "receiver of callbacks at http://127.0.0.1:" in ran.stdout
    assert len(charges) == CREDITS
    home = tmp_path / "state"
    assert ledger_rows(home, "select awaits_callback, count(*) from requests group by 1")[0][0] == 1
    assert ledger_rows(home, "select state, count(*) from lookups group by 1") == [
        ("applied", LOOKUPS)
    ]
    query = (
        "select distinct strftime(enriched_at, '%Y-%m-%d %H:%M') from enrichment.enriched_contacts"
    )
    assert rows(home, query) == [("2026-03-02 09:00",)]
    # the token is in no file of Dagster's, and the secret nowhere
    for path in (home / "dagster").rglob("*"):
        if path.is_file():
            assert b"/callbacks/signalhire/" not in path.read_bytes(), path


def test_what_is_never_answered_is_asked_for_again_only_at_a_persons_word(tmp_path: Path) -> None:
    home, port = tmp_path / "state", free_port()
    write_source(tmp_path / "source")
    policy = write_policy(tmp_path, "[signalhire]\ncallback_deadline_minutes = 0.02\n")
    variables = {"ENRICHMENT_CONFIG": policy, **callback_variables(port)}
    with receiver(tmp_path, port, **variables):
        with small_sandbox(tmp_path, faults={"lost": 1.0}) as sandbox:
            lossy = {**variables, "SIGNALHIRE_BASE_URL": sandbox.base_url}
            unanswered = enrichment(tmp_path, "run", **lossy)
            assert unanswered.returncode == 1
            assert "look-ups ended unconfirmed" in unanswered.stderr
            assert len(charged(sandbox.journal)) == CREDITS
        by_reason = Counter(reason for _, reason in outcomes(home).values())
        assert by_reason["lookup_unconfirmed"] > 0
        [(contact_id,)] = rows(
            home,
            "select contact_id from enrichment.needs_review "
            "where reason = 'lookup_unconfirmed' order by contact_id limit 1",
        )
        said = enrichment(tmp_path, "ask-again", contact_id, **variables)
        assert (said.returncode, said.stdout.split()[0]) == (0, "1")
        unknown = enrichment(tmp_path, "ask-again", contact_id, "nobody-7", **variables)
        assert unknown.returncode == 2
        assert unknown.stderr.startswith("error: no such contact: nobody-7;")
        with small_sandbox(tmp_path / "whole") as sandbox:
            whole = {**variables, "SIGNALHIRE_BASE_URL": sandbox.base_url}
            assert enrichment(tmp_path, "run", **whole).returncode == 0
            assert len(charged(sandbox.journal)) == 1  # and none of the others
    assert outcomes(home)[contact_id][1] != "lookup_unconfirmed"


def test_receiver_and_runs_killed_in_between_lose_nothing_and_buy_nobody_twice(
    tmp_path: Path,
) -> None:
    home, port = tmp_path / "state", free_port()
    write_csv(tmp_path / "source" / "contacts.csv", CONTACTS)
    write_csv(tmp_path / "source" / "accounts.csv", [{"account_id": "none"}])
    policy = write_policy(
        tmp_path,
        "[signalhire]\nitems_per_request = 5\nitems_per_window = 100000\n"
        "callback_deadline_minutes = 0.3\n",
    )
    variables = {"ENRICHMENT_CONFIG": policy, **callback_variables(port)}
    deliveries = tmp_path / "deliveries.jsonl"
    with running_sandbox(
        people_of(tmp_path / "people.csv", PEOPLE),
        tmp_path / "journal.jsonl",
        api_key=KEY,
        deliveries=deliveries,
        callback_delay_min_ms=1000,
        callback_delay_max_ms=4000,
        callback_retry_seconds=2,
        latency_ms=200,
    ) as sandbox:
        variables["SIGNALHIRE_BASE_URL"] = sandbox.base_url
        process = start_receiver(tmp_path, port, **variables)
        for _ in range(2):
            paid = len(charged(sandbox.journal))
            run = start_enrichment(tmp_path, "run", **variables)
            wait_until(lambda: len(charged(sandbox.journal)) >= paid + 40, "charges")  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
            run.send_signal(signal.SIGKILL)
            run.communicate(timeout=30)
            assert dict(ledger_rows(home, "select state, count(*) from lookups group by 1"))["sent"]
            process = start_receiver(tmp_path, port, **variables)
        last = enrichment(tmp_path, "run", **variables)
        process.terminate()
        process.communicate(timeout=30)
        paid_items = charged(sandbox.journal)
    assert (last.returncode, last.stderr) == (0, "")
    assert len(paid_items) == len(set(paid_items)), "somebody was bought twice"
    acknowledged = {
        item
        for line in map(json.loads, deliveries.read_text().splitlines())
        if line["acknowledged"]
        for item in line["items"]
    }
    bought = dict(ledger_rows(home, "select item, state from lookups where state <> 'released'"))
    assert {bought[item] for item in acknowledged} == {"applied"}
    assert {bought[item] for item in paid_items} <= {"applied", "sent", "unconfirmed"}
    assert outcomes(home).keys() == {contact["contact_id"] for contact in CONTACTS}
