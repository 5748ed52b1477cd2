"""What a run shows of itself, and what the checks say of tables that are not as they should be."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import duckdb
import pytest
from dagster import ExecuteInProcessResult

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.defs.checks import (
    entries_are_settled,
    every_contact_is_accounted_for,
    ledger_matches_balance,
    lookups_are_answered,
    match_rate_holds,
    no_likely_value_is_verified,
    no_old_answer_is_fresh,
    review_flag_agrees,
    reviews_are_read,
    unique_key,
)
from enrichment_pipeline.ledger.questions import Totals
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.steps.settle_entries import SettledEntries
from enrichment_pipeline.stores import Stores
from enrichment_pipeline.warehouse import judging
from enrichment_pipeline.warehouse.connection import open_warehouse
from enrichment_pipeline.warehouse.findings import (
    compare_match_rate,
    count_disagreeing_flags,
    find_expired_answers,
    find_unaccounted_contacts,
    find_unproven_values,
    find_unread_reviews,
)
from enrichment_pipeline.warehouse.table_figures import SHOWN, read_table_figures
from enrichment_pipeline_tests.defs.job import evaluation, execute, failure, materialized, numbers
from enrichment_pipeline_tests.defs.test_metadata import SHOWN_AT_ONCE
from enrichment_pipeline_tests.end_to_end.leaks import leaks, secrets
from enrichment_pipeline_tests.end_to_end.world import (
    CREDITS,
    LOOKUPS,
    ledger_rows,
    small_sandbox,
    small_settings,
)
from enrichment_pipeline_tests.support import RunningSandbox, write_csv

R = TypeVar("R")
FURTHER_CHECKS = (
    "source_ids_are_unique",
    "rows_can_be_taken",
    "lookups_are_answered",
    "ledger_matches_balance",
    "match_rate_holds",
    "verified_share_holds",
    "review_flag_agrees",
    "no_likely_value_is_verified",
    "reviews_are_read",
    "every_contact_is_accounted_for",
    "no_old_answer_is_fresh",
    "entries_are_settled",
)
"""Beside `unique_key`, which every table has."""


@dataclass
class Finished:
    settings: Settings
    sandbox: RunningSandbox
    result: ExecuteInProcessResult


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("finished")
    with small_sandbox(folder) as sandbox:
        settings = small_settings(folder, sandbox.base_url)
        result = execute(settings)
        assert result.success, failure(result)
        yield Finished(settings, sandbox, result)


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Settings:
    """The state after that run, for a test of its own to spoil."""
    home = tmp_path / "state"
    shutil.copytree(finished.settings.home, home, symlinks=True)
    return replace(
        finished.settings,
        home=home,
        warehouse_url=str(home / "warehouse.duckdb"),
        ledger_url=type(finished.settings.ledger_url)(f"sqlite:///{home / 'ledger.sqlite'}"),
        dagster_home=home / "dagster",
    )


def spoil(settings: Settings, statement: str) -> None:
    with duckdb.connect(settings.warehouse_url) as connection:
        connection.execute(statement)


def published_files(settings: Settings) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in settings.published_dir.iterdir() if path.is_file()}


def checked(settings: Settings, check: Callable[..., R], find: Callable[..., object]) -> R:
    """What a check says of a warehouse as it is, by what its step would find there."""
    with open_warehouse(settings.warehouse_url) as connection:
        return check(find(connection))


def values(found: dg.AssetCheckResult | dg.AssetCheckEvaluation) -> dict[str, object]:
    return {name: value.value for name, value in found.metadata.items()}


# --- a run as it should be --------------------------------------------------------------------


def test_every_check_of_a_good_run_passes_but_for_the_ids_that_repeat(finished: Finished) -> None:
    evaluations = finished.result.get_asset_check_evaluations()
    assert len(evaluations) == len(SHOWN) + len(FURTHER_CHECKS)
    assert {one.check_name for one in evaluations} == {"unique_key", *FURTHER_CHECKS}
    failed = [one.check_name for one in evaluations if not one.passed]
    assert failed == ["source_ids_are_unique"]


def test_ids_that_repeat_in_the_source_are_a_warning(finished: Finished) -> None:
    found = evaluation(finished.result, "contacts", "source_ids_are_unique")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    shown = values(found)
    assert shown["repeated_ids"] == shown["rows_passed_over"] == 1
    assert shown["examples"] == ["twice"]


@pytest.mark.parametrize(
    ("asset", "wanted"),
    [
        ("contacts", {"dagster/row_count": 38, "rows_new_or_changed": 38, "rows_left": 0}),
        ("accounts", {"dagster/row_count": 5}),
        ("review_decisions", {"dagster/row_count": 0, "new_rows": 0}),
        ("provider_responses", {"dagster/row_count": LOOKUPS, "new_rows": LOOKUPS}),
        ("enriched_contacts", {"dagster/row_count": 28}),
        ("needs_review", {"dagster/row_count": 11}),
        ("contact_status", {"dagster/row_count": 38}),
        ("published", {"rows_contact_status": 38, "rows_needs_review": 11}),
    ],
)
def test_each_materialisation_says_what_it_came_to(
    finished: Finished, asset: str, wanted: dict[str, object]
) -> None:
    metadata = {name: value.value for name, value in materialized(finished.result)[asset].items()}
    assert {name: metadata[name] for name in wanted} == wanted


def test_what_a_run_came_to_over_all_lanes_is_an_observation(finished: Finished) -> None:
    def observed(asset: str) -> dict[str, object]:
        [of_run] = finished.result.asset_observations_for_node(asset)
        assert of_run.partition is None
        return {name: shown.value for name, shown in of_run.metadata.items()}

    assert observed("worklist")["contacts"] == LOOKUPS + 1
    wanted = {
        "lookups_offered": LOOKUPS,
        "lookups_sent": LOOKUPS,
        "matched": CREDITS,
        "no_match": LOOKUPS - CREDITS,
        "unconfirmed": 0,
        "unsolicited_answers": 0,
        "answers_nobody_asked_for": 0,
        "credits_charged": CREDITS,
        "match_rate": round(CREDITS / LOOKUPS, 4),
        "credits_left": 100_000 - CREDITS,
    }
    found = observed("provider_lookups")
    assert {name: found[name] for name in wanted} == wanted


def test_the_numbers_of_a_lane_are_its_own_and_add_up_to_the_runs(finished: Finished) -> None:
    result = finished.result
    totals = {
        asset: numbers(observed.metadata)
        for asset in ("worklist", "provider_lookups")
        for observed in result.asset_observations_for_node(asset)
    }
    for asset, of_run in totals.items():
        lanes = lane_numbers(result, asset)
        assert len(lanes) == 12
        names = {name for of_lane in lanes.values() for name in of_lane}
        sums = {name: sum(of_lane.get(name, 0) for of_lane in lanes.values()) for name in names}
        same = of_run.keys() & sums.keys()
        assert {name: sums[name] for name in same} == {name: of_run[name] for name in same}
        assert len(same) > 2
        # under whatever name a run's total stood in a lane, it would add up to twelve times that
        repeated = {12 * total for total in of_run.values() if total}
        assert not repeated & set(sums.values())

    in_ledger = "select freshness || '|' || priority, count(*), sum(units_charged) from lookups"
    for lane, count, credits in ledger_rows(finished.settings, f"{in_ledger} group by 1"):
        of_lane = lane_numbers(result, "provider_lookups")[lane]
        assert (of_lane["lookups"], of_lane["credits_charged"]) == (count, credits)


def lane_numbers(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, float]]:
    """What stands beside each partition of the asset, but for text."""
    return {
        str(event.partition): numbers(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def test_every_table_has_a_preview_with_nothing_personal_in_it(finished: Finished) -> None:
    shown = materialized(finished.result)
    for asset in ("contacts", "worklist", "provider_responses", "enriched_contacts"):
        assert "| contact_id |" in str(shown[asset]["preview"].value) or asset.startswith("prov")
    assert leaks(secrets(), str(shown)) == []


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        ("provider_responses", "spend"),
        ("enriched_contacts", "ages"),
        ("needs_review", "reasons"),
        ("contact_status", "statuses"),
        ("contact_status", "coverage"),
        ("contact_status", "refresh_debt"),
    ],
)
def test_charts_stand_beside_the_assets_and_are_shown_without_a_click(
    finished: Finished, asset: str, name: str
) -> None:
    shown = str(materialized(finished.result)[asset][name].value)
    assert "█" in shown
    assert len(shown) < SHOWN_AT_ONCE


# --- tables that are not as they should be ----------------------------------------------------


@pytest.mark.parametrize("asset", SHOWN)
def test_a_key_that_stands_twice_is_found(copied: Settings, asset: str) -> None:
    table, [key, *_] = SHOWN[asset].table, SHOWN[asset].key
    with duckdb.connect(copied.warehouse_url) as connection:
        if asset in {"review_decisions", "search_results"}:  # empty after that run
            connection.execute(f"insert into {table} ({key}) values ('one')")
        assert unique_key(read_table_figures(connection, asset)).passed
        stored = "staging.judgements" if asset == "person_facts" else table
        connection.execute(f"insert into {stored} from (from {stored} order by all limit 1)")
        found = unique_key(read_table_figures(connection, asset))
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    doubled = dict(found.metadata)["doubled_keys"].value
    assert isinstance(doubled, int)
    assert doubled == 1 if stored == table else doubled > 1  # a judgement is several facts


@pytest.mark.parametrize(
    ("statement", "problem", "contact_id"),
    [
        (
            "delete from enrichment.contact_status where contact_id = 'twice'",
            "without_status",
            "twice",
        ),
        (
            "insert into enrichment.contact_status (contact_id) values ('nobody')",
            "not_in_source",
            "nobody",
        ),
    ],
)
def test_a_contact_without_a_status_and_a_status_without_a_contact_are_found(
    copied: Settings, statement: str, problem: str, contact_id: str
) -> None:
    assert checked(copied, every_contact_is_accounted_for, find_unaccounted_contacts).passed
    spoil(copied, statement)
    found = checked(copied, every_contact_is_accounted_for, find_unaccounted_contacts)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    expected = {"without_status": 0, "not_in_source": 0, problem: 1, "examples": [contact_id]}
    assert values(found) == expected


def test_contacts_that_another_run_has_loaded_since_are_that_runs_to_account_for(
    copied: Settings,
) -> None:
    spoil(copied, "insert into staging.source_contact_ids (contact_id) values ('just-arrived')")
    found = checked(copied, every_contact_is_accounted_for, find_unaccounted_contacts)
    assert found.passed
    assert "another run" in str(found.metadata["note"].value)


@pytest.mark.parametrize(
    "statement",
    [
        "update enrichment.enriched_contacts set needs_manual_enrichment = true",
        "delete from enrichment.needs_review where contact_id = 'only-likely'",
    ],
)
def test_a_flag_that_says_something_else_than_the_review_is_found(
    copied: Settings, statement: str
) -> None:
    assert checked(copied, review_flag_agrees, count_disagreeing_flags).passed
    spoil(copied, statement)
    found = checked(copied, review_flag_agrees, count_disagreeing_flags)
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        (
            "insert into enrichment.enriched_contacts from enrichment.enriched_contacts",
            "unique_key",
        ),
        (
            "delete from enrichment.contact_status where contact_id = 'nothing'",
            "every_contact_is_accounted_for",
        ),
    ],
)
def test_a_blocking_check_that_fails_leaves_the_last_published_files_in_place(
    copied: Settings, monkeypatch: pytest.MonkeyPatch, statement: str, check: str
) -> None:
    files = published_files(copied)
    derive = judging.derive_outcomes

    def derive_and_spoil(connection: duckdb.DuckDBPyConnection, *args: Any, **named: Any) -> int:
        hits = derive(connection, *args, **named)
        connection.execute(statement)
        return hits

    monkeypatch.setattr(judging, "derive_outcomes", derive_and_spoil)
    result = execute(copied)
    assert not result.success
    failed = {one.check_name for one in result.get_asset_check_evaluations() if not one.passed}
    assert check in failed
    assert "published" not in materialized(result)
    assert published_files(copied) == files != {}


def test_a_likely_value_in_a_verified_column_is_found(copied: Settings) -> None:
    assert checked(copied, no_likely_value_is_verified, find_unproven_values).passed
    # a likely address, the way that a faulty rule would show it
    spoil(
        copied,
        "update enrichment.enriched_contacts set work_email_status = 'verified'"
        " where contact_id = 'only-likely'",
    )
    found = checked(copied, no_likely_value_is_verified, find_unproven_values)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert values(found) == {"unproven_values": 1, "examples": ["only-likely: work_email"]}


def test_a_match_rate_that_fell_by_a_third_is_a_warning(copied: Settings) -> None:
    first = checked(copied, match_rate_holds, compare_match_rate)
    assert first.passed
    assert "note" in first.metadata
    earlier = (
        "insert into raw.lookups select * replace (concat('e', lookup_id) as lookup_id,"
        " 'earlier' as run_id, requested_at - interval 1 day as requested_at) from raw.lookups"
    )
    spoil(copied, earlier)
    assert checked(copied, match_rate_holds, compare_match_rate).passed
    spoil(
        copied,
        "update raw.lookups set outcome = 'no_match' where run_id <> 'earlier' and lookup_id in"
        " (select lookup_id from raw.lookups where run_id <> 'earlier' and outcome = 'matched'"
        " order by lookup_id limit 12)",
    )
    found = checked(copied, match_rate_holds, compare_match_rate)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    shown = values(found)
    assert shown["compared_answers"] == LOOKUPS
    assert shown["expected_match_rate"] == round(CREDITS / LOOKUPS, 4)
    assert shown["compared_match_rate"] == round((CREDITS - 12) / LOOKUPS, 4)


def test_an_answer_that_is_too_old_and_shown_as_fresh_is_found(copied: Settings) -> None:
    def expired(connection: duckdb.DuckDBPyConnection) -> object:
        return find_expired_answers(connection, copied.policy.freshness, datetime.now(UTC))

    assert checked(copied, no_old_answer_is_fresh, expired).passed
    spoil(copied, "update raw.lookups set answered_at = answered_at - interval 91 days")
    found = checked(copied, no_old_answer_is_fresh, expired)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert values(found)["shown_as_fresh"] == 30


def test_reviews_that_nobody_reads_are_a_warning(copied: Settings) -> None:
    now = datetime.now(UTC)
    assert checked(copied, reviews_are_read, partial(find_unread_reviews, as_of=now)).passed
    later = partial(find_unread_reviews, as_of=now + timedelta(days=15))
    found = checked(copied, reviews_are_read, later)
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert values(found)["unread"] == 11
    assert "| strategic | " in str(values(found)["by_priority"])
    assert leaks(secrets(), str(found.metadata)) == []


def test_entries_that_are_open_after_their_deadline_are_a_warning() -> None:
    late = tuple(f"entry-{number}" for number in range(30))
    assert entries_are_settled(SettledEntries(settled=3, open=2, overdue=())).passed
    found = entries_are_settled(SettledEntries(settled=0, open=31, overdue=late))
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert values(found) == {"open": 31, "overdue": 30, "longest_overdue": [*late[:20]]}


def test_what_somebody_else_spends_from_the_account_is_a_warning(copied: Settings) -> None:
    questions = Stores(copied).questions(Clock())

    def after_buying(credits_left: int) -> dg.AssetCheckResult:
        questions.observe_balance("another", credits_left)
        return ledger_matches_balance(questions.balance_gap())

    assert ledger_matches_balance(questions.balance_gap()).passed
    left = 100_000 - CREDITS
    parted, agreed = after_buying(left - 1), after_buying(left - 1)
    assert (parted.passed, parted.severity) == (False, dg.AssetCheckSeverity.WARN)
    shown = values(parted)
    assert (shown["provider_spent"], shown["ledger_charged"]) == (1, 0)
    assert shown["unexplained_credits"] == 1
    # told once
    assert agreed.passed


@pytest.mark.parametrize(
    ("totals", "passed"),
    [
        (Totals(calls=264, unconfirmed=178), False),
        (Totals(calls=21, released=1, unconfirmed=2), True),
        (Totals(calls=20, released=1, unconfirmed=2), False),
        (Totals(), True),
    ],
)
def test_a_run_more_than_a_tenth_of_whose_look_ups_stay_unconfirmed_is_shown_as_an_error(
    totals: Totals, passed: bool
) -> None:
    found = lookups_are_answered(totals)
    assert (found.passed, found.severity) == (passed, dg.AssetCheckSeverity.ERROR)
    shown = values(found)
    assert shown["unconfirmed_lookups"] == totals.unconfirmed
    assert shown["lookups"] == totals.calls - totals.released


# --- what another tool decided ----------------------------------------------------------------


def test_rows_of_another_tools_decisions_that_are_wrong_are_a_warning(
    copied: Settings, tmp_path: Path
) -> None:
    waiting = "select contact_id from enrichment.needs_review where reason = 'no_match' limit 1"
    with duckdb.connect(copied.warehouse_url) as connection:
        [(contact_id,)] = connection.execute(waiting).fetchall()
    common = {"decided_by": "bi", "decided_at": "2020-01-01"}
    write_csv(
        tmp_path / "tool" / "decisions.csv",
        [
            {"contact_id": contact_id, "decision": "never", **common},
            {"contact_id": "nobody", "decision": "never", **common},
        ],
    )
    told = {"attach": str(tmp_path / "tool"), "decisions": "select * from decisions"}
    policy = copied.policy.model_copy(
        update={"review": Policy.model_validate({"review": told}).review}
    )
    result = execute(replace(copied, policy=policy))
    assert result.success, failure(result)
    found = evaluation(result, "review_decisions", "rows_can_be_taken")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert values(found) == {
        "wrong_rows": 1,
        "problems": ["row 2 (contact nobody), contact_id: is not among the source's contacts"],
    }
    # the other one holds in the same run, in the tables and in the ledger
    status = f"select status from enrichment.contact_status where contact_id = '{contact_id}'"
    with duckdb.connect(copied.warehouse_url) as connection:
        assert connection.execute(status).fetchall() == [("suppressed",)]
        listed = "select count(*) from staging.suppressions"
        assert connection.execute(listed).fetchall()[0][0] >= 2
