"""What is answered to what, in which order it is checked, and that nothing posted is told again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from typing import Any

import httpx
import pytest

from enrichment_pipeline.entry.contact import EnteredContact
from enrichment_pipeline.entry.desk import (
    KeyReusedError,
    NotRecordedError,
    StillAnsweringError,
    TakenBack,
)
from enrichment_pipeline.entry.enrichment import Enrichment
from enrichment_pipeline.entry.request_limits import EntryLimits
from enrichment_pipeline_tests.entry.over_http import (
    ADA,
    CONTACTS,
    ENRICHED,
    HOOKS,
    JSON,
    LET_IN,
    OTHER_TOKEN,
    QUEUED,
    TOKEN,
    App,
    FakeDesk,
)
from enrichment_pipeline_tests.receiver import run

AT_ADA = f"{CONTACTS}/ada-1"
ROUTES = (("POST", CONTACTS), ("GET", AT_ADA), ("DELETE", AT_ADA))


@pytest.fixture(scope="module")
def one_app() -> App:
    """An app without a practical limit of requests; to make one takes longer than to ask it."""
    return App()


@pytest.fixture
def app(one_app: App) -> App:
    one_app.desk.forget()
    return one_app


@pytest.fixture
def desk(app: App) -> FakeDesk:
    return app.desk


def assert_refused(response: httpx.Response, status: int, *words: str) -> None:
    """Refused so, in the one form that refusals have, with nothing in it that was posted."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert list(response.json()) == ["detail"]
    assert "Lovelace" not in response.text
    assert "@" not in response.text
    assert len(response.text) < 400
    for word in words:
        assert word in response.text


# --- answers ------------------------------------------------------------------------------------


def test_what_is_decided_is_a_200_with_the_whole_answer(app: App, desk: FakeDesk) -> None:
    desk.comes_to = ENRICHED
    response = app.post()
    assert response.status_code == 200
    assert response.json() == {
        "contact_id": "ada-1",
        "status": "enriched",
        "reason": None,
        "needs_manual_enrichment": False,
        "fields": {
            "work_email": {
                "value": "ada@example.com",
                "status": "verified",
                "provider": "signalhire",
                "observed_at": "2026-03-02T09:00:00Z",
            }
        },
        "credits": 1,
        "next_lookup_at": "2026-05-31T09:00:00Z",
    }
    assert response.headers["cache-control"] == "no-store"
    assert "location" not in response.headers
    assert "preference-applied" not in response.headers


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("enriched", 200),
        ("needs_review", 200),
        ("suppressed", 200),
        ("queued", 202),
        ("in_flight", 202),
    ],
)
def test_what_is_still_under_way_is_a_202(
    app: App, desk: FakeDesk, status: Any, expected: int
) -> None:
    desk.comes_to = Enrichment(contact_id="", status=status)
    response = app.post()
    assert (response.status_code, response.json()["status"]) == (expected, status)
    assert response.headers.get("location") == (AT_ADA if expected == 202 else None)


@pytest.mark.parametrize("contact_id", ["ada/1", "ä %2F?#&", "..//", "日本", "a\nb", "x" * 200])
def test_the_location_of_any_id_leads_back_to_it(app: App, desk: FakeDesk, contact_id: str) -> None:
    location = app.post({**ADA, "contact_id": contact_id}).headers["location"]
    assert location.isascii()
    desk.found[contact_id] = QUEUED
    assert app.ask("GET", location).status_code == 200
    assert app.ask("DELETE", location).status_code == 204
    assert desk.asked_for == [contact_id] * 2


def test_a_contact_without_an_id_is_told_its_id(app: App, desk: FakeDesk) -> None:
    contact = EnteredContact(email="ada@example.com")
    response = app.post({"email": "ada@example.com"})
    assert response.json()["contact_id"] == contact.id
    assert response.headers["location"] == f"{CONTACTS}/{contact.id}"
    assert desk.entered[0].contact == contact


def test_the_wait_is_two_seconds_unless_the_client_prefers_another(
    app: App, desk: FakeDesk
) -> None:
    assert "preference-applied" not in app.post().headers
    assert app.post(prefer="wait=0").headers["preference-applied"] == "wait=0"
    assert app.post(prefer="wait=60").headers["preference-applied"] == "wait=10"
    assert "preference-applied" not in app.post(prefer="wait=soon").headers
    assert [entered.wait.seconds for entered in desk.entered] == [2, 0, 10, 2]


def test_an_entry_is_found_decided_or_not(app: App, desk: FakeDesk) -> None:
    desk.found = {"ada-1": QUEUED}
    assert app.ask("GET", AT_ADA).json() == QUEUED.model_dump()
    desk.found = {"ada-1": ENRICHED}
    assert app.ask("GET", AT_ADA).json()["status"] == "enriched"
    assert_refused(app.ask("GET", f"{CONTACTS}/eve-1"), 404, "no such entry")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("path", ["", "%00", "a%00b", "x" * 201, "%ED%A0%80%00"])
def test_an_id_that_nobody_can_have_entered_is_not_even_looked_for(
    app: App, desk: FakeDesk, method: str, path: str
) -> None:
    assert_refused(app.ask(method, f"{CONTACTS}/{path}"), 404, "no such entry")
    assert desk.asked_for == []


def test_an_entry_is_taken_back_before_it_is_bought(app: App, desk: FakeDesk) -> None:
    response = app.ask("DELETE", AT_ADA)
    assert (response.status_code, response.content) == (204, b"")
    desk.taken_back = TakenBack.ALREADY_BOUGHT
    assert_refused(app.ask("DELETE", AT_ADA), 409, "bought already")
    desk.taken_back = TakenBack.NOT_ENTERED
    assert_refused(app.ask("DELETE", AT_ADA), 404, "no such entry")


# --- who is let in, before anything is read -----------------------------------------------------


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}"),
        *(f"Bearer {TOKEN},{OTHER_TOKEN}", "Bearer é", "Bearer " + "x" * 10_000),
    ],
)
def test_without_a_right_token_nothing_is_read_and_nobody_asked(
    app: App, desk: FakeDesk, method: str, path: str, authorization: str | None
) -> None:
    headers = {"content-type": "application/json", "content-length": "5"}
    if authorization is not None:
        headers["authorization"] = authorization
    sent: list[Any] = []

    async def ask() -> None:
        async def receive() -> Any:
            assert sent, "a byte was read before the answer"
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "headers": raw,
        }
        scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": ""}
        await app.asgi({**scope, "headers": raw}, receive, send)

    run(ask())
    told = dict(sent[0]["headers"])
    assert sent[0]["status"] == 401
    assert told[b"www-authenticate"] == b"Bearer"
    assert told[b"connection"] == b"close"
    assert desk.entered == []
    assert desk.asked_for == []


def test_each_token_is_let_in_and_told_to_the_desk_by_its_digest(app: App, desk: FakeDesk) -> None:
    for token in (TOKEN, OTHER_TOKEN):
        response = app.post(authorization=f"bearer {token}", idempotency_key="k")
        assert response.status_code == 202
    digests = [entered.request and entered.request.token_sha256 for entered in desk.entered]
    assert digests == [hashlib.sha256(token.encode()).hexdigest() for token in (TOKEN, OTHER_TOKEN)]


def test_more_requests_than_a_token_may_send_are_a_429_for_it_alone() -> None:
    app = App(per_second=3)
    desk = app.desk
    desk.found = {"ada-1": QUEUED}
    assert [app.ask("GET", AT_ADA).status_code for _ in range(2)] == [200, 200]
    assert app.ask("DELETE", AT_ADA).status_code == 204
    for method, path in ROUTES:
        refused = app.ask(method, path)
        assert_refused(refused, 429, "more than 3 requests a second")
        assert refused.headers["retry-after"] == "1"
    assert app.post(authorization=f"Bearer {OTHER_TOKEN}").status_code == 202
    assert app.ask("GET", "/readyz", headers={}).status_code == 200


def test_more_requests_at_once_than_a_token_may_have_are_a_429() -> None:
    async def ask() -> list[int]:
        is_entered, may_answer = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            is_entered.set()
            await may_answer.wait()

        app.desk.before_answer = wait
        async with app.client() as client:
            first = asyncio.create_task(client.post(CONTACTS, json=ADA, headers=LET_IN))
            await is_entered.wait()
            second = await client.get(AT_ADA, headers=LET_IN)
            may_answer.set()
            third = await client.post(CONTACTS, json=ADA, headers=LET_IN) if await first else None
            assert third is not None
        assert second.headers["retry-after"] == "1"
        return [(await first).status_code, second.status_code, third.status_code]

    app = App(at_once=1)
    assert run(ask()) == [202, 429, 202]


# --- bodies -------------------------------------------------------------------------------------

MALFORMED = {
    "nothing": b"",
    "no JSON": b"Ada Lovelace",
    "cut off": b'{"full_name": "Ada Lovelace"',
    "after it": b'{"full_name": "Ada Lovelace"} Lovelace',
    "a form": b"full_name=Ada+Lovelace",
    "two keys": b'{"full_name": "Ada Lovelace", "full_name": "Eve"}',
    "a list": b'["Ada Lovelace"]',
    "a text": b'"Ada Lovelace"',
    "null": b"null",
    "a number": b"1",
    "UTF-16": '{"full_name": "Ada Lovelace"}'.encode("utf-16"),
    "Latin-1": '{"full_name": "Ada Lovelace é"}'.encode("latin-1"),
    "a BOM": b'\xef\xbb\xbf{"full_name": "Ada Lovelace"}',
    "deep": b"[" * 30_000 + b"]" * 30_000,
    "deep objects": b'{"full_name":' * 4_000,
    "a long number": b'{"phone": ' + b"1" * 10_000 + b"}",
    "NaN": b'{"phone": NaN}',
    "NUL": b'{"full_name": "Ada Lovelace\\u0000"}',
    "half a surrogate pair": b'{"full_name": "Ada Lovelace \\ud800"}',
    "a surrogate in UTF-8": b'{"full_name": "Ada Lovelace \xed\xa0\x80"}',
    "a control character": b'{"full_name": "Ada\x01 Lovelace"}',
}
MALFORMED_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "a number for a text": ({"phone": 4420}, "phone: Input should be a valid string"),
    "a list for a text": ({"email": ["ada@example.com"]}, "email"),
    "an object for a text": ({"email": {"ada@example.com": 1}}, "email"),
    "a truth value": ({"full_name": True}, "full_name"),
    "a long name": ({"full_name": "Lovelace" * 500}, "full_name: String should have at most 2000"),
    "an empty id": ({"contact_id": ""}, "contact_id"),
    "a blank id": ({"contact_id": "  "}, "contact_id"),
    "a long id": ({"contact_id": "Lovelace" * 50}, "contact_id"),
    "an unknown key": ({"Ada Lovelace": 1}, "an unknown key; known are contact_id, account_id"),
    "many unknown keys": ({f"Lovelace{n}": n for n in range(3_000)}, "an unknown key"),
    "two mistakes": ({"phone": 1, "email": 2}, "phone: "),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_a_422_that_quotes_nothing(
    app: App, desk: FakeDesk, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    assert_refused(app.post(body), 422)
    assert desk.entered == []
    assert "Lovelace" not in caplog.text


@pytest.mark.parametrize(("contact", "said"), MALFORMED_FIELDS.values(), ids=MALFORMED_FIELDS)
def test_a_malformed_field_is_named_and_not_quoted(
    app: App, desk: FakeDesk, contact: dict[str, Any], said: str
) -> None:
    assert_refused(app.post(contact), 422, said)
    assert desk.entered == []


def test_an_empty_object_is_recorded_since_too_little_identity_is_no_error(
    app: App, desk: FakeDesk
) -> None:
    assert app.post({}).status_code == 202
    assert desk.entered[0].contact == EnteredContact()


def test_texts_are_taken_as_they_are_but_for_blanks_around_them(app: App, desk: FakeDesk) -> None:
    assert app.post({"full_name": "  Ada 😀 Łovelace ", "email": None}).status_code == 202
    assert desk.entered[0].contact == EnteredContact(full_name="Ada 😀 Łovelace")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "json",
        "application/xml",
        "application/jsonp",
    ],
)
def test_only_json_is_taken(app: App, desk: FakeDesk, content_type: str) -> None:
    assert_refused(app.post(content_type=content_type), 415, "application/json")
    assert desk.entered == []


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;"]
)
def test_json_is_taken_however_its_type_is_written(app: App, content_type: str) -> None:
    assert app.post(content_type=content_type).status_code == 202


def test_a_body_is_read_up_to_its_limit() -> None:
    body = json.dumps(ADA).encode()
    app = App(limits=EntryLimits(body_bytes=len(body)))
    assert app.post(body).status_code == 202
    assert_refused(app.post(body + b" "), 413, "too large")
    assert len(app.desk.entered) == 1


@pytest.mark.parametrize("length", [None, "3", "9" * 5_000])
def test_a_body_is_counted_while_it_is_read_whatever_its_head_says(
    app: App, desk: FakeDesk, length: str | None
) -> None:
    async def name_of_a_million_letters() -> Any:
        yield b'{"full_name": "'
        for _ in range(1_000):
            yield b"x" * 1_000
        yield b'"}'

    headers = LET_IN | JSON | ({} if length is None else {"content-length": length})
    response = app.ask("POST", CONTACTS, content=name_of_a_million_letters(), headers=headers)
    assert_refused(response, 413, "too large")
    assert response.headers["connection"] == "close"
    assert desk.entered == []


# --- the same request again ---------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k" * 201, "é", "a\tb"])
def test_a_key_is_1_to_200_printable_characters(app: App, desk: FakeDesk, key: str) -> None:
    headers = [*(LET_IN | JSON).items(), ("idempotency-key", key.encode("latin-1"))]
    response = app.ask("POST", CONTACTS, json=ADA, headers=headers)
    assert_refused(response, 422, "Idempotency-Key")
    assert desk.entered == []


@pytest.mark.parametrize("key", ["k", "k" * 200, '"8e03978e-40d5"', "of Ada's"])
def test_a_key_is_told_to_the_desk_as_it_is(app: App, desk: FakeDesk, key: str) -> None:
    assert app.post(idempotency_key=key).status_code == 202
    request = desk.entered[0].request
    assert request is not None
    assert request.key == key


def test_without_a_key_no_request_is_the_same_as_another(app: App, desk: FakeDesk) -> None:
    app.post()
    assert desk.entered[0].request is None


def digest_of(app: App, body: bytes) -> str:
    app.post(body, idempotency_key="k")
    request = app.desk.entered[-1].request
    assert request is not None
    return request.body_sha256


def test_a_body_is_the_same_however_it_is_spelt(app: App) -> None:
    body = b'{"contact_id": "1", "email": "ada@example.com"}'
    for same in (
        b' {"email":"ada@example.com","contact_id":"1"}\n',
        b'{"contact_id": "1", "email": "ada\\u0040example.com", "phone": null}',
    ):
        assert digest_of(app, same) == digest_of(app, body)
    for other in (
        b'{"contact_id": "2", "email": "ada@example.com"}',
        b'{"email": "ada@example.com"}',
        (
            b'{"contact_id": "1", "email": "ada@example.com", '
            b'"notify_url": "https://hooks.example.com/"}'
        ),
    ):
        assert digest_of(app, other) != digest_of(app, body)


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyReusedError(), 422, "this Idempotency-Key came with another body"),
        (StillAnsweringError(), 409, "a request with this Idempotency-Key is being answered"),
        (NotRecordedError("Ada Lovelace"), 503, "could not be recorded, and nothing was bought"),
    ],
)
def test_what_the_desk_refuses_is_told(
    app: App, desk: FakeDesk, error: Exception, status: int, said: str
) -> None:
    desk.comes_to = error
    response = app.post(idempotency_key="k")
    assert_refused(response, status, said)
    assert response.headers.get("retry-after") == (None if status == 422 else "1")


# --- whom to tell -------------------------------------------------------------------------------


def test_a_url_where_somebody_may_be_notified_is_told_to_the_desk(app: App, desk: FakeDesk) -> None:
    url = f"https://{HOOKS}/enriched?of=1"
    assert app.post({**ADA, "notify_url": url}).status_code == 202
    assert desk.entered[0].notify_url == url
    assert desk.entered[0].contact == EnteredContact.model_validate(ADA)


@pytest.mark.parametrize("url", ["", "https://evil.example/", "http://127.0.0.1/"])
def test_any_other_url_is_a_422_that_says_why(app: App, desk: FakeDesk, url: str) -> None:
    response = app.post({**ADA, "notify_url": url})
    assert_refused(response, 422, "notify_url has a host that is not listed")
    assert "evil" not in response.text
    assert desk.entered == []


# --- other methods, other paths, errors ---------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CONTACTS, "POST"),
        ("OPTIONS", CONTACTS, "POST"),
        ("HEAD", CONTACTS, "POST"),
        ("POST", AT_ADA, "DELETE, GET"),
        ("PATCH", AT_ADA, "DELETE, GET"),
        ("HEAD", AT_ADA, "DELETE, GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_other_methods_are_a_405_that_names_the_right_ones(
    app: App, method: str, path: str, allowed: str
) -> None:
    response = app.ask(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/contact", "/v2/contacts", "/metrics", "/redoc"])
def test_other_paths_are_a_404(app: App, path: str) -> None:
    assert app.ask("GET", path).status_code == 404


def test_an_error_that_nobody_foresaw_tells_its_kind_and_not_its_text(
    app: App, desk: FakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.comes_to = desk.taken_back = RuntimeError("Ada Lovelace, ada@example.com")
    assert_refused(app.post(), 500, "an unexpected error")
    assert_refused(app.ask("GET", AT_ADA), 503, "cannot be read now; try again")
    assert_refused(app.ask("DELETE", AT_ADA), 503, "cannot be read now; try again")
    assert "RuntimeError" in caplog.text
    assert "Lovelace" not in caplog.text
    assert "ada@" not in caplog.text


# --- health -------------------------------------------------------------------------------------


def test_it_is_ready_while_contacts_can_be_recorded() -> None:
    app = App(limits=EntryLimits(ping_seconds=0.01))

    async def fail() -> None:
        raise NotRecordedError("Ada Lovelace")

    async def hang() -> None:
        await asyncio.Event().wait()

    assert app.ask("GET", "/readyz", headers={}).text == "ready\n"
    for unwell in (fail, hang):
        app.desk.unwell = unwell
        assert_refused(app.ask("GET", "/readyz", headers={}), 503)
        assert app.ask("GET", "/healthz", headers={}).text == "alive\n"


# --- what is told of requests -------------------------------------------------------------------


def test_the_access_log_has_route_status_time_caller_and_id_and_nothing_else(
    app: App, desk: FakeDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    contact = {**ADA, "contact_id": "ada\n1", "job_title": "Countess"}
    app.post(contact, idempotency_key="key-of-ada", prefer="wait=1")
    app.ask("GET", f"{CONTACTS}/ada@example.com?email=ada@example.com")
    app.ask("GET", "/nowhere/ada@example.com", headers={})
    app.ask("ADA", CONTACTS)
    told = [
        re.sub(r"\d+ ms", "N ms", record.getMessage())
        for record in caplog.records
        if record.name.startswith("enrichment_pipeline")
    ]
    caller = hashlib.sha256(TOKEN.encode()).hexdigest()[:8]
    assert told == [
        f"POST /v1/contacts: 202, N ms, caller {caller}, contact ada%0A1",
        f"GET /v1/contacts/{{contact_id}}: 404, N ms, caller {caller}, contact -",
        "other: 404, N ms, caller -, contact -",
        "other: 405, N ms, caller -, contact -",
    ]


def test_requests_are_counted_by_route_and_status_and_name_nobody() -> None:
    app = App()
    app.post()
    app.post(b"")
    app.ask("GET", AT_ADA)
    app.ask("ADA", "/ada")
    requests = "enrichment_entry_requests_total"
    assert app.count(requests, route="POST /v1/contacts", status="202") == 1
    assert app.count(requests, route="POST /v1/contacts", status="422") == 1
    assert app.count(requests, route="GET /v1/contacts/{contact_id}", status="404") == 1
    assert app.count(requests, route="other", status="404") == 1
    labels = {
        value
        for metric in app.metrics.registry.collect()
        for sample in metric.samples
        for value in sample.labels.values()
    }
    assert not any("ada" in label.lower() for label in labels)


def test_posted_contacts_are_timed_by_what_they_came_to() -> None:
    app = App()
    desk = app.desk
    desk.comes_to = ENRICHED
    app.post()
    desk.comes_to = ENRICHED.model_copy(update={"credits": 0})
    app.post()
    desk.comes_to = QUEUED
    app.post()
    app.post(b"")
    app.ask("GET", AT_ADA)
    seconds = "enrichment_entry_seconds_count"
    counted = {
        outcome: app.count(seconds, outcome=outcome)
        for outcome in ("enriched", "queued", "refused", "in_flight")
    }
    assert counted == {"enriched": 2, "queued": 1, "refused": 1, "in_flight": 0}
    # what was known already, and is answered at no charge
    assert app.count("enrichment_entry_hits_total") == 1
