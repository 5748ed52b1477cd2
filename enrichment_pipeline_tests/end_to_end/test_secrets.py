"""What a run that fails leaves behind: never the key, and nothing personal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from enrichment_pipeline import terms
from enrichment_pipeline.errors import PipelineError
from enrichment_pipeline.providers.signalhire.client import SignalHireClient
from enrichment_pipeline_tests.end_to_end.leaks import contents_of_files, leaks, secrets
from enrichment_pipeline_tests.end_to_end.world import (
    CONTACTS,
    EXPECTED,
    KEY,
    PEOPLE,
    outcomes,
    run_here,
    small_sandbox,
    small_settings,
    steps_here,
)
from enrichment_pipeline_tests.support import RunningSandbox


class Unforeseen(Exception):
    """What nobody has thought of."""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    with small_sandbox(tmp_path) as running:
        yield running


def blurt(*_: object, **__: object) -> NoReturn:
    """Fail with everything in the message, and in that of the cause."""
    try:
        raise ValueError(f"{KEY} {CONTACTS}")
    except ValueError as cause:
        raise Unforeseen(f"{KEY} {CONTACTS} {PEOPLE}") from cause


@pytest.mark.parametrize(
    ("step", "part"),
    [
        ("load_contacts", "load_source.load.load_contacts"),
        pytest.param("publish_tables", "publish_tables.publish", marks=pytest.mark.long),
    ],
)
def test_an_unforeseen_error_keeps_its_text_to_itself(
    tmp_path: Path, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, step: str, part: str
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    with monkeypatch.context() as patch:
        patch.setattr(f"enrichment_pipeline.steps.{part}", blurt)
        with pytest.raises(PipelineError, match=rf"{step} failed unexpectedly \(Unforeseen\)") as e:
            run_here(settings, keeps_events=True)
    assert leaks(secrets(), str(e.value), folder=settings.home) == []
    # what failed and where is there all the same
    events = b"".join(content for _, content in contents_of_files(settings.home))
    assert b"failed unexpectedly (Unforeseen)" in events
    assert b"in blurt" in events


@pytest.mark.long
def test_an_unforeseen_error_between_a_reply_and_its_reading_loses_no_answer_and_tells_nothing(
    tmp_path: Path,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings = small_settings(tmp_path, sandbox.base_url)
    with monkeypatch.context() as patch:
        patch.setattr(SignalHireClient, "read", blurt)
        with pytest.raises(PipelineError, match=r"buy_lookups failed unexpectedly \(Unforeseen\)"):
            run_here(settings, keeps_events=True)
    assert leaks(secrets(), *capfd.readouterr(), folder=settings.home) == []
    paid = sandbox.journal.read_text()
    # the reply had been kept, and is read by a run that starts a minute later
    monkeypatch.setattr(terms, "SETTLED_WITHIN", timedelta(0))
    steps_here(settings)
    assert outcomes(settings.home) == EXPECTED
    items = [line.split('"item": ')[1] for line in sandbox.journal.read_text().splitlines()]
    assert len(items) == len(set(items))
    assert sandbox.journal.read_text().startswith(paid)
