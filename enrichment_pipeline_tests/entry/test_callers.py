"""Who is let in, and how much each caller may ask."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import SecretStr

from enrichment_pipeline.entry.callers import Caller, Callers, TooManyRequestsError


class Seconds:
    """Monotonic time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def callers(seconds: Seconds, *tokens: str, per_second: int = 5, at_once: int = 100) -> Callers:
    return Callers(map(SecretStr, tokens), per_second=per_second, at_once=at_once, now=seconds)


def caller(seconds: Seconds, **limits: int) -> Caller:
    found = callers(seconds, "one", **limits).with_token(b"one")
    assert found is not None
    return found


def served(caller: Caller, requests: int) -> int:
    """How many of so many requests, one after another, are let through."""
    let_through = 0
    for _ in range(requests):
        try:
            with caller.request():
                let_through += 1
        except TooManyRequestsError:
            pass
    return let_through


def test_each_token_is_known_by_its_digest(seconds: Seconds) -> None:
    both = callers(seconds, "one", "zwei für später")
    for token in ("one", "zwei für später"):
        found = both.with_token(token.encode())
        assert found is not None
        assert found.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
        assert both.with_token(token.encode()) is found


@pytest.mark.parametrize(
    "token", [b"", b"on", b"one ", b"One", b"one,two", b"\xff", b"x" * 100_000]
)
def test_another_token_is_nobodys(seconds: Seconds, token: bytes) -> None:
    assert callers(seconds, "one", "two").with_token(token) is None


def test_without_tokens_nobody_is_known(seconds: Seconds) -> None:
    assert callers(seconds).with_token(b"") is None


def test_a_second_holds_so_many_requests_and_the_next_one_as_many_again(seconds: Seconds) -> None:
    one = caller(seconds)
    assert served(one, 20) == 5
    seconds.now += 0.2
    assert served(one, 20) == 1
    seconds.now += 1.0
    assert served(one, 20) == 5


def test_who_was_idle_for_long_has_no_more_than_a_second_s_requests(seconds: Seconds) -> None:
    one = caller(seconds)
    seconds.now += 3_600
    assert served(one, 20) == 5


def test_what_is_refused_does_not_count(seconds: Seconds) -> None:
    one = caller(seconds)
    assert served(one, 100) == 5
    seconds.now += 0.2
    assert served(one, 1) == 1


def test_requests_under_way_are_counted_until_they_end_however_they_do(seconds: Seconds) -> None:
    one = caller(seconds, per_second=100, at_once=2)
    with one.request(), one.request():
        assert served(one, 3) == 0
    with pytest.raises(ZeroDivisionError), one.request():
        raise ZeroDivisionError
    assert served(one, 3) == 3


def test_callers_do_not_count_for_one_another(seconds: Seconds) -> None:
    both = callers(seconds, "one", "two")
    one, two = (both.with_token(token) for token in (b"one", b"two"))
    assert one is not None
    assert two is not None
    assert served(one, 20) == 5
    assert served(two, 20) == 5
