"""Hunter's contract: what is asked, what each code means, and what of an answer is shown.

What is asked of every provider is in `conformance/`; here is what is Hunter's alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.providers.base import (
    Balance,
    Checked,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    OutOfCredits,
    ProviderUnavailableError,
    Reading,
    Reply,
    Retriable,
    SlowDown,
    Unconfirmed,
    WrongKeyError,
)
from enrichment_pipeline.providers.hunter.answers import (
    question,
    read_reply,
    read_verification,
)
from enrichment_pipeline.providers.hunter.client import HunterClient, credits_told
from enrichment_pipeline.providers.hunter.facts import HUNTER
from enrichment_pipeline.providers.hunter.faults import FAULTS, VERIFICATION_FAULTS
from enrichment_pipeline.warehouse.verifications import readers
from enrichment_pipeline_tests.properties import draws
from enrichment_pipeline_tests.providers.raw_replies import (
    cut_by,
    profiles_read_by,
    verifications_read_by,
)

ADA, MAIL = "Ada Example @ acme.example", "ada@acme.example"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PAGE = {"domain": "acme.example", "uri": "https://acme.example/team"}
FOUND = {
    "first_name": "Ada",
    "last_name": "Example",
    "email": MAIL,
    "score": 97,
    "domain": "acme.example",
    "accept_all": False,
    "position": "CTO",
    "company": "Acme",
    "linkedin_url": "https://www.linkedin.com/in/ada",
    "phone_number": "+493012345",
    "verification": {"date": "2026-01-01", "status": "valid"},
    "sources": [PAGE],
}
CHECKED = {"status": "valid", "score": 99, "email": MAIL}


def told(data: object) -> bytes:
    return json.dumps({"data": data, "meta": {"params": {}}}).encode()


def found(status: object = "valid", **changes: object) -> dict[str, Any]:
    return {**FOUND, "verification": {"date": None, "status": status}, **changes}


# --- what is asked -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (ADA, {"domain": "acme.example", "full_name": "Ada Example"}),
        ("Ada Example @ Acme Ltd", {"company": "Acme Ltd", "full_name": "Ada Example"}),
        ("what is this", {"full_name": "what is this"}),
        # no name is longer, and no URL has room for more
        (f"{'x' * 900} @ acme.example", {"domain": "acme.example", "full_name": "x" * 200}),
    ],
)
def test_the_finder_is_asked_by_name_and_company_and_given_all_the_time_that_it_takes(
    item: str, expected: dict[str, str]
):
    assert question(item) == {**expected, "max_duration": "20"}


def sent(ask: Callable[[HunterClient], Any], response: httpx.Response) -> tuple[Any, httpx.Request]:
    """What one call to a client gives that is answered so, and the request that it makes."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return response

    async def run() -> Any:
        transport = httpx.MockTransport(answer)
        client = HunterClient("http://hunter.invalid/v2", "the-key", transport=transport)
        try:
            return await ask(client)
        finally:
            await client.close()

    result = asyncio.run(run())
    [request] = requests
    return result, request


@pytest.mark.parametrize(
    ("ask", "path", "query"),
    [
        (lambda client: client.lookup([ADA]), "/v2/email-finder", question(ADA)),
        (lambda client: client.verify(MAIL), "/v2/email-verifier", {"email": MAIL}),
    ],
    ids=["finder", "verifier"],
)
def test_the_key_is_in_a_header_alone_and_the_query_is_sent_and_not_shown(
    ask: Callable[[HunterClient], Any], path: str, query: dict[str, str]
):
    reply, request = sent(ask, httpx.Response(200, content=b"body"))
    assert reply == Reply(200, b"body")
    assert request.method == "GET"
    assert request.headers["x-api-key"] == "the-key"
    # what goes over the wire
    on_the_wire = httpx.URL(f"http://hunter.invalid{request.url.raw_path.decode()}")
    assert (on_the_wire.path, dict(on_the_wire.params)) == (path, query)
    # what a log, an exception or a debugger shows
    for shown in (str(request.url), repr(request.url), repr(request)):
        assert shown.count("http://hunter.invalid" + path) == 1
        assert "?" not in shown


# --- what a code means ---------------------------------------------------------------------


def reading(outcome: Any, units: int = 0, *identifiers: tuple[str, str]) -> Reading:
    is_answer = isinstance(outcome, Matched | NoMatch | LegalStop)
    item = ItemReading(outcome, 0 if is_answer else None, units, identifiers)
    return Reading((item,))


def test_an_address_costs_a_credit_and_none_costs_nothing():
    known_by = (("linkedin", "https://www.linkedin.com/in/ada"), ("email", MAIL))
    assert read_reply(200, told(FOUND)) == reading(Matched(), 1, *known_by)
    for email in (None, ""):
        assert read_reply(200, told({**FOUND, "email": email})) == reading(NoMatch())


@pytest.mark.parametrize(
    ("status", "outcome", "signal"),
    [
        (403, Retriable("rate_limited"), SlowDown),
        (429, OutOfCredits(), Halt),
        (451, LegalStop(), type(None)),
    ],
)
def test_403_asks_to_slow_down_429_tells_of_credits_and_451_ends_it(
    status: int, outcome: object, signal: type
):
    errors = json.dumps({"errors": [{"id": "x", "code": status, "details": "-"}]}).encode()
    for read in (read_reply(status, errors), read_verification(status, errors)):
        outcomes = (
            [each.outcome for each in read.items] if isinstance(read, Reading) else [read.outcome]
        )
        assert outcomes == [outcome]
        assert type(read.signal) is signal


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"<html>", b"{}", b'{"data": null}', b'{"data": {}}'),
        *(b'{"data": {"email": 1}}', b'{"data": {"email": 1, "status": "valid"}}'),
    ],
)
def test_what_is_no_answer_may_have_been_charged(body: bytes):
    in_doubt = Unconfirmed("malformed_body")
    assert [each.outcome for each in read_reply(200, body).items] == [in_doubt]
    assert read_verification(200, body).outcome == in_doubt


@pytest.mark.parametrize(
    ("status", "outcome", "units"),
    [
        *((word, Checked(), 1) for word in ("valid", "invalid", "accept_all")),
        *((word, Checked(), 1) for word in ("webmail", "disposable")),
        ("unknown", Retriable("unknown"), 0),
        ("VALID", Unconfirmed("unknown_status"), 0),
        ("", Unconfirmed("unknown_status"), 0),
    ],
)
def test_a_verification_is_told_by_its_status(status: str, outcome: object, units: int):
    read = read_verification(200, told({**CHECKED, "status": status}))
    assert (read.outcome, read.units, read.is_in_progress) == (outcome, units, False)


def test_what_is_in_progress_is_charged_and_asked_again_and_what_failed_is_free():
    read = read_verification(202, b"")
    assert (read.outcome, read.units) == (Retriable("in_progress"), 1)
    assert read.is_in_progress
    read = read_verification(222, b"")
    assert (read.outcome, read.units, read.is_in_progress) == (
        Retriable("mail_server_failed"),
        0,
        False,
    )


def test_the_finder_knows_neither_202_nor_222():
    """They are of the verifier; here they may have been charged."""
    for status in (202, 222):
        [item] = read_reply(status, told(FOUND)).items
        assert item.outcome == Unconfirmed(f"http_{status}")


def test_the_head_of_the_sql_names_the_reasons_that_are_about_an_address_itself():
    """Those that say nothing of Hunter as a whole: the table gives no signal."""
    [reader] = [each for each in readers() if each.provider == HUNTER.name]
    assert set(reader.failed_by_item) == {
        of.outcome.reason
        for of in VERIFICATION_FAULTS.values()
        if isinstance(of.outcome, Retriable) and of.signal is None
    }


def test_every_code_of_the_tables_is_reached():
    statuses = [*range(200, 600)]
    words = ["valid", "unknown", "odd"]
    not_told = {"not_sent", "no_reply", "http_other"}  # the client's to tell, and any other status
    reached = {
        *(read_reply(status, told({"email": None})).items[0].outcome for status in statuses),
        *(read_reply(200, body).items[0].outcome for body in (b"", told(FOUND))),
    }
    assert reached >= {of.outcome for name, of in FAULTS.items() if name not in not_told}
    checks = [
        *(read_verification(status, b"") for status in statuses),
        *(read_verification(200, told({**CHECKED, "status": word})) for word in words),
    ]
    for name, of in VERIFICATION_FAULTS.items():
        assert (of in checks) == (name not in not_told), name


# --- what of an address is shown -----------------------------------------------------------


@pytest.fixture(scope="module")
def profiles() -> Iterator[Callable[[bytes], list[dict[str, Any]]]]:
    with profiles_read_by(HUNTER.name) as read:
        yield read


@pytest.fixture(scope="module")
def verifications() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    with verifications_read_by(HUNTER.name) as read:
        yield read


Profiles = Callable[[bytes], list[dict[str, Any]]]
Verifications = Callable[..., list[dict[str, Any]]]


def test_an_answer_reads_into_the_common_profile(profiles: Profiles):
    [profile] = profiles(told(FOUND))
    assert profile["unreadable_part"] is None
    assert (profile["uid"], profile["full_name"]) == (None, "Ada Example")
    assert profile["profile_urls"] == ["https://www.linkedin.com/in/ada"]
    points = [
        (each["field"], each["value"], each["status"], each["rating"])
        for each in profile["contact_points"]
    ]
    assert points == [
        ("work_email", MAIL, "verified", "valid"),
        ("direct_phone", "+493012345", "unverified", None),
    ]
    [position] = profile["positions"]
    assert (position["title"], position["company_name"], position["company_website"]) == (
        "CTO",
        "Acme",
        "acme.example",
    )
    assert position["is_current"]


@pytest.mark.parametrize(
    ("status", "changes", "expected"),
    [
        ("valid", {}, ("work_email", "verified")),
        ("valid", {"sources": [], "score": 1}, ("work_email", "verified")),
        ("accept_all", {"score": 90}, ("work_email", "likely")),
        ("accept_all", {"score": 89}, ("work_email", "unverified")),
        ("accept_all", {"score": None}, ("work_email", "unverified")),
        ("accept_all", {"score": 99, "sources": []}, ("work_email", "unverified")),
        ("accept_all", {"score": 99, "sources": None}, ("work_email", "unverified")),
        ("webmail", {"sources": []}, ("personal_email", "likely")),
        ("unknown", {"score": 99}, ("work_email", "unverified")),
        (None, {"score": 99}, ("work_email", "unverified")),
        ("VALID", {}, ("work_email", "unverified")),
        ("deliverable", {}, ("work_email", "unverified")),
        ("invalid", {"score": 99}, None),
        ("disposable", {"score": 99}, None),
    ],
)
def test_an_address_is_as_sure_as_its_verification(
    status: object,
    changes: dict[str, object],
    expected: tuple[str, str] | None,
    profiles: Profiles,
):
    [profile] = profiles(told(found(status, phone_number=None, **changes)))
    points = [(each["field"], each["status"]) for each in profile["contact_points"] or []]
    assert points == ([] if expected is None else [expected])
    assert profile["unreadable_part"] is None


def test_the_name_and_the_company_are_those_that_the_answer_bears(profiles: Profiles):
    """Not those that were asked by, so that the identity check has something to compare."""
    other = found(first_name="Eve", last_name="Fox", domain="brio.example", company=None)
    [profile] = profiles(told(other))
    assert profile["full_name"] == "Eve Fox"
    assert [each["company_website"] for each in profile["positions"]] == ["brio.example"]
    bare = {"email": MAIL}
    [profile] = profiles(told(bare))
    assert (profile["full_name"], profile["positions"]) == (None, None)
    assert [each["status"] for each in profile["contact_points"]] == ["unverified"]


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ("hidden", "the profile"),
        ([FOUND], "the profile"),
        ({**FOUND, "email": [MAIL]}, "one of its texts"),
        ({**FOUND, "first_name": {"given": "Ada"}}, "one of its texts"),
        ({**FOUND, "verification": {"status": ["valid"]}}, "one of its texts"),
        ({**FOUND, "verification": "valid"}, "one of its parts"),
        ({**FOUND, "sources": {"uri": "x"}}, "one of its lists"),
    ],
)
def test_what_has_another_shape_is_told(data: object, part: str, profiles: Profiles):
    [profile] = profiles(told(data))
    assert profile["unreadable_part"] == part


@pytest.mark.parametrize(
    ("data", "is_known_by"),
    [
        (found("valid", sources=[]), True),
        (found("accept_all"), True),
        # a guess may be a namesake's, who would then pass for bought
        (found("accept_all", sources=[]), False),
        (found(None, sources=None), False),
        ({"email": MAIL, "verification": "valid"}, False),
    ],
)
def test_a_guess_is_no_identifier(data: dict[str, object], is_known_by: bool):
    [item] = read_reply(200, told({**data, "linkedin_url": None})).items
    assert item.identifiers == ((("email", MAIL),) if is_known_by else ())


def test_a_reply_is_one_answer_and_comes_back_as_it_was():
    cut = cut_by(HUNTER.name)
    for body in (told(FOUND), told({"email": None}), b'{"errors":[{"code":451}]}'):
        answers = cut(body)
        assert answers == {0: body.decode()}
        assert HUNTER.join_answers(answers) == body
    assert cut(b"no JSON") == {}
    assert cut(HUNTER.join_answers({})) == {0: "null"}


# --- what a verification says --------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "score", "expected"),
    [
        ("valid", 0, "verified"),
        ("accept_all", 90, "likely"),
        ("accept_all", 89, "unverified"),
        ("accept_all", None, "unverified"),
        ("accept_all", "very sure", "unverified"),
        ("webmail", 0, "likely"),
        ("invalid", 100, "withdrawn"),
        ("disposable", 100, "withdrawn"),
        ("unknown", 100, None),
        ("VALID", 100, None),
        ("deliverable", 100, None),
        ("", 100, None),
    ],
)
def test_a_verification_lifts_withdraws_or_says_nothing(
    status: str, score: object, expected: str | None, verifications: Verifications
):
    body = told({"status": status, "score": score, "email": MAIL}).decode()
    assert verifications(body) == [
        {
            "call_id": "0",
            "email": MAIL,
            "status": expected,
            "rating": status,
            "is_personal": status == "webmail",
        }
    ]


WORDS = st.text() | st.sampled_from(["valid", "invalid", "accept_all", "webmail", "unknown"])
NOTHING = {"email": None, "status": None, "rating": None, "is_personal": False}


def test_what_has_another_shape_says_nothing_and_is_no_error(verifications: Verifications):
    bodies = [
        *("", "no JSON", "null", "[]", '"valid"', "{}", '{"data": "valid"}', '{"data": [1]}'),
        *('{"data": {"status": "valid"}}', '{"data": {"status": true, "email": "a@b.example"}}'),
        '{"data": {"status": "valid", "email": ["a@b.example"]}}',
        '{"data": {"status": {"is": "valid"}, "email": "a@b.example"}}',
        '{"errors": [{"id": "x", "code": 451, "details": "-"}]}',
        "[" * 10_000,
    ]
    rows = verifications(*bodies, told(CHECKED).decode())
    assert rows[:-1] == [{"call_id": str(n), **NOTHING} for n in range(len(bodies))]
    assert rows[-1]["status"] == "verified"


@draws(few=25, many=500)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["status", "score", "email", "x"]), inner)
        ),
        max_leaves=8,
    ),
    end=st.integers(0, 60),
)
def test_what_is_booked_as_checked_says_something_and_nothing_else_does(
    data: object, end: int, verifications: Verifications
):
    for body in (told(data), told(data)[:end], told({**CHECKED, "status": data})):
        [row] = verifications(body.decode())
        is_checked = read_verification(200, body).outcome == Checked()
        assert is_checked == (row["status"] is not None)


# --- the balance ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ({"credits": {"used": 0.5, "available": 100}}, 99),
        ({"credits": {"used": 1, "available": 100, "remaining": 149.5}}, 149),
        ({"searches": {"used": 30, "available": 500}, "verifications": {"used": 1}}, 470),
        (
            {
                "credits": {"used": 0, "available": 7},
                "searches": {"used": 0, "available": 500},
            },
            7,
        ),
        ({"credits": {"used": 3, "available": 1}}, -2),
        ({"credits": {"used": None, "available": 1}, "searches": {"used": 0, "available": 5}}, 5),
        ({"credits": {"used": True, "available": 1}}, None),
        ({"credits": {"used": 0, "available": 10**30}}, None),
        ({"credits": {"used": 0, "available": float("nan")}}, None),
        ({"credits": {"used": 0, "available": "unlimited"}}, None),
        ({"verifications": {"used": 0, "available": 9}}, None),
        ({"credits": [1]}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_balance_is_read_of_all_credits_or_of_searches(requests: object, expected: object):
    assert credits_told({"data": {"requests": requests}}) == expected


@pytest.mark.parametrize("account", [None, [], {}, {"data": None}, {"data": {}}, "x"])
def test_an_account_of_another_shape_tells_no_balance(account: object):
    assert credits_told(account) is None


def test_no_balance_and_a_wrong_key_are_told_apart():
    def balance(response: httpx.Response) -> Balance:
        found, request = sent(lambda client: client.balance(), response)
        assert (request.method, request.url.path) == ("GET", "/v2/account")
        return found

    dated = {"date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    document = {"data": {"requests": {"credits": {"used": 1, "available": 100}}}}
    assert balance(httpx.Response(200, json=document, headers=dated)) == Balance(99, NOW)
    with pytest.raises(WrongKeyError):
        balance(httpx.Response(401, json={}))
    # 403 asks to slow down, and says nothing of the key
    for response in (httpx.Response(403, json=document), httpx.Response(200, content=b"<html>")):
        with pytest.raises(ProviderUnavailableError):
            balance(response)
