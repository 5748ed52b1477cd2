"""What must hold of every run, worked out anew in plain Python from what was written down.

Read are the ledger's rows, the sandbox's own journal of charges, and the tables that the
run left behind; of the code under test nothing is called. Who is whom is taken from
`staging.contact_persons`, except where the provider's own ids say more.

Here: the rules, each by its name, and the breaches found. Not here: running anything.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.year.crm import Crm, Row, known_as
from enrichment_pipeline.policy import Policy

RANKS = {"strategic": 0, "target": 1, "standard": 2, "bulk": 3}
ANSWERED = {"replied", "applied"}
PASSING = {"duplicate_query", "timeout_exceeded"}
Instant = datetime


@dataclass(frozen=True)
class Lookup:
    """A row of the ledger."""

    lookup_id: str
    person_key: str
    supersedes: str
    contact_id: str
    item: str
    freshness: str
    priority: str
    run_id: str
    state: str
    outcome: str | None
    reason: str | None
    credits_charged: int
    reserved_at: Instant
    requested_at: Instant
    answered_at: Instant | None


@dataclass(frozen=True)
class Known:
    """A contact as the run left it: in contact_status, staging and enriched_contacts."""

    contact_id: str
    person_key: str | None
    status: str
    freshness: str
    next_lookup_at: Instant | None
    items: tuple[str | None, ...]
    """Its profile, e-mail and phone as the provider would be asked for them."""
    lookup_id: str | None
    enriched_at: Instant | None
    expires_at: Instant | None


@dataclass
class Ended:
    """A run that is over, and everything to judge it by."""

    run_id: str
    as_of: Instant
    is_of_all_lanes: bool
    repeats: bool
    """Whether it is the same tick once more."""
    is_halted: bool
    exhausted: Mapping[str, str]
    contacts: Mapping[str, Row]
    accounts: Sequence[Row]
    lookups: Sequence[Lookup]
    """The whole ledger."""
    charges: Sequence[Mapping[str, object]]
    """The journal's new lines."""
    known: Sequence[Known]


@dataclass
class Reference:
    """Judges run after run; `breaches` counts by rule, and keeps an example of each."""

    policy: Policy
    crm: Crm
    """Of which only the provider's directory is looked at."""
    breaches: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    strangers: int = 0
    """People charged again as new since nothing in our hands said that they were known."""
    in_two_books: int = 0
    """Refreshes of people whom the answers showed to be one and the same."""
    one_call_per_row: int = 0
    """Credits, had every contact row been asked for by itself."""
    _charged: dict[str, tuple[Instant, Lookup, set[str]]] = field(default_factory=dict)
    _accepted: set[str] = field(default_factory=set)
    _alike: dict[str, str] = field(default_factory=dict)
    _spent: Counter[str] = field(default_factory=Counter)
    _rows_served: set[tuple[str, str]] = field(default_factory=set)
    _named_in: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    RULES = (
        "contacts without exactly one status",
        "answers older than the policy shown as fresh",
        "dates in enriched_contacts that are not the ledger's",
        "people looked up again too early",
        "people charged again too early",
        "look-ups of somebody who is not in the source",
        "look-ups out of order of priority",
        "strategic contacts passed over for bulk ones",
        "contacts that were due and not looked up",
        "credits over a budget",
        "bulk, standard or target below their floor",
        "charges that are not in the ledger",
        "look-ups by a tick that came again",
    )

    def judge(self, run: Ended) -> None:
        bought = [row for row in run.lookups if row.run_id == run.run_id]
        self._learn_identifiers(run)
        self._judge_statuses(run)
        self._judge_ages(run)
        self._judge_distances(run, bought)
        self._judge_charges(run, bought)
        self._judge_order(bought)
        self._judge_completeness(run, bought)
        self._judge_budgets(run)
        self._count_rows_served(run)
        for row in bought:
            self._must(row.contact_id in run.contacts, 5, row.contact_id)
            self._must(not run.repeats, 12, row.contact_id)

    def _must(self, holds: bool, rule: int, what: str) -> None:
        if not holds:
            name = self.RULES[rule]
            self.breaches[name] += 1
            self.examples.setdefault(name, what)

    # --- the rules ----------------------------------------------------------------------

    def _judge_statuses(self, run: Ended) -> None:
        found = Counter(known.contact_id for known in run.known)
        for contact_id in found.keys() | run.contacts.keys():
            is_one = found[contact_id] == 1 and contact_id in run.contacts
            self._must(is_one, 0, f"{contact_id} in {run.run_id}")

    def _judge_ages(self, run: Ended) -> None:
        heads = _heads(run.lookups)
        rows = {row.lookup_id: row for row in run.lookups}
        for known in run.known:
            if known.freshness == "fresh":
                due_at = self._due_at(heads.get(known.person_key or ""))
                self._must(due_at > run.as_of, 1, f"{known.contact_id} in {run.run_id}")
            if known.lookup_id is not None:
                answered_at = rows[known.lookup_id].answered_at
                expires_at = answered_at and answered_at + self._age("matched")
                is_right = (known.enriched_at, known.expires_at) == (answered_at, expires_at)
                self._must(is_right, 2, f"{known.contact_id} in {run.run_id}")

    def _judge_distances(self, run: Ended, bought: Sequence[Lookup]) -> None:
        """No look-up before the last one of that person is too old."""
        earlier: dict[str, list[Lookup]] = defaultdict(list)
        for row in run.lookups:
            earlier[row.person_key].append(row)
        for row in bought:
            if row.state == "released":
                continue
            last = max(
                (one for one in earlier[row.person_key] if _comes_before(one, row)),
                key=lambda one: one.requested_at,
                default=None,
            )
            is_due = last is None or self._due_at(last) - self._spread(last) <= run.as_of
            self._must(is_due, 3, f"{row.contact_id} in {run.run_id}")

    def _judge_charges(self, run: Ended, bought: Sequence[Lookup]) -> None:
        """The same by the provider's own ids, which know who is whom better than we do."""
        asked = {row.item: row for row in bought if row.state != "released"}
        for charge in run.charges:
            row = asked.get(str(charge["item"]))
            self._must(row is not None, 11, run.run_id)
            if row is None:
                continue
            uid = str(charge["uid"])
            before = self._charged.get(uid)
            self._charged[uid] = (run.as_of, row, self._told_of(uid))
            if before is None or self._may_charge_again(before[0], before[1], run.as_of):
                continue
            _, last, told = before
            is_told = last.lookup_id in self._accepted and known_as(row.item) in told
            is_known = row.freshness == "new" and (is_told or self._are_linked(row, last))
            if row.person_key == last.person_key or is_known:
                self._must(False, 4, f"{row.contact_id} and {last.contact_id} in {run.run_id}")
            elif row.freshness == "new":
                self.strangers += 1
            else:
                self.in_two_books += 1

    def _may_charge_again(self, at: Instant, last: Lookup, now: Instant) -> bool:
        freshness = self.policy.freshness
        if last.state == "unconfirmed":
            return now - at >= timedelta(days=freshness.unconfirmed_days)
        return now - at >= self._age("matched") - timedelta(days=freshness.spread_days)

    def _judge_order(self, bought: Sequence[Lookup]) -> None:
        first: dict[str, Lookup] = {}
        for row in sorted(bought, key=lambda row: row.reserved_at):
            first.setdefault(row.person_key, row)
        latest = {rank: datetime.min.replace(tzinfo=UTC) for rank in range(4)}
        for row in first.values():
            latest[RANKS[row.priority]] = max(latest[RANKS[row.priority]], row.reserved_at)
        for row in first.values():
            before = [latest[rank] for rank in range(RANKS[row.priority])]
            self._must(all(row.reserved_at >= one for one in before), 6, row.contact_id)

    def _judge_completeness(self, run: Ended, bought: Sequence[Lookup]) -> None:
        if not run.is_of_all_lanes or run.repeats:
            return
        before = [row for row in run.lookups if row.run_id != run.run_id]
        heads = _heads(before)
        failed_at = _failed_at(before, heads)
        looked_up = {row.person_key for row in bought}
        tiers = {account["account_id"]: self._priority(account) for account in run.accounts}
        has_bulk = any(row.priority == "bulk" for row in bought)
        for known in run.known:
            person = known.person_key
            head = heads.get(person or "")
            if person is None or not self._is_clear(known, run.contacts):
                continue
            is_due = head is None or self._due_at(head) <= run.as_of
            may_wait = timedelta(days=self.policy.retry.longest_days)
            is_backing_off = person in failed_at and run.as_of < failed_at[person] + may_wait
            if not is_due or is_backing_off or person in looked_up:
                continue
            priority = tiers.get(run.contacts[known.contact_id]["account_id"], "bulk")
            what = f"{known.contact_id} ({priority}) in {run.run_id}"
            self._must(not (priority == "strategic" and has_bulk), 7, what)
            self._must(run.is_halted or priority in run.exhausted, 8, what)

    def _judge_budgets(self, run: Ended) -> None:
        budget = self.policy.budget
        day, month = f"{run.as_of:%Y-%m-%d}", f"{run.as_of:%Y-%m}"
        credits = sum(int(str(charge["credits"])) for charge in run.charges)
        self._spent[day] += credits
        self._spent[month] += credits
        self._must(credits <= budget.per_run, 9, run.run_id)
        self._must(self._spent[day] <= budget.per_day, 9, day)
        self._must(self._spent[month] <= budget.per_month, 9, month)
        for period, limit in ((day, budget.per_day), (month, budget.per_month)):
            spent = 0
            rows = [row for row in run.lookups if f"{row.requested_at:%Y-%m-%d}".startswith(period)]
            for row in sorted(rows, key=lambda row: row.reserved_at):
                spent += row.credits_charged
                share = 1 - getattr(budget.floors, row.priority)
                is_free = row.credits_charged == 0 or spent <= math.floor(
                    float(limit) * share + 1e-9
                )
                self._must(is_free, 10, f"{row.priority} in {period}")

    # --- what they rest on --------------------------------------------------------------

    def _age(self, outcome: str) -> timedelta:
        freshness = self.policy.freshness
        return timedelta(
            days=freshness.max_age_days if outcome == "matched" else freshness.no_match_days
        )

    def _spread(self, head: Lookup) -> timedelta:
        is_spread = head.outcome == "matched"
        return timedelta(days=self.policy.freshness.spread_days if is_spread else 0)

    def _due_at(self, head: Lookup | None) -> Instant:
        """From when on it must be looked up again; the beginning of time for none."""
        if head is None:
            return datetime.min.replace(tzinfo=UTC)
        if head.state == "unconfirmed":
            return head.requested_at + timedelta(days=self.policy.freshness.unconfirmed_days)
        if head.outcome in ("matched", "no_match") and head.answered_at is not None:
            return head.answered_at + self._age(head.outcome)
        return datetime.max.replace(tzinfo=UTC) - timedelta(days=4000)

    def _priority(self, account: Row) -> str:
        """As the README tells it."""
        if account["tier"] in RANKS:
            return account["tier"]
        weights, bands = self.policy.priority.weights, self.policy.priority.bands
        score = sum(
            weight * 100 * math.log10(1 + float(account[column] or 0))
            for column, weight in (
                ("open_pipeline", weights.open_pipeline),
                ("annual_revenue", weights.annual_revenue),
                ("employee_count", weights.employee_count),
            )
        )
        for band in ("strategic", "target", "standard"):
            if score >= getattr(bands, band):
                return band
        return "bulk"

    def _is_clear(self, known: Known, contacts: Mapping[str, Row]) -> bool:
        """Whether there is something to look this contact up by.

        Nobody could doubt a profile. An e-mail or a phone may have become one that others
        share, and then the run is right to say so.
        """
        has_profile = known_as(contacts[known.contact_id]["linkedin_url"]) is not None
        return has_profile or known.freshness != "unusable"

    def _learn_identifiers(self, run: Ended) -> None:
        """Which profiles and e-mails are one person's, as far as rows and answers tell it.

        A shared mailbox tells nothing, so an e-mail counts where it was met under one name.
        """
        for known in run.known:
            row = run.contacts.get(known.contact_id)
            if row is None:
                continue
            profile, email = known_as(row["linkedin_url"]), known_as(row["email"])
            if profile and email and profile.startswith("https://") and "@" in email:
                self._named_in[email].add(profile)
        for email, profiles in self._named_in.items():
            if len(profiles) == 1:
                self._alike[email] = next(iter(profiles))
            else:
                self._alike.pop(email, None)

    def _are_linked(self, one: Lookup, other: Lookup) -> bool:
        mine, theirs = known_as(one.item), known_as(other.item)
        if mine is None or theirs is None:
            return False
        return self._alike.get(mine, mine) == self._alike.get(theirs, theirs)

    def _told_of(self, uid: str) -> set[str]:
        """The identifiers that an answer on this person gives today."""
        person = self.crm.people.find(uid)
        if person is None:
            return set()
        values = [
            *(contact["value"] for contact in person.candidate["contacts"]),
            *(social["link"] for social in person.candidate["social"]),
        ]
        return {name for value in values if (name := known_as(value))}

    def _count_rows_served(self, run: Ended) -> None:
        """A look-up is one call; one call per row would have been one for each that it served."""
        heads = _heads(run.lookups)
        for known in run.known:
            if known.lookup_id is not None:
                self._accepted.add(known.lookup_id)
            head = heads.get(known.person_key or "")
            if head is None or head.outcome != "matched":
                continue
            served = (known.contact_id, head.lookup_id)
            if served in self._rows_served:
                continue
            self._rows_served.add(served)
            item = next(filter(None, known.items), None)
            self.one_call_per_row += item is not None and self.crm.people.find(item) is not None


def _heads(lookups: Iterable[Lookup]) -> dict[str, Lookup]:
    """The last look-up of each person that was not released."""
    heads: dict[str, Lookup] = {}
    for row in lookups:
        if row.state == "released":
            continue
        if row.person_key not in heads or heads[row.person_key].requested_at < row.requested_at:
            heads[row.person_key] = row
    return heads


def _failed_at(lookups: Iterable[Lookup], heads: Mapping[str, Lookup]) -> dict[str, Instant]:
    """When each person last failed for a reason of its own, since it was last answered."""
    failed: dict[str, Instant] = {}
    for row in lookups:
        if row.state == "released" and row.reason in PASSING:
            head = heads.get(row.person_key)
            if head is None or head.requested_at < row.requested_at:
                failed[row.person_key] = max(
                    row.requested_at, failed.get(row.person_key, row.requested_at)
                )
    return failed


def _comes_before(one: Lookup, other: Lookup) -> bool:
    return (
        one.state != "released"
        and one.lookup_id != other.lookup_id
        and one.requested_at <= other.requested_at
    )
