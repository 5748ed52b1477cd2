"""What every provider must do against its stand-in: codes, costs, limits, keys, identifiers, bytes.

Kills are in `test_kills.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections import Counter
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.dispatch.asking import AskVerifications
from enrichment_pipeline.dispatch.dispatcher import Dispatcher
from enrichment_pipeline.dispatch.progress import DispatchReport
from enrichment_pipeline.dispatch.settling import settlement_for
from enrichment_pipeline.hashed_identifiers import hashed_all
from enrichment_pipeline.ledger.budget import MILLIONTHS, RunShare, in_millionths
from enrichment_pipeline.ledger.identifiers import as_number
from enrichment_pipeline.ledger.schema import (
    RELEASED,
    REPLIED,
    UNCONFIRMED,
    call_identifiers,
)
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.policy import Policy
from enrichment_pipeline.providers.base import (
    EmailVerifier,
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    NoReplyError,
    NotSentError,
    ProviderUnavailableError,
    Retriable,
    SlowDown,
    Unconfirmed,
    UsedUp,
    WrongKeyError,
)
from enrichment_pipeline.providers.items import name_at_company
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.vocabulary import VERIFICATION
from enrichment_pipeline_tests.conformance import (
    WIDE_RATES,
    Case,
    Checking,
    Situation,
    ask_once,
    budgets_of,
    buy,
    calls_under,
    policy_of,
    rows_of,
    units_by_item,
    verify,
)
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.dispatch import Told
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.providers import (
    free_port,
    hangs_up_after_reading,
    hangs_up_at_once,
    sends,
    server_that,
)

KEY = "k3y-never-to-be-shown"
VERIFYING = [case for case in CASES.values() if VERIFICATION in case.facts.calls]
ADDRESS = "secret-person@crowd.example"

# --- what it tells of itself ---------------------------------------------------------------


def test_what_it_tells_and_what_its_client_does_agree(case: Case):
    client = case.connect("http://unused.invalid")
    assert PROVIDERS[client.name] is case.facts
    assert client.max_batch == case.lookups.max_batch
    assert case.lookups.unit == "credits"
    assert case.lookups.worst_units >= 1
    does_verify = isinstance(client, EmailVerifier)
    assert does_verify == (VERIFICATION in case.facts.calls) == (case.verifier is not None)
    asyncio.run(client.close())


@pytest.mark.parametrize("case", VERIFYING, ids=str)
def test_one_address_is_verified_at_a_time_and_its_worst_cost_is_known(case: Case):
    told = case.verifications
    assert (told.identities, told.max_batch, told.unit) == (frozenset({"email"}), 1, "credits")
    assert told.worst_units >= 1
    assert told.credits_per_unit > 0


# --- codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "situation"),
    [
        pytest.param(case, situation, id=f"{case}-{situation}")
        for case in CASES.values()
        for situation in case.situations
    ],
)
def test_each_answer_means_what_the_stand_in_did(case: Case, situation: Situation, tmp_path: Path):
    with case.start(tmp_path, 2, **situation.config) as stand_in:
        reading = asyncio.run(ask_once(case.connect(stand_in.base_url), situation.asked))
        charged = stand_in.charged()
    assert [item.outcome for item in reading.items] == list(situation.outcomes)
    assert type(reading.signal) is (situation.signal or type(None))
    assert charged == Counter(situation.charged)
    for asked, item in zip(situation.asked, reading.items, strict=True):
        settlement = settlement_for(item)
        if isinstance(item.outcome, Matched | NoMatch | LegalStop):
            assert item.answer_index is not None
        if settlement.state == UNCONFIRMED:
            assert charged[asked] <= case.lookups.worst_units  # no more than stays reserved
        else:
            assert item.units == charged[asked]
        if isinstance(reading.signal, SlowDown):
            assert item.outcome == Retriable("rate_limited")  # what is tried again in the same run
    # it would close the money of all providers for the day
    assert not isinstance(reading.signal, UsedUp)


def test_a_situation_shows_each_thing_that_can_become_of_money(case: Case):
    """Or the case would prove little."""
    states = {
        (settlement_for(item_of).state, bool(situation.charged))
        for situation in case.situations
        for item_of in map(ItemReading, situation.outcomes)
    }
    assert {(REPLIED, True), (REPLIED, False), (RELEASED, False), (UNCONFIRMED, True)} <= states
    signals = {situation.signal for situation in case.situations}
    assert {None, Halt, SlowDown, Failing} <= signals


def test_a_status_that_is_not_documented_may_have_been_charged(case: Case):
    items = [case.item(number) for number in range(min(2, case.lookups.max_batch))]
    for status in set(range(100, 600)) - case.documented:
        reading = case.reader.read(status, case.samples[0], items)
        assert all(isinstance(item.outcome, Unconfirmed) for item in reading.items), status
        assert isinstance(reading.signal, Failing), status


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def bodies(data: st.DataObject, samples: tuple[bytes, ...]) -> bytes:
    """Any bytes, any JSON, or a sample of which a part is something else."""
    sample = data.draw(st.sampled_from(samples))
    start = data.draw(st.integers(0, len(sample)))
    end = data.draw(st.integers(start, len(sample)))
    return data.draw(
        st.binary().map(lambda piece: sample[:start] + piece + sample[end:])
        | ANYTHING.map(lambda document: json.dumps(document).encode("utf-8", "surrogatepass"))
        | st.binary()
    )


@pytest.mark.parametrize("case", CASES.values(), ids=str)
@draws(few=60, many=500)
@given(data=st.data())
def test_whatever_comes_is_read_without_an_exception(case: Case, data: st.DataObject):
    body = bodies(data, case.samples)
    status = data.draw(st.sampled_from(sorted(case.documented)) | st.integers(100, 599))
    told = data.draw(st.none() | st.integers(0, 2**31 - 1))
    items = [case.item(number) for number in range(min(2, case.lookups.max_batch))]
    reading = case.reader.read(status, body, items, told)
    assert len(reading.items) == len(items)
    for item in reading.items:
        settlement = settlement_for(item)
        assert 0 <= settlement.units_charged <= max(told or 0, case.lookups.worst_units)
        assert settlement.state in {REPLIED, RELEASED, UNCONFIRMED}
        hashed_all(item.identifiers)


def test_the_sample_is_an_answer(case: Case):
    items = [case.item(number) for number in range(min(2, case.lookups.max_batch))]
    readings = [case.reader.read(200, sample, items) for sample in case.samples]
    assert any(isinstance(item.outcome, Matched) for read in readings for item in read.items)


# --- verifications -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "checking"),
    [
        pytest.param(case, checking, id=f"{case}-{checking}")
        for case in VERIFYING
        if case.verifier is not None
        for checking in case.verifier.checkings
    ],
)
def test_each_verification_means_what_the_stand_in_did(
    case: Case, checking: Checking, tmp_path: Path
):
    with case.start(tmp_path, 2, **checking.config) as stand_in:
        client = case.connect(stand_in.base_url)
        reading = asyncio.run(verify(client, checking.email, checking.times))
        charged = stand_in.charged()
    assert reading.outcome == checking.outcome
    assert type(reading.signal) is (checking.signal or type(None))
    assert reading.is_in_progress is checking.is_in_progress
    credits = checking.units * case.verifications.credits_per_unit
    assert charged == Counter({checking.email: credits} if credits else {})
    settlement = settlement_for(ItemReading(reading.outcome, units=reading.units))
    if settlement.state == UNCONFIRMED:
        assert checking.units <= case.verifications.worst_units  # what stays reserved
    else:
        assert reading.units == checking.units
    if isinstance(reading.signal, SlowDown):
        assert reading.outcome == Retriable("rate_limited")
    assert not isinstance(reading.signal, UsedUp)


@pytest.mark.parametrize("case", VERIFYING, ids=str)
def test_a_status_of_a_verification_that_is_not_documented_may_have_been_charged(case: Case):
    of, client = case.verifier, case.reader
    assert of is not None
    assert isinstance(client, EmailVerifier)
    for status in set(range(100, 600)) - of.documented:
        reading = client.read_verification(status, of.samples[0])
        assert isinstance(reading.outcome, Unconfirmed), status
        assert isinstance(reading.signal, Failing), status


@pytest.mark.parametrize("case", VERIFYING, ids=str)
@draws(few=60, many=500)
@given(data=st.data())
def test_whatever_comes_of_a_verification_is_read_without_an_exception(
    case: Case, data: st.DataObject
):
    of, client = case.verifier, case.reader
    assert of is not None
    assert isinstance(client, EmailVerifier)
    body = bodies(data, of.samples)
    status = data.draw(st.sampled_from(sorted(of.documented)) | st.integers(100, 599))
    reading = client.read_verification(status, body)
    settlement = settlement_for(ItemReading(reading.outcome, units=reading.units))
    assert 0 <= settlement.units_charged <= case.verifications.worst_units
    assert settlement.state in {REPLIED, RELEASED, UNCONFIRMED}
    assert not reading.is_in_progress or settlement.state == RELEASED


@pytest.mark.parametrize("case", VERIFYING, ids=str)
def test_the_ledger_books_what_verifications_cost_and_makes_none_twice(
    case: Case, store: LedgerStore, tmp_path: Path
):
    of = case.verifier
    assert of is not None
    due = [
        case.person(
            number,
            person_key=f"address:{number}",
            question="address",
            item=of.address(number),
            item_kind="email",
        )
        for number in range(5)
    ]
    calls = calls_under(policy_of({case: WIDE_RATES}), case, kind=VERIFICATION)

    async def verify_all(base_url: str, run_id: str) -> DispatchReport:
        client = case.connect(base_url)
        assert isinstance(client, EmailVerifier)
        asking = AskVerifications(client, sleep=lambda _seconds: asyncio.sleep(0))
        dispatcher = Dispatcher(
            store, calls, asking, Told(), run=RunShare(run_id), batch_size=1, concurrency=2
        )
        try:
            return await dispatcher.run([due])
        finally:
            await client.close()

    # four of them are known
    with case.start(tmp_path, 4, **of.slow) as stand_in:
        first = asyncio.run(verify_all(stand_in.base_url, "run"))
        again = asyncio.run(verify_all(stand_in.base_url, "again"))
        charged = stand_in.charged()
        assert set(stand_in.times_charged().values()) == {1}
    assert (first.checked, again.sent, again.not_due) == (5, 0, 5)
    a_unit = case.verifications.credits_per_unit
    units = units_by_item(store, case.facts.name)
    assert {item: a_unit * count for item, count in units.items()} == charged
    booked = {(row.reserved, row.charged) for row in budgets_of(store)}
    price = in_millionths(calls.limits.budget.unit_cost)
    assert booked == {(0, units.total() * price)}
    assert Decimal(price) == a_unit * Decimal(str(case.price)) * MILLIONTHS


# --- costs ---------------------------------------------------------------------------------


def test_the_ledger_books_what_the_stand_in_charged(case: Case, store: LedgerStore, tmp_path: Path):
    with case.start(tmp_path, 12) as stand_in:
        people = [*case.persons(range(12)), case.person(900, item=case.unknown)]
        report = buy(store, case.calls(), case.connect(stand_in.base_url), people)
        again = buy(store, case.calls(), case.connect(stand_in.base_url), people, run_id="again")
        charged = stand_in.charged()
        assert set(stand_in.times_charged().values()) == {1}
    assert (report.matched, report.no_match, again.sent) == (12, 1, 0)
    assert units_by_item(store, case.facts.name) == charged
    assert report.units == charged.total()
    price = in_millionths(case.calls().limits.budget.unit_cost)
    booked = {(row.reserved, row.charged) for row in budgets_of(store)}
    assert booked == {(0, charged.total() * price)}


def test_what_was_charged_and_not_answered_stays_reserved(
    case: Case, store: LedgerStore, tmp_path: Path
):
    """Where a repeat is free it is made once, and stays reserved as well."""
    [torn] = [each for each in case.situations if each.name == "torn after charging"]
    tries = 2 if case.lookups.is_repeat_free else 1
    with case.start(tmp_path, 2, **torn.config) as stand_in:
        people = [case.person(0)]
        told = Told()
        report = buy(store, case.calls(), case.connect(stand_in.base_url), people, told=told)
        again = buy(store, case.calls(), case.connect(stand_in.base_url), people, run_id="again")
        assert set(stand_in.times_charged().values()) <= {1}
    assert (report.unconfirmed, again.sent) == (tries, 0)
    worst = case.lookups.worst_units * in_millionths(case.calls().limits.budget.unit_cost)
    rows = rows_of(store, case.facts.name)
    assert [(row.state, row.cost_reserved) for row in rows] == [(UNCONFIRMED, worst)] * tries
    assert {row.reserved for row in budgets_of(store)} == {worst * tries}


# --- limits --------------------------------------------------------------------------------


def test_no_request_holds_more_than_it_takes(case: Case, store: LedgerStore, tmp_path: Path):
    most = case.lookups.max_batch
    with case.start(tmp_path, 2 * most + 1) as stand_in:
        provider = case.connect(stand_in.base_url)
        people = case.persons(range(2 * most + 1))
        report = buy(store, case.calls(), provider, people, batch_size=10 * most)
        batches = stand_in.batches()
    assert report.matched == len(people)
    assert sorted(batches) == [1, most, most]


def test_it_is_never_refused_within_its_rates(case: Case, store: LedgerStore, tmp_path: Path):
    """Each window is filled several times over."""
    told = Told()
    with case.start(tmp_path, 12, **case.limited(case.rates)) as stand_in:
        provider = case.connect(stand_in.base_url)
        calls = case.calls(case.rates)
        report = buy(store, calls, provider, case.persons(range(12)), told=told, batch_size=2)
        assert set(stand_in.times_charged().values()) == {1}
    assert (report.matched, report.released) == (12, 0)
    assert told.said == []


def test_who_is_faster_is_refused_and_loses_nothing(case: Case, store: LedgerStore, tmp_path: Path):
    """Or the test above could not fail."""
    told = Told()
    _, seconds = case.rates[0]
    with case.start(tmp_path, 12, **case.limited(case.rates)) as stand_in:
        provider = case.connect(stand_in.base_url)
        calls = case.calls(((1_000, seconds),))
        people = case.persons(range(12))
        report = buy(store, calls, provider, people, told=told, batch_size=2, concurrency=12)
        charged = stand_in.charged()
    assert "the provider asks to slow down; pausing" in told.said
    assert units_by_item(store, case.facts.name) == charged
    assert report.matched == len(charged)
    assert report.unconfirmed == 0


# --- keys ----------------------------------------------------------------------------------


def _is_nowhere(secret: str, error: BaseException) -> bool:
    return not _shown(secret, _printed(error))


def _printed(error: BaseException) -> str:
    """All that a traceback, a log or a debugger could show of it."""
    printed = "".join(traceback.format_exception(error))
    seen: BaseException | None = error
    while seen is not None:
        printed += f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
    return printed


def _shown(secret: str, text: str) -> set[str]:
    """What of it stands in the text, as it is written, in a URL, or a name without its company."""
    named = name_at_company(secret)
    words = {secret, *([] if named is None else [named.full_name])}
    spelled = {spell(word) for word in words for spell in (str, quote, quote_plus)}
    return {each for each in spelled if each in text}


def test_a_wrong_key_stops_the_run_and_is_never_shown(
    case: Case, store: LedgerStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    told = Told()
    with case.start(tmp_path, 3) as stand_in:

        async def ask_balance() -> None:
            client = case.connect(stand_in.base_url, KEY)
            try:
                await client.balance()
            finally:
                await client.close()

        with pytest.raises(WrongKeyError) as caught:
            asyncio.run(ask_balance())
        wrong = case.connect(stand_in.base_url, KEY)
        report = buy(store, case.calls(), wrong, case.persons(range(3)), told=told, concurrency=1)
        assert not stand_in.charged()
    assert report.halted is not None
    assert {row.state for row in rows_of(store, case.facts.name)} == {RELEASED}
    assert _is_nowhere(KEY, caught.value)
    assert KEY not in f"{told.said} {report} {caplog.text}"


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}\r\nx: y", f"clé-{KEY}", f"{KEY}\x00", ""])
def test_a_key_that_fits_into_no_header_is_a_wrong_key(case: Case, key: str):
    with pytest.raises(WrongKeyError) as caught:
        case.connect("http://unused.invalid", key)
    assert _is_nowhere(KEY, caught.value)


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs_up_at_once,
        hangs_up_after_reading,
        sends(b"\x00\x01 this is not HTTP\r\n\r\n"),
        sends(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n[{"),
    ],
    ids=["closed at once", "closed after reading", "no HTTP", "fewer bytes than promised"],
)
def test_what_may_have_been_read_is_asked_for_once(case: Case, behaviour):
    async def ask(base_url: str) -> None:
        client = case.connect(base_url, KEY)
        try:
            await client.lookup([case.item(0)])
        finally:
            await client.close()

    with server_that(behaviour) as server:
        with pytest.raises(NoReplyError) as caught:
            asyncio.run(ask(server.base_url))
        assert server.connections == 1
    assert _is_nowhere(KEY, caught.value)
    assert _is_nowhere(case.item(0), caught.value)


def test_what_did_not_leave_is_not_sent(case: Case):
    base_url = f"http://127.0.0.1:{free_port()}"

    async def ask(question: str) -> None:
        client = case.connect(base_url, KEY)
        try:
            if question == "verify":
                assert isinstance(client, EmailVerifier)
                await client.verify(ADDRESS)
            else:
                await (client.balance() if question == "balance" else client.lookup([case.item(0)]))
        finally:
            await client.close()

    questions = [("lookup", NotSentError), ("balance", ProviderUnavailableError)]
    questions += [("verify", NotSentError)] if case in VERIFYING else []
    for question, error in questions:
        with pytest.raises(error) as caught:
            asyncio.run(ask(question))
        for secret in (KEY, case.item(0), ADDRESS):
            assert _is_nowhere(secret, caught.value)


def test_what_is_asked_by_stands_in_no_log(
    case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A GET names a person in its URL, and an HTTP client logs URLs."""
    caplog.set_level(logging.DEBUG)

    async def ask(base_url: str) -> None:
        client = case.connect(base_url)
        try:
            await client.lookup([case.item(0)])
            if isinstance(client, EmailVerifier):
                await client.verify(ADDRESS)
        finally:
            await client.close()

    with case.start(tmp_path, 1) as stand_in:
        asyncio.run(ask(stand_in.base_url))
    assert "HTTP Request: " in caplog.text
    for secret in (case.item(0), ADDRESS):
        assert _shown(secret, caplog.text) == set()


# --- identifiers ---------------------------------------------------------------------------


def test_who_was_found_is_known_by_all_that_the_answer_gives(
    case: Case, store: LedgerStore, tmp_path: Path
):
    with case.start(tmp_path, 3) as stand_in:
        buy(store, case.calls(), case.connect(stand_in.base_url), [case.person(0)])
        with store.read() as connection:
            kept = set(connection.execute(sa.select(call_identifiers.c.identifier)).scalars())
        known_by = hashed_all(case.goes_by(0))
        assert kept == set(map(as_number, known_by))
        for identifier in sorted(known_by):
            other = case.person(1, person_key="under another key", known_by=frozenset({identifier}))
            report = buy(store, case.calls(), case.connect(stand_in.base_url), [other])
            assert (report.sent, report.not_due) == (0, 1)
        assert stand_in.charged().keys() == {case.item(0)}


def test_its_documented_rates_hold_where_the_policy_names_none(case: Case):
    rates = calls_under(Policy(), case).limits.rates
    told = [(rate.units, rate.window.total_seconds()) for rate in rates]
    assert told == list(case.lookups.rates or [(600, 60.0)])
    named = case.calls(WIDE_RATES).limits.rates
    assert [(rate.units, rate.window.total_seconds()) for rate in named] == list(WIDE_RATES)
