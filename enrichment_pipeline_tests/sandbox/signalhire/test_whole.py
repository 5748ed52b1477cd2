"""The whole of it: `enrichment sandbox` as `child_server` starts it, a client and a receiver."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from enrichment_pipeline.serving.child import ChildServerError, child_server
from enrichment_pipeline_tests.sandbox import journal_lines
from enrichment_pipeline_tests.sandbox.signalhire import (
    UID_OF_ADA,
    UID_OF_BOB,
    some_people,
)
from enrichment_pipeline_tests.sandbox.signalhire.receiver import receiver, wait_until

ADA, BOB, NOBODY = "ada@acme.example", "bob@brio.example", "nobody@acme.example"

pytestmark = pytest.mark.timeout(60)


def test_both_modes_over_the_command(tmp_path: Path) -> None:
    some_people(tmp_path)
    journal, deliveries = tmp_path / "journal.jsonl", tmp_path / "deliveries.jsonl"
    options = [
        *("--people", str(tmp_path / "people.csv")),
        *("--journal", str(journal)),
        *("--deliveries", str(deliveries)),
        *("--callback-parts", "2"),
        *("--callback-retry-seconds", "0"),
    ]
    with (
        receiver(500) as target,
        child_server("sandbox", options) as base_url,
        httpx.Client(base_url=base_url, headers={"apikey": "sandbox"}) as client,
    ):
        at_once = client.post("/candidate/search", json={"items": [ADA], "withoutWaterfall": True})
        assert at_once.json()[0]["candidate"]["uid"] == UID_OF_ADA
        later = client.post(
            "/candidate/search", json={"items": [BOB, NOBODY], "callbackUrl": target.url}
        )
        assert (later.status_code, later.json()) == (201, {"requestId": 2})
        wait_until(lambda: deliveries.exists() and len(journal_lines(deliveries)) == 3)
        received = target.received
        assert {post.request_id for post in received} == {"2"}
        assert sorted({(item,) for post in received for item in post.items}) == [(BOB,), (NOBODY,)]
        assert {post.content_type for post in received} == {"application/json"}
    assert [(line["request"], line["uid"]) for line in journal_lines(journal)] == [
        (1, UID_OF_ADA),
        (2, UID_OF_BOB),
    ]
    lines = journal_lines(deliveries)
    assert Counter((line["attempt"], line["status"], line["acknowledged"]) for line in lines) == {
        (1, 500, False): 1,
        (1, 200, True): 1,
        (2, 200, True): 1,
    }
    assert {(line["request"], line["part"], *line["items"]) for line in lines} == {
        (2, 0, BOB),
        (2, 1, NOBODY),
    }


def test_a_callback_lost_on_purpose_is_charged_noted_and_never_comes(tmp_path: Path) -> None:
    some_people(tmp_path)
    journal, deliveries = tmp_path / "journal.jsonl", tmp_path / "deliveries.jsonl"
    options = [
        *("--people", str(tmp_path / "people.csv")),
        *("--journal", str(journal)),
        *("--deliveries", str(deliveries)),
        *("--callback-concurrency", "1"),
        *("--charge-when", "after_response"),
        *("--fault", "lost=0.5"),
    ]
    with (
        receiver() as target,
        child_server("sandbox", options) as base_url,
        httpx.Client(base_url=base_url, headers={"apikey": "sandbox"}) as client,
    ):
        for n in range(20):
            body = {"items": [ADA, str(n)], "callbackUrl": target.url}
            assert client.post("/candidate/search", json=body).status_code == 201
        wait_until(lambda: deliveries.exists() and len(journal_lines(deliveries)) == 20)
        came = {post.request_id for post in target.received}
    assert len(journal_lines(journal)) == 20
    lost = {str(line["request"]) for line in journal_lines(deliveries) if line["attempt"] == 0}
    assert lost.isdisjoint(came)
    assert len(lost | came) == 20
    assert lost
    assert came


def test_a_fault_that_does_not_exist_is_said_in_one_line() -> None:
    with (
        pytest.raises(ChildServerError, match=r"--fault lots=1: no fault 'lots'.*late.*or all"),
        child_server("sandbox", ["--fault", "lots=1"]),
    ):
        pass
