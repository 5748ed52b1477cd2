"""What SQL is told by Python on each connection: words, functions, and the macros that use them.

Here: handing them over. Not here: the words (`vocabulary.py`, `word_lists.toml`, the heads of
providers' SQL), the functions (`names.py`) and the macros (`sql/schema/create_macros.sql`).
"""

from collections.abc import Sequence
from contextlib import suppress

import duckdb

from enrichment_pipeline.names import is_shorter_name, names_alike, words_alike
from enrichment_pipeline.vocabulary import (
    FRESHNESS_REASONS,
    MISMATCHES,
    PRIORITIES,
    REVIEW_REASONS,
    VALUE_STATUSES,
    words_of,
)
from enrichment_pipeline.warehouse import common_profile
from enrichment_pipeline.warehouse.statements import execute
from enrichment_pipeline.word_lists import (
    ROLE_ADDRESSES,
    SENIORITY_RULES,
    TITLES_OF_PERSONS,
    SeniorityRule,
)


def create_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Give this connection the words, the functions, and the macros that use both."""
    set_vocabulary(connection)
    _create_functions(connection)
    execute(connection, "create_macros")
    connection.execute(seniority_macro(SENIORITY_RULES))


def set_vocabulary(connection: duckdb.DuckDBPyConnection) -> None:
    """Give this connection the words, as variables."""
    readings = common_profile.readings()
    execute(
        connection,
        "set_vocabulary",
        priorities=list(PRIORITIES),
        value_statuses=list(words_of(VALUE_STATUSES)),
        freshness_reasons=list(words_of(FRESHNESS_REASONS)),
        freshness=[each.freshness for each in FRESHNESS_REASONS],
        reasons=list(words_of(REVIEW_REASONS)),
        reason_meanings=[each.meaning for each in REVIEW_REASONS],
        reason_advice=[each.advice for each in REVIEW_REASONS],
        mismatches=list(words_of(MISMATCHES)),
        mismatch_meanings=[each.meaning for each in MISMATCHES],
        role_addresses=sorted(ROLE_ADDRESSES),
        titles_of_persons=sorted(TITLES_OF_PERSONS),
        providers=[each.provider for each in readings],
        item_failures=[list(each.failed_by_item) for each in readings],
    )


def _create_functions(connection: duckdb.DuckDBPyConnection) -> None:
    text, number, truth = "VARCHAR", "DOUBLE", "BOOLEAN"
    # a database has its functions for all connections of this process to it, and but once
    with suppress(duckdb.CatalogException, duckdb.NotImplementedException):
        connection.create_function("compare_names", names_alike, [text, text, number, text], truth)
        connection.create_function("compare_words", words_alike, [text, text, number], truth)
        connection.create_function("is_shorter_name", is_shorter_name, [text, text], truth)


def seniority_macro(rules: Sequence[SeniorityRule]) -> str:
    """The statement that makes the macro `seniority_of(job_title)`, null where no rule fits.

    As a text of constants: a pattern from a table would be compiled for each title anew.
    """
    cases = "".join(
        f" when {_has_word(rule.words)}"
        f"{f' and not {_has_word(rule.unless)}' if rule.unless else ''} then '{rule.level}'"
        for rule in rules
    )
    head = "create or replace temp macro seniority_of(job_title) as"
    return f"{head} list_transform([lower(job_title)], lambda title: case{cases} end)[1]"


def _has_word(words: Sequence[str]) -> str:
    pattern = "|".join(words).replace("'", "''")
    return f"regexp_matches(title, '\\b({pattern})\\b')"
