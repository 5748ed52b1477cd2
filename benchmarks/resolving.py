"""Name and company to profile: precision and recall over the labelled set, by threshold.

Measures: of 500 contacts whose right profile is known (`data/matching`), how many are accepted
and how many of these rightly, for each least score and lead. The policy's two thresholds are
read off this curve. Everything is searched for in the sandbox over real HTTP.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.common import QuietProgress, now, settings_for, verdict
from enrichment_pipeline.lanes import FRESHNESS, PRIORITIES, Lane
from enrichment_pipeline.policy import SearchPolicy
from enrichment_pipeline.run import Run
from enrichment_pipeline.serving.child import child_server
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_contacts
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.steps.search_profiles import search_profiles
from enrichment_pipeline.steps.select_work import select_work
from enrichment_pipeline.stores import Stores

FOLDER = Path(__file__).parents[1] / "data" / "matching"
SCORES = (0.5, 0.6, 0.65, 0.7, 0.72, 0.74, 0.76, 0.78, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.95)
LEADS = (0.0, 0.02, 0.05, 0.1)
LEAST_PRECISION, LEAST_RECALL = 0.98, 0.85


@dataclass(frozen=True)
class Labelled:
    """A contact: its right profile ("" for none), and what the search found best for it."""

    right_uid: str
    best_uid: str | None
    score: float
    lead: float

    def is_accepted(self, min_score: float, min_lead: float) -> bool:
        return self.best_uid is not None and self.score >= min_score and self.lead >= min_lead


def main() -> bool:
    for shown in ("documented", "full"):
        print(f"  what a found profile shows of a job: {shown}")
        labelled = search_all(shown)
        print_curve(labelled)
        policy = SearchPolicy()
        precision, recall = quality(labelled, policy.min_score, policy.min_lead)
        print(f"  the policy's least score {policy.min_score:g}, least lead {policy.min_lead:g}")
        holds = [
            verdict("precision", precision, ">=", LEAST_PRECISION),
            verdict("recall", recall, ">=", LEAST_RECALL),
        ]
        if not all(holds):
            return False
    return True


def search_all(experience_shown: str) -> list[Labelled]:
    """Load the set, search for everybody, and take the best profile of each."""
    with (FOLDER / "contacts.csv").open(encoding="utf-8", newline="") as file:
        right = {row["contact_id"]: row["uid"] for row in csv.DictReader(file)}
    options = [
        *("--people", str(FOLDER / "people.csv"), "--searches-per-day", "10000"),
        *("--search-experience", experience_shown),
    ]
    with (
        tempfile.TemporaryDirectory(prefix="enrichment-bench-") as folder,
        child_server("sandbox", options) as base_url,
    ):
        policy = {"signalhire": {"search": "on", "searches_per_day": 10_000},
                  "budget": {"floors": dict.fromkeys(PRIORITIES, 0.0)}}  # fmt: skip
        settings = settings_for(Path(folder), policy, base_url)
        shutil.copy(FOLDER / "contacts.csv", Path(str(settings.source)) / "contacts.csv")
        stores = Stores(settings)
        open_state(stores)
        context = RunContext(stores, Run(run_id="resolving", as_of=now()))
        lanes = [Lane(f, p) for f, p in product(FRESHNESS, PRIORITIES)]
        load_contacts(context)
        select_work(context, lanes)
        search_profiles(context, lanes, QuietProgress())
        with stores.open_warehouse() as connection:
            rows = connection.execute(
                "select assigned.contact_id, result.score, result.lead, result.candidates "
                "from enrichment.search_results as result "
                "join staging.contact_persons as assigned "
                "on assigned.person_key = result.person_key where result.score is not null "
                "order by result.answered_at"
            ).fetchall()
    best = {
        contact: (json.loads(found)[0]["uid"], score, lead) for contact, score, lead, found in rows
    }
    return [Labelled(uid, *best.get(contact, (None, 0.0, 0.0))) for contact, uid in right.items()]


def quality(labelled: list[Labelled], min_score: float, min_lead: float) -> tuple[float, float]:
    """Precision of what is accepted, and recall over those whom the directory has."""
    accepted = [each for each in labelled if each.is_accepted(min_score, min_lead)]
    rightly = sum(each.best_uid == each.right_uid for each in accepted)
    return rightly / max(1, len(accepted)), rightly / sum(bool(each.right_uid) for each in labelled)


def print_curve(labelled: list[Labelled]) -> None:
    print("  least score | " + " | ".join(f"lead {lead:<4g} p, r    " for lead in LEADS))
    for score in SCORES:
        cells = [quality(labelled, score, lead) for lead in LEADS]
        shown = " | ".join(f"{precision:.4f}, {recall:.4f}" for precision, recall in cells)
        print(f"  {score:11.2f} | {shown}")
