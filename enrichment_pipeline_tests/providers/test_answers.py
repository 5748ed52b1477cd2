"""What SignalHire's replies mean: every status of a request and of an item, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.providers.base import (
    Failing,
    Halt,
    ItemReading,
    LegalStop,
    Matched,
    NoMatch,
    Outcome,
    OutOfCredits,
    Reading,
    Retriable,
    SlowDown,
    Unconfirmed,
)
from enrichment_pipeline.providers.signalhire.answers import (
    echo_key,
    read_reply,
    read_submission,
)
from enrichment_pipeline.sandbox.directory import identify
from enrichment_pipeline_tests.properties import draws

ADA = "ada@crowd.example"
BOB = "https://www.linkedin.com/in/bob"


def told(reading: Reading) -> list[tuple[Outcome, int | None]]:
    """The outcome of each item, and the position of its answer."""
    return [(item.outcome, item.answer_index) for item in reading.items]


def answer(item: object, status: object, **more: object) -> dict[str, object]:
    found = {"candidate": {"uid": "u"}} if status == "success" else {}
    return {"item": item, "status": status, **found, **more}


def read(*answers: object, items: tuple[str, ...] = (ADA, BOB)) -> Reading:
    return read_reply(200, json.dumps(answers).encode(), items)


def outcomes(reading: Reading) -> list[Outcome]:
    return [item.outcome for item in reading.items]


def test_a_request_is_taken_whatever_is_told_of_its_number() -> None:
    for body in (b"", b"?", b"[" * 100_000, b"[1]", b'{"requestId": null}'):
        accepted = read_submission(201, body)
        assert accepted is not None
        assert accepted.request_ref is None


# --- the status of a request -------------------------------------------------------------


@pytest.mark.parametrize(
    ("http_status", "outcome", "signal"),
    [
        (401, Retriable("wrong_key"), Halt),
        (402, OutOfCredits(), Halt),
        (403, Retriable("not_allowed"), Halt),
        (404, Retriable("no_such_endpoint"), Halt),
        (406, Retriable("not_acceptable"), Halt),
        (422, Retriable("wrong_parameters"), Halt),
        (429, Retriable("rate_limited"), SlowDown),
        (451, LegalStop(), Halt),
        (100, Unconfirmed("http_100"), Failing),
        (201, Unconfirmed("http_201"), Failing),
        (204, Unconfirmed("http_204"), Failing),
        (301, Retriable("redirected"), Halt),
        (302, Retriable("redirected"), Halt),
        (303, Unconfirmed("http_303"), Failing),
        (307, Retriable("redirected"), Halt),
        (308, Retriable("redirected"), Halt),
        (400, Unconfirmed("http_400"), Failing),
        (418, Unconfirmed("http_418"), Failing),
        (500, Unconfirmed("http_500"), Failing),
        (502, Unconfirmed("http_502"), Failing),
        (503, Unconfirmed("http_503"), Failing),
        (504, Unconfirmed("http_504"), Failing),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "x"}', b"[]"])
def test_every_http_status_but_200_says_the_same_of_all_items(
    http_status: int, outcome: Outcome, signal: type, body: bytes
):
    reading = read_reply(http_status, body, [ADA, BOB])
    assert outcomes(reading) == [outcome, outcome]
    assert isinstance(reading.signal, signal)
    assert {item.answer_index for item in reading.items} == {None}


def test_a_halt_tells_what_to_do():
    for http_status in (401, 402, 403, 404, 406, 422, 451):
        signal = read_reply(http_status, b"", [ADA]).signal
        assert isinstance(signal, Halt)
        assert str(http_status) in signal.message
        assert ADA not in signal.message


# --- the status of an item ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("success", Matched()),
        ("failed", NoMatch()),
        ("credits_are_over", OutOfCredits()),
        ("duplicate_query", Retriable("duplicate_query")),
        ("timeout_exceeded", Retriable("timeout_exceeded")),
        ("SUCCESS", Unconfirmed("unknown_status")),
        ("something new", Unconfirmed("unknown_status")),
        ("", Unconfirmed("unknown_status")),
        (None, Unconfirmed("no_status")),
        (7, Unconfirmed("no_status")),
        (["success"], Unconfirmed("no_status")),
    ],
)
def test_every_status_of_an_item_has_its_outcome(status: object, outcome: Outcome):
    reading = read(answer(BOB, "failed"), answer(ADA, status))
    assert told(reading) == [(outcome, 1), (NoMatch(), 0)]


def test_an_item_that_the_answer_passes_over_may_have_been_charged():
    reading = read(answer(BOB, "success"))
    assert told(reading) == [(Unconfirmed("missing_from_answer"), None), (Matched(), 0)]
    assert reading.signal is None


def test_an_answer_that_passes_over_everything_is_a_failure_of_the_provider():
    assert read().signal == Failing("nothing_answered")
    assert outcomes(read()) == [Unconfirmed("missing_from_answer")] * 2


def test_credits_that_are_over_stop_the_run_whatever_else_was_answered():
    signal = read(answer(ADA, "success"), answer(BOB, "credits_are_over")).signal
    assert isinstance(signal, Halt)
    assert signal.reason == "out_of_credits"


@pytest.mark.parametrize("status", ["success", "failed", "duplicate_query", "timeout_exceeded"])
def test_other_answers_say_nothing_of_the_provider(status: str):
    assert read(answer(ADA, status), answer(BOB, status)).signal is None


@pytest.mark.parametrize("candidate", [None, [], "text", 0, False])
def test_a_success_without_a_candidate_is_no_answer(candidate: object):
    reading = read(answer(ADA, "success", candidate=candidate), answer(BOB, "failed"))
    assert reading.items[0] == ItemReading(Unconfirmed("success_without_candidate"), 0)
    bare = read({"item": ADA, "status": "success"}, answer(BOB, "failed"))
    assert bare.items[0].outcome == Unconfirmed("success_without_candidate")


def test_an_empty_candidate_is_one():
    """Anything in a profile may be null or empty, and it was charged."""
    assert read(answer(ADA, "success", candidate={})).items[0].outcome == Matched()


# --- unsolicited answers, and what is answered twice --------------------------------------


@pytest.mark.parametrize(
    "stray",
    [
        answer("other@else.example", "success"),
        answer(None, "success"),
        answer(3, "success"),
        {"status": "success"},
        {},
        [],
        [answer(ADA, "success")],
        "success",
        None,
        1.5,
    ],
)
def test_unsolicited_answers_are_counted_and_never_applied(stray: object):
    reading = read(stray, answer(ADA, "failed"), stray, answer(BOB, "success"))
    assert told(reading) == [(NoMatch(), 1), (Matched(), 3)]
    assert reading.unsolicited_answers == 2


def test_of_two_answers_a_success_without_a_profile_counts_more_than_a_failure():
    """It may have been billed, which the failure denies."""
    told = {"item": ADA, "status": "success"}
    for answers in ([answer(ADA, "failed"), told], [told, answer(ADA, "failed")]):
        [item] = read_reply(200, json.dumps(answers).encode(), [ADA]).items
        assert item.outcome == Unconfirmed("success_without_candidate"), answers


@pytest.mark.parametrize(
    ("statuses", "index"),
    [
        (["failed", "success"], 1),
        (["success", "failed"], 0),
        (["duplicate_query", "success", "failed"], 1),
        (["success", "success"], 0),
        (["failed", "failed"], 0),
    ],
)
def test_of_two_answers_to_one_item_a_success_counts(statuses: list[str], index: int):
    reading = read(*(answer(ADA, status) for status in statuses), items=(ADA,))
    assert reading.items[0].answer_index == index
    assert reading.unsolicited_answers == 0


@pytest.mark.parametrize("empty_first", [True, False])
def test_a_success_with_a_candidate_counts_more_than_one_without(empty_first: bool):
    pair = [answer(ADA, "success", candidate=None), answer(ADA, "success")]
    reading = read(*(pair if empty_first else reversed(pair)), items=(ADA,))
    assert told(reading) == [(Matched(), int(empty_first))]


# --- bodies that cannot be read ----------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{}",
        b'{"item": "ada@crowd.example", "status": "success"}',
        b'"success"',
        b"7",
        b"true",
        b"[",
        b'[{"item": "ada@crowd.example", "status": "success", "candidate": {"uid": "u"',
        b"[]]",
        b"<html><body>502</body></html>",
        b"\xff\xfe\x00",
        b'[{"item": "\xe9"}]',
        b"[" * 200_000,
        b'[{"item": "ada@crowd.example", "candidate": ' + b"[" * 200_000,
        b"[" + b"9" * 10_000 + b"]",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_cannot_be_read_leaves_everything_unconfirmed(body: bytes):
    reading = read_reply(200, body, [ADA, BOB])
    assert outcomes(reading) == [Unconfirmed("malformed_body")] * 2
    assert reading.signal == Failing("malformed_body")


@given(
    http_status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["item", "status", "candidate"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    items=st.lists(st.text(), max_size=4),
)
@draws(few=50, many=500)
def test_nothing_from_outside_makes_reading_fail(http_status: int, body: bytes, items: list[str]):
    assert len(read_reply(http_status, body, items).items) == len(items)


# --- items echoed in another form --------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("ada@crowd.example", "ADA@Crowd.Example"),
        ("ada@crowd.example", "  ada@crowd.example "),
        ("+491511234567", "491511234567"),
        ("+491511234567", "+49 151 123-45.67"),
        ("+491511234567", "+49 (151) 1234567"),
        ("https://www.linkedin.com/in/bob", "http://linkedin.com/in/bob/"),
        ("https://www.linkedin.com/in/bob", "https://de.linkedin.com/in/Bob?trk=x#top"),
        ("https://www.linkedin.com/in/bob", "linkedin.com/in/bob"),
        ("https://www.linkedin.com/in/bob", "https://www.linkedin.com/mwlite/in/bob"),
        ("https://www.linkedin.com/in/bob", "https://www.linkedin.com/in/bob/details/skills"),
        ("https://www.linkedin.com/in/%C3%A9mile", "https://www.linkedin.com/in/émile"),
        ("https://www.linkedin.com/in/%C3%89MILE", "https://www.linkedin.com/in/émile"),
        ("https://www.linkedin.com/in/%c3%a9mile", "https://www.linkedin.com/in/%C3%A9mile"),
        ("https://www.linkedin.com/in/e%CC%81mile", "https://www.linkedin.com/in/émile"),
        ("a" * 32, "A" * 32),
    ],
)
def test_an_item_is_known_again_in_another_form(sent: str, echoed: str):
    reading = read(answer(echoed, "success"), items=(sent,))
    assert told(reading) == [(Matched(), 0)]
    assert reading.unsolicited_answers == 0


@pytest.mark.parametrize(
    ("sent", "other"),
    [
        ("ada@crowd.example", "ada@other.example"),
        ("+491511234567", "+491511234568"),
        ("https://www.linkedin.com/in/bob", "https://www.linkedin.com/in/bob2"),
        ("https://www.linkedin.com/in/bob", "bob"),
        ("https://www.linkedin.com/in/491511234567", "+491511234567"),
        ("1" * 32, "+" + "1" * 32),
        ("a" * 32, "b" * 32),
    ],
)
def test_an_item_is_not_taken_for_another(sent: str, other: str):
    reading = read(answer(other, "success"), items=(sent,))
    assert reading.items[0].outcome == Unconfirmed("missing_from_answer")
    assert reading.unsolicited_answers == 1


STRASSE, STRASZE = (f"https://www.linkedin.com/in/{slug}" for slug in ("strasse", "straße"))


@pytest.mark.parametrize("swaps", [False, True])
@pytest.mark.parametrize("echo", [STRASZE, "https://linkedin.com/in/stra%C3%9Fe"])
def test_items_that_differ_in_their_sent_form_only_have_an_answer_each(echo: str, swaps: bool):
    answers = [answer(STRASSE, "success"), answer(echo, "success")]
    reading = read(*(reversed(answers) if swaps else answers), items=(STRASSE, STRASZE))
    assert [item.answer_index for item in reading.items] == [int(swaps), int(not swaps)]
    assert reading.unsolicited_answers == 0


def test_the_answer_to_one_item_is_not_given_to_another_that_is_like_it():
    reading = read(answer(STRASSE, "success"), items=(STRASZE, STRASSE))
    assert outcomes(reading) == [Unconfirmed("missing_from_answer"), Matched()]


@given(
    item=st.one_of(
        st.from_regex(r"[a-zA-Z0-9.]{1,8}@[a-zA-Z]{1,8}\.example", fullmatch=True),
        st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True),
        st.from_regex(r"[0-9a-zA-Z]{32}", fullmatch=True),
        st.from_regex(r"https://www\.linkedin\.com/in/[a-z0-9-]{1,12}", fullmatch=True),
    )
)
@draws(few=50, many=500)
def test_an_item_is_known_again_in_the_form_in_which_the_sandbox_normalises_it(item: str):
    normalised = identify(item)
    assert normalised is not None
    assert echo_key(item) == echo_key(normalised)


# --- whose an answer is ------------------------------------------------------------------


def identifiers(candidate: object) -> tuple[tuple[str, str], ...]:
    reading = read(answer(ADA, "success", candidate=candidate))
    assert (reading.items[0].outcome, reading.items[0].units) == (Matched(), 1)
    return reading.items[0].identifiers


def test_what_names_one_person_is_given_and_what_several_may_share_is_not():
    candidate = {
        "uid": "U1",
        "contacts": [
            {"type": "email", "value": "ada@acme.com", "subType": "work"},
            {"type": "email", "value": "ada@home.net", "subType": None},
            {"type": "phone", "value": "+14155552671", "subType": "mobile"},
            {"type": "phone", "value": "+14155550000", "subType": "work_phone"},
            {"type": "skype", "value": "ada"},
        ],
        "social": [{"type": "li", "link": "https://www.linkedin.com/in/ada"}],
    }
    assert set(identifiers(candidate)) == {
        ("uid", "U1"),
        ("linkedin", "https://www.linkedin.com/in/ada"),
        ("email", "ada@acme.com"),
        ("email", "ada@home.net"),
        ("phone", "+14155552671"),
    }


@pytest.mark.parametrize(
    "candidate",
    [
        {"uid": None, "contacts": None, "social": None},
        {"uid": 7, "contacts": [{"type": "email"}], "social": [{}]},
        {"contacts": "none"},
        {"contacts": [None]},
        {},
    ],
)
def test_a_profile_that_tells_nothing_is_found_all_the_same(candidate: object):
    assert identifiers(candidate) == ()


def test_who_was_not_found_gives_no_identifier():
    reading = read(answer(ADA, "failed", candidate={"uid": "U1"}))
    assert reading.items[0].identifiers == ()
