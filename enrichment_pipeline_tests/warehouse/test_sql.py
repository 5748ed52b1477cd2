"""The SQL files: each name once, each in a topic's folder, each with a head that is true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import enrichment_pipeline
from enrichment_pipeline.warehouse import sql
from enrichment_pipeline_tests.warehouse.sql_heads import (
    UNREADABLE,
    Relations,
    by_head,
    by_statements,
    head_lines,
    sql_files,
)

PACKAGE = Path(enrichment_pipeline.__file__).parent
FILES = sql_files(PACKAGE)
PROVIDERS = PACKAGE / "providers"


def files_at_work() -> list[list[Path]]:
    """For each provider what runs together: the files that are ours, and those of its folder."""
    ours = [file for file in FILES if PROVIDERS not in file.parents]
    folders = sorted({file.parent for file in FILES} - {file.parent for file in ours})
    return [[*ours, *(file for file in FILES if file.parent == folder)] for folder in folders]


def test_the_head_of_each_file_says_what_its_statements_read_and_make():
    wrong = {}
    for file in FILES:
        text = file.read_text()
        if file.stem not in UNREADABLE and by_head(text) != (is_so := by_statements(text)):
            wrong[file.relative_to(PACKAGE).as_posix()] = head_lines(is_so)
    assert wrong == {}


@pytest.mark.parametrize("files", files_at_work(), ids=lambda files: files[-1].parent.name)
def test_each_temporary_relation_is_made_in_one_file(files: list[Path]):
    makers: dict[str, list[str]] = {}
    for file in files:
        for name in by_head(file.read_text()).makes:
            makers.setdefault(name, []).append(file.stem)
    several = {name: made for name, made in makers.items() if len(made) > 1 and "." not in name}
    # labels spread step by step, over what they have reached so far; turns follow each other; to
    # contacts that were read are added those that were not, where only newer ones are; a sink's
    # own table is made there where it is missing
    assert several == {
        "incoming_contacts": ["complete_incoming_contacts", "read_contacts"],
        "person_labels": ["spread_person_labels", "start_person_labels"],
        "sink_states": ["create_sink_states", "replace_sink_state"],
        "turn_states": ["add_turn", "start_turns"],
    }


@pytest.mark.parametrize("files", files_at_work(), ids=lambda files: files[-1].parent.name)
def test_each_file_has_a_name_of_its_own_and_lies_in_a_folder_that_is_described(files: list[Path]):
    names = Counter(file.stem for file in files)
    assert [name for name, count in names.items() if count > 1] == []
    topics = {file.parent.name for file in files if Path(sql.__file__).parent in file.parents}
    assert [topic for topic in topics if f"`{topic}/`" not in (sql.__doc__ or "")] == []


def test_heads_are_read_off_statements():
    text = """
        create or replace temp table made as
        with inner_rows as (select * from raw.lookups as lookup)
        select * from inner_rows inner join given using (id);
        merge into staging.contacts as known using made on known.id = made.id
        when not matched then insert by name;
        create or replace temp macro double(x) as 2 * x;
    """
    assert by_statements(text) == Relations(
        reads=frozenset({"raw.lookups", "given"}), makes=frozenset({"made", "staging.contacts"})
    )
    head = "-- Why.\n--\n-- reads: raw.lookups,\n--        given\n-- makes: made\n\nselect 1;"
    assert by_head(head) == Relations(frozenset({"raw.lookups", "given"}), frozenset({"made"}))
