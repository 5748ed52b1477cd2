"""Lanes: their keys, how a selection is written, and the rectangles that cover it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.lanes import (
    FRESHNESS,
    PRIORITIES,
    Lane,
    lane_blocks,
    parse_choice,
)

ALL_LANES = [Lane(f, p) for f, p in product(FRESHNESS, PRIORITIES)]


def test_a_lane_reads_as_its_key() -> None:
    assert Lane("new", "strategic").key == "new|strategic"
    assert [Lane.from_key(lane.key) for lane in ALL_LANES] == ALL_LANES


@pytest.mark.parametrize(
    "key",
    ["", "new", "new|", "|bulk", "bulk|new", "new|gold", "NEW|bulk", "new|bulk|x", "fresh|bulk"],
)
def test_what_is_no_lane_is_refused_by_name(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Lane.from_key(key)
    assert repr(key) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        (None, FRESHNESS),
        ("stale", ("stale",)),
        ("stale,new", ("new", "stale")),
        (" new , retry ,", ("new", "retry")),
        ("new,new", ("new",)),
        ("stale,retry,new", FRESHNESS),
    ],
)
def test_a_choice_is_a_comma_list_in_any_order(text: str | None, chosen: tuple[str, ...]) -> None:
    assert parse_choice("--freshness", text, FRESHNESS) == chosen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing chosen"),
        (" , ", "nothing chosen"),
        ("new,old", "unknown old"),
        ("z,a", "unknown a, z"),
        ("New", "unknown New"),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_choice("--freshness", text, FRESHNESS)
    message = str(caught.value)
    assert message.startswith(f"--freshness: {words}")
    assert message.endswith("choose from new, retry, stale")


SOME_FRESHNESS = st.lists(st.sampled_from(FRESHNESS))
SOME_PRIORITIES = st.lists(st.sampled_from(PRIORITIES))


@given(freshness=SOME_FRESHNESS, priorities=SOME_PRIORITIES)
def test_blocks_cover_exactly_what_was_chosen_and_nothing_twice(
    freshness: list[str], priorities: list[str]
) -> None:
    covered = [lane for block in lane_blocks(freshness, priorities) for lane in block.lanes]
    assert len(covered) == len(set(covered))
    assert set(covered) == {Lane(f, p) for f, p in product(freshness, priorities)}


@given(freshness=SOME_FRESHNESS, priorities=SOME_PRIORITIES)
def test_a_block_is_what_one_range_of_partitions_covers(
    freshness: list[str], priorities: list[str]
) -> None:
    for block in lane_blocks(freshness, priorities):
        # Dagster reads a range of two dimensions as a rectangle between its corners
        first, last = Lane.from_key(block.first_key), Lane.from_key(block.last_key)
        rectangle = product(
            FRESHNESS[FRESHNESS.index(first.freshness) : FRESHNESS.index(last.freshness) + 1],
            PRIORITIES[PRIORITIES.index(first.priority) : PRIORITIES.index(last.priority) + 1],
        )
        assert block.lanes == [Lane(f, p) for f, p in rectangle]


@given(freshness=SOME_FRESHNESS, priorities=SOME_PRIORITIES)
def test_blocks_come_with_the_highest_priority_first(
    freshness: list[str], priorities: list[str]
) -> None:
    ranks = [PRIORITIES.index(block.priorities[0]) for block in lane_blocks(freshness, priorities)]
    assert ranks == sorted(ranks)


def test_blocks_are_as_few_as_can_be() -> None:
    assert len(lane_blocks(FRESHNESS, PRIORITIES)) == 1
    assert len(lane_blocks(["new", "stale"], ["strategic", "target", "bulk"])) == 4
    assert lane_blocks([], PRIORITIES) == lane_blocks(FRESHNESS, []) == []
