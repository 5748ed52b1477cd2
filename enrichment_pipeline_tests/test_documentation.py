"""The documentation says what the code does: its generated pages, and what the README may be."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return runpy.run_path(str(PROJECT / "tools" / "make_reference.py"))["pages"]()


def test_the_pages_that_are_made_of_the_code_are_up_to_date(pages: dict[str, str]) -> None:
    behind = [
        name
        for name, text in pages.items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert behind == [], "make reference writes them anew"


def test_each_page_of_the_documentation_is_in_the_navigation() -> None:
    navigation = (PROJECT / "zensical.toml").read_text(encoding="utf-8")
    found = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert sorted(name for name in found if f'"{name}"' not in navigation) == []


def test_each_option_and_argument_says_what_it_is_for(pages: dict[str, str]) -> None:
    silent = [line for line in pages["reference/commands.md"].splitlines() if line.endswith("|  |")]
    assert silent == []


def test_each_key_of_the_policy_says_what_it_is_for(pages: dict[str, str]) -> None:
    sections = pages["reference/policy.md"].split("\n## ")
    lines = [line for each in sections if "[fields]" not in each for line in each.splitlines()]
    assert [line for line in lines if line.endswith("|  |")] == []


def test_the_readme_is_one_screen() -> None:
    assert len((PROJECT / "README.md").read_text(encoding="utf-8").split()) <= 600
