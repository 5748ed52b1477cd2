"""Tests of what every stand-in needs, and the helpers that the tests of any of them share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def journal_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
