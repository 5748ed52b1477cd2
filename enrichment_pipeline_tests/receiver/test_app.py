"""What is answered to what, and that nothing is lost by it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import sqlalchemy as sa
import sqlalchemy.event

from enrichment_pipeline.ledger.calls import Receipt
from enrichment_pipeline.ledger.limits import (
    BYTES_PER_BATCH,
    BYTES_PER_ITEM,
    CALLBACKS_PER_BATCH,
    CALLBACKS_PER_ITEM,
)
from enrichment_pipeline.ledger.schema import REPLIED, SENT, UNCONFIRMED
from enrichment_pipeline.ledger.store import LedgerStore
from enrichment_pipeline.providers.base import Failing
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.receiver.inbox import LedgerInbox
from enrichment_pipeline_tests.dispatch import read_kept
from enrichment_pipeline_tests.ledger import (
    ANSWER_DEADLINE,
    Ledger,
    booked_budgets,
    candidate,
    recomputed_budgets,
    send,
)
from enrichment_pipeline_tests.receiver import (
    JSON,
    KEYS,
    App,
    answers_for,
    kept,
    keys_of,
    many_answers,
    opened,
    path_of,
    run,
    submitted,
)
from enrichment_pipeline_tests.support import START, MovingClock

BODY = answers_for()


def assert_refused(response: httpx.Response, status: int, app: App, store: LedgerStore) -> None:
    """Refused so, with nothing kept, nothing told, and the refusal counted."""
    assert response.status_code == status, response.text
    assert kept(store) == []
    assert "@" not in response.text
    assert len(response.text) < 60
    assert app.count("enrichment_callbacks_total", status=str(status)) == 1
    assert app.count("enrichment_callbacks_total", status="200") == 0


# --- kept -------------------------------------------------------------------------------------


def test_a_callback_is_kept_byte_for_byte_on_either_database(ledger_url: str) -> None:
    body = b' [ {"item": "p0@crowd.example",\n"status": "failed"} ] '
    with opened(ledger_url) as (store, ledger):
        batch = submitted(ledger)
        response = App(LedgerInbox(ledger.store, ledger.calls)).post(path_of(batch), body)
        assert (response.status_code, response.text) == (200, "kept\n")
        assert kept(store, batch) == [body]


@pytest.mark.parametrize(
    "content_type", [None, "", "application/json", "text/plain", "multipart/form-data", "x"]
)
def test_a_callback_is_taken_however_its_type_is_called(
    app: App, store: LedgerStore, batch: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    assert app.post(path_of(batch), BODY, headers).status_code == 200
    assert kept(store, batch) == [BODY]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32-be"])
def test_json_in_another_encoding_was_paid_for_and_is_kept(
    app: App, store: LedgerStore, batch: str, encoding: str
) -> None:
    body = BODY.decode().encode(encoding)
    assert app.post(path_of(batch), body).status_code == 200
    assert kept(store, batch) == [body]


def test_the_same_body_twice_is_acknowledged_twice_and_kept_once(ledger_url: str) -> None:
    with opened(ledger_url) as (store, ledger):
        batch = submitted(ledger)
        app = App(LedgerInbox(ledger.store, ledger.calls))
        assert [app.post(path_of(batch), BODY).status_code for _ in range(3)] == [200] * 3
        assert kept(store, batch) == [BODY]


def test_an_item_that_is_answered_by_several_callbacks_is_charged_once(
    app: App, store: LedgerStore, ledger: Ledger, batch: str
) -> None:
    for body in (answers_for(1), answers_for(2), BODY, answers_for(3, status="failed"), BODY):
        assert app.post(path_of(batch), body).status_code == 200
    assert read_kept(ledger).calls == 3
    assert {charged for _, charged in booked_budgets(store).values()} == {3}
    assert booked_budgets(store) == recomputed_budgets(store)


def test_no_callback_is_acknowledged_before_the_body_is_committed(
    store: LedgerStore, ledger: Ledger
) -> None:
    batch = submitted(ledger)

    class SlowInbox(LedgerInbox):
        async def keep(self, batch_id: str, body: bytes) -> Receipt:
            begun.set()
            await may_commit.wait()
            return await super().keep(batch_id, body)

    async def post() -> None:
        async with App(SlowInbox(ledger.store, ledger.calls)).client() as client:
            posting = asyncio.create_task(client.post(path_of(batch), content=BODY, headers=JSON))
            await begun.wait()
            assert kept(store) == []
            assert not posting.done()
            may_commit.set()
            assert (await posting).status_code == 200
            assert kept(store) == [BODY]

    begun, may_commit = asyncio.Event(), asyncio.Event()
    run(post())


def test_a_commit_that_fails_is_a_503_and_the_retry_is_kept(
    app: App, store: LedgerStore, batch: str, caplog: pytest.LogCaptureFixture
) -> None:
    failures = ["the disk is full of p0@crowd.example"]

    @sa.event.listens_for(store._engine, "commit")
    def fail_once(_connection: sa.Connection) -> None:
        if failures:
            raise OSError(failures.pop())

    refused = app.post(path_of(batch), BODY)
    assert (refused.status_code, refused.text) == (503, "could not be kept; post it again\n")
    assert kept(store) == []
    assert "OSError" in caplog.text
    assert "crowd.example" not in caplog.text
    assert app.post(path_of(batch), BODY).status_code == 200
    assert kept(store) == [BODY]


def test_of_callbacks_that_share_a_commit_only_the_bad_one_is_refused(
    store: LedgerStore, ledger: Ledger
) -> None:
    batches = [submitted(ledger, prefix=f"{n}-") for n in range(4)]
    paths = [path_of(batch) for batch in (*batches[:2], "0" * 32, *batches[2:])]

    async def post() -> list[int]:
        async with App(LedgerInbox(ledger.store, ledger.calls)).client() as client:
            posts = (client.post(path, content=BODY, headers=JSON) for path in paths)
            return [response.status_code for response in await asyncio.gather(*posts)]

    assert run(post()) == [200, 200, 404, 200, 200]
    assert [len(kept(store, batch)) for batch in batches] == [1] * 4


# --- kept, whatever it is ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"null", b"7", b"{}", b'"[]"', b"[", b"[}", b"[]]", b"[{]", b"\xff\xfe"),
        *(b"[] []", b'[{"item": "a\n"}', BODY[:-1], BODY[:20], b"\0", b"\x1f\x8b\x08\x00"),
        b'{"results": ' + BODY + b"}",
        b"[" * 4_000_000,
    ],
    ids=lambda body: repr(body[:14]),
)
def test_what_is_no_list_of_answers_is_kept_all_the_same_and_answers_no_look_up(
    app: App,
    store: LedgerStore,
    ledger: Ledger,
    batch: str,
    body: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The provider may have changed its form; what it was paid for it throws away at the fourth
    refusal."""
    response = app.post(path_of(batch), body)
    assert (response.status_code, response.text) == (200, "kept\n")
    assert kept(store, batch) == [body]
    assert app.count("enrichment_callbacks_unreadable_total") == 1
    assert f"batch {batch}: 200, kept, but its {len(body)} bytes are no list" in caplog.text
    assert "crowd.example" not in caplog.text
    read = read_kept(ledger)
    assert (read.calls, read.signals) == (0, [Failing("malformed_body")])
    assert list(ledger.unread_replies()) == []
    assert ledger.count_by_state() == {SENT: 3}


def test_after_an_unreadable_callback_another_one_is_read_or_the_deadline_decides(
    app: App, store: LedgerStore, ledger: Ledger
) -> None:
    answered, unanswered = submitted(ledger), submitted(ledger)
    for batch in (answered, unanswered):
        app.post(path_of(batch), BODY[:-1])
    read_kept(ledger)
    app.post(path_of(answered), BODY)
    assert read_kept(ledger).calls == 3
    later = MovingClock(START + ANSWER_DEADLINE)
    assert Ledger(store, ledger.provider, ledger.limits, later).clear_abandoned() == 3
    assert ledger.count_by_state() == {REPLIED: 3, UNCONFIRMED: 3}


def test_more_answers_than_were_asked_for_are_kept_and_counted(
    app: App, store: LedgerStore, ledger: Ledger, batch: str
) -> None:
    body = many_answers(5_000)
    assert app.post(path_of(batch), body).status_code == 200
    assert kept(store, batch) == [body]
    assert app.count("enrichment_callback_answers_total") == 5_000
    assert read_kept(ledger).unsolicited_answers == 5_000


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'"ab"', b"[[],[]]"])
def test_more_values_than_a_server_should_decode_are_kept_and_not_counted(
    ledger: Ledger, store: LedgerStore, batch: str, value: bytes
) -> None:
    def count_answers(_body: bytes) -> int:
        raise AssertionError("it was decoded")

    app = App(LedgerInbox(ledger.store, ledger.calls), count_answers=count_answers)
    body = b"[" + value + (b"," + value) * 600_000 + b"]"
    assert app.post(path_of(batch), body).status_code == 200
    assert kept(store, batch) == [body]
    assert app.count("enrichment_callbacks_unreadable_total") == 1


# --- refused ----------------------------------------------------------------------------------


def wrong_tokens() -> Iterator[tuple[str, str]]:
    right = KEYS.token("signalhire", "a" * 32)
    yield "wrong", "0" * 64
    yield "truncated", right[:-1]
    yield "longer", right + "0"
    yield "another batch's", KEYS.token("signalhire", "b" * 32)
    yield "another provider's", KEYS.token("other", "a" * 32)
    yield "of an unknown secret", keys_of("unknown").token("signalhire", "a" * 32)
    yield "not ASCII", "%C3%BC" * 64
    yield "not UTF-8", "%FF" * 64


@pytest.mark.parametrize(
    "token", [token for _, token in wrong_tokens()], ids=[name for name, _ in wrong_tokens()]
)
def test_a_wrong_token_is_a_403_whether_or_not_there_is_such_a_batch(
    app: App, store: LedgerStore, batch: str, token: str
) -> None:
    of_an_unknown_batch = app.post(path_of("a" * 32, token), BODY)
    assert_refused(of_an_unknown_batch, 403, app, store)
    of_a_known_batch = app.post(path_of(batch, token), BODY)
    assert (of_a_known_batch.status_code, of_a_known_batch.text) == (403, of_an_unknown_batch.text)


def test_another_provider_is_a_403_even_with_a_token_of_its_own(
    app: App, store: LedgerStore, batch: str
) -> None:
    assert_refused(app.post(path_of(batch, provider="other"), BODY), 403, app, store)


@pytest.mark.parametrize(
    "path", ["/callbacks/signalhire/{batch}", "/callbacks/signalhire/{batch}/", "/", "/metrics"]
)
def test_a_path_without_a_token_is_not_there(
    app: App, store: LedgerStore, batch: str, path: str
) -> None:
    response = app.post(path.format(batch=batch), BODY)
    assert (response.status_code, kept(store)) == (404, [])


def test_the_token_is_checked_before_anything_else_and_no_byte_is_waited_for(
    app: App, store: LedgerStore, batch: str
) -> None:
    async def head_only() -> int:
        status = 0

        async def receive() -> dict[str, object]:
            assert status, "the body was asked for"
            return {"type": "http.disconnect"}

        async def send(message) -> None:
            nonlocal status
            status = message.get("status", status)

        path = path_of(batch, "0" * 64)
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"200000000")]
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        await app.asgi(scope | {"query_string": b"", "root_path": ""}, receive, send)
        return status

    assert run(head_only()) == 403


def test_a_batch_that_was_never_sent_is_a_404(app: App, store: LedgerStore) -> None:
    assert_refused(app.post(path_of("0" * 32), BODY), 404, app, store)


def test_a_batch_that_waits_for_no_callback_is_a_404(
    app: App, store: LedgerStore, ledger: Ledger
) -> None:
    synchronous = send(ledger, candidate("ada")).request_id
    assert_refused(app.post(path_of(synchronous), BODY), 404, app, store)


def test_a_batch_takes_as_many_callbacks_as_its_answers_can_come_in_and_no_more(
    ledger_url: str,
) -> None:
    most = CALLBACKS_PER_BATCH + 3 * CALLBACKS_PER_ITEM
    with opened(ledger_url) as (store, ledger):
        batch, other = submitted(ledger), submitted(ledger, prefix="other")
        app = App(LedgerInbox(ledger.store, ledger.calls))
        bodies = [b" " * number + BODY for number in range(most)]
        assert {app.post(path_of(batch), body).status_code for body in bodies} == {200}
        refused = app.post(path_of(batch), b"[]")
        assert refused.status_code == 429
        assert "@" not in refused.text
        # the real answer once more is acknowledged, and another batch has room of its own
        assert app.post(path_of(batch), BODY).status_code == 200
        assert app.post(path_of(other), b"[]").status_code == 200
        assert sorted(kept(store, batch)) == sorted(bodies)
        assert app.count("enrichment_callbacks_total", status="429") == 1


def test_a_batch_takes_as_many_bytes_as_its_answers_can_come_to_and_no_more(
    app: App, store: LedgerStore, batch: str
) -> None:
    largest = b" " * BYTES_PER_BATCH
    most = b"[]".ljust(3 * BYTES_PER_ITEM)
    assert app.post(path_of(batch), largest).status_code == 200
    assert app.post(path_of(batch), most + b" ").status_code == 429
    assert app.post(path_of(batch), most).status_code == 200
    assert app.post(path_of(batch), b"[]").status_code == 429
    assert app.post(path_of(batch), largest).status_code == 200
    assert sorted(map(len, kept(store, batch))) == [len(most), len(largest)]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_a_405_whatever_the_token(
    app: App, store: LedgerStore, batch: str, method: str
) -> None:
    for path in (path_of(batch), path_of(batch, "0" * 64)):
        response = app.request(method, path, content=BODY, headers=JSON)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert kept(store) == []


def test_a_body_over_the_limit_is_a_413_by_its_length(ledger: Ledger, store: LedgerStore) -> None:
    batch = submitted(ledger)
    app = App(LedgerInbox(ledger.store, ledger.calls), limits=ReceiverLimits(body_bytes=len(BODY)))
    assert_refused(app.post(path_of(batch), BODY + b" "), 413, app, store)
    assert app.post(path_of(batch), BODY).status_code == 200


def test_a_chunked_body_over_the_limit_is_a_413_as_soon_as_it_is_over(
    ledger: Ledger, store: LedgerStore
) -> None:
    batch = submitted(ledger)
    limits = ReceiverLimits(body_bytes=100, linger_seconds=0)
    app = App(LedgerInbox(ledger.store, ledger.calls), limits=limits)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10
            yield b"[" * 10
            await asyncio.sleep(0)  # as a socket lets others go on

    assert_refused(app.post(path_of(batch), endless()), 413, app, store)
    assert sent < 200


def nested(depth: int) -> Iterator[bytes]:
    """Bodies of so many levels: of nothing else, within an item, and within a profile."""
    yield b"[" * depth + b"]" * depth
    yield b'[{"item":' + b"[" * depth + b"]" * depth + b"}]"
    yield (
        b'[{"item":"a","status":"success","candidate":'
        + b'{"a":' * depth
        + b"1"
        + (b"}" * depth + b"}]")
    )


@pytest.mark.parametrize("depth", [6, 50, 300, 800, 950, 980, 1_000, 1_050, 2_000, 20_000])
def test_a_nested_body_is_kept_at_any_depth_and_read_or_not(
    app: App, store: LedgerStore, ledger: Ledger, batch: str, depth: int
) -> None:
    bodies = list(nested(depth))
    assert [app.post(path_of(batch), body).status_code for body in bodies] == [200] * len(bodies)
    assert sorted(kept(store)) == sorted(bodies)
    if depth >= 2_000:
        assert app.count("enrichment_callbacks_unreadable_total") == len(bodies)
    read_kept(ledger)
    assert list(ledger.unread_replies()) == []


def test_a_body_that_takes_too_long_is_a_408(ledger: Ledger, store: LedgerStore) -> None:
    batch = submitted(ledger)
    limits = ReceiverLimits(body_seconds=0.05, linger_seconds=0.05)
    app = App(LedgerInbox(ledger.store, ledger.calls), limits=limits)

    async def stalled() -> AsyncIterator[bytes]:
        yield BODY[:10]
        await asyncio.Event().wait()

    assert_refused(app.post(path_of(batch), stalled()), 408, app, store)


# --- rotation, health, counting, telling ------------------------------------------------------


def test_while_the_secret_is_replaced_callbacks_of_either_come_in(
    store: LedgerStore, ledger: Ledger
) -> None:
    app = App(LedgerInbox(ledger.store, ledger.calls), keys=keys_of("new", "old"))
    for secret, status in (("new", 200), ("old", 200), ("older", 403)):
        batch = submitted(ledger, prefix=secret)
        path = path_of(batch, keys_of(secret).token("signalhire", batch))
        assert app.post(path, BODY).status_code == status
        assert len(kept(store, batch)) == (status == 200)


def test_alive_and_ready(app: App) -> None:
    for path in ("/healthz", "/readyz"):
        assert app.request("GET", path).status_code == 200
        assert app.post(path, b"").status_code == 405


def test_not_ready_and_yet_alive_where_the_ledger_cannot_be_written_to(
    app: App, store: LedgerStore
) -> None:
    @sa.event.listens_for(store._engine, "commit")
    def fail(_connection: sa.Connection) -> None:
        raise OSError("no space left")

    assert app.request("GET", "/readyz").status_code == 503
    assert app.request("GET", "/healthz").status_code == 200


def test_what_was_kept_is_counted(app: App, batch: str) -> None:
    app.post(path_of(batch), BODY)
    app.post(path_of(batch), answers_for(2))
    app.post(path_of(batch, "0" * 64), BODY)
    assert app.count("enrichment_callbacks_total", status="200") == 2
    assert app.count("enrichment_callbacks_total", status="403") == 1
    assert app.count("enrichment_callback_answers_total") == 5
    assert app.count("enrichment_callback_bytes_total") == len(BODY) + len(answers_for(2))
    assert app.count("enrichment_callback_seconds_count") == 2


def test_the_log_names_the_batch_and_neither_token_nor_item(
    app: App, batch: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="enrichment_pipeline")
    app.post(path_of(batch), BODY)
    app.post(path_of(batch), BODY[:-1])
    app.post(path_of("f" * 32, "0" * 64), BODY)
    assert f"batch {batch}: 200, 3 answers" in caplog.text
    assert f"batch {batch}: 200, kept, but its {len(BODY) - 1} bytes are no list" in caplog.text
    # a client cannot write into our log what it likes
    assert "f" * 32 not in caplog.text
    for secret in (KEYS.token("signalhire", batch), "0" * 64, "crowd.example", "/callbacks/"):
        assert secret not in caplog.text
