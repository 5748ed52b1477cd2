"""What reaches a terminal: no escape sequences of somebody else's, and no bar without work."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from enrichment_pipeline.cli.printable import printable
from enrichment_pipeline.cli.terminal import ProgressBar, table
from enrichment_pipeline_tests.cli.conftest import Command

HOSTILE = "\x1b]0;owned\x07\x1b[31mname"


def screen() -> tuple[Console, io.StringIO]:
    shown = io.StringIO()
    return Console(file=shown, force_terminal=True, no_color=True, width=80), shown


def test_a_column_of_the_source_cannot_write_to_the_terminal(
    enrichment: Command, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "contacts.csv").write_text(f"contact_id,{HOSTILE}\nC1,x\n", encoding="utf-8")
    policy = tmp_path / "enrichment.toml"
    policy.write_text(f'[source]\nattach = "{source}"\ncontacts = "select * from contacts"\n')
    said = enrichment("plan", ENRICHMENT_CONFIG=policy)
    assert (said.status, said.err) == (0, "")
    assert "that nothing reads: contacts.\\x1b]0;owned\\x07\\x1b[31mname\n" in said.out
    assert "\x1b]" not in said.out

    (source / "contacts.csv").write_text(f"id,{HOSTILE}\nC1,x\n", encoding="utf-8")
    said = enrichment("plan", ENRICHMENT_CONFIG=policy)
    assert said.status == 2
    assert "\\x1b]0;owned" in said.err
    assert "\x1b]" not in said.err


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 株式会社 é", "Zoë 株式会社 é"),
        (HOSTILE, "\\x1b]0;owned\\x07\\x1b[31mname"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_only_what_can_be_seen_is_printed(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_cell_is_text_and_no_markup() -> None:
    console, shown = screen()
    console.print(table("T", ("name", "n"), [(HOSTILE, 1), ("[red]x[/red]", 2)]))
    assert "\x1b]" not in shown.getvalue()
    assert "[red]x[/red]" in shown.getvalue()


@pytest.mark.parametrize("lookups", [0, 3])
def test_a_bar_stays_on_the_screen_only_where_there_was_something_to_do(lookups: int) -> None:
    console, shown = screen()
    bar = ProgressBar(console)
    with bar.shown():
        bar.add_total(lookups)
    console.print("Done")
    left = shown.getvalue().rpartition("\x1b[2K")[2] if not lookups else shown.getvalue()
    assert ("looking up" in left) == bool(lookups)


def test_a_plan_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "contacts.csv").write_text("contact_id,email\nC1,a@acme.com\n", encoding="utf-8")
    policy = tmp_path / "enrichment.toml"
    policy.write_text(f'[source]\nattach = "{source}"\ncontacts = "select * from contacts"\n')
    code = (
        "import sys\n"
        "from enrichment_pipeline.cli.main import main\n"
        "for _ in range(2):\n"
        "    sys.argv = ['enrichment', 'plan']\n"
        "    try: main()\n"
        "    except SystemExit as ended: assert not ended.code\n"
        "    print([name for name in ('httpx', 'dagster') if sys.modules.get(name)])\n"
    )
    environment = {"ENRICHMENT_HOME": str(tmp_path / "home"), "ENRICHMENT_CONFIG": str(policy)}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines().count("[]") == 2
