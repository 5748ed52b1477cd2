"""The limits among themselves, and in what docs/callbacks.md says of them."""

from __future__ import annotations

import re

import pytest

from enrichment_pipeline.ledger.limits import (
    BYTES_PER_BATCH,
    BYTES_PER_ITEM,
    CALLBACKS_PER_BATCH,
    CALLBACKS_PER_ITEM,
)
from enrichment_pipeline.receiver.callback_limits import ReceiverLimits
from enrichment_pipeline.serving.foreground import SHUTDOWN_SECONDS
from enrichment_pipeline_tests.receiver import PROJECT

LIMITS = ReceiverLimits()
PROVIDER_WAITS_SECONDS = 10


@pytest.fixture(scope="module")
def page() -> str:
    return (PROJECT / "docs" / "callbacks.md").read_text(encoding="utf-8")


def test_the_provider_is_answered_before_it_gives_up_and_a_stop_waits_for_that() -> None:
    assert LIMITS.body_bytes <= BYTES_PER_BATCH  # the first body that is let in finds room
    longest = LIMITS.body_seconds + LIMITS.keep_seconds
    assert longest < PROVIDER_WAITS_SECONDS
    assert max(longest, LIMITS.body_seconds + LIMITS.linger_seconds) < SHUTDOWN_SECONDS


def test_the_page_names_the_limits_as_they_are(page: str) -> None:
    megabytes = LIMITS.body_bytes // 1024**2
    for sentence in (
        f"| 408 | the body took longer than {LIMITS.body_seconds:g} s |",
        f"the body is over {megabytes} MB",
        f"over {LIMITS.values:,} values",
        f"could not be committed within {LIMITS.keep_seconds:g} s",
        f"the head took longer than {LIMITS.head_seconds:g} s",
        f"forgotten, for {LIMITS.linger_seconds:g} s",
        f"{CALLBACKS_PER_BATCH} callbacks and {CALLBACKS_PER_ITEM} for each item",
        f"{BYTES_PER_BATCH // 2**20} MB and {BYTES_PER_ITEM // 2**10} KB for each item",
        f"client_max_body_size  {megabytes}m;",
        f"client_header_timeout {LIMITS.head_seconds:g}s;",
    ):
        assert sentence in page


def test_the_page_has_every_status_that_the_app_gives(page: str) -> None:
    package = PROJECT / "enrichment_pipeline"
    sources = [package / "receiver" / "app.py", package / "serving" / "bodies.py"]
    refusals = "".join(source.read_text(encoding="utf-8") for source in sources)
    given = set(re.findall(r"RequestRefusedError\((\d{3}),", refusals)) | {"200", "405"}
    assert set(re.findall(r"^\| (\d{3}) \|", page, re.MULTILINE)) == given


def test_the_proxy_outwaits_the_receiver_and_logs_no_path(page: str) -> None:
    (nginx,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    (read_timeout,) = re.findall(r"proxy_read_timeout +(\d+)s;", nginx)
    assert int(read_timeout) > LIMITS.body_seconds + LIMITS.keep_seconds
    (log_format,) = re.findall(r"log_format callbacks (.*?);", nginx, re.DOTALL)
    variables = set(re.findall(r"\$\w+", log_format))
    assert variables.isdisjoint({"$request", "$request_uri", "$uri", "$http_referer"})
