"""One list of each kind of word: what SQL knows and gives, and what the documentation lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from enrichment_pipeline.vocabulary import (
    ADDRESS_STATUSES,
    CONTACT_FRESHNESS,
    CONTACT_STATUSES,
    FEEDBACK_KINDS,
    FRESHNESS,
    FRESHNESS_REASONS,
    JUDGEMENTS,
    LOOKUP_STATES,
    MEANINGS,
    MISMATCHES,
    OUTCOMES,
    PRIORITIES,
    REVIEW_DECISIONS,
    REVIEW_REASONS,
    SENIORITIES,
    VALUE_STATUSES,
    VERDICTS,
    Decision,
    Word,
    one_of,
    words_of,
)
from enrichment_pipeline.warehouse.statements import text_of
from enrichment_pipeline.word_lists import SENIORITY_RULES

PROJECT = Path(__file__).parents[1]
SQL = PROJECT / "enrichment_pipeline" / "warehouse" / "sql"
LISTS = {
    name: words_of(words)
    for name, words in {
        "freshness": CONTACT_FRESHNESS,
        "freshness_reason": FRESHNESS_REASONS,
        "decision": REVIEW_DECISIONS,
        "outcome": OUTCOMES,
        "last_outcome": OUTCOMES,
        "state": LOOKUP_STATES,
        "last_state": LOOKUP_STATES,
        "judgement": JUDGEMENTS,
        "last_judgement": JUDGEMENTS,
        "verdict": VERDICTS,
        "outcome_detail": MISMATCHES,
        "status": (*CONTACT_STATUSES, *ADDRESS_STATUSES),
    }.items()
} | {"priority": PRIORITIES, "tier": PRIORITIES}
"""Which words may stand in a column of this name."""
_COLUMN = rf"(?<![\w$])(?P<column>{'|'.join(LISTS)})"
COMPARED = re.compile(
    rf"{_COLUMN}\s*(?:=|<>)\s*'(?P<word>\w*)'"
    rf"|{_COLUMN.replace('column', 'column2')}\s+(?:not\s+)?in\s*\((?P<words>'[^)]*)\)"
)


def compared_words(text: str) -> list[tuple[str, str]]:
    """The words that a statement compares columns of the lists with, each with its column."""
    return [
        (found["column"] or found["column2"], word)
        for found in COMPARED.finditer(text)
        for word in re.findall(r"\w+", found["word"] or found["words"] or "")
    ]


@pytest.mark.parametrize(
    ("page", "head", "words"),
    [
        ("review.md", "decision | says | and leads to", REVIEW_DECISIONS),
        ("verification.md", "`kind` | what it means | what follows", FEEDBACK_KINDS),
    ],
)
def test_the_documentation_lists_the_words_by_the_beginning_of_their_sentences(
    page: str, head: str, words: Sequence[Word | Decision]
) -> None:
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    table = text.partition(f"| {head} |\n")[2].partition("\n\n")[0]
    told = [tuple(line.strip("| ").split(" | ")[:2]) for line in table.splitlines()[1:]]
    assert told == [(f"`{each.word}`", each.meaning.partition(": ")[0]) for each in words]


def test_sql_compares_with_no_word_that_the_lists_lack() -> None:
    compared = {
        (file.name, *each)
        for file in SQL.rglob("*.sql")
        for each in compared_words(file.read_text())
    }
    assert {column for _, column, _ in compared} >= {"freshness", "decision", "outcome", "verdict"}
    assert {each for each in compared if each[2] not in LISTS[each[1]]} == set()


def test_a_word_that_is_not_in_its_list_is_found() -> None:
    text = "where state.freshness not in ('new', 'odl') and x.outcome = 'matchd'"
    assert compared_words(text) == [
        ("freshness", "new"),
        ("freshness", "odl"),
        ("outcome", "matchd"),
    ]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("contact_status.status", words_of(CONTACT_STATUSES)),
        ("contact_status.freshness", words_of(CONTACT_FRESHNESS)),
        ("contact_status.priority", PRIORITIES),
        ("worklist.freshness", FRESHNESS),
        ("worklist.priority", PRIORITIES),
        ("enriched_contacts.work_email_status", words_of(VALUE_STATUSES)),
        ("enriched_contacts.personal_email_status", words_of(VALUE_STATUSES)),
        ("enriched_contacts.direct_phone_status", words_of(VALUE_STATUSES)),
        ("enriched_contacts.mobile_phone_status", words_of(VALUE_STATUSES)),
    ],
)
def test_a_columns_comment_lists_its_words(column: str, words: Sequence[str]) -> None:
    comment = re.search(
        rf"comment on column enrichment\.{column}\s+is '([^']*)'", text_of("create_tables")
    )
    assert comment is not None
    assert comment[1] == one_of(words)


def test_the_levels_of_seniority_are_those_that_titles_can_have() -> None:
    assert {rule.level for rule in SENIORITY_RULES} == set(SENIORITIES)
    comment = f"is '{one_of(SENIORITIES)}, as far as the title tells'"
    assert f"enriched_contacts.seniority\n{comment}" in text_of("create_tables")


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


def test_sql_gives_every_freshness_reason_and_no_other() -> None:
    given = set()
    for name in ("derive_contact_states", "derive_search_states"):
        before, found, _ = text_of(name).partition("end as freshness_reason")
        assert found
        _, _, cases = before.rpartition("        case\n")
        given |= set(re.findall(r"(?:then|else) (?:coalesce\([\w.]+, )?'(\w+)'", cases))
    assert given == set(words_of(FRESHNESS_REASONS))


def test_a_word_stands_once_and_its_sentences_can_be_joined() -> None:
    lists = (REVIEW_REASONS, FRESHNESS_REASONS, CONTACT_STATUSES, VALUE_STATUSES, REVIEW_DECISIONS)
    for words in lists:
        assert len(set(words_of(words))) == len(words)
        for each in words:
            for text in (each.meaning, getattr(each, "advice", each.meaning)):
                assert text == text.strip(" .;")
                assert text[0].islower()
                assert "|" not in text
