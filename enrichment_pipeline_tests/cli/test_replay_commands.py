"""`enrichment replay` and `enrichment undo`: shown first, applied at a word, published by a run."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end import world


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def bought_by(state: Path) -> tuple[str, set[str]]:
    """The run that has bought, and the contacts that it enriched."""
    rows = world.rows(state, "select run_id, contact_id from enrichment.enriched_contacts")
    [run_id] = {run_id for run_id, _ in rows}
    return run_id, {contact_id for _, contact_id in rows}


def spent(state: Path) -> list[tuple]:
    return world.ledger_rows(state, "select count(*), sum(units_charged) from lookups")


def test_under_the_same_policy_a_replay_changes_nothing(ours: Command, state: Path) -> None:
    before = world.contents(state)
    said = ours("replay")
    assert (said.status, said.out.strip(), said.err) == (0, "nothing changes", "")
    assert world.contents(state) == before


def test_a_replay_shows_what_another_policy_makes_of_the_answers_and_applies_it_at_a_word(
    ours: Command, state: Path, tmp_path: Path
) -> None:
    before, money = world.contents(state), spent(state)
    world.write_policy(tmp_path, '[acceptance]\nrequire = ["verified_mobile_phone"]\n')
    shown = ours("replay")
    assert shown.status == 0
    assert "What would change" in shown.out
    assert "needs_review" in shown.out
    assert "nothing was changed; --yes applies it" in shown.out
    assert world.contents(state) == before
    applied = ours("replay", "--yes")
    assert (applied.status, "What changed" in applied.out) == (0, True)
    [(waiting,)] = world.rows(
        state,
        "select count(*) from enrichment.needs_review where detail like '%verified_mobile_phone%'",
    )
    assert waiting > 0
    assert spent(state) == money
    assert ours("replay").out.strip() == "nothing changes"


def test_a_run_that_is_undone_leaves_its_contacts_for_review_and_its_look_ups_paid(
    ours: Command, state: Path
) -> None:
    run_id, contacts = bought_by(state)
    before, money = world.contents(state), spent(state)
    shown = ours("undo", run_id)
    assert (shown.status, "What would change" in shown.out) == (0, True)
    assert world.contents(state) == before
    assert ours("undo", run_id, "--yes", "--by", "Eva").status == 0
    after = world.outcomes(state)
    assert {after[contact_id] for contact_id in contacts} == {("needs_review", "undone")}
    assert world.rows(state, "select run_id, undone_by from raw.undone_runs") == [(run_id, "Eva")]
    assert spent(state) == money
    # a replay honours it
    assert ours("replay").out.strip() == "nothing changes"


@pytest.mark.long
def test_the_run_after_an_undo_publishes_it_and_buys_nothing(ours: Command, state: Path) -> None:
    run_id, contacts = bought_by(state)
    money = spent(state)
    assert ours("undo", run_id, "--yes").status == 0
    assert ours("run", "--max-credits", "0").status == 0
    with duckdb.connect(str(state / "published/warehouse.duckdb"), read_only=True) as published:
        reasons = published.execute(
            "select distinct reason from enrichment.needs_review "
            "where list_contains($1, contact_id)",
            [sorted(contacts)],
        ).fetchall()
    assert reasons == [("undone",)]
    assert spent(state) == money


def test_undo_of_a_run_that_asked_for_nobody_is_refused(ours: Command, state: Path) -> None:
    before = world.contents(state)
    said = ours("undo", "no-such-run", "--yes")
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert "no run no-such-run has bought anything" in said.err
    assert world.contents(state) == before
