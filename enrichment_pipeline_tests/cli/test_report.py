"""`enrichment report`: the page of what is published, and what it says where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end import world
from enrichment_pipeline_tests.end_to_end.leaks import leaks, secrets
from enrichment_pipeline_tests.warehouse import held_by_another_process


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with world.small_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox.base_url


def test_the_page_tells_of_a_run_and_names_nobody(
    enrichment: Command, base_url: str, tmp_path: Path
) -> None:
    settings = world.small_settings(tmp_path, base_url)
    world.run_here(settings)
    policy = {"ENRICHMENT_CONFIG": world.write_policy(tmp_path)}
    # it waits for nobody who writes to the warehouse
    with held_by_another_process(Path(settings.warehouse_url)):
        said = enrichment("report", **policy)
    page = tmp_path / "state" / "report.html"
    assert (said.status, said.err, said.out) == (0, "", f"report: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert "<b>38</b> contacts" in text
    assert "insufficient_identity" in text
    assert leaks(secrets(), text) == []
    assert not list(page.parent.glob(".report*"))

    elsewhere = tmp_path / "elsewhere.html"
    assert enrichment("report", "--out", "elsewhere.html", **policy).status == 0
    assert elsewhere.read_text(encoding="utf-8") == text

    missing = tmp_path / "missing" / "report.html"
    said = enrichment("report", "--out", str(missing), **policy)
    assert said.status == 2
    assert said.err == (
        f"error: --out {missing}: cannot be written (No such file or directory); choose another\n"
    )


def test_before_the_first_run_there_is_nothing_to_report(
    enrichment: Command, tmp_path: Path
) -> None:
    said = enrichment("report")
    assert said.status == 1
    assert said.err == (
        f"error: nothing is published in {tmp_path / 'state' / 'published'} yet; "
        "`enrichment run` makes a start\n"
    )
