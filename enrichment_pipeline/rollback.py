"""Noticing that the ledger is an older copy, or gone, before anybody is bought twice.

Here: comparing the ledger with whatever lies beside it and knows of its calls (the warehouse,
what is published, the stamp, the provider's balance), what each way out costs, and going on. Not
here: copies (`backup.py`), and stores of another source or provider (`state.py`).

A ledger that is newer than the warehouse is nothing to notice: that is how a kill leaves them,
and the warehouse is derived from the ledger again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.ledger.kept import changed_lookups
from enrichment_pipeline.ledger.known import BudgetOf, KnownCall, find_known, take_over
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline.warehouse import raw_answers, verifications
from enrichment_pipeline.warehouse.connection import transaction
from enrichment_pipeline.warehouse.publish import PublishedLookups, read_published_lookups
from enrichment_pipeline.warehouse.searches import last_search_revision
from enrichment_pipeline.warehouse.statements import execute

COMPARED = 1_000
"""Of each store, so many of the newest look-ups are compared: an older ledger lacks the newest."""
ACCEPTED = "accepted_rollback"
"""The key beside the ledger's stamp: which published file a person has accepted to be newer."""


class RolledBack(PipelineError):
    """The ledger is older than what was made of it. Nothing was bought."""


@dataclass(frozen=True)
class Comparison:
    """A ledger, and what lies beside it. `stamped` is the ledger that the state folder names."""

    store: LedgerStore
    of_ledger: dict[str, str]
    of_warehouse: dict[str, str]
    stamped: str | None
    connection: duckdb.DuckDBPyConnection
    published_dir: Path

    @property
    def is_another(self) -> bool:
        """Whether the warehouse or the state folder was used with another ledger."""
        own = self.of_ledger.get("ledger")
        return self.of_warehouse.get("ledger") != own or self.stamped not in {None, own}

    def is_rolled_back(self) -> bool:
        """Whether the ledger lacks anything. Looks at the newest look-ups only, in milliseconds."""
        if self.is_another or newest_copied(self.connection) > self.store.revision():
            return True
        published = self._published(COMPARED)
        return bool(
            self._behind_warehouse(COMPARED)
            or self._unknown_verifications(COMPARED)
            or behind_published(self.store, published)
        )

    def message(self) -> str:
        """What was seen, and what each way out costs."""
        in_warehouse = self._behind_warehouse(None)
        verified = self._unknown_verifications(None)
        published = self._published(None)
        in_published = behind_published(self.store, published)
        known = raw_answers.newest_lookups(self.connection, None)
        lost = [credits for lookup_id, credits in in_published.items() if lookup_id not in known]
        seen = []
        if self.is_another:
            seen.append("the state folder was used with another ledger, which is gone")
        held = f"{len(in_warehouse):,} look-ups"
        if verified:
            held += f" and {len(verified):,} verifications of addresses"
        if in_warehouse or verified or newest_copied(self.connection) > self.store.revision():
            path = self.connection.execute("pragma database_list").fetchall()[0][2]
            seen.append(f"the warehouse {path} holds {held} that are not in this ledger")
        if published is not None and in_published:
            seen.append(
                f"{published.path}, published {published.published_at:%Y-%m-%d %H:%M} UTC, is "
                f"newer and holds {len(in_published):,}"
            )
        return (
            f"ledger {self.store.name}: was rolled back, restored from an older copy or deleted: "
            f"{'; '.join(seen)}. Nothing was bought. Either restore the newest ledger "
            "(`enrichment restore FOLDER`), which costs nothing; or `enrichment run "
            "--accept-rollback` goes on with this one, once and for all: it takes over from the "
            f"warehouse what that knows ({held}), and buys again, when "
            f"they are due, the people of {len(lost):,} look-ups that cost {sum(lost):,} credits"
        )

    def accept(self, budget_of: BudgetOf, *, run_id: str, at: datetime) -> None:
        """Go on with this ledger: take over what the warehouse knows, and record it."""
        take_over_answers(self.store, self.connection, budget_of)
        with transaction(self.connection):
            execute(self.connection, "stamp_ledger", ledger=self.of_ledger["ledger"])
        published = self._published(0)
        self.store.note(
            ACCEPTED,
            json.dumps(
                {
                    "at": at.isoformat(),
                    "run_id": run_id,
                    "published": None if published is None else _identity(published),
                }
            ),
        )

    def _published(self, count: int | None) -> PublishedLookups | None:
        return _unaccepted(self.published_dir, self.of_ledger, count)

    def _behind_warehouse(self, count: int | None) -> list[str]:
        return behind(self.store, raw_answers.newest_lookups(self.connection, count))

    def _unknown_verifications(self, count: int | None) -> list[str]:
        return behind(self.store, verifications.newest_verifications(self.connection, count))


def behind(store: LedgerStore, theirs: Mapping[str, int]) -> list[str]:
    """Of these calls and their revisions, those that the ledger lacks or has in an older state."""
    ours = find_known(store, theirs)
    return [
        call_id
        for call_id, revision in theirs.items()
        if call_id not in ours or ours[call_id].revision < revision
    ]


def take_over_answers(
    store: LedgerStore, connection: duckdb.DuckDBPyConnection, budget_of: BudgetOf
) -> int:
    """Take over into the ledger what the warehouse knows and it lacks; how many look-ups.

    What was paid for and is in either of the two is then in both, verifications of addresses
    included, and nothing need be bought again. Suppressions, balances and searches are the
    ledger's alone, and stay as they are there.
    """
    lookups = behind(store, raw_answers.newest_lookups(connection, None))
    verified = behind(store, verifications.newest_verifications(connection, None))
    newest = newest_copied(connection)
    if not lookups and not verified and newest <= store.revision():
        return 0

    def known() -> Iterator[KnownCall]:
        for row in raw_answers.known_lookups(connection, lookups):
            yield KnownCall(**row)
        for row in verifications.known_verifications(connection, verified):
            yield KnownCall(**row)

    take_over(
        store,
        known(),
        budget_of=budget_of,
        join_answers=_join_answers,
        newest_revision=newest,
    )
    raw_answers.merge_lookups(connection, changed_lookups(store, 0))
    return len(lookups)


def newest_copied(connection: duckdb.DuckDBPyConnection) -> int:
    """The newest revision of the ledger of which the warehouse has anything; 0 for none."""
    return max(
        raw_answers.last_revision(connection),
        last_search_revision(connection),
        verifications.last_verification_revision(connection),
    )


def _join_answers(provider: str, kind: str, by_index: Mapping[int, str]) -> bytes:
    if kind == VERIFICATION:  # a reply is one answer
        return by_index[0].encode()
    return PROVIDERS[provider].join_answers(by_index)


def refuse_rolled_back(
    store: LedgerStore, of_ledger: dict[str, str], stamped: str | None, published_dir: Path
) -> None:
    """Raise RolledBack where the ledger lacks what is published, or the folder names another one.

    For those who buy without the warehouse at hand, with which `Comparison` tells more.
    """
    if stamped not in {None, of_ledger["ledger"]}:
        seen = "the state folder was used with another ledger, which is gone"
    elif behind_published(store, _unaccepted(published_dir, of_ledger, COMPARED)):
        seen = f"what is published in {published_dir} holds look-ups that it lacks"
    else:
        return
    raise RolledBack(
        f"ledger {store.name}: was rolled back, restored from an older copy or deleted: {seen}. "
        "Nothing was bought. `enrichment run` says what is missing, and what each way out costs"
    )


def _unaccepted(
    published_dir: Path, of_ledger: dict[str, str], count: int | None
) -> PublishedLookups | None:
    """What is published, unless a person has accepted that it is newer than the ledger."""
    published = read_published_lookups(published_dir, count)
    accepted = json.loads(of_ledger.get(ACCEPTED, "{}")).get("published")
    return None if published is None or _identity(published) == accepted else published


def behind_published(store: LedgerStore, published: PublishedLookups | None) -> dict[str, int]:
    """Of the published look-ups, those that the ledger lacks or has no answer of: their credits."""
    if published is None:
        return {}
    ours = find_known(store, published.lookups)
    return {
        lookup_id: credits
        for lookup_id, (is_answered, credits) in published.lookups.items()
        if lookup_id not in ours or (is_answered and not ours[lookup_id].is_answered)
    }


def _identity(published: PublishedLookups) -> str:
    return f"{published.run_id} {published.published_at.isoformat()}"
