"""What the UI is given to show: tables and charts in Markdown, with nothing in them but text."""

from __future__ import annotations

import pytest

from enrichment_pipeline.defs.metadata import markdown_bars, markdown_table

SHOWN_AT_ONCE = 1000
"""Dagster's UI hides a longer text behind a click."""


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("![](http://x/a.png)", "!\\[\\](http://x/a.png)"),
        ("a|b", "a\\|b"),
        ("a`b`*c*~d~", "a\\`b\\`\\*c\\*\\~d\\~"),
        ("a\\", "a\\\\"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("a\n| b |\x1b[31m", "a \\| b \\| \\[31m"),
    ],
)
def test_an_id_is_text_whatever_it_looks_like(hostile: str, shown: str) -> None:
    table = markdown_table(("contact_id", "reason"), [(hostile, "no_match")])
    assert table.value == f"| contact_id | reason |\n| --- | --- |\n| {shown} | no_match |"


def test_bars_are_as_long_as_their_numbers() -> None:
    chart = str(markdown_bars(("reason", "contacts"), [("a", 1000), ("b", 500), ("c", 0)]).value)
    a, b, c = (line.split("|")[3].strip() for line in chart.splitlines()[2:])
    assert (len(a), len(b), c) == (14, 7, "")
    assert "| a | 1,000 |" in chart


def test_a_chart_of_every_reason_is_short_enough_to_be_shown_at_once() -> None:
    rows = [("insufficient_identity", 123_456)] * 15
    assert len(str(markdown_bars(("reason", "contacts"), rows).value)) < SHOWN_AT_ONCE
