"""`enrichment suppress`: what it takes, what it says, and that it holds in the next run."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enrichment_pipeline.run import Run
from enrichment_pipeline.settings import load_settings
from enrichment_pipeline.steps.context import RunContext
from enrichment_pipeline.steps.load_source import load_contacts
from enrichment_pipeline.steps.prepare import open_state
from enrichment_pipeline.stores import Stores
from enrichment_pipeline_tests.cli.conftest import Command
from enrichment_pipeline_tests.end_to_end.world import KEY, contents

ADA = "ada@acme.com"


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_it_counts_what_is_new_and_keeps_hashes_only(enrichment: Command, tmp_path: Path) -> None:
    said = enrichment("suppress", ADA, "acme.com", "contact:C-17")
    assert (said.status, said.out.split(";")[0]) == (0, "3 newly suppressed")
    again = enrichment("suppress", ADA.upper())
    assert again.out.startswith("0 newly suppressed")
    kept = everything_under(tmp_path / "state")
    assert hashlib.sha256(ADA.encode()).hexdigest().encode() in kept
    assert ADA.encode() not in kept


def test_a_file_gives_one_identifier_per_line(enrichment: Command, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"\ufeff{ADA}\n\n  bob@brio.com \n", encoding="utf-8")
    assert enrichment("suppress", "--file", "list.txt").out.startswith("2 newly suppressed")


def test_a_list_can_be_piped_in(enrichment: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ADA}\nacme.com\n"))
    assert enrichment("suppress", "--file", "-").out.startswith("2 newly suppressed")


def test_lifting_takes_it_back(enrichment: Command) -> None:
    enrichment("suppress", ADA)
    assert enrichment("suppress", "--lift", ADA, "bob@brio.com").out.startswith("1 lifted")
    assert enrichment("suppress", ADA).out.startswith("1 newly suppressed")


REFUSED: list[tuple[tuple[str, ...], str]] = [
    ((), "no identifier is given"),
    ((" ",), "no identifier is given"),
    ((ADA, "Ada Example"), "identifiers 2: cannot be read, so nothing was suppressed"),
    (("--file", "missing.txt"), "--file missing.txt: cannot be read"),
    (("--file", "binary"), "it is not UTF-8 text"),
]


def test_what_it_cannot_take_is_one_line_and_suppresses_nobody(
    enrichment: Command, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for arguments, complaint in REFUSED:
        said = enrichment("suppress", *arguments)
        assert (said.status, said.out) == (2, ""), arguments
        assert complaint in said.err
        assert said.err.count("\n") == 1
        assert "Ada" not in said.err
    assert enrichment("suppress", ADA).out.startswith("1 newly suppressed")


class Terminal(io.StringIO):
    """Somebody at a keyboard, who types this."""

    def isatty(self) -> bool:
        return True


def test_a_mail_providers_domain_is_refused_where_nobody_can_be_asked(enrichment: Command) -> None:
    said = enrichment("suppress", ADA, "GMail.com")
    assert (said.status, said.out) == (2, "")
    assert said.err == (
        "error: gmail.com: a mail provider's; this would suppress 0 contacts of the source; "
        "--yes says that they are meant\n"
    )
    assert enrichment("suppress", ADA, "me@gmail.com").out.startswith("2 newly suppressed")
    assert enrichment("suppress", "gmail.com", "--yes").out.startswith("1 newly suppressed")
    assert enrichment("suppress", "gmail.com", "--lift").out.startswith("1 lifted")


def test_whoever_suppresses_a_mail_provider_is_told_how_many_that_is_and_asked(
    enrichment: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "contacts.csv").write_text(
        "contact_id,email\nC1,ada@gmail.com\nC2,bob@brio.com\nC3,ada@gmail.com\n"
    )
    policy = tmp_path / "enrichment.toml"
    policy.write_text('[source]\nattach = "source"\ncontacts = "select * from contacts"\n')
    with monkeypatch.context() as patch:
        patch.setenv("ENRICHMENT_HOME", str(tmp_path / "state"))
        patch.setenv("ENRICHMENT_CONFIG", str(policy))
        stores = Stores(load_settings(needs_key=False))
    open_state(stores)
    load_contacts(RunContext(stores, Run("load", datetime.now(UTC))))
    for typed, outcome in (
        ("n\n", "nothing was suppressed"),
        ("\n", "nothing was suppressed"),
        ("y\n", "1 newly suppressed"),
    ):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        said = enrichment("suppress", "gmail.com", ENRICHMENT_CONFIG=policy)
        assert said.status == 0, said.err
        asked = "gmail.com: a mail provider's; this would suppress 2 contacts of the source"
        assert asked in said.out
        assert outcome in said.out


def test_the_plan_leaves_out_whom_the_command_and_the_source_suppress(
    enrichment: Command, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "contacts.csv").write_text(
        "contact_id,email\nC1,ada@acme.com\nC2,bob@brio.com\nC3,eve@cato.com\n"
    )
    (tmp_path / "source" / "opted_out.csv").write_text("who\nbob@brio.com\n")
    policy = tmp_path / "enrichment.toml"
    policy.write_text(
        '[source]\nattach = "source"\ncontacts = "select * from contacts"\n'
        'suppressions = "select who as identifier from opted_out"\n'
    )
    variables = {"ENRICHMENT_CONFIG": policy, "SIGNALHIRE_API_KEY": KEY}
    enrichment("suppress", ADA)
    said = enrichment("plan", "--freshness", "new", "--priority", "bulk", **variables)
    assert said.status == 0, said.err
    assert "│ new|bulk │        1 │        1 │" in said.out
    assert contents(tmp_path / "state")["staging.suppressions"] == []


def test_a_source_list_that_cannot_be_read_stops_before_anything_is_bought(
    enrichment: Command, tmp_path: Path
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "contacts.csv").write_text("contact_id,email\nC1,ada@acme.com\n")
    (tmp_path / "source" / "opted_out.csv").write_text("identifier\nbob@brio.com\nBob\n")
    policy = tmp_path / "enrichment.toml"
    policy.write_text(
        '[source]\nattach = "source"\ncontacts = "select * from contacts"\n'
        'suppressions = "select * from opted_out"\n'
    )
    said = enrichment("plan", ENRICHMENT_CONFIG=policy)
    assert said.status == 2
    assert said.err.startswith("error: [source] suppressions: rows 2: cannot be read")
