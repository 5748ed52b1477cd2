"""`enrichment report`: the page of what is published, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end.leaks import leaks, secrets
from enrichment_pipeline_tests.warehouse import held_by_another_process


def test_the_page_tells_of_a_run_and_names_nobody(ours: Command, tmp_path: Path) -> None:
    # it waits for nobody who writes to the warehouse
    with held_by_another_process(tmp_path / "state" / "warehouse.duckdb"):
        said = ours("report")
    page = tmp_path / "state" / "report.html"
    assert (said.status, said.err, said.out) == (0, "", f"report: {page}\n")
    text = page.read_text(encoding="utf-8")
    assert "<b>38</b> contacts" in text
    assert "insufficient_identity" in text
    assert leaks(secrets(), text) == []
    assert not list(page.parent.glob(".report*"))

    elsewhere = tmp_path / "elsewhere.html"
    assert ours("report", "--out", "elsewhere.html").status == 0
    assert elsewhere.read_text(encoding="utf-8") == text

    missing = tmp_path / "missing" / "report.html"
    said = ours("report", "--out", str(missing))
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
