"""Tokens: who is let in, and how that is found out."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from enrichment_pipeline.callback_urls import CallbackKeys, Callbacks

BATCH = "b" * 32


def keys(*secrets: str) -> CallbackKeys:
    return CallbackKeys(tuple(map(SecretStr, secrets)))


def test_the_url_ends_in_a_token_that_is_accepted() -> None:
    url = Callbacks("https://me.example/base", keys("word")).url("signalhire", BATCH)
    start, token = url.rsplit("/", 1)
    assert start == f"https://me.example/base/callbacks/signalhire/{BATCH}"
    assert keys("word").accepts("signalhire", BATCH, token)


def test_a_token_is_of_one_provider_one_batch_and_one_secret() -> None:
    token = keys("word").token("signalhire", BATCH)
    assert not keys("word").accepts("other", BATCH, token)
    assert not keys("word").accepts("signalhire", "c" * 32, token)
    assert not keys("sword").accepts("signalhire", BATCH, token)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token[:1],
        lambda token: token + "0",
        lambda token: token.upper(),
        lambda token: f" {token}",
        lambda token: "0" * len(token),
        lambda token: "ü" * len(token),
        lambda token: token.replace(token[0], "\N{FULLWIDTH DIGIT ONE}"),
    ],
)
def test_what_is_not_quite_the_token_is_refused(spoil) -> None:
    token = keys("word").token("signalhire", BATCH)
    assert not keys("word").accepts("signalhire", BATCH, spoil(token))


def test_while_a_secret_is_replaced_both_are_accepted_and_the_new_one_signs() -> None:
    both = keys("new", "old")
    assert both.token("signalhire", BATCH) == keys("new").token("signalhire", BATCH)
    for secret in ("new", "old"):
        assert both.accepts("signalhire", BATCH, keys(secret).token("signalhire", BATCH))
    assert not both.accepts("signalhire", BATCH, keys("older").token("signalhire", BATCH))
    # once the old one is gone, so are its tokens
    assert not keys("new").accepts("signalhire", BATCH, keys("old").token("signalhire", BATCH))


class _Watched(bytes):
    """Bytes that may be read, but not compared by what stops at the first difference."""

    def __eq__(self, _other: object) -> bool:
        raise AssertionError("compared with ==")

    __ne__ = __eq__
    __hash__ = bytes.__hash__


class _WatchedToken(str):
    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return _Watched(str.encode(self, encoding, errors))

    def __eq__(self, _other: object) -> bool:
        raise AssertionError("compared with ==")

    __ne__ = __eq__
    __hash__ = str.__hash__


@pytest.mark.parametrize("secret", ["word", "sword"])
def test_the_time_of_a_comparison_tells_nothing_of_the_token(secret: str) -> None:
    given = _WatchedToken(keys(secret).token("signalhire", BATCH))
    assert keys("word").accepts("signalhire", BATCH, given) is (secret == "word")


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(Callbacks("https://me.example", keys("hidden")))
