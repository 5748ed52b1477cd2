"""The lanes: freshness times priority, and how a selection of them is written.

Here: the lanes' keys, and the parsing of selections. Not here: the words and their order
(`vocabulary.py`), which contact is in which lane (that is SQL, `warehouse/sql/`), and Dagster's
partitions over them (`defs/partitions.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from enrichment_pipeline.errors import ConfigurationError
from enrichment_pipeline.vocabulary import FRESHNESS, PRIORITIES


@dataclass(frozen=True)
class Lane:
    """One freshness × priority combination: a selector of work, never a row address."""

    freshness: str
    priority: str

    @property
    def key(self) -> str:
        """Dagster's partition key, such as `new|strategic`."""
        return f"{self.freshness}|{self.priority}"

    @classmethod
    def from_key(cls, key: str) -> "Lane":
        freshness, _, priority = key.partition("|")
        if freshness not in FRESHNESS or priority not in PRIORITIES:
            raise ConfigurationError(f"no such lane: {key!r}; a lane reads like new|strategic")
        return cls(freshness, priority)


@dataclass(frozen=True)
class LaneBlock:
    """A rectangle of lanes, contiguous in both dimensions: what one Dagster run can cover."""

    freshness: tuple[str, ...]
    priorities: tuple[str, ...]

    @property
    def lanes(self) -> list[Lane]:
        return [Lane(f, p) for f, p in product(self.freshness, self.priorities)]

    @property
    def first_key(self) -> str:
        return self.lanes[0].key

    @property
    def last_key(self) -> str:
        return self.lanes[-1].key


def parse_choice(option: str, text: str | None, names: Sequence[str]) -> tuple[str, ...]:
    """The names chosen by a comma list, in their defined order; all of them for None.

    Raises ConfigurationError for an empty list or an unknown name.
    """
    if text is None:
        return tuple(names)
    chosen = {part.strip() for part in text.split(",") if part.strip()}
    unknown = sorted(chosen - set(names))
    if unknown or not chosen:
        what = f"unknown {', '.join(unknown)}" if unknown else "nothing chosen"
        raise ConfigurationError(f"{option}: {what}; choose from {', '.join(names)}")
    return tuple(name for name in names if name in chosen)


def lane_blocks(freshness: Iterable[str], priorities: Iterable[str]) -> list[LaneBlock]:
    """The fewest rectangles that cover the chosen lanes exactly, highest priority first."""
    return [
        LaneBlock(f, p)
        for p in _contiguous(priorities, PRIORITIES)
        for f in _contiguous(freshness, FRESHNESS)
    ]


def _contiguous(chosen: Iterable[str], names: Sequence[str]) -> list[tuple[str, ...]]:
    wanted = set(chosen)
    runs: list[list[str]] = [[]]
    for name in names:
        if name in wanted:
            runs[-1].append(name)
        elif runs[-1]:
            runs.append([])
    return [tuple(run) for run in runs if run]
