"""What every provider must do against its stand-in, whatever its codes, its JSON and its price.

Here: the description of a provider that the tests need (`Case`), and short ways to buy from one
through the real ledger and dispatcher. Not here: any provider's contract (`cases.py` and
`madeup/`), and the tests.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from enrichment_pipeline.clock import Clock
from enrichment_pipeline.dispatch.asking import AskLookups
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.ledger.admission import Candidate
from enrichment_pipeline.ledger.budget import RunShare
from enrichment_pipeline.ledger.calls import Calls
from enrichment_pipeline.ledger.schema import budgets
from enrichment_pipeline.ledger.schema import calls as calls_table
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.base import (
    NO_REPLY,
    NOT_SENT,
    CallFacts,
    EmailVerifier,
    Failing,
    ItemReading,
    NoReplyError,
    NotSentError,
    Outcome,
    Provider,
    ProviderFacts,
    Reading,
    Signal,
    VerificationReading,
)
from enrichment_pipeline.providers.registry import FIRST
from enrichment_pipeline.terms import calls_of
from enrichment_pipeline.vocabulary import LOOKUP, VERIFICATION
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.support import settings_for

WIDE_RATES = ((100_000, 1.0),)
Rates = Sequence[tuple[int, float]]


class StandIn(Protocol):
    """A stand-in that runs, and its side of the bill."""

    base_url: str

    def charged(self) -> Counter[str]:
        """Units by the item that was asked for; of a verification, credits by the address."""
        ...

    def times_charged(self) -> Counter[str]:
        """How often each item was charged."""
        ...

    def batches(self) -> list[int]:
        """How many items each request that was let in asked for."""
        ...


@dataclass(frozen=True)
class Situation:
    """What a stand-in is told to do, which items are asked for, and what each must become.

    `charged`: units by item, as the stand-in books them.
    """

    name: str
    asked: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    signal: type[Signal] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    charged: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Checking:
    """The same of a verification, which is asked for so many times; the last reply counts.

    `units`: what these requests cost together, as the stand-in books it.
    """

    name: str
    email: str
    outcome: Outcome
    signal: type[Signal] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    units: int = 0
    times: int = 1
    is_in_progress: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class VerifierCase:
    """What verifies addresses: as `Case` has it of look-ups.

    `address` is the n-th person's. `slow` are the settings of a stand-in that does not answer
    each at once.
    """

    address: Callable[[int], str]
    slow: Mapping[str, Any]
    checkings: tuple[Checking, ...]
    documented: frozenset[int]
    samples: tuple[bytes, ...]


@dataclass(frozen=True)
class Telling:
    """What a stand-in is told to do, and what its changelog then says of the first person."""

    name: str
    outcome: Outcome
    signal: type[Signal] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class FeedCase:
    """What tells of changes: as `Case` has it of look-ups.

    `uid` is the n-th person's at the release `known`, after which `release` comes. `limited` are
    the settings of a stand-in that takes so many questions in so many seconds.
    """

    uid: Callable[[int], str]
    known: str
    release: str
    limited: Callable[[Rates], Mapping[str, Any]]
    tellings: tuple[Telling, ...]
    documented: frozenset[int]
    samples: tuple[bytes, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A provider as these tests know it.

    `start` runs its stand-in over so many people with these settings; `item`, of `item_kind`, is
    the n-th person's, and `unknown` is no person's. `limited` are the settings of a stand-in that
    keeps to these rates. `goes_by` are the identifiers that the n-th person's answer gives.
    `documented` are the HTTP statuses whose meaning is known; any other may have been charged.
    `samples` are bodies of which some must be readable. `verifier`: its verifications, where it
    makes any. `feed`: likewise what it tells of changes.
    """

    facts: ProviderFacts
    key: str
    start: Callable[..., AbstractContextManager[StandIn]]
    item: Callable[[int], str]
    unknown: str
    goes_by: Callable[[int], set[tuple[str, str]]]
    limited: Callable[[Rates], Mapping[str, Any]]
    rates: Rates
    situations: tuple[Situation, ...]
    documented: frozenset[int]
    samples: tuple[bytes, ...]
    price: float = 1
    item_kind: str = "email"
    verifier: VerifierCase | None = None
    feed: FeedCase | None = None

    def __str__(self) -> str:
        return self.facts.name

    @property
    def lookups(self) -> CallFacts:
        return self.facts.calls[LOOKUP]

    @property
    def verifications(self) -> CallFacts:
        return self.facts.calls[VERIFICATION]

    def connect(self, base_url: str, key: str | None = None) -> Provider:
        return self.facts.connect(base_url, self.key if key is None else key)

    @cached_property
    def reader(self) -> Provider:
        """A client that only reads what was kept."""
        return self.connect("http://unused.invalid")

    def person(self, number: int, **changes: Any) -> Candidate:
        values: dict[str, Any] = {
            "person_key": f"person:{number}",
            "contact_id": f"contact-{number}",
            "item": self.item(number),
            "item_kind": self.item_kind,
            "freshness": "new",
            "priority": "standard",
        }
        return Candidate(**values | changes)

    def persons(self, numbers: Iterable[int]) -> list[Candidate]:
        return [self.person(number) for number in numbers]

    def calls(self, rates: Rates = WIDE_RATES, clock: Clock | None = None, **budget: Any) -> Calls:
        """Its look-ups, on the terms that a policy with these rates and budgets gives."""
        return calls_under(policy_of({self: rates}, **budget), self, clock)


def policy_of(rates: Mapping[Case, Rates], **budget: Any) -> Policy:
    """A policy with these rates of each provider, its price, and budgets without floors."""
    tables = {
        case.facts.name: {
            "price": case.price,
            "rates": [{"units": units, "seconds": seconds} for units, seconds in of],
        }
        for case, of in rates.items()
    }
    first = {name: table for name, table in tables.items() if name == FIRST}
    others = {name: table for name, table in tables.items() if name != FIRST}
    floors = dict.fromkeys(("strategic", "target", "standard", "bulk"), 0.0)
    document = {**first, "providers": others, "budget": {**budget, "floors": floors}}
    return Policy.model_validate(document)


def calls_under(
    policy: Policy, case: Case, clock: Clock | None = None, *, kind: str = LOOKUP
) -> Calls:
    settings = settings_for(Path("unused"), policy, "http://unused.invalid")
    return calls_of(settings, case.facts.name, kind, clock or Clock())


async def ask_once(provider: Provider, items: Sequence[str]) -> Reading:
    """One request, and what comes of it also where no reply does."""
    try:
        reply = await provider.lookup(items)
    except NotSentError as error:
        return Reading((ItemReading(NOT_SENT),) * len(items), Failing(str(error)))
    except NoReplyError as error:
        return Reading((ItemReading(NO_REPLY),) * len(items), Failing(str(error)))
    finally:
        await provider.close()
    return provider.read(reply.http_status, reply.body, items, reply.units_told)


async def verify(provider: Provider, email: str, times: int) -> VerificationReading:
    """So many requests about one address, and what comes of the last."""
    assert isinstance(provider, EmailVerifier)
    reading = None
    try:
        for _ in range(times):
            reply = await provider.verify(email)
            reading = provider.read_verification(reply.http_status, reply.body)
    except NotSentError as error:
        reading = VerificationReading(NOT_SENT, signal=Failing(str(error)))
    except NoReplyError as error:
        reading = VerificationReading(NO_REPLY, signal=Failing(str(error)))
    finally:
        await provider.close()
    assert reading is not None
    return reading


def buy(
    store: LedgerStore,
    calls: Calls,
    provider: Provider,
    people: Sequence[Candidate],
    *,
    told: Told | None = None,
    run_id: str = "run",
    batch_size: int = 5,
    concurrency: int = 4,
) -> DispatchReport:
    """Dispatch them as a run does, and close the client."""

    async def run() -> DispatchReport:
        dispatcher = Dispatcher(
            store,
            calls,
            AskLookups(provider),
            told or Told(),
            run=RunShare(run_id),
            batch_size=batch_size,
            concurrency=concurrency,
        )
        try:
            return await dispatcher.run([people])
        finally:
            await provider.close()

    return asyncio.run(run())


def rows_of(store: LedgerStore, provider: str) -> list[sa.Row[Any]]:
    """The calls to a provider."""
    with store.read() as connection:
        query = sa.select(calls_table).where(calls_table.c.provider == provider)
        return list(connection.execute(query.order_by(calls_table.c.reserved_at)))


def budgets_of(store: LedgerStore) -> list[sa.Row[Any]]:
    """What is reserved and charged in each period, in millionths, at what it costs."""
    of_costs = sa.select(budgets).where(~budgets.c.period.startswith("credits:"))
    with store.read() as connection:
        return list(connection.execute(of_costs))


def units_by_item(store: LedgerStore, provider: str) -> Counter[str]:
    """What the ledger says that each item cost, where it did."""
    units: Counter[str] = Counter()
    for row in rows_of(store, provider):
        units[row.item] += row.units_charged
    return +units
