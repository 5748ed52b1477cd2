"""The pipeline's steps, in order, free of Dagster.

Here: what each asset does, over the warehouse, the ledger and the provider
that the settings name. Not here: Dagster objects (`defs/`), how a step is
done (each has its own package), and what people change between runs
(`corrections.py`).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from itertools import product
from typing import TypeVar
from uuid import uuid4

import duckdb

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import (
    CURRENT,
    CURRENT_OR_PAST,
    Asking,
    AskLookups,
    AskSearches,
)
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.report import DispatchReport, Progress, SearchProgress
from enrichment_pipeline.dispatch.settling import read_kept_replies
from enrichment_pipeline.errors import ConfigurationError, PipelineError, discreet
from enrichment_pipeline.lanes import PRIORITIES, Lane
from enrichment_pipeline.ledger import kept
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.known import has_lookups, is_ahead_of_tables
from enrichment_pipeline.ledger.questions import Questions
from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.ledger.suppressions import BY_REVIEW, BY_SOURCE, Suppressions
from enrichment_pipeline.providers.base import Balance, ProfileSearch, Provider
from enrichment_pipeline.providers.registry import FIRST, PROVIDERS
from enrichment_pipeline.rollback import Comparison, RolledBack
from enrichment_pipeline.run import AS_OF_TAG, Run
from enrichment_pipeline.settings import Settings
from enrichment_pipeline.spill import lack_of_space, spill, take_back
from enrichment_pipeline.state import (
    check_stamp,
    dead_runs,
    ensure_state_folder,
    hold_run_lock,
    is_used,
    refuse_other_ledger,
    refuse_other_stamp,
    stamp_of,
    stamp_with_ledger,
    stamped_ledger,
)
from enrichment_pipeline.terms import calls_of, cost_of_credit, share_of
from enrichment_pipeline.vocabulary import LOOKUP, SEARCH
from enrichment_pipeline.warehouse import answers, outcomes, review
from enrichment_pipeline.warehouse.connection import open_warehouse, rolled_back, transaction
from enrichment_pipeline.warehouse.load import LoadCounts, load_accounts, load_contacts
from enrichment_pipeline.warehouse.publish import publish
from enrichment_pipeline.warehouse.review import Recorded
from enrichment_pipeline.warehouse.search import (
    due_searches,
    insert_profiles,
    last_search_revision,
    merge_searches,
    missing_profiles,
    resolve_worklist,
    score_searches,
)
from enrichment_pipeline.warehouse.source import (
    attached_source,
    fingerprint_contacts,
    read_suppressions,
)
from enrichment_pipeline.warehouse.stamp import stamp_warehouse
from enrichment_pipeline.warehouse.suppressions import hash_identifiers, replace_suppressions
from enrichment_pipeline.warehouse.worklist import (
    DueWork,
    select_worklist,
    worklist_pages,
)

_log = logging.getLogger(__name__)
AS_OF_TOLERANCE = timedelta(days=1)
CLOCK_ERROR_TOLERANCE = timedelta(days=1)
"""A clock that is further off than this makes people due who are not, and dates answers wrongly."""
SEARCH_ATTEMPTS = (CURRENT, CURRENT_OR_PAST)
LATE_AFTER = timedelta(seconds=60)
"""A run that is alive reads a callback within a second; one that waits so long has no reader."""


R = TypeVar("R")


@dataclass(frozen=True)
class Purchase:
    """What buying came to, and the provider's balance after it (None: it could not be asked)."""

    report: DispatchReport
    credits_left: int | None


@dataclass(frozen=True)
class Plan:
    """What a run would look up at worst, and how long the rate limit makes it last."""

    work: DueWork
    worst_case_credits: int
    worst_case_cost: Decimal
    """What these cost, in the unit of the budget."""
    seconds_at_limit: float
    budget_left_today: Decimal
    budget_left_this_month: Decimal
    searches_left_today: int
    unread_columns: tuple[str, ...]
    """The source's columns that nothing reads, as `contacts.name` and `accounts.name`."""
    unknown_tiers: tuple[str, ...]
    """What accounts have for a tier that no priority is named after."""


class Pipeline:
    """One state folder's pipeline. Cheap to make; opens its stores when first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._prepared: set[str] = set()

    # --- before a run ------------------------------------------------------------------

    @discreet
    def prepare(self, run: Run) -> list[str]:
        """Refuse what cannot work, and clear up after runs that were killed; once per run.

        Gives the ids of those runs. Raises ConfigurationError before anything
        is loaded: for a state folder of another source or provider, and for a
        key that is not accepted; PipelineError where the clock is wrong by the provider's;
        RolledBack for a ledger that is an older copy.
        """
        if self.is_prepared(run):
            return []
        self.check_run(run)
        check_stamp(self.settings, is_first_use=False)
        balance = self._ask_balance()
        if not run.is_simulated:
            refuse_wrong_clock(run.clock.now(), balance.dated_at)
        self.open_state(run)
        hold_run_lock(self.settings.home, run.run_id)
        dead = dead_runs(self.settings.home)
        self._take_back(run)
        self._settle_what_was_left(run, dead)
        if self.settings.policy.signalhire.exclusive:
            self._check_balance(run, balance.credits_left)
        questions = self.questions(run)
        if questions.last_balance() is None:
            # Later ones are seen after buying only: so that two in a row span the time between
            # two runs too, in which somebody else may have spent.
            questions.observe_balance(run.run_id, balance.credits_left)
        self._prepared.add(run.run_id)
        return dead

    def is_prepared(self, run: Run) -> bool:
        return run.run_id in self._prepared

    def open_state(self, run: Run | None = None) -> None:
        """Make or check the state folder, the ledger and the warehouse: stamps and schema.

        Raises RolledBack where the ledger lacks what lies beside it, unless the run accepts that.
        """
        ensure_state_folder(self.settings)
        self._check_source()
        check_stamp(self.settings)
        stamp = stamp_of(self.settings)
        of_ledger = self._store.check_stamp({**stamp, "ledger": uuid4().hex})
        refuse_other_stamp("ledger", of_ledger, stamp)
        with self.open_warehouse() as connection:
            with transaction(connection):
                wanted = {**stamp, "ledger": of_ledger["ledger"]}
                of_warehouse = stamp_warehouse(connection, wanted)
                refuse_other_stamp("warehouse", of_warehouse, stamp)
                compared = Comparison(
                    self._store,
                    of_ledger,
                    of_warehouse,
                    stamped_ledger(self.settings),
                    connection,
                    self.settings.published_dir,
                )
                is_rolled_back = compared.is_rolled_back()
                if compared.is_another and has_lookups(self._store):
                    refuse_other_ledger(self.settings.warehouse_url)
                if is_rolled_back and not (run and run.accepts_rollback):
                    raise RolledBack(compared.message())
            if run and is_rolled_back:
                unit_cost = partial(cost_of_credit, self.settings)
                compared.accept(unit_cost, run_id=run.run_id, at=run.clock.now())
            if is_ahead_of_tables(self._store, answers.last_revision(connection)):
                self._keep_what_reviewers_said()
        stamp_with_ledger(self.settings, of_ledger["ledger"])

    def _keep_what_reviewers_said(self) -> None:
        """The warehouse is new or an older copy: all but reviewers' decisions is derived again."""
        self.suppressions(Run.none()).keep_reviewers()
        _log.warning(
            "warehouse %s: is older than the ledger, from which it is derived again; nothing is "
            "bought for that. Reviewers' decisions that it lacks are not in the ledger; whom they "
            "said never to ask for stays suppressed, until `enrichment suppress --lift`",
            self.settings.warehouse_url,
        )

    def check_run(self, run: Run) -> None:
        """Refuse an instant or a simulation that is not allowed."""
        if run.is_simulated and self.settings.is_real_signalhire:
            raise ConfigurationError(
                "--simulate: not allowed against SignalHire's own host; it would date paid "
                "answers wrongly"
            )
        if not run.is_simulated and abs(run.as_of - datetime.now(UTC)) > AS_OF_TOLERANCE:
            raise ConfigurationError(
                f"--as-of {run.as_of.isoformat()}: must lie within a day of now (for trials "
                f"against the sandbox, add --simulate); in Dagster, see the run's {AS_OF_TAG}"
            )

    # --- the steps, in order -----------------------------------------------------------

    @discreet
    def load_contacts(self, run: Run) -> LoadCounts:
        """Load the source's contacts, and its list of those who may not be looked up."""
        with self.open_warehouse() as connection, transaction(connection):
            counts = load_contacts(
                connection,
                self.settings.policy.source,
                self.settings.source_path,
                phone_region=self._phone_region,
                loaded_at=run.clock.business_now(),
                eligibility=self.settings.policy.eligibility,
                accepts_shrink=run.accepts_shrink,
            )
            suppressed = self._suppressed_by_source(connection)
        self.suppressions(run).take_over(suppressed, BY_SOURCE)
        return counts

    @discreet
    def load_accounts(self, run: Run) -> LoadCounts:
        with self.open_warehouse() as connection, transaction(connection):
            return load_accounts(
                connection,
                self.settings.policy.source,
                self.settings.source_path,
                loaded_at=run.clock.business_now(),
            )

    @discreet
    def record_decisions(self, run: Run) -> Recorded:
        """Take over what another tool's table of decisions has that is new and sound."""
        with self.open_warehouse() as connection, transaction(connection):
            return review.record_table(
                connection,
                self.settings.policy,
                self.settings.review_path,
                provider=self.settings.asked_provider,
                recorded_at=run.clock.business_now(),
            )

    @discreet
    def select_worklist(self, run: Run, lanes: Sequence[Lane]) -> DueWork:
        """Take over the ledger's latest look-ups, then select what is due in the lanes.

        Whom a reviewer wants asked again is freed first, as `ask_again` does, and whom one
        wants never asked again is suppressed.
        """
        suppressions = self.suppressions(run)
        with self.open_warehouse() as connection:
            self._copy_lookups(connection)
            waiting = review.persons_to_free(connection, self.settings.asked_provider)
            if self.release_unconfirmed(run, waiting):
                self._copy_lookups(connection)
            suppressions.take_over(review.never_identifiers(connection), BY_REVIEW)
            self._copy_searches(connection)
            with transaction(connection):
                score_searches(connection, self.settings.policy.search)
                replace_suppressions(connection, suppressions.everything())
                return select_worklist(
                    connection,
                    self.settings.policy,
                    lanes,
                    provider=self.settings.asked_provider,
                    as_of=run.as_of,
                    run_id=run.run_id,
                )

    @discreet
    def search_profiles(
        self, run: Run, lanes: Sequence[Lane], progress: Progress
    ) -> DispatchReport | None:
        """Find the profiles of those who are known by name and company; None where that is off.

        Highest priority first, each with its second try before the next priority. DuckDB
        is closed while anything is asked. Where the quota ends, the rest stays queued.
        """
        if self.settings.policy.signalhire.search == "off":
            return None
        provider = self._provider()
        dispatcher = Dispatcher(
            self._store,
            self.calls(run.clock, SEARCH),
            self._asking(SEARCH, provider),
            SearchProgress(progress),
            run=share_of(run),
            batch_size=1,
            set_aside=partial(spill, self.settings.spilled_dir),
        )

        async def ask() -> None:
            try:
                for priority, _attempt in product(PRIORITIES, SEARCH_ATTEMPTS):
                    candidates = self._search_candidates(lanes, priority)
                    if candidates and not dispatcher.is_over:
                        await dispatcher.run([candidates])
                        self._take_over_searches(run, lanes)
            finally:
                await provider.close()

        _in_a_thread(ask, dispatcher.stop)
        return dispatcher.report

    @discreet
    def buy(self, run: Run, lanes: Sequence[Lane], progress: Progress) -> Purchase:
        """Look up what stands in the lanes' work list.

        Requests run in a thread of their own: an interrupt in this one lets
        what is on the wire be answered and kept before it takes effect.
        """
        provider = self._provider()
        dispatcher = Dispatcher(
            self._store,
            self.calls(run.clock),
            self._asking(LOOKUP, provider),
            progress,
            run=share_of(run),
            batch_size=self._batch_size,
            set_aside=partial(spill, self.settings.spilled_dir),
            hindrance=partial(lack_of_space, self.settings.home),
        )

        async def dispatch() -> DispatchReport:
            try:
                return await dispatcher.run(self._candidate_pages(lanes))
            finally:
                await provider.close()

        report = _in_a_thread(dispatch, dispatcher.stop)
        return Purchase(report, self._observe_balance_after(run))

    @discreet
    def store_responses(self) -> int:
        """Copy look-ups and raw answers from the ledger into `raw`; how many answers were new."""
        with self.open_warehouse() as connection:
            self._copy_lookups(connection)
            return answers.insert_responses(connection, partial(kept.reply_bodies, self._store))

    @discreet
    def derive_facts(self, run: Run) -> None:
        with self.open_warehouse() as connection, transaction(connection):
            outcomes.derive_facts(
                connection, self.settings.policy, loaded_at=run.clock.business_now()
            )

    @discreet
    def derive_outcomes(self, run: Run) -> int:
        """Bring the outcome tables up to date; then the ledger's answers are applied.

        How many contacts have company fields from an answer on a colleague.
        """
        with self.open_warehouse() as connection:
            with transaction(connection):
                company_cache_hits = outcomes.derive_outcomes(
                    connection,
                    self.settings.policy,
                    provider=self.settings.asked_provider,
                    as_of=run.as_of,
                    flagged_at=run.clock.business_now(),
                )
            copied_up_to = answers.last_revision(connection)
        kept.mark_applied(self._store, copied_up_to)
        return company_cache_hits

    @discreet
    def publish(self, run: Run) -> dict[str, int]:
        with self.open_warehouse() as connection:
            return publish(
                connection,
                self.settings.published_dir,
                run_id=run.run_id,
                published_at=run.clock.business_now(),
                group=self.settings.policy.publish.group,
            )

    # --- questions ---------------------------------------------------------------------

    @discreet
    def plan(self, run: Run, lanes: Sequence[Lane]) -> Plan:
        """What a run over these lanes would look up. Selects it, then takes it all back."""
        self.check_run(run)
        self.open_state(run)
        policy = self.settings.policy
        with self.open_warehouse() as connection:
            self._copy_lookups(connection)
            self._copy_searches(connection)
            with rolled_back(connection):
                loaded_at = run.clock.business_now()
                path = self.settings.source_path
                accounts = load_accounts(connection, policy.source, path, loaded_at=loaded_at)
                contacts = load_contacts(
                    connection,
                    policy.source,
                    path,
                    phone_region=self._phone_region,
                    loaded_at=loaded_at,
                    eligibility=policy.eligibility,
                )
                review.record_table(
                    connection,
                    policy,
                    self.settings.review_path,
                    provider=self.settings.asked_provider,
                    recorded_at=loaded_at,
                )
                suppressed = self.suppressions(run).everything() | self._suppressed_by_source(
                    connection
                )
                replace_suppressions(connection, suppressed)
                score_searches(connection, policy.search)
                work = select_worklist(
                    connection,
                    policy,
                    lanes,
                    provider=self.settings.asked_provider,
                    as_of=run.as_of,
                    run_id=run.run_id,
                )
        self.leave_whole_ledger()  # which a first plan has made
        today = run.clock.business_now().date().isoformat()
        questions, searches = self.questions(run), self.questions(run, SEARCH)
        per_day, per_month = policy.budget.per_day, policy.budget.per_month
        return Plan(
            work=work,
            worst_case_credits=work.lookups,
            worst_case_cost=work.lookups * self.settings.limits(FIRST).price,
            seconds_at_limit=_seconds_at_limit(self.calls(run.clock), work.lookups),
            budget_left_today=per_day - sum(questions.budget_used(f"day:{today}")),
            budget_left_this_month=per_month - sum(questions.budget_used(f"month:{today[:7]}")),
            searches_left_today=int(policy.signalhire.searches_per_day - searches.used_today()),
            unread_columns=(
                *(f"contacts.{name}" for name in contacts.unread),
                *(f"accounts.{name}" for name in accounts.unread),
            ),
            unknown_tiers=accounts.unknown_tiers,
        )

    @discreet
    def late_answers(self) -> int:
        """How many callbacks no run has read, a while after they came. Changes nothing."""
        if not is_used(self.settings):
            return 0
        now = datetime.now(UTC)
        return kept.count_unread(self._store, now, received_before=now - LATE_AFTER)

    @discreet
    def source_fingerprint(self) -> str:
        """A short value that changes with the source's contacts. Opens no store of ours.

        Raises ConfigurationError where the source cannot be read.
        """
        with attached_source(self.settings.source_path) as reading:
            return fingerprint_contacts(reading, self.settings.policy.source)

    @contextmanager
    def open_warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(self.settings.warehouse_url) as connection:
            yield connection

    def leave_whole_ledger(self) -> None:
        """At the end of whatever wrote to the ledger; see `LedgerStore.leave_whole`."""
        if "_store" in vars(self):  # else it was not opened
            self._store.leave_whole()

    def calls(self, clock: Clock, kind: str = LOOKUP) -> Calls:
        """One kind of call to the provider."""
        return calls_of(self.settings, FIRST, kind, clock)

    def questions(self, run: Run, kind: str = LOOKUP) -> Questions:
        """What the ledger tells of a kind of call, by the clock of this run."""
        return Questions(self._store, self.calls(run.clock, kind))

    def suppressions(self, run: Run) -> Suppressions:
        """The ledger's list of whom nobody may be asked for."""
        return Suppressions(self._store, run.clock)

    def release_unconfirmed(self, run: Run, person_keys: Iterable[str]) -> int:
        """Free these persons to be asked for again, at a person's word; how many look-ups."""
        persons = list(person_keys)
        lookups = self.calls(run.clock)
        return self._store.transact(
            lambda transaction: lookups.release_unconfirmed(transaction, persons)
        )

    # --- parts -------------------------------------------------------------------------

    def _check_source(self) -> None:
        """Refuse a source that is not there, before anything is stamped with its name."""
        with attached_source(self.settings.source_path):
            pass

    @cached_property
    def _store(self) -> LedgerStore:
        return open_store(self.settings.ledger_url.get_secret_value())

    @property
    def _phone_region(self) -> str:
        return self.settings.policy.identity.phone_region

    @property
    def _batch_size(self) -> int:
        limits = self.settings.limits(FIRST)
        return min(limits.items_per_request, *(rate.units for rate in limits.every_rate))

    def _provider(self) -> Provider:
        if self.settings.base_url is None:
            raise ConfigurationError(
                "no sandbox is running; start the pipeline with `enrichment run` or "
                "`enrichment ui`, which bring one, or set SIGNALHIRE_BASE_URL"
            )
        key = self.settings.api_key.get_secret_value()
        return PROVIDERS[FIRST].connect(self.settings.base_url, key)

    def _asking(self, kind: str, provider: Provider) -> Asking:
        if isinstance(provider, ProfileSearch) and kind == SEARCH:
            search = self.settings.policy.search
            return AskSearches(provider, pages=search.pages, page_size=search.page_size)
        callbacks = self.settings.callbacks
        return AskLookups(
            provider, None if callbacks is None else partial(callbacks.url, provider.name)
        )

    def _take_back(self, run: Run) -> None:
        """Move what was set aside into the ledger."""
        kinds = [self.calls(run.clock, kind) for kind in PROVIDERS[FIRST].calls]
        take_back(self.settings.spilled_dir, self._store, *kinds)

    def _settle_what_was_left(self, run: Run, dead: Sequence[str]) -> None:
        """Bring to an end what killed runs have left of each kind of call."""
        provider = self._provider()
        for kind in PROVIDERS[FIRST].calls:
            calls = self.calls(run.clock, kind)
            read_kept_replies(self._store, calls, self._asking(kind, provider), dead)
            self._store.transact(partial(calls.clear_abandoned, dead_run_ids=dead))

    def _ask_balance(self) -> Balance:
        provider = self._provider()

        async def ask() -> Balance:
            try:
                return await provider.balance()
            finally:
                await provider.close()

        return _in_a_thread(ask)

    def _check_balance(self, run: Run, credits_left: int) -> None:
        """Where nobody else uses the account: a balance that the ledger cannot explain stops.

        Somebody bought what an older ledger does not know of.
        """
        questions = self.questions(run)
        gap = questions.balance_gap(credits_left)
        if gap is None or gap.unexplained <= 0:
            return
        if not run.accepts_rollback:
            raise RolledBack(
                f"ledger {self._store.name}: the provider's balance fell by {gap.unexplained:,} "
                "credits more than it knows of, though [signalhire] exclusive = true says that "
                "nobody else uses the account: the ledger was restored from an older copy, or "
                "somebody does. Nothing was bought. Either restore the newest ledger (`enrichment "
                "restore FOLDER`), or `enrichment run --accept-rollback` goes on, and may buy "
                f"again what these {gap.unexplained:,} credits bought"
            )
        questions.observe_balance(run.run_id, credits_left)

    def _observe_balance_after(self, run: Run) -> int | None:
        """The balance after buying. What was bought is safe in the ledger, so no failure here."""
        try:
            credits_left = self._ask_balance().credits_left
        except PipelineError:
            return None
        self.questions(run).observe_balance(run.run_id, credits_left)
        return credits_left

    def _suppressed_by_source(self, connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
        texts = read_suppressions(
            connection, self.settings.policy.source, self.settings.source_path
        )
        return hash_identifiers(
            connection, texts, "[source] suppressions: rows", phone_region=self._phone_region
        )

    def _copy_lookups(self, connection: duckdb.DuckDBPyConnection) -> None:
        since = answers.last_revision(connection)
        answers.merge_lookups(connection, kept.changed_lookups(self._store, since))

    def _copy_searches(self, connection: duckdb.DuckDBPyConnection) -> None:
        since = last_search_revision(connection)
        merge_searches(connection, kept.changed_searches(self._store, since))
        for search_ids in missing_profiles(connection):
            insert_profiles(connection, kept.page_bodies(self._store, search_ids))

    def _take_over_searches(self, run: Run, lanes: Sequence[Lane]) -> None:
        """Copy what was answered, and put those who were found on the work list by their UID."""
        with self.open_warehouse() as connection:
            self._copy_searches(connection)
            with transaction(connection):
                resolve_worklist(
                    connection,
                    self.settings.policy,
                    lanes,
                    provider=self.settings.asked_provider,
                    as_of=run.as_of,
                )

    def _search_candidates(self, lanes: Sequence[Lane], priority: str) -> list[Candidate]:
        limit = self.settings.policy.signalhire.searches_per_day
        with self.open_warehouse() as connection:
            due = due_searches(connection, lanes, priority, limit)
        return [
            Candidate(
                person_key=each.person_key,
                contact_id=each.contact_id,
                question=each.search_kind,
                item=each.full_name,
                item_kind="name",
                company=each.company,
                freshness=each.freshness,
                priority=each.priority,
                supersedes=each.last_search_id,
                identifiers=each.identifiers,
            )
            for each in due
        ]

    def _candidate_pages(self, lanes: Sequence[Lane]) -> Iterator[list[Candidate]]:
        for page in worklist_pages(self.open_warehouse, lanes):
            yield [
                Candidate(
                    person_key=item.person_key,
                    contact_id=item.contact_id,
                    item=item.lookup_identity,
                    item_kind=item.identity_kind,
                    freshness=item.freshness,
                    priority=item.priority,
                    supersedes=item.supersedes,
                    identifiers=item.identifiers,
                    known_by=item.known_by,
                    seen_revision=item.ledger_revision,
                )
                for item in page
            ]


def refuse_wrong_clock(now: datetime, provider_now: datetime | None) -> None:
    """Raise PipelineError where our clock and the provider's part by more than a day.

    A clock 95 days ahead would take every answer for expired, and buy everybody again.
    """
    if provider_now is None or abs(now - provider_now) <= CLOCK_ERROR_TOLERANCE:
        return
    raise PipelineError(
        f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC, the provider's "
        f"{provider_now:%Y-%m-%d %H:%M} UTC: by a wrong clock people would be bought again, so "
        "nothing was bought. Set the clock, then run again"
    )


def _seconds_at_limit(calls: Calls, items: int) -> float:
    """How long so many items take, each in a request of its own where requests are counted."""
    return max(
        max(0, -(-items // rate.units) - 1) * rate.window.total_seconds()
        for rate in calls.limits.rates
    )


def _in_a_thread(
    work: Callable[[], Coroutine[None, None, R]], stop: Callable[[], None] = lambda: None
) -> R:
    """Run a coroutine in a thread of its own; an interrupt in this one stops it first.

    The caller's thread may have an event loop already.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="dispatch") as pool:
        future = pool.submit(lambda: asyncio.run(work()))
        try:
            return future.result()
        except BaseException:
            stop()
            raise
