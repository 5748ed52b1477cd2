"""Two providers in one ledger: the second is asked for those that the first left open.

Here: state by provider and person, one budget in money over both, and what the second one took.
Not here: what each must do alone (`test_conformance.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import enrichment_pipeline
from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import CREDITS, MILLIONTHS, RunShare
from enrichment_pipeline.ledger.kept import changed_lookups
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.steps.copy_answers import take_over_answers
from enrichment_pipeline.vocabulary import NO_MATCH
from enrichment_pipeline_tests import conformance
from enrichment_pipeline_tests.conformance import (
    WIDE_RATES,
    Case,
    StandIn,
    budgets_of,
    buy,
    calls_under,
    policy_of,
    rows_of,
)
from enrichment_pipeline_tests.conformance.cases import SIGNALHIRE_CASE
from enrichment_pipeline_tests.conformance.crowd import uid
from enrichment_pipeline_tests.conformance.madeup.acme_case import ACME_CASE
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.warehouse.prepared import opened

FIRST, SECOND = SIGNALHIRE_CASE, ACME_CASE
BOTH = (FIRST, SECOND)
RATES = dict.fromkeys(BOTH, WIDE_RATES)


def left_open(store: LedgerStore, people: Sequence[Candidate]) -> list[Candidate]:
    """Those that the first did not find; to the second they are new."""
    missed = {row.person_key for row in rows_of(store, FIRST.facts.name) if row.outcome == NO_MATCH}
    return [person for person in people if person.person_key in missed]


def booked(store: LedgerStore) -> dict[str, tuple[Decimal, Decimal]]:
    """Reserved and charged, in money, by kind of period."""
    rows = budgets_of(store)
    assert {row.pool for row in rows} == {CREDITS}
    return {
        row.period: (Decimal(row.reserved) / MILLIONTHS, Decimal(row.charged) / MILLIONTHS)
        for row in rows
    }


def paid(first: StandIn, second: StandIn) -> Decimal:
    """By the two stand-ins' own books."""
    return first.charged().total() * Decimal(1) + second.charged().total() * Decimal("0.28")


def test_the_second_buys_what_the_first_left_open_and_no_answer_is_lost(
    store: LedgerStore, tmp_path: Path
):
    people = FIRST.persons(range(25))
    with FIRST.start(tmp_path, 10) as first, SECOND.start(tmp_path, 20) as second:
        found = buy(store, FIRST.calls(), FIRST.connect(first.base_url), people)
        open_people = left_open(store, people)
        more = buy(store, SECOND.calls(), SECOND.connect(second.base_url), open_people)
        assert (found.matched, found.no_match) == (10, 15)
        assert (more.matched, more.no_match) == (10, 5)

        # who has been asked about is not asked about again, with either
        for case, stand_in in zip(BOTH, (first, second), strict=True):
            asked = people if case is FIRST else open_people
            again = buy(store, case.calls(), case.connect(stand_in.base_url), asked, run_id="again")
            assert (again.sent, again.not_due) == (0, len(asked))
        assert first.times_charged() == {FIRST.item(n): 1 for n in range(10)}
        assert second.times_charged() == {SECOND.item(n): 1 for n in range(10, 20)}
        total = paid(first, second)

    assert {charged for _, charged in booked(store).values()} == {total}
    assert {reserved for reserved, _ in booked(store).values()} == {0}
    rows = [row for page in changed_lookups(store, 0) for row in page]
    assert Counter((row.provider, row.outcome) for row in rows) == {
        ("signalhire", "matched"): 10,
        ("signalhire", "no_match"): 15,
        ("acme", "matched"): 10,
        ("acme", "no_match"): 5,
    }
    with opened() as warehouse:
        take_over_answers(warehouse, store)
        read = warehouse.execute(
            "select lookup.provider, lookup.person_key, profile.uid from raw.lookups as lookup"
            " join staging.profiles as profile on profile.call_id = lookup.lookup_id"
        ).fetchall()
    assert sorted(read) == sorted(
        [("signalhire", f"person:{n}", uid(n)) for n in range(10)]
        + [("acme", f"person:{n}", f"acme-{n}") for n in range(10, 20)]
    )
    revisions = [row.revision for row in rows]
    assert revisions == sorted(revisions)
    last_of_first = max(row.revision for row in rows if row.provider == "signalhire")
    since = [row for page in changed_lookups(store, last_of_first + 1) for row in page]
    assert {row.provider for row in since} == {"acme"}
    assert len(since) == 15


def test_one_budget_in_money_holds_over_both(store: LedgerStore, tmp_path: Path):
    """Ten credits of the first leave 1.50, which is five credits of the second."""
    policy = policy_of(RATES, per_run=100, per_day=11.5, per_month=1000)
    people = FIRST.persons(range(30))
    told = Told()
    with FIRST.start(tmp_path, 10) as first, SECOND.start(tmp_path, 30) as second:
        buy(store, calls_under(policy, FIRST), FIRST.connect(first.base_url), people[:10])
        more = buy(
            store,
            calls_under(policy, SECOND),
            SECOND.connect(second.base_url),
            people[10:],
            told=told,
        )
        total = paid(first, second)
    assert more.exhausted == {"standard": "day"}
    assert told.said == ["the day's budget for standard is used up"]
    # less is left than the worst that one more could cost
    assert Decimal("11.5") - Decimal("0.56") < total <= Decimal("11.5")
    assert {charged for _, charged in booked(store).values()} == {total}


def test_both_at_once_stay_within_one_budget(store: LedgerStore, tmp_path: Path):
    policy = policy_of(RATES, per_run=100, per_day=9, per_month=1000)

    async def dispatch(case: Case, base_url: str) -> None:
        client = case.connect(base_url)
        dispatcher = Dispatcher(
            store,
            calls_under(policy, case),
            AskLookups(client),
            Told(),
            run=RunShare(f"run of {case}"),
            batch_size=2,
            concurrency=3,
        )
        await dispatcher.run([case.persons(range(20))])
        await client.close()

    async def both(first: StandIn, second: StandIn) -> None:
        await asyncio.gather(dispatch(FIRST, first.base_url), dispatch(SECOND, second.base_url))

    with FIRST.start(tmp_path, 20) as first, SECOND.start(tmp_path, 20) as second:
        asyncio.run(both(first, second))
        total = paid(first, second)
        assert first.charged()
        assert second.charged()
    [of_day] = [amounts for period, amounts in booked(store).items() if period.startswith("day:")]
    assert of_day == (0, total)
    # the last that either would have reserved for one more found no room
    assert 9 - 1 < total <= 9


def test_a_halt_or_a_pause_of_the_one_does_not_stop_the_other(store: LedgerStore, tmp_path: Path):
    with FIRST.start(tmp_path, 5, credits=0) as first, SECOND.start(tmp_path, 5) as second:
        people = FIRST.persons(range(5))
        stopped = buy(store, FIRST.calls(), FIRST.connect(first.base_url), people)
        store.transact(lambda transaction: FIRST.calls().gate.pause(transaction, None))
        bought = buy(store, SECOND.calls(), SECOND.connect(second.base_url), people)
    assert stopped.halted is not None
    assert bought.matched == 5


def test_what_the_second_provider_took():
    """A folder, a stand-in, a case, and the line in the registry that `conftest.py` stands for."""
    own = Path(conformance.__file__).parent / "madeup"
    files = sorted(
        path.relative_to(own).as_posix() for path in (*own.glob("acme*.py"), *own.glob("acme/*.*"))
    )
    assert files == [
        "acme/__init__.py",
        "acme/answers.py",
        "acme/client.py",
        "acme/cut_answers.sql",
        "acme/facts.py",
        "acme/read_profiles.sql",
        "acme_case.py",
        "acme_stand_in.py",
    ]
    package = Path(enrichment_pipeline.__file__).parent
    assert [
        path.name for path in package.rglob("*.py") if "Acme Directory" in path.read_text("utf-8")
    ] == []
    print("the made-up provider took:", *files, "and a line in providers/registry.py")
