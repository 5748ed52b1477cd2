"""What Dagster shows of the pipeline before anything has run."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from enrichment_pipeline.definitions import own_definitions
from enrichment_pipeline.policy import Policy
from enrichment_pipeline_tests.end_to_end.world import PROJECT, environment
from enrichment_pipeline_tests.support import settings_for

LANES = [
    "new|strategic",
    "new|target",
    "new|standard",
    "new|bulk",
    "retry|strategic",
    "retry|target",
    "retry|standard",
    "retry|bulk",
    "stale|strategic",
    "stale|target",
    "stale|standard",
    "stale|bulk",
]

SQL = {"duckdb", "sql"}
OWNERS = ["team:data-engineering"]
ASSETS = {
    # asset: group, kinds, what it depends on, its table, whether it is partitioned by lane
    "accounts": ("source", SQL, set(), "staging.accounts", False),
    "contacts": ("source", SQL, {"accounts"}, "staging.contacts", False),
    "review_decisions": ("source", SQL, {"contacts"}, "raw.review_decisions", False),
    "worklist": (
        "lookups",
        SQL,
        {"accounts", "contacts", "review_decisions"},
        "enrichment.worklist",
        True,
    ),
    "search_results": (
        "lookups",
        SQL | {"python"},
        {"worklist"},
        "enrichment.search_results",
        True,
    ),
    "provider_lookups": ("lookups", {"python"}, {"search_results", "worklist"}, None, True),
    "provider_responses": (
        "lookups",
        SQL,
        {"provider_lookups"},
        "raw.provider_responses",
        False,
    ),
    "person_facts": (
        "outcomes",
        SQL,
        {"contacts", "provider_responses", "review_decisions"},
        "enrichment.person_facts",
        False,
    ),
    "company_facts": (
        "outcomes",
        SQL,
        {"provider_responses"},
        "enrichment.company_facts",
        False,
    ),
    "enriched_contacts": (
        "outcomes",
        SQL,
        {"contacts", "person_facts"},
        "enrichment.enriched_contacts",
        False,
    ),
    "needs_review": (
        "outcomes",
        SQL,
        {"contacts", "person_facts", "search_results"},
        "enrichment.needs_review",
        False,
    ),
    "contact_status": (
        "outcomes",
        SQL,
        {"accounts", "contacts", "person_facts"},
        "enrichment.contact_status",
        False,
    ),
    "published": (
        "publishing",
        {"duckdb", "parquet"},
        {"accounts", "contact_status", "enriched_contacts", "needs_review", "provider_responses"},
        None,
        False,
    ),
}
CHECKS = {
    # check: whether what depends on its asset waits for it
    ("accounts", "unique_key"): True,
    ("contacts", "unique_key"): True,
    ("contacts", "source_ids_are_unique"): False,
    ("contact_status", "entries_are_settled"): False,
    ("review_decisions", "unique_key"): True,
    ("review_decisions", "rows_can_be_taken"): False,
    ("worklist", "unique_key"): True,
    ("search_results", "unique_key"): True,
    ("provider_lookups", "lookups_are_answered"): False,
    ("provider_lookups", "ledger_matches_balance"): False,
    ("provider_responses", "unique_key"): True,
    ("provider_responses", "match_rate_holds"): False,
    ("person_facts", "unique_key"): True,
    ("person_facts", "verified_share_holds"): False,
    ("company_facts", "unique_key"): True,
    ("enriched_contacts", "unique_key"): True,
    ("enriched_contacts", "review_flag_agrees"): True,
    ("enriched_contacts", "no_likely_value_is_verified"): True,
    ("needs_review", "unique_key"): True,
    ("needs_review", "reviews_are_read"): False,
    ("contact_status", "unique_key"): True,
    ("contact_status", "every_contact_is_accounted_for"): True,
    ("contact_status", "no_old_answer_is_fresh"): True,
}
PUBLISHED = ("enriched_contacts", "needs_review", "contact_status")


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("definitions")
    return own_definitions(settings_for(home, Policy(), None))


def specs(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def column_schema(definitions: dg.Definitions, asset: str) -> dg.TableSchema:
    schema = dg.MetadataValue.table_schema
    return schema(specs(definitions)[asset].metadata["dagster/column_schema"]).schema


def test_every_asset_is_what_it_was(definitions: dg.Definitions) -> None:
    found = {
        name: (
            spec.group_name,
            spec.kinds,
            {dep.asset_key.to_user_string() for dep in spec.deps},
            spec.metadata.get("dagster/table_name"),
            spec.partitions_def is not None,
        )
        for name, spec in specs(definitions).items()
    }
    assert found == ASSETS


def test_every_asset_has_owners_and_a_description(definitions: dg.Definitions) -> None:
    for name, spec in specs(definitions).items():
        assert spec.owners == OWNERS, name
        assert spec.description, name


def test_only_the_asset_that_spends_says_so(definitions: dg.Definitions) -> None:
    spending = [name for name, spec in specs(definitions).items() if "spends" in spec.tags]
    assert spending == ["provider_lookups"]


def test_what_people_read_is_expected_every_day(definitions: dg.Definitions) -> None:
    policies = {name: spec.freshness_policy for name, spec in specs(definitions).items()}
    daily = dg.FreshnessPolicy.time_window(timedelta(hours=48), timedelta(hours=26))
    assert {name: policy for name, policy in policies.items() if policy} == dict.fromkeys(
        (*PUBLISHED, "published"), daily
    )


def test_the_lanes_are_the_partitions_in_their_order(definitions: dg.Definitions) -> None:
    for name, (*_, is_partitioned) in ASSETS.items():
        partitions = specs(definitions)[name].partitions_def
        keys = list(partitions.get_partition_keys()) if partitions else []
        assert keys == (LANES if is_partitioned else []), name


def test_every_table_shows_its_columns(definitions: dg.Definitions) -> None:
    for name, (_, _, _, table, _) in ASSETS.items():
        if table:
            assert column_schema(definitions, name).columns, name


@pytest.mark.parametrize("asset", PUBLISHED)
def test_every_column_that_is_published_is_described(
    definitions: dg.Definitions, asset: str
) -> None:
    columns = column_schema(definitions, asset).columns
    assert {column.name for column in columns if not column.description} == set()
    assert columns[0].name == "contact_id"


def test_every_check_is_what_it_was(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {
        (key.asset_key.to_user_string(), key.name): graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
    }
    assert found == CHECKS
    assert all(graph.get_check_spec(key).description for key in graph.asset_check_keys)


def test_there_is_one_job_over_all_assets_and_one_schedule_for_it(
    definitions: dg.Definitions,
) -> None:
    job = definitions.resolve_job_def("daily_refresh")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(ASSETS)
    assert job.partitions_def is not None
    assert list(job.partitions_def.get_partition_keys()) == LANES
    assert [one.name for one in definitions.schedules or []] == ["daily_refresh"]
    schedule = definitions.resolve_schedule_def("daily_refresh")
    assert (schedule.job_name, schedule.cron_schedule) == ("daily_refresh", "0 5 * * *")
    # it spends money: nobody's schedule starts by itself
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_the_workspace_loads_in_a_process_of_its_own(tmp_path: Path) -> None:
    workspace = PROJECT / "workspace.yaml"
    arguments = ["definitions", "validate", "-w", str(workspace), "--log-level", "warning"]
    validated = subprocess.run(
        [sys.executable, "-m", "dagster", *arguments],
        cwd=tmp_path,
        env=environment(tmp_path, DAGSTER_HOME=tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert validated.returncode == 0, validated.stdout + validated.stderr
    for told_to_us in ("BetaWarning", "PreviewWarning", "DeprecationWarning"):
        assert told_to_us not in validated.stdout + validated.stderr
    # looking at the definitions makes no state folder
    assert not (tmp_path / "state").exists()
