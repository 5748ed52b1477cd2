"""Our definitions in a code location that is somebody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from enrichment_pipeline import build_definitions
from enrichment_pipeline.defs.resources import Runs
from enrichment_pipeline.defs.runs import is_over
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.defs.job import ALL_LANES, QUIET, failure, materialized
from enrichment_pipeline_tests.defs.test_specs import ASSETS, CHECKS
from enrichment_pipeline_tests.end_to_end.world import (
    CONTACTS,
    CREDITS,
    EXPECTED,
    make_state,
    outcomes,
    small_sandbox,
    small_settings,
)
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.support import open_to_others, settings_for


@dg.asset
def contacts() -> None:
    """As a project may call what it loads from its CRM."""


@dg.asset(deps=[["crm", "leads", "enriched_contacts"]])
def report() -> None:
    """What a project makes of the result."""


@dg.op
def worklist() -> None:
    """An op that is called as one of our assets."""


@dg.job(name="late_answers")
def theirs() -> None:
    worklist()


def of_the_project() -> dg.Definitions:
    """A project whose own names are those that ours would have without a prefix."""
    daily = dg.define_asset_job("daily_refresh", selection="*")
    return dg.Definitions(
        assets=[contacts, report],
        jobs=[daily, theirs],
        schedules=[
            dg.ScheduleDefinition(name="daily_refresh", job=daily, cron_schedule="0 5 * * *")
        ],
        resources=dict.fromkeys(("runs", "progress", "warehouse", "duckdb", "settings"), "theirs"),
        executor=dg.multiprocess_executor,
    )


def merged(settings: Settings, **given: object) -> dg.Definitions:
    ours = build_definitions(
        settings,
        key_prefix=["crm", "leads"],
        group_prefix="crm",
        **given,  # ty: ignore[invalid-argument-type]
    )
    together = dg.Definitions.merge(of_the_project(), ours)
    dg.Definitions.validate_loadable(together)
    return together


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("embedding")
    source = {"source": {"attach": str(home / "crm.duckdb")}}
    settings = settings_for(home / "state", Policy.model_validate(source), None)
    return merged(settings, contacts="contacts")


def ours(keys: set[dg.AssetKey]) -> set[str]:
    return {key.path[-1] for key in keys if list(key.path[:-1]) == ["crm", "leads"]}


def test_keys_groups_and_what_assets_depend_on_have_the_prefixes(together: dg.Definitions) -> None:
    specs = {spec.key: spec for spec in together.resolve_all_asset_specs()}
    assert ours(set(specs)) == set(ASSETS)
    for name, (group, _, deps, _, is_partitioned) in ASSETS.items():
        spec = specs[dg.AssetKey(["crm", "leads", name])]
        depends_on = {dep.asset_key for dep in spec.deps}
        assert ours(depends_on) == deps, name
        theirs = {dg.AssetKey("contacts")} if name in {"accounts", "contacts"} else set()
        assert depends_on - {dg.AssetKey(["crm", "leads", dep]) for dep in deps} == theirs, name
        assert spec.group_name == f"crm_{group}"
        assert (spec.partitions_def is not None) == is_partitioned


def test_checks_have_the_prefix_and_still_hold_up_what_comes_after(
    together: dg.Definitions,
) -> None:
    graph = together.resolve_asset_graph()
    found = {
        (key.asset_key.path[-1], key.name): graph.get_check_spec(key).blocking
        for key in graph.asset_check_keys
    }
    assert found == CHECKS


def test_our_jobs_run_our_assets_alone_and_in_one_process(together: dg.Definitions) -> None:
    for name, count in (("crm_leads_daily_refresh", len(ASSETS)), ("crm_leads_late_answers", 7)):
        job = together.resolve_job_def(name)
        keys = set(job.asset_layer.executable_asset_keys)
        assert len(keys) == count == len(ours(keys))
        assert job.executor_def is dg.in_process_executor
    assert together.executor is dg.multiprocess_executor


def test_nothing_starts_before_somebody_switches_it_on(together: dg.Definitions) -> None:
    states = {one.name: one.default_status.value for one in together.sensors or []}
    assert states == {"crm_leads_late_answers": "STOPPED", "crm_leads_new_contacts": "STOPPED"}
    schedule = together.resolve_schedule_def("crm_leads_daily_refresh")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_every_resource_has_a_name_of_our_own(tmp_path: Path) -> None:
    definitions = build_definitions(settings_for(tmp_path, Policy(), None))
    assert {name.split("_")[0] for name in definitions.resources or {}} == {"enrichment"}
    assert definitions.executor is None


def test_without_jobs_there_are_assets_alone(tmp_path: Path) -> None:
    found = build_definitions(settings_for(tmp_path, Policy(), None), include_jobs=False)
    assert (list(found.jobs or []), list(found.schedules or []), list(found.sensors or [])) == (
        [],
        [],
        [],
    )
    dg.Definitions.validate_loadable(found)


def test_a_mistake_in_the_environment_is_one_line_when_the_location_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENRICHMENT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ENRICHMENT_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigurationError) as caught:
        build_definitions()
    assert "\n" not in str(caught.value)
    assert "none.toml" in str(caught.value)
    assert not (tmp_path / "state").exists()


# --- contacts as the value of an asset -------------------------------------------------------


@contextmanager
def usual_umask() -> Iterator[None]:
    """A project's process is not ours alone, and has the umask that its user has."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def test_a_frame_of_the_projects_is_enriched_in_one_graph_with_what_reads_the_result(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(CONTACTS)
    seen: list[int] = []

    @dg.asset(key=["lake", "contacts"])
    def people() -> pd.DataFrame:
        return frame

    @dg.asset(deps=[["crm", "enriched_contacts"]])
    def dashboard(enrichment_warehouse: dg.ResourceParam[object]) -> None:
        with enrichment_warehouse.get_connection() as connection:  # ty: ignore[missing-attribute]
            [(rows,)] = connection.execute(
                "select count(*) from enrichment.enriched_contacts"
            ).fetchall()
        seen.append(rows)

    everything = dg.define_asset_job("everything", selection="*")
    with small_sandbox(tmp_path) as sandbox, usual_umask():
        of_folder = small_settings(tmp_path, sandbox.base_url)
        policy = of_folder.policy.model_copy(update={"source": Policy().source})
        settings = replace(of_folder, policy=policy)
        definitions = dg.Definitions.merge(
            dg.Definitions(assets=[people, dashboard], jobs=[everything]),
            build_definitions(settings, key_prefix="crm", contacts=["lake", "contacts"]),
        )
        make_state(settings)
        job = definitions.resolve_job_def("everything")
        with DagsterInstance.ephemeral() as instance:
            result = job.execute_in_process(
                instance=instance, tags=ALL_LANES, run_config=QUIET, raise_on_error=False
            )
        assert result.success, failure(result)
        assert open_to_others(settings.home) == []
        assert len(journal_lines(sandbox.journal)) == CREDITS
    assert outcomes(settings) == EXPECTED
    assert len(seen) == 1
    assert seen[0] > 0
    shown = materialized(result)
    assert shown["crm/handed_in_contacts"]["dagster/row_count"].value == len(frame)
    assert {f"crm/{name}" for name in ASSETS} < set(shown)
    assert {check.passed for check in result.get_asset_check_evaluations()} == {True, False}


def test_a_run_whose_process_is_gone_is_over_where_dagster_is_ours_or_the_job_is(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path, Policy(), None)
    theirs = replace(settings, dagster_home=tmp_path / "elsewhere")
    with DagsterInstance.ephemeral() as instance:
        for job in ("daily_refresh", "__ASSET_JOB"):
            instance.add_run(DagsterRun(job_name=job, run_id=job, status=DagsterRunStatus.STARTED))
        alone, beside = Runs(Stores(settings)), Runs(Stores(theirs), ["daily_refresh"])
        assert is_over(instance, "__ASSET_JOB", alone)
        assert is_over(instance, "daily_refresh", beside)
        # its executor may be between two processes
        assert not is_over(instance, "__ASSET_JOB", beside)
        assert not is_over(instance, "unknown", beside)
