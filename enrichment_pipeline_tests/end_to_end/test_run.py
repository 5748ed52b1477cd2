"""`enrichment run` as a user starts it: a first run, and a second one at once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance
from pydantic import SecretStr

from enrichment_pipeline.personal_data import FILES, WAREHOUSE
from enrichment_pipeline.personal_data import LEDGER as LEDGER_TABLES
from enrichment_pipeline.settings import Settings
from enrichment_pipeline_tests.end_to_end.leaks import contents_of_files, leaks, secrets
from enrichment_pipeline_tests.end_to_end.world import (
    CONTACTS,
    CREDITS,
    EXPECTED,
    FILLERS,
    KEY,
    LOOKUPS,
    RunOver,
    contents,
    dagster_runs,
    ledger_rows,
    outcomes,
    record,
    rows,
    run_here,
    small_sandbox,
    steps_here,
)
from enrichment_pipeline_tests.support import (
    RunningSandbox,
    once_for_all_workers,
    policy_for,
    settings_for,
)

pytestmark = pytest.mark.timeout(300)

LEDGER = "select * from lookups order by call_id"


@dataclass
class State:
    """All that there is after a run."""

    shown: str
    tables: dict[str, list[tuple[Any, ...]]]
    ledger: list[tuple[Any, ...]]
    journal: str


@dataclass
class TwoRuns:
    home: Path
    """Where both have run."""
    first: State
    second: State


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory, run_over: RunOver) -> TwoRuns:
    """The run that was started as a user starts it, and a second one in this process."""

    def make(folder: Path) -> TwoRuns:
        run_over.copy_state(folder)
        home = folder / "state"
        shown = run_over.finished.stdout
        first = State(shown, contents(home), ledger_rows(home, LEDGER), run_over.journal)
        with small_sandbox(folder) as sandbox:
            shown = run_here(settings_of(run_over, home, sandbox), keeps_events=True)
            asked = sandbox.journal.read_text()
        return TwoRuns(home, first, State(shown, contents(home), ledger_rows(home, LEDGER), asked))

    return once_for_all_workers(tmp_path_factory, "two-runs", make)


def settings_of(run_over: RunOver, home: Path, sandbox: RunningSandbox) -> Settings:
    policy = policy_for(run_over.source)
    return settings_for(home, policy, sandbox.base_url, api_key=SecretStr(KEY))


def test_every_contact_comes_to_what_it_should(two_runs: TwoRuns) -> None:
    assert outcomes(two_runs.home) == EXPECTED


def test_whoever_is_enriched_has_the_best_values_with_their_status(
    two_runs: TwoRuns, run_over: RunOver
) -> None:
    found = record(two_runs.home, "enrichment.enriched_contacts", "by-profile")
    lookup_id, run_id, uid = (found.pop(name) for name in ("lookup_id", "run_id", "provider_uid"))
    enriched_at, expires_at = found.pop("enriched_at"), found.pop("expires_at")
    assert found.pop("person_key")
    assert found == {
        "contact_id": "by-profile",
        "account_id": "acc-1",
        "full_name": "Adelheid Quentzelmann",
        "job_title": "Chief Archivist",
        "company_name": "Quillforge",
        "company_domain": "quillforge.com",
        "work_email": "adelheid@quillforge.com",
        "work_email_status": "verified",
        "personal_email": None,
        "personal_email_status": None,
        "direct_phone": None,
        "direct_phone_status": None,
        "mobile_phone": "+41791234567",
        "mobile_phone_status": "likely",
        "linkedin_url": "https://www.linkedin.com/in/adelheid-quentzelmann",
        "location": "Basel, Switzerland",
        "provider": "signalhire",
        "job_changed": False,
        "needs_manual_enrichment": False,
        "seniority": "c_suite",
        "company_website": "https://www.quillforge.com",
        "company_industry": None,
        "company_employee_count": None,
        "previous_company_name": None,
        "previous_company_domain": None,
        "previous_job_title": None,
        "agreed_by": None,
        "employer_disputed_by": None,
        "source_full_name": "Adelheid Quentzelmann",
        "source_job_title": None,
        "source_company_name": "Quillforge",
        "source_company_domain": "quillforge.com",
        "source_email": None,
        "source_phone": None,
        "source_linkedin_url": "HTTPS://www.LinkedIn.com/in/adelheid-quentzelmann/?trk=people",
    }
    assert len(uid) == 32
    assert run_over.began_at < enriched_at < datetime.now(UTC)
    assert expires_at - enriched_at == timedelta(days=90)
    [(ledger_run,)] = ledger_rows(
        two_runs.home, f"select run_id from lookups where call_id = '{lookup_id}'"
    )
    assert ledger_run == run_id == dagster_runs(two_runs.home)[0].run_id


def test_dagsters_ui_lists_a_run_from_the_command_line_with_its_job_and_on_the_timeline(
    two_runs: TwoRuns,
) -> None:
    """By a hidden tag it finds the runs of a job, by their origin their line on the timeline."""
    of_job = dg.RunsFilter(
        job_name="daily_refresh",
        tags={".dagster/repository": "__repository__@enrichment_pipeline"},
    )
    with DagsterInstance.from_config(str(two_runs.home / "dagster")) as instance:
        found = instance.get_runs(of_job)
    assert len(found) == 2
    for run in found:
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.job_name == run.job_name == "daily_refresh"
        repository = run.remote_job_origin.repository_origin
        assert repository.get_label() == "__repository__@enrichment_pipeline"
        # who typed the command sees that it failed; the daemon does not start it once more
        assert run.tags["dagster/max_retries"] == "0"


def test_one_person_in_two_contacts_is_bought_once_and_both_get_the_answer(
    two_runs: TwoRuns,
) -> None:
    one, other = (
        record(two_runs.home, "enrichment.enriched_contacts", contact_id)
        for contact_id in ("by-profile", "same-profile")
    )
    for name in ("person_key", "lookup_id", "work_email", "enriched_at"):
        assert one[name] == other[name], name
    assert (one["account_id"], other["account_id"]) == ("acc-1", "acc-4")


def test_a_new_job_is_noticed(two_runs: TwoRuns) -> None:
    found = record(two_runs.home, "enrichment.enriched_contacts", "moved-on")
    assert (found["job_changed"], found["company_name"]) == (True, "Saltmarsh")
    assert (found["job_title"], found["work_email"]) == ("Director", "ottilie@saltmarsh-group.com")


def test_what_is_only_likely_is_shown_as_such_and_goes_to_review(two_runs: TwoRuns) -> None:
    found = record(two_runs.home, "enrichment.enriched_contacts", "only-likely")
    assert (found["work_email_status"], found["needs_manual_enrichment"]) == ("likely", True)
    review = record(two_runs.home, "enrichment.needs_review", "only-likely")
    assert (review["reason"], review["needs_manual_enrichment"]) == ("no_verified_email", True)
    assert json.loads(review["candidate"])["fullName"] == "Xenophon Dalrymple"


def test_an_answer_with_another_name_fills_nothing_and_is_kept_as_evidence(
    two_runs: TwoRuns,
) -> None:
    enriched = rows(two_runs.home, "select contact_id from enrichment.enriched_contacts")
    assert ("someone-else",) not in enriched
    review = record(two_runs.home, "enrichment.needs_review", "someone-else")
    assert json.loads(review["candidate"])["fullName"] == "Herbert Zimmermannski"
    assert (review["priority"], review["attempts"]) == ("standard", 1)


def test_where_an_id_repeats_the_latest_row_is_taken(two_runs: TwoRuns) -> None:
    loaded = record(two_runs.home, "staging.contacts", "twice")
    assert loaded["email"] == "sebaldus.rosenkranzer@quillforge.com"
    assert outcomes(two_runs.home)["twice"] == ("enriched", None)


def test_the_account_decides_the_priority(two_runs: TwoRuns) -> None:
    found = dict(rows(two_runs.home, "select contact_id, priority from enrichment.contact_status"))
    by_account = {
        "acc-1": "strategic",
        "acc-2": "target",
        "acc-3": "standard",
        "acc-4": "bulk",
        "acc-5": "strategic",
        None: "bulk",
    }
    assert found == {
        contact["contact_id"]: by_account[contact.get("account_id")]  # ty: ignore[invalid-argument-type]
        for contact in CONTACTS
    }


def test_nobody_is_bought_twice_and_ledger_and_provider_agree(two_runs: TwoRuns) -> None:
    charges = [json.loads(line) for line in two_runs.first.journal.splitlines()]
    assert len({charge["uid"] for charge in charges}) == len(charges) == CREDITS
    totals = "select count(*), sum(units_charged) from lookups where state = 'applied'"
    assert ledger_rows(two_runs.home, totals) == [(LOOKUPS, CREDITS)]


def test_the_summary_says_what_came_of_it(run_over: RunOver) -> None:
    shown = run_over.finished.stdout
    figures = {
        cells[1].strip(): cells[2].strip()
        for line in shown.splitlines()
        if len(cells := line.split("│")) == 4
    }
    assert figures == {
        "contacts in": "38",
        "enriched": "27",
        "for review": "11",
        "insufficient_identity": "5",
        "invalid_identity": "3",
        "identity_mismatch": "1",
        "no_match": "1",
        "no_verified_email": "1",
        "rows of enriched_contacts": "28",
        "credits spent by this run": "28",
        "credits left": "99,972",
    }
    # two figures that differ say what each counts
    assert "\nenriched: Contacts with the status enriched: " in shown
    assert "\nrows of enriched_contacts: contacts that show an answer" in shown.lower()
    for path in (run_over.home / "warehouse.duckdb", run_over.home / "published/warehouse.duckdb"):
        assert f"{path} " in shown
    warning = "warning: the check contacts.source_ids_are_unique failed: repeated ids 1, "
    assert f"{warning}rows passed over 1" in shown
    [(run_id,)] = ledger_rows(run_over.home, "select distinct run_id from lookups")
    assert f"to take back what it bought: enrichment undo {run_id}\n" in shown
    assert run_over.finished.stderr == ""


def test_every_file_of_a_state_folder_is_listed_with_what_it_holds(two_runs: TwoRuns) -> None:
    found = [path for path in two_runs.home.rglob("*") if path.is_file() or path.is_symlink()]
    names = [path.relative_to(two_runs.home).as_posix() for path in found]
    patterns = [files.pattern for files in FILES]
    assert len(names) > 10
    assert [name for name in names if not any(fnmatch(name, each) for each in patterns)] == []


def test_columns_listed_without_personal_data_hold_none(two_runs: TwoRuns) -> None:
    queries = {
        name: f"select {', '.join(sorted(table.nothing))} from {name}"
        for name, table in {**WAREHOUSE, **LEDGER_TABLES}.items()
        if table.nothing
    }
    with duckdb.connect(str(two_runs.home / "warehouse.duckdb"), read_only=True) as warehouse:
        found = {
            name: warehouse.sql(queries[name]).fetchall() for name in WAREHOUSE.keys() & queries
        }
    ledger = sqlite3.connect(two_runs.home / "ledger.sqlite")
    with closing(ledger):
        found |= {
            name: ledger.execute(queries[name]).fetchall()
            for name in LEDGER_TABLES.keys() & queries
        }
    assert len(found["raw.lookups"]) == len(found["calls"]) == LOOKUPS
    assert leaks(secrets(), *(f"{name}: {of_table}" for name, of_table in found.items())) == []


def test_readers_get_the_three_tables_with_comments_and_parquet_beside_them(
    two_runs: TwoRuns,
) -> None:
    published = two_runs.home / "published"
    tables = ("contact_status", "enriched_contacts", "needs_review")
    files = {path.name for path in published.iterdir()}
    assert files >= {"warehouse.duckdb", *(f"{table}.parquet" for table in tables)}
    with duckdb.connect(str(published / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for table in tables:
            known = two_runs.second.tables[f"enrichment.{table}"]
            query = f"select * from enrichment.{table} order by all"
            assert connection.execute(query).fetchall() == known
            parquet = f"select * from '{published / table}.parquet' order by all"
            assert connection.execute(parquet).fetchall() == known
        uncommented = connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where schema_name = 'enrichment' and table_name <> 'publication' and comment is null"
        ).fetchall()
        assert uncommented == []
        publication = "select run_id from enrichment.publication"
        [(run_id,)] = connection.execute(publication).fetchall()
    assert run_id == dagster_runs(two_runs.home)[1].run_id


def test_a_second_run_at_once_buys_nothing(two_runs: TwoRuns) -> None:
    assert two_runs.second.journal == ""
    assert two_runs.second.ledger == two_runs.first.ledger
    shown = " ".join(two_runs.second.shown.split())
    assert "credits spent by this run │ 0 │" in shown


def test_a_second_run_at_once_changes_no_row(two_runs: TwoRuns) -> None:
    before, after = dict(two_runs.first.tables), dict(two_runs.second.tables)
    assert len(before["enrichment.worklist"]) == LOOKUPS
    assert before.keys() == after.keys()
    for table, known in before.items():
        assert after[table] == known, table


def test_neither_the_key_nor_anything_personal_is_left_outside_the_tables(
    two_runs: TwoRuns, run_over: RunOver
) -> None:
    shown = [two_runs.first.shown, run_over.finished.stderr, two_runs.second.shown]
    assert leaks(secrets(), *shown, folder=two_runs.home) == []


def test_the_search_for_leaks_reads_dagsters_events_and_would_find_a_name(
    two_runs: TwoRuns,
) -> None:
    # otherwise the test above would pass for having looked nowhere
    places = [content for place, content in contents_of_files(two_runs.home) if ".db" in place]
    assert any(b"ASSET_MATERIALIZATION" in content for content in places)
    assert any(b"enriched_contacts" in content for content in places)
    [(_, name, email)] = FILLERS[:1]
    assert len(leaks(secrets(), f"{name.upper()} <{email}> {KEY}")) >= 3
    compute_logs = list((two_runs.home / "dagster" / "storage").rglob("*.err"))
    assert compute_logs


def test_a_warehouse_that_was_lost_is_derived_anew_from_what_the_ledger_kept(
    run_over: RunOver, tmp_path: Path
) -> None:
    run_over.copy_state(tmp_path)
    home = tmp_path / "state"
    (home / "warehouse.duckdb").unlink()
    with small_sandbox(tmp_path) as sandbox:
        steps_here(settings_of(run_over, home, sandbox))
        assert not sandbox.journal.read_text()
    assert outcomes(home) == EXPECTED
