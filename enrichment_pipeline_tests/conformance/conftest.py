"""Fixtures of the conformance tests: each provider's case, and the made-up ones' registration."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from enrichment_pipeline.ledger.store import LedgerStore, open_store
from enrichment_pipeline.providers.registry import PROVIDERS
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline_tests.conformance import Case
from enrichment_pipeline_tests.conformance.cases import CASES
from enrichment_pipeline_tests.conformance.madeup.acme.facts import ACME
from enrichment_pipeline_tests.conformance.madeup.birch.facts import BIRCH
from enrichment_pipeline_tests.databases import migrated_sqlite


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line in the registry each, and a folder where the warehouse looks for it."""
    for facts in (ACME, BIRCH):
        monkeypatch.setitem(PROVIDERS, facts.name, facts)
    folders = files("enrichment_pipeline_tests.conformance.madeup")
    madeup = [common_profile.reading_in(folders.joinpath(facts.name)) for facts in (ACME, BIRCH)]
    every = (*common_profile.readings(), *madeup)
    monkeypatch.setattr(common_profile, "readings", lambda: every)


@pytest.fixture(params=CASES.values(), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LedgerStore]:
    store = open_store(migrated_sqlite(tmp_path / "ledger.sqlite"))
    yield store
    store.close()
