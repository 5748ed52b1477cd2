"""For how long a client would wait: what of `Prefer` is honoured, and what is ignored."""

from __future__ import annotations

from datetime import timedelta

import pytest

from enrichment_pipeline.entry.preferences import preferred_wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["wait=5"], 5),
        (["wait=0"], 0),
        (["WAIT=5"], 5),
        (["wait = 5"], 5),
        (['wait="5"'], 5),
        (["wait=5; because=why"], 5),
        (["respond-async, wait=5"], 5),
        (["respond-async", "wait=5"], 5),
        (["wait=5, wait=6"], 5),  # the first one counts
        (["wait=10"], 10),
        (["wait=11"], 10),
        (["wait=999999999"], 10),
    ],
)
def test_wait_is_honoured_up_to_ten_seconds(headers: list[str], seconds: int) -> None:
    assert preferred_wait(headers) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "header",
    [
        *("", "wait", "wait=", "wait=-1", "wait=1.5", "wait=soon", "wait=²", "wait=" + "9" * 5_000),
        *("waiting=5", "respond-async", "=5", ",,;=;,", "return=minimal"),
    ],
)
def test_what_cannot_be_read_is_ignored(header: str) -> None:
    assert preferred_wait([header]) is None
