"""The lists of words by which rules go, as `word_lists.toml` has them.

Here: reading them. Not here: the words themselves, and what is done by them (`warehouse/macros.py`,
`hashed_identifiers.py`).
"""

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class SeniorityRule:
    """The level of a position whose title has one of the words, and none of `unless`."""

    level: str
    words: tuple[str, ...]
    unless: tuple[str, ...] = ()


_LISTS = tomllib.loads(files("enrichment_pipeline").joinpath("word_lists.toml").read_text("utf-8"))
ROLE_ADDRESSES = frozenset(_LISTS["role_addresses"])
TITLES_OF_PERSONS = frozenset(_LISTS["titles_of_persons"])
SENIORITY_RULES = tuple(
    SeniorityRule(rule["level"], tuple(rule["words"]), tuple(rule.get("unless", ())))
    for rule in _LISTS["seniority"]
)
"""In order: the first that fits counts."""
