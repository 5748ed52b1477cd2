"""One list of reasons: what SQL gives, what the report explains and what the README lists."""

from __future__ import annotations

import re
from pathlib import Path

from enrichment_pipeline.vocabulary import MEANINGS, REVIEW_REASONS
from enrichment_pipeline.warehouse.statements import text_of

PROJECT = Path(__file__).parents[1]


def test_the_readme_lists_the_reasons_with_the_same_sentences() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    _, _, table = readme.partition("| reason | means | what to do |\n| --- | --- | --- |\n")
    lines = table.split("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    assert cells == [
        [f"`{reason.word}`", reason.meaning, reason.advice] for reason in REVIEW_REASONS
    ]


def test_sql_gives_no_reason_that_the_list_lacks_and_the_list_none_that_sql_never_gives() -> None:
    texts = {name: text_of(name) for name in ("judge_contacts", "derive_search_states")}
    _, _, judged = texts["judge_contacts"].partition("as outcome_detail,")
    judged, _, _ = judged.partition("end as reason,")
    _, _, searched = texts["derive_search_states"].rpartition("as search_kind,")
    searched, _, _ = searched.partition("end as search_reason,")
    given = set(re.findall(r"(?:then|else)\s+'(\w+)'", judged + searched))
    # these two are judgements of an answer, and given as they are
    given |= {"identity_mismatch", "unreadable_answer"}
    assert given == set(MEANINGS)


def test_a_reason_stands_once_and_its_sentences_can_be_joined() -> None:
    assert len(MEANINGS) == len(REVIEW_REASONS)
    for reason in REVIEW_REASONS:
        for text in (reason.meaning, reason.advice):
            assert text == text.strip(" .;")
            assert text[0].islower()
            assert "|" not in text
