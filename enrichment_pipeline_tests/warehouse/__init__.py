"""Tests of the warehouse, and the few helpers that they share.

A `World` is a warehouse of a test's own, a source of CSV files and a ledger written by hand. Its
time is what each call is given.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb

from enrichment_pipeline.policy import EligibilityPolicy, Policy
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.entered_contacts import entered_table
from enrichment_pipeline.warehouse.judging import derive_facts, derive_outcomes
from enrichment_pipeline.warehouse.load import LoadCounts, load_accounts, load_contacts
from enrichment_pipeline.warehouse.raw_answers import insert_responses, merge_lookups
from enrichment_pipeline.warehouse.replay import Change, replay, undo_run
from enrichment_pipeline.warehouse.states import derive_contact_states
from enrichment_pipeline.warehouse.verifications import keep_answers, merge_verifications
from enrichment_pipeline.waterfall import EVERY_IDENTIFIER, Turn, Waterfall
from enrichment_pipeline_tests.support import START, policy_for, write_csv

Row = dict[str, Any]
Rows = Iterable[Mapping[str, object]]

DAY = timedelta(days=1)
FIRST = "signalhire"
"""The provider that is asked where a test names none."""
VERIFIER = "checker"
"""Who verifies addresses."""
ADA = {
    "contact_id": "C1",
    "full_name": "Ada Example",
    "email": "ada@acme.example.com",
    "linkedin_url": "https://www.linkedin.com/in/ada-example",
    "company_name": "Acme",
    "company_domain": "acme.com",
}
BOB = {
    "contact_id": "C2",
    "full_name": "Bob Other",
    "email": "bob@brio.com",
    "company_name": "Brio",
    "company_domain": "brio.com",
}


def person(contact_id: str, **columns: str) -> Row:
    """A contact that is a person of its own."""
    name = re.sub("[^a-z0-9]+", "-", contact_id.lower())
    return {
        **ADA,
        "contact_id": contact_id,
        "email": f"{name}@acme.example.com",
        "linkedin_url": f"https://www.linkedin.com/in/ada-{name}",
        **columns,
    }


def reading_of(provider: str = FIRST) -> common_profile.Reading:
    """How this provider's answers are read."""
    [reading] = [each for each in common_profile.readings() if each.provider == provider]
    return reading


def alone(provider: str = FIRST) -> Waterfall:
    """Who is asked where there is one provider, which takes every identifier."""
    return (Turn(provider, identities=EVERY_IDENTIFIER),)


class World:
    """A warehouse of a test's own, with everything around it that a test has to move."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.policy = Policy()
        self.company_cache_hits = 0
        self.waterfall: Waterfall = ()
        """Who is asked; where it is empty, the provider that a test names."""
        self._rows: dict[str, Row] = {}
        self.entries: dict[str, SimpleNamespace] = {}
        self._bodies: dict[str, bytes] = {}
        self._revision = 0
        self._verifications: dict[str, Row] = {}

    # --- the source --------------------------------------------------------------------

    def load(
        self,
        contacts: Rows,
        accounts: Rows | None = None,
        *,
        at: datetime = START,
        phone_region: str = "",
        eligibility: Mapping[str, str] | None = None,
        max_shrink: float = 0.2,
    ) -> LoadCounts:
        """Load these rows as the whole source."""
        write_csv(self.folder / "contacts.csv", [{"contact_id": ""}, *contacts])
        file_of_accounts = self.folder / "accounts.csv"
        if accounts is not None:
            write_csv(file_of_accounts, [{"account_id": ""}, *accounts])
        source = policy_for(self.folder).source
        # the blank row above only makes a header where there are no rows
        source = source.model_copy(
            update={
                "contacts": "select * from contacts where contact_id <> ''",
                "max_shrink": max_shrink,
            }
        )
        with transaction(self.connection):
            if file_of_accounts.exists():  # a quarter of a load's time, else for nothing
                load_accounts(self.connection, source, self.folder, loaded_at=at)
            return load_contacts(
                self.connection,
                source,
                self.folder,
                phone_region=phone_region,
                loaded_at=at,
                eligibility=EligibilityPolicy(**eligibility or {}),
                entered=entered_table([[*self.entries.values()]]),
            )

    # --- the point of entry --------------------------------------------------------------

    def enter(self, contact: Mapping[str, object], *, person_key: str | None = None) -> None:
        """Enter this contact, or what has changed of it; the next load has it."""
        given = {name: value for name, value in contact.items() if name != "contact_id"}
        contact_id, content = str(contact["contact_id"]), json.dumps(given, sort_keys=True)
        known = self.entries.get(contact_id)
        version = 1 if known is None else known.version + (known.content != content)
        self.entries[contact_id] = SimpleNamespace(
            contact_id=contact_id, version=version, person_key=person_key, content=content
        )

    def take_back(self, contact_id: str) -> None:
        """Take an entry back."""
        del self.entries[contact_id]

    # --- the ledger --------------------------------------------------------------------

    def look_up(
        self,
        contact_id: str,
        *,
        at: datetime = START,
        state: str = "answered",
        outcome: str | None = None,
        candidate: Mapping[str, object] | None = None,
        reason: str | None = None,
        supersedes: str | None = None,
        body: bytes | None = None,
        run_id: str = "run-1",
        provider: str = FIRST,
        person_key: str | None = None,
    ) -> str:
        """Book a look-up of this contact's person and copy it to the warehouse; its id.

        With a candidate it is a match. The answer stands in its reply between two others'.
        Without `supersedes` it takes the place of the person's last one at this provider that was
        not released. `person_key` is that of a person that the warehouse does not know yet.
        """
        row = self._lookup(
            contact_id,
            at=at,
            state=state,
            outcome=outcome,
            candidate=candidate,
            reason=reason,
            supersedes=supersedes,
            body=body,
            run_id=run_id,
            provider=provider,
            person_key=person_key,
        )
        self._book(row)
        return row["lookup_id"]

    def look_up_often(self, contact_id: str, instants: Iterable[datetime], **changes: Any) -> None:
        """A look-up at each instant, in runs of their own; all of them are copied at once."""
        self.look_up_each(
            (contact_id, {"at": at, "run_id": f"run-of-{at.isoformat()}", **changes})
            for at in instants
        )

    def look_up_each(self, lookups: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """A look-up of each of these contacts, as `look_up` takes it; all are copied at once."""
        persons = self.persons()
        rows = []
        for each, changes in lookups:
            usual: Row = {"at": START, "run_id": "run-1", "person_key": persons.get(each)}
            rows.append(self._lookup(each, **usual | {**changes}))
        self._book(*rows)

    def _lookup(
        self,
        contact_id: str,
        *,
        at: datetime,
        run_id: str,
        state: str = "answered",
        outcome: str | None = None,
        candidate: Mapping[str, object] | None = None,
        reason: str | None = None,
        supersedes: str | None = None,
        body: bytes | None = None,
        provider: str = FIRST,
        person_key: str | None = None,
        answer_index: int = 1,
        item_kind: str = "email",
    ) -> Row:
        """A look-up as the ledger has it, which takes its number and its place among the others."""
        person_key = person_key or self.persons()[contact_id]
        if supersedes is None:
            supersedes = self._last_of(person_key, provider)
        number = len(self._rows) + 1
        lookup_id, reply_id = f"lookup-{number:03}", f"reply-{number:03}"
        is_answered = state == "answered"
        if is_answered:
            outcome = outcome or ("matched" if candidate is not None else "no_match")
            item = {"item": "ours", "status": "success", "candidate": candidate}
            other = {"item": "x", "status": "success", "candidate": {"fullName": "Not Ours"}}
            self._bodies[reply_id] = body or json.dumps([other, item, other]).encode()
        row: Row = {
            "lookup_id": lookup_id,
            "provider": provider,
            "person_key": person_key,
            "supersedes": supersedes,
            "contact_id": contact_id,
            "item": "ours",
            "item_kind": item_kind,
            "freshness": "new",
            "priority": "bulk",
            "run_id": run_id,
            "state": state,
            "outcome": outcome,
            "reason": reason,
            "reply_id": reply_id if is_answered else None,
            "answer_index": answer_index if is_answered else None,
            "credits_charged": int(outcome == "matched"),
            "requested_at": at,
            "answered_at": at if is_answered else None,
        }
        self._rows[lookup_id] = row
        return row

    def verify(
        self,
        email: str,
        says: str | None = None,
        *,
        contact_id: str = "C1",
        at: datetime = START,
        state: str = "answered",
        outcome: str | None = "checked",
        reason: str | None = None,
        run_id: str = "run-1",
        told_of: str | None = None,
    ) -> str:
        """Book a verification of this address by `VERIFIER`, and copy it; its id.

        The answer is of the same address, unless it is `told_of` another.
        """
        self._revision += 1
        number = len(self._verifications) + 1
        row: Row = {
            "verification_id": f"verification-{number:03}",
            "provider": VERIFIER,
            "address_key": email,
            "supersedes": "",
            "contact_id": contact_id,
            "email": email,
            "freshness": "new",
            "priority": "bulk",
            "run_id": run_id,
            "state": state,
            "outcome": outcome if state == "answered" else None,
            "reason": reason,
            "reply_id": f"reply-of-verification-{number:03}" if says else None,
            "units_charged": int(says is not None),
            "requested_at": at,
            "answered_at": at if state == "answered" else None,
            "revision": self._revision,
        }
        self._verifications[row["verification_id"]] = row
        if says is not None:
            body = json.dumps({"says": says, "email": told_of or email}).encode()
            self._bodies[f"reply-of-verification-{number:03}"] = body
        merge_verifications(self.connection, [_page(row)], {VERIFIER: Decimal("0.5")})
        keep_answers(self.connection, lambda ids: [(reply, self._bodies[reply]) for reply in ids])
        return row["verification_id"]

    def settle(self, lookup_id: str, **changes: object) -> None:
        """Change a look-up that is booked, as the ledger does."""
        self._book({**self._rows[lookup_id], **changes})

    def copy_lookups(self) -> int:
        """Copy every look-up anew; how many rows that changed."""
        return merge_lookups(self.connection, [_page(*self._rows.values())])

    def copy_responses(self) -> int:
        return insert_responses(
            self.connection,
            lambda ids: [(reply, self._bodies[reply]) for reply in ids],
        )

    def _book(self, *rows: Row) -> None:
        booked = []
        for row in rows:
            self._revision += 1
            booked.append({**row, "revision": self._revision})
            self._rows[row["lookup_id"]] = booked[-1]
        merge_lookups(self.connection, [_page(*booked)])
        self.copy_responses()

    def _last_of(self, person_key: str, provider: str) -> str:
        mine = [
            row["lookup_id"]
            for row in self._rows.values()
            if (row["person_key"], row["provider"]) == (person_key, provider)
            and row["state"] != "released"
        ]
        return mine[-1] if mine else ""

    # --- deriving ----------------------------------------------------------------------

    def derive(
        self, *, at: datetime = START, policy: Policy | None = None, provider: str = FIRST
    ) -> int:
        """Facts and outcomes, as a run at this instant derives them; the company cache hits."""
        self.derive_facts(at=at, policy=policy)
        return self.derive_outcomes(at=at, policy=policy, provider=provider)

    def derive_facts(self, *, at: datetime = START, policy: Policy | None = None) -> None:
        """Facts alone: for what is not about the tables that people read."""
        with transaction(self.connection):
            derive_facts(self.connection, policy or self.policy, loaded_at=at)

    def derive_outcomes(
        self, *, at: datetime = START, policy: Policy | None = None, provider: str = FIRST
    ) -> int:
        """Outcomes alone: where the facts are there and only the instant or the policy changes."""
        with transaction(self.connection):
            self.company_cache_hits = derive_outcomes(
                self.connection,
                policy or self.policy,
                waterfall=self.waterfall or alone(provider),
                as_of=at,
                flagged_at=at,
            )
        return self.company_cache_hits

    def replay(self, *, at: datetime = START, policy: Policy | None = None) -> list[Change]:
        with transaction(self.connection):
            return replay(
                self.connection,
                policy or self.policy,
                waterfall=self.waterfall or alone(),
                as_of=at,
                replayed_at=at,
            )

    def undo(
        self, run_id: str, *, at: datetime = START, policy: Policy | None = None
    ) -> list[Change]:
        with transaction(self.connection):
            return undo_run(
                self.connection,
                policy or self.policy,
                run_id,
                waterfall=self.waterfall or alone(),
                as_of=at,
                undone_at=at,
                undone_by="eve",
            )

    def decide(
        self,
        contact_id: str,
        decision: str,
        *,
        at: datetime = START,
        uid: str | None = None,
        provider: str | None = None,
        field: str | None = None,
        value: str | None = None,
    ) -> str:
        """Record a reviewer's decision; its id."""
        (number,) = self.connection.execute("select count(*) from raw.review_decisions").fetchall()[
            0
        ]
        decision_id = f"decision-{number:03}"
        self.connection.execute(
            "insert into raw.review_decisions (decision_id, contact_id, person_key, decision, "
            "lookup_id, provider, provider_uid, field, value, decided_by, decided_at, source, "
            "recorded_at) values (?, ?, ?, ?, '', ?, ?, ?, ?, 'eve', ?, 'table', ?)",
            [
                *(decision_id, contact_id, self.persons().get(contact_id), decision),
                *(provider, uid, field, value, at, at),
            ],
        )
        return decision_id

    def states(
        self, *, at: datetime = START, policy: Policy | None = None, provider: str = FIRST
    ) -> dict[str, Row]:
        """Where every contact stands with this provider, by its id."""
        waterfall = self.waterfall or alone(provider)
        derive_contact_states(self.connection, policy or self.policy, waterfall, at)
        return {row["contact_id"]: row for row in self.rows("contact_states")}

    # --- looking -----------------------------------------------------------------------

    def rows(self, table: str, where: str = "true") -> list[Row]:
        result = self.connection.execute(f"select * from {table} where {where} order by all")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def only(self, table: str, where: str = "true") -> Row:
        (row,) = self.rows(table, where)
        return row

    def persons(self) -> dict[str, str]:
        """The person key of every contact that has one."""
        return {
            row["contact_id"]: row["person_key"] for row in self.rows("staging.contact_persons")
        }

    def people(self) -> set[frozenset[str]]:
        """The contacts that are one person, as groups."""
        groups: dict[str, set[str]] = {}
        for contact_id, person_key in self.persons().items():
            groups.setdefault(person_key, set()).add(contact_id)
        return {frozenset(group) for group in groups.values()}

    def status(self, contact_id: str) -> tuple[str, str | None]:
        row = self.only("enrichment.contact_status", f"contact_id = '{contact_id}'")
        return row["status"], row["reason"]

    def facts(self, contact_id: str = "C1") -> dict[str, list[object]]:
        """The values of each field of a contact that are valid, best first."""
        values: dict[str, list[object]] = {}
        rows = self.rows(
            "enrichment.person_facts",
            f"contact_id = '{contact_id}' and valid_to is null "
            "and field not in ('lookup_outcome', 'outcome_detail')",
        )
        for row in sorted(rows, key=lambda row: row["position"]):
            values.setdefault(row["field"], []).append(row["value"])
        return values


def _page(*rows: Row) -> list[SimpleNamespace]:
    """Rows as the ledger hands them over."""
    return [SimpleNamespace(_mapping=row) for row in rows]


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple]]:
    """Every row of every table that is kept."""
    tables = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name in ('staging', 'raw', 'enrichment') and not temporary"
    ).fetchall()
    return {
        table: connection.execute(f"select * from {table} order by all").fetchall()
        for (table,) in sorted(tables)
    }


def candidate(
    name: str | None = "Ada Example",
    *,
    emails: Sequence[tuple[object, ...]] = (),
    phones: Sequence[tuple[object, ...]] = (),
    jobs: Sequence[Mapping[str, object]] = (),
    **more: object,
) -> Row:
    """A profile as SignalHire gives it; e-mails and phones as (value, rating, subType)."""
    points = [("email", *point) for point in emails] + [("phone", *point) for point in phones]
    return {
        "uid": "f" * 32,
        "fullName": name,
        "contacts": [
            {"type": kind, "value": value, "rating": rating, "subType": sub_type}
            for kind, value, rating, sub_type in points
        ],
        "social": [],
        "experience": list(jobs),
        **more,
    }


VERIFIED = candidate(emails=[("ada@acme.com", 100, "work")])

_HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
connection.close()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has a DuckDB file open for writing, until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()
