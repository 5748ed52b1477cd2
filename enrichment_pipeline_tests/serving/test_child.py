"""A server as a child: up while it is wanted, and its one line where it does not start."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from enrichment_pipeline.serving.child import ChildServerError, child_server

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"ENRICHMENT_HOME": str(tmp_path), "ENRICHMENT_CALLBACK_SECRET": "word"}


def test_it_serves_until_it_is_no_longer_wanted(environment: dict[str, str]) -> None:
    with child_server("receiver", ["--metrics-port", "0"], environment) as url:
        assert httpx.get(f"{url}/healthz").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/healthz")


def test_why_it_does_not_start_is_told_in_its_own_line(environment: dict[str, str]) -> None:
    environment["ENRICHMENT_CALLBACK_SECRET"] = ""
    with (
        pytest.raises(ChildServerError, match=r"^error: ENRICHMENT_CALLBACK_SECRET: not set"),
        child_server("receiver", ["--metrics-port", "0"], environment),
    ):
        pass
