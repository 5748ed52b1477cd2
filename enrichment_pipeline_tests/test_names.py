"""Names compared word by word. Pairs of spellings: `warehouse/test_macros.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichment_pipeline.names import is_shorter_name, names_alike, words_alike

WORDS = ("a", "ab", "abc", "b", "bc", "c", "ben", "bennie", "benjamin", "muller", "mueller", "伟")
keys = st.lists(st.sampled_from(WORDS), max_size=4).map(lambda words: " ".join(sorted(words)))


@given(one=keys, other=keys)
def test_it_does_not_matter_which_of_two_names_comes_first(one: str, other: str) -> None:
    assert names_alike(one, other) == names_alike(other, one)


@given(one=keys, other=keys)
def test_of_two_names_one_at_most_is_the_shorter_form(one: str, other: str) -> None:
    assert not (is_shorter_name(one, other) and is_shorter_name(other, one))


def test_a_known_family_name_needs_a_counterpart() -> None:
    assert names_alike("anderson james thomas", "james thomas")
    assert not names_alike("anderson james thomas", "james thomas", family_name="anderson")
    assert names_alike("anderson james thomas", "anderson james", family_name="anderson")
    # of a double name one part may be left out, and an initial stand for it
    assert names_alike("garcia lopez maria", "garcia maria", family_name="garcia lopez")
    assert names_alike("robert smith", "robert s", family_name="smith")


@pytest.mark.parametrize(
    ("one", "other", "are_alike"),
    [
        ("bart", "bartholomeus", True),
        ("bart", "bartolomeus", True),
        ("ben", "bennie", True),
        ("bob", "robert", True),
        ("liz", "beth", False),
        ("tetsuya", "tetsuyai", False),
        ("a", "ada", False),
        ("guang", "guangda", False),
    ],
)
def test_words_alike(one: str, other: str, are_alike: bool) -> None:
    assert words_alike(one, other) is are_alike
    assert words_alike(other, one) is are_alike


@pytest.mark.parametrize(
    ("one", "other", "is_shorter"),
    [
        ("a lipkin", "adell lipkin", True),
        ("adell lipkin", "adell lipkin m", True),
        ("bob smith", "robert smith", True),
        ("adell lipkin", "a lipkin", False),
        ("adell lipkin", "adell lipkin", False),
        ("kim yusic", "kim sic yu", False),
        ("ada newname", "ada example", False),
        ("a lipkin m", "adell lipkin", False),
        ("adell", "adell lipkin", False),
    ],
)
def test_a_shorter_form_of_a_name(one: str, other: str, is_shorter: bool) -> None:
    assert is_shorter_name(one, other) is is_shorter
