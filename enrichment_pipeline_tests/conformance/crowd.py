"""A crowd that every shipped provider's stand-in can be started over, and its side of the bill.

Here: people by number, and reading the journal of charges. Not here: any provider's case
(`cases.py`, `prospeo_case.py`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from enrichment_pipeline_tests.sandbox import journal_lines


def item(number: int) -> str:
    return f"person-{number}@crowd.example"


def uid(number: int) -> str:
    return f"{number:032x}"


def crowd(people: int) -> list[dict[str, str]]:
    """So many people, as the sandbox's CSV file has them."""
    return [
        {
            "uid": uid(number),
            "full_name": f"Person {number}",
            "linkedin_url": f"https://www.linkedin.com/in/person-{number}",
            "work_email": item(number),
            "mobile_phone": f"+49 1512 345{number:04d}",
        }
        for number in range(people)
    ]


class Journalled:
    """A stand-in and its journal, as a `StandIn`."""

    def __init__(self, base_url: str, journal: Path) -> None:
        self.base_url = base_url
        self._journal = journal

    def _lines(self) -> list[dict[str, Any]]:
        return journal_lines(self._journal) if self._journal.exists() else []

    def charged(self) -> Counter[str]:
        units: Counter[str] = Counter()
        for line in self._lines():
            units[line["item"]] += line["credits"]
        return units

    def times_charged(self) -> Counter[str]:
        return Counter(line["item"] for line in self._lines())

    def batches(self) -> list[int]:
        return list(Counter(line["request"] for line in self._lines()).values())


ADA, BOB, NOBODY = item(0), item(1), "nobody@crowd.example"
BOTH = (ADA, BOB)
