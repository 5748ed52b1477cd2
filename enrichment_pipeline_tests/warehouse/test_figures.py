"""The figures of the report: bands, days and weeks, counted to the instant that is given."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.warehouse import figures
from enrichment_pipeline.warehouse.publish import open_published, publish
from enrichment_pipeline_tests.support import START
from enrichment_pipeline_tests.warehouse import ADA, BOB, DAY, VERIFIED, World
from enrichment_pipeline_tests.warehouse.prepared import prepared


@prepared
def two(world: World) -> None:
    """One found, one not, on the first of two days."""
    world.load([ADA, BOB])
    world.look_up("C1", candidate=VERIFIED)
    world.look_up("C2", outcome="no_match")
    world.derive()


@pytest.mark.parametrize(
    ("age", "band"), [(0, 0), (14.9, 0), (15, 15), (89.9, 75), (90, 90), (4000, 90), (-1, 0)]
)
def test_an_answer_is_counted_in_the_band_of_its_age(two: World, age: float, band: int) -> None:
    bands = figures.read_ages(two.connection, START + age * DAY, 90)
    assert [one.from_days for one in bands] == [0, 15, 30, 45, 60, 75, 90]
    assert [one.to_days for one in bands] == [15, 30, 45, 60, 75, 90, None]
    assert {one.from_days: one.contacts for one in bands if one.contacts} == {band: 1}


def test_bands_follow_the_age_limit(two: World) -> None:
    bands = figures.read_ages(two.connection, START + 7 * DAY, 7)
    assert [one.from_days for one in bands] == [0, 1, 2, 4, 5, 6, 7]
    assert bands[-1].contacts == 1


def test_days_without_a_look_up_are_shown_too(two: World) -> None:
    spend = figures.read_spend(two.connection, START + 2 * DAY)
    assert len(spend) == 30
    assert [(one.lookups, one.cost) for one in spend[-4:]] == [(0, 0), (2, 1), (0, 0), (0, 0)]
    assert spend[-1].day == (START + 2 * DAY).date()


def test_a_month_is_the_calendars(two: World) -> None:
    assert figures.read_month(two.connection, START + 3 * DAY) == 1
    assert figures.read_month(two.connection, START + 31 * DAY) == 0


def test_what_is_over_is_overdue_and_what_is_far_is_later(two: World) -> None:
    def found(after: timedelta) -> dict[str, int]:
        debt = figures.read_debt(two.connection, START + after)
        assert len(debt) == 17
        return {one.name: one.lookups for one in debt if one.lookups}

    assert found(timedelta(0)) == {"30 Mar": 1, "25 May": 1}
    assert found(40 * DAY) == {"overdue": 1, "25 May": 1}
    assert found(-60 * DAY) == {"30 Mar": 1, "later": 1}
    assert found(200 * DAY) == {"overdue": 2}


def test_all_figures_are_read_from_what_is_published(two: World, tmp_path: Path) -> None:
    publish(two.connection, tmp_path, run_id="run-9", published_at=START)
    with open_published(tmp_path) as published:
        found = figures.read_figures(published, 90)
    assert (found.published_at, found.run_id) == (START, "run-9")
    assert sum(one.contacts for one in found.coverage) == 2
    assert found.reasons == {"no_match": 1}
    assert [one.contact_id for one in found.waiting_reviews] == ["C2"]
    assert (found.cost_of_the_month, found.spend[-1].cost) == (1, 1)
    assert found.unit == "credits"
    assert [one.credits_per_verified_email for one in found.scorecards] == [1.0]
    assert found.meanings["enriched"].startswith("Contacts with the status enriched")
    assert "whatever their status" in found.meanings["with_verified_email"]  # the coverage's
    assert "e-mail" in found.meanings["credits_per_verified_email"]


def test_nothing_published_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="nothing is published"), open_published(tmp_path):
        pass


def test_what_an_earlier_version_published_is_one_clear_error(two: World, tmp_path: Path) -> None:
    publish(two.connection, tmp_path, run_id="old", published_at=START)

    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("drop view enrichment.coverage_by_priority")
    with (
        pytest.raises(PipelineError, match="an earlier version"),
        open_published(tmp_path) as published,
    ):
        figures.read_figures(published, 90)
