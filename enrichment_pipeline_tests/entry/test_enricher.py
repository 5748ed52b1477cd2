"""The point of entry from Python, with asyncio and without."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import enrichment_pipeline
from enrichment_pipeline import Enricher, SyncEnricher
from enrichment_pipeline.entry.desk import KeyReusedError
from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline_tests.bought import charged
from enrichment_pipeline_tests.end_to_end.world import FILLERS, small_sandbox, small_settings

_, NAME, EMAIL = FILLERS[0]
CONTACT = {"full_name": NAME, "email": EMAIL}
PATIENT = 10.0


def test_python_gets_what_http_gets(tmp_path: Path):
    with small_sandbox(tmp_path) as sandbox:
        settings = small_settings(tmp_path, sandbox.base_url)

        async def play() -> str:
            async with Enricher(settings) as enricher:
                with pytest.raises(ValueError, match="extra") as caught:
                    await enricher.enrich({**CONTACT, "extra": "a secret"})
                assert "secret" not in str(caught.value)
                found = await enricher.enrich(CONTACT, wait=PATIENT, idempotency_key="one")
                while not found.is_decided:  # on a busy machine
                    found = await enricher.find(found.contact_id) or found
                    await asyncio.sleep(0.05)
                with pytest.raises(KeyReusedError):
                    await enricher.enrich({"email": EMAIL}, idempotency_key="one")
                return found.contact_id

        contact_id = asyncio.run(play())
        with SyncEnricher(settings) as enricher:
            again = enricher.enrich(CONTACT)
            assert (again.contact_id, again.status, again.credits) == (contact_id, "enriched", 0)
            assert again.fields["work_email"].value == EMAIL
            assert enricher.find("nobody") is None
        assert sum(charged(sandbox).values()) == 1


def test_outside_of_its_with_nothing_is_taken():
    with pytest.raises(ConfigurationError):
        asyncio.run(Enricher().enrich(CONTACT))


def test_the_package_gives_nothing_else():
    assert not hasattr(enrichment_pipeline, "Nothing")
