"""The sample as `make run` runs it: five thousand contacts, and a stand-in for each provider."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from threading import Event, Thread

import pytest

from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.sandbox.stand_ins import STAND_INS
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline_tests.end_to_end.world import contents, enrichment, outcomes, rows

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

SECONDS = 90
"""What a trial of the sample may take, once everything is set up, on a machine that is idle."""
STEPS = 500_000
STEP_SECONDS = 15e-9
"""So many steps of a bare loop, and what each of them takes on such a machine."""

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
IDENTITY_CHECK = """
select
    outcome.value = 'matched' as is_accepted,
    coalesce(json_extract_string(response.answer, '$.candidate.uid') = truth.uid, false),
    count(*)
from enrichment.person_facts as outcome
join raw.provider_responses as response on response.lookup_id = outcome.lookup_id
left join read_csv('{truth}', all_varchar = true) as truth
    on truth.contact_id = outcome.contact_id
where outcome.field = 'lookup_outcome' and outcome.value in ('matched', 'identity_mismatch')
    -- whose ids of people the truth has
    and outcome.provider = 'signalhire'
group by all
"""


def figures(shown: str) -> dict[str, list[int]]:
    """The rows of the tables shown: numbers by their first cell."""
    cells = ([cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines())
    return {
        first: [int(cell.replace(",", "")) for cell in rest]
        for first, *rest in filter(None, cells)
        if all(re.fullmatch(r"[\d,]+", cell) for cell in rest)
    }


@contextmanager
def watched_machine() -> Iterator[list[float]]:
    """How many times as long as on an idle machine a bare loop takes: looked at again and again."""
    stretches: list[float] = []
    is_over = Event()

    def watch() -> None:
        while True:
            began = time.perf_counter()
            for _ in range(STEPS):
                pass
            stretches.append((time.perf_counter() - began) / (STEPS * STEP_SECONDS))
            if is_over.wait(1.0):
                return

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield stretches
    finally:
        is_over.set()
        watcher.join()


def test_the_sample_is_planned_bought_and_told_in_time(tmp_path: Path) -> None:
    home = tmp_path / "state"
    planned = figures(enrichment(tmp_path, "plan").stdout)
    assert 4_500 < planned["all"][1] < 4_700

    began = time.monotonic()
    with watched_machine() as stretches:
        ended = enrichment(tmp_path, "run")
    seconds = time.monotonic() - began
    assert (ended.returncode, ended.stderr) == (0, "")
    shown = figures(ended.stdout)
    assert shown["contacts in"] == [4_992]
    queued = shown.get("queued", [0])
    assert sum(shown["enriched"] + shown["for review"] + queued) == 4_992
    assert 3_900 < shown["enriched"][0] < 4_350
    look_ups = 0
    for name in STAND_INS:
        asked, matched, accepted, credits, cost, left = shown[PROVIDERS[name].title]
        journal = home / f"sandbox_journal{'' if name == FIRST else f'_{name}'}.jsonl"
        charges = journal.read_text().splitlines() if journal.exists() else []
        uids = [json.loads(line)["uid"] for line in charges]
        assert asked >= matched >= accepted > 0, name
        assert cost == credits, name
        if VERIFICATION not in PROVIDERS[name].calls:  # whose account pays for those, too
            assert (credits, left) == (len(uids), 100_000 - len(uids)), name
        # several contacts can turn out to be one person only by the answer
        assert len(set(uids)) >= 0.95 * len(uids), name
        look_ups += asked
    reasons = {reason for _, reason in outcomes(home).values()}
    assert reasons - {"waiting_for_provider", "ambiguous_match", "legal_stop"} == {
        None,
        "no_match",
        "no_verified_email",
        "insufficient_identity",
        "invalid_identity",
        "identity_mismatch",
    }
    guessed = "select count(*) from enrichment.enriched_contacts where not needs_manual_enrichment "
    guessed += "and work_email_status <> 'verified' and personal_email_status <> 'verified'"
    assert rows(home, guessed) == [(0,)]

    judged = rows(home, IDENTITY_CHECK.format(truth=SAMPLE / "truth.csv"))
    found = {(is_accepted, is_right): count for is_accepted, is_right, count in judged}
    right, wrong = found[True, True], found.get((True, False), 0)
    precision, recall = right / (right + wrong), right / (right + found[False, True])
    print(f"\nidentity check, sample: precision {precision:.4f}, recall {recall:.4f} {found}")
    # a search by name and company can choose a namesake at the same company
    assert precision > 0.995
    assert recall > 0.98

    before = contents(home)
    # the profile of a few was in the answer about someone else: the ledger buys them no more
    assert queued[0] <= 5
    due = figures(enrichment(tmp_path, "plan").stdout)
    assert due.get("all", [0])[0] == queued[0]
    told = figures(enrichment(tmp_path, "status").stdout)
    assert told["enrichment.contact_status"] == [4_992]
    # who is not found by a search is not looked up at the first
    assert 0.9 * planned["all"][1] < shown[PROVIDERS[FIRST].title][0] <= planned["all"][1]
    assert told["applied"] == [look_ups]
    assert contents(home) == before
    # the machine may have other things to do, and its neighbours too
    assert seconds < SECONDS * max(1.0, mean(stretches))
