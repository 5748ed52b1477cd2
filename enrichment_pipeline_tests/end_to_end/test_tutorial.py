"""The tutorial: each of its commands and lines of Python is run, and gives what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"^```(csv|console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKIPPED = "…"
"""A line of the page in the place of lines that a command prints, or none."""


class Session:
    """A shell and its folder, as someone who follows the page has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours = {"ENRICHMENT", "DAGSTER", "SIGNALHIRE", "PROSPEO", "PEOPLEDATALABS", "HUNTER"}
        self._environment = {
            name: value for name, value in os.environ.items() if name.split("_")[0] not in ours
        } | {"PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "80", "PWD": str(folder)}

    def do(self, command: str) -> str:
        """What it prints. An `export` holds for the commands after it."""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self._environment[name] = value.replace("$PWD", str(self.folder))
            return ""
        return self._run("bash", "-c", command)

    def python(self, lines: str) -> str:
        return self._run(sys.executable, "-c", lines)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout + done.stderr


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that the page shows of what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, shown


def is_shown(printed: str, shown: list[str]) -> bool:
    """Whether these are its lines, in order, with anything in the place of what is skipped."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == SKIPPED else re.escape(line.strip()) + r"\n" for line in shown
    )
    text = "".join(f"{line.strip()}\n" for line in printed.strip().split("\n"))
    return re.fullmatch(pattern, text) is not None


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_tutorial_does_as_it_says(tmp_path: Path) -> None:
    session = Session(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    for kind, block in BLOCK.findall(page):
        if kind == "csv":
            (tmp_path / "contacts.csv").write_text(block, encoding="utf-8")
        elif kind == "python":
            session.python(block)
        else:
            for command, shown in commands(block):
                printed = session.do(command)
                assert not shown or is_shown(printed, shown), (command, printed)


def test_lines_that_a_command_does_not_print_are_noticed() -> None:
    assert is_shown("a\nb\nc\n", ["a", SKIPPED, "c"])
    assert is_shown("a\nc\n", ["a", SKIPPED, "c"])
    assert not is_shown("a\nb\nc\n", ["a", "c"])
    assert not is_shown("a\nb\n", ["a", SKIPPED, "c"])
